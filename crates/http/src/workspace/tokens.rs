//! Tokens for programs: OAuth 2 client credentials, and the keys with which anybody can check a token.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, get, http::header, post, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use rapport_domain::{
    access::{Permission, Permissions},
    id::ApiKeyId,
    workspace::token::{ClientToken, JsonWebKeySet, TokenRequest},
};
use rapport_persistence::Db;
use uuid::Uuid;

use crate::{
    address::ClientAddress,
    auth::{Authenticator, Bearer, LIFETIME, Tokens, Whence, api_key::Presented},
    body::Form,
    envelope::current_request_id,
    problem::{ApiError, ApiResult},
};

/// Get an access token for a program
///
/// OAuth 2 client credentials (RFC 6749, section 4.4) for clients that want them; an API key can as well be sent with each
/// request as it is. Takes an API key as the client and gives an access token for 15 minutes, which ends sooner when the
/// key is revoked. Errors are problem documents that also have `error` and `error_description`.
#[utoipa::path(
    tag = "Authentication", operation_id = "issue_token", path = "/oauth/token",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = ClientToken),
        (status = 401, response = crate::openapi::responses::Unauthorized)
    ),
    security()
)]
#[post("/oauth/token")]
pub(crate) async fn issue_token(
    body: Form<TokenRequest>,
    basic: Basic,
    authenticator: web::Data<Authenticator>,
    tokens: web::Data<Tokens>,
    db: web::Data<Db>,
    request: HttpRequest,
) -> ApiResult<web::Json<ClientToken>> {
    let (address, wanted) = (ClientAddress::of(&request), body.0);
    if wanted.grant_type != "client_credentials" {
        return Err(ApiError::oauth("unsupported_grant_type", "Only grant_type=client_credentials is offered."));
    }
    let key = client(&wanted, basic.0)?;
    let request_id = current_request_id();
    let found = authenticator.program(&key, Whence { address, request_id: &request_id }).await?;
    let (program, _) = found.ok_or_else(unknown_client)?;
    let permissions = narrowed(program.grants.permissions(), wanted.scope.as_deref())?;
    let bearer = Bearer::Program { key: key.id, permissions };
    let signed = tokens.sign(program.workspace.id, bearer, db.clock().now()).await;
    Ok(web::Json(ClientToken {
        access_token: signed.map_err(|error| ApiError::internal(&error))?,
        token_type: "Bearer".to_owned(),
        expires_in: LIFETIME,
        scope: permissions.scopes().join(" "),
    }))
}

/// List the keys of access tokens
///
/// The public keys (RFC 7517) with which everybody can check access tokens: ES256, `iss` is `rapport`, `aud` is
/// `rapport-api`, `typ` is `at+jwt`. A key is listed a day before it signs. Look here again when a token names a key that
/// you don't know.
#[utoipa::path(
    tag = "Authentication", operation_id = "list_token_keys", path = "/.well-known/jwks.json",
    responses((status = 200, description = "The keys", body = JsonWebKeySet)),
    security()
)]
#[get("/.well-known/jwks.json")]
pub(crate) async fn list_token_keys(tokens: web::Data<Tokens>) -> web::Json<JsonWebKeySet> {
    web::Json(tokens.public_keys().await)
}

fn unknown_client() -> ApiError {
    let detail = "client_id and client_secret do not go together, or the API key is not valid any more. The secret is the \
                  whole key, the id its part after rk_.";
    ApiError::oauth("invalid_client", detail)
}

/// The key that a client presents, in the form or as HTTP Basic.
fn client(request: &TokenRequest, basic: Option<(String, String)>) -> ApiResult<Presented> {
    let in_form = request.client_id.clone();
    let (id, secret) = match (basic, &request.client_secret) {
        (Some(_), Some(_)) => return Err(twice()),
        (Some((id, _)), None) if in_form.as_ref().is_some_and(|other| *other != id) => return Err(twice()),
        (Some(basic), None) => basic,
        (None, secret) => (in_form.unwrap_or_default(), secret.clone().unwrap_or_default()),
    };
    let id = Uuid::try_parse(&id).map(ApiKeyId::from_uuid).map_err(|_| unknown_client())?;
    Presented::parse(&secret).filter(|key| key.id == id).ok_or_else(unknown_client)
}

fn twice() -> ApiError {
    ApiError::oauth("invalid_request", "Name the client in the form or as HTTP Basic, and not in both.")
}

/// What a key may do, as far as a scope asks for it.
fn narrowed(all: Permissions, scope: Option<&str>) -> ApiResult<Permissions> {
    let words: Vec<&str> = scope.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Ok(all);
    }
    let wanted: Option<Permissions> =
        words.iter().map(|word| Permission::from_scope(word).filter(|permission| all.allow(*permission))).collect();
    wanted.ok_or_else(|| {
        let detail = format!("The API key does not have all of this scope. It has: {}.", all.scopes().join(" "));
        ApiError::oauth("invalid_scope", detail)
    })
}

/// Client id and secret of HTTP Basic; none without the header.
pub(crate) struct Basic(Option<(String, String)>);

impl FromRequest for Basic {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(given) = request.headers().get(header::AUTHORIZATION) else { return ready(Ok(Self(None))) };
        let read = given.to_str().ok().and_then(read_basic);
        ready(read.map(|pair| Self(Some(pair))).ok_or_else(unknown_client))
    }
}

/// Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn read_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(&format!("value={text}")).ok()?;
        pairs.into_iter().next().map(|(_, value)| value)
    };
    Some((decoded(id)?, decoded(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_decoded_twice() {
        let header = format!("basic {}", STANDARD.encode("a%3Ab:c+d"));
        assert_eq!(read_basic(&header), Some(("a:b".to_owned(), "c d".to_owned())));
        for wrong in ["Basic", "Basic !", "Bearer YTpi", "Basic YWI="] {
            assert_eq!(read_basic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_scope_narrows_and_never_widens() {
        let all: Permissions = [Permission::ContactsRead, Permission::CompaniesRead].into_iter().collect();
        assert_eq!(narrowed(all, None).unwrap(), all);
        assert_eq!(narrowed(all, Some("  ")).unwrap(), all);
        assert_eq!(narrowed(all, Some("contacts:read")).unwrap().scopes(), ["contacts:read"]);
        for wrong in ["contacts:write", "contacts:read contacts:write", "nonsense"] {
            assert!(narrowed(all, Some(wrong)).is_err(), "{wrong}");
        }
    }
}
