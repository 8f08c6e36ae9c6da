//! The published document: what the handlers' annotations say, put into the form that every client generator takes.

mod compatible;
mod normalise;
pub(crate) mod outline;
pub(crate) mod responses;

use serde_json::Value;
use utoipa::{
    __dev::{SchemaReferences, Tags},
    Modify, OpenApi, Path,
    openapi::{
        PathItem,
        path::PathsBuilder,
        security::{
            ApiKey, ApiKeyValue, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityScheme,
        },
    },
};
use utoipa_actix_web::{AppExt, scope};

use rapport_domain::{
    access::{Permission, Resource},
    activity::{
        note::NoteRelation,
        task::{TaskInvolvement, TaskRelation},
    },
    feed::{FeedKind, FeedStart, StreamEnd},
    insight::score_definition::ScoreDefinitionState,
    journal::EventName,
    page::Count,
    people::{
        company::{CompanyExpanded, CompanyRelation},
        contact::{ContactRelation, DeletedInList},
        duplicate::OnDuplicate,
    },
    record::{ArchivedInList, CountryCode, CurrencyCode, Tag},
    sales::{
        lead::{LeadRelation, LeadStatusKey},
        opportunity::OpportunityRelation,
        product::ProductRelation,
    },
    workspace::{
        api_key::{NetworkText, PermissionScope, RevokedInList},
        user::UserState,
    },
};

pub(crate) use self::compatible::compatible;
use crate::{
    problem::Problem,
    routes::{self, DeletedInRead, VERSION},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rapport",
        description = "A headless CRM: one central, lasting record of every customer, for every colleague and every program.\n\nSign in with `POST /v1/auth/login`, or use an API key. Lists are paged: follow `next_cursor` until it is null. Every record has a `version`, which is also its ETag: send it as `If-Match` so that no change is lost. Every error is a problem document (RFC 9457) that names the place and the remedy; `GET /problems/{code}` explains each code.\n\nEnumerations may grow: treat a value that you do not know as one that you do not handle. Fields that you did not ask for with `fields` are absent; a field that is null has no value.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Authentication", description = "Signing in, and who one is then."),
        (name = "Contacts", description = "People the business knows."),
        (name = "Companies", description = "Organisations the business knows."),
        (name = "Notes", description = "What somebody wrote down about a record."),
        (name = "Tasks", description = "What somebody is to do, until when, and about whom."),
        (name = "Products", description = "What the business sells, and for how much."),
        (name = "Calendar feeds", description = "Secret addresses at which programs for calendars read the tasks of a user."),
        (name = "Connections", description = "Outside systems that know records under ids of their own."),
        (name = "Webhooks", description = "Addresses of outside systems to which changes are sent, and what is sent to them."),
        (name = "Opportunities", description = "What may be sold: to whom, for how much and when."),
        (name = "Pipelines", description = "The stages through which opportunities go."),
        (name = "Leads", description = "People and organisations who may become customers."),
        (name = "Lead statuses", description = "How far leads can have come: the list from which they take their status."),
        (name = "Assignment rules", description = "Who gets which new leads."),
        (name = "Capture forms", description = "Forms of web pages whose submissions become leads, and what was sent with them."),
        (name = "Capture", description = "Where web pages send what people fill in. Public: nobody signs in."),
        (name = "Lost reasons", description = "Why something was not sold: the list from which lost leads and opportunities take their reason."),
        (name = "Exchange rates", description = "What currencies are worth in others, by day."),
        (name = "Reports", description = "What the records tell when they are put together, now and at any instant of the past."),
        (name = "Scores", description = "How many points rules give to leads, how that comes about, and the rules themselves."),
        (name = "Filters", description = "Conditions on records, as trees."),
        (name = "Views", description = "Filters, orders and columns that are saved under a name."),
        (name = "Changes", description = "What happens to records, in one order, for programs that keep up with it."),
        (name = "Users", description = "People who work with Rapport."),
        (name = "Teams", description = "Users who work together, as a tree."),
        (name = "Roles", description = "What users may do."),
        (name = "API keys", description = "With what programs sign in."),
        (name = "Custom fields", description = "What a workspace adds to the fields of its records, and all fields together."),
        (name = "Shares", description = "Single records that somebody else may see or change, too."),
        (name = "Access", description = "Who may do what: explained and audited."),
        (name = "Service", description = "The server itself.")
    ),
    components(
        // What only parameters name, or what would lead round in a circle, is not found by itself.
        schemas(
            ArchivedInList, Problem, CompanyExpanded, CompanyRelation, ContactRelation, Count, CountryCode,
            CurrencyCode, DeletedInList, DeletedInRead, EventName, FeedKind, FeedStart, LeadRelation, LeadStatusKey, NetworkText, NoteRelation, OnDuplicate,
            OpportunityRelation, PermissionScope, ProductRelation, Resource, RevokedInList, ScoreDefinitionState, StreamEnd, Tag, TaskInvolvement, TaskRelation, UserState
        ),
        responses(
            responses::BadRequest, responses::Unauthorized, responses::Forbidden, responses::NotFound,
            responses::RequestTimeout, responses::Conflict, responses::Gone, responses::PreconditionFailed,
            responses::PayloadTooLarge,
            responses::UnsupportedMediaType, responses::ValidationFailed, responses::TooManyRequests,
            responses::InternalError, responses::Unavailable
        )
    ),
    modifiers(&SecuritySchemes, &Messages)
)]
struct Api;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token from `POST /v1/auth/login`, or an API key. Access tokens are JWTs (RFC 9068) for 15 \
                 minutes, signed with ES256 and checked as RFC8725 advises; the keys are at `/.well-known/jwks.json`.",
            ))
            .build();
        let key = ApiKeyValue::with_description(
            "X-Api-Key",
            "An API key, made with `POST /v1/api_keys` or by `rapport admin create-api-key`.",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let scopes = Permission::ALL.iter().map(|permission| (permission.scope(), permission.description()));
        let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)));
        let client = OAuth2::with_description(
            [flow],
            "An access token for a program, whose client is an API key: a JWT as above, checked as RFC8725 advises.",
        );
        components.add_security_scheme("oauth2", SecurityScheme::OAuth2(client));
    }
}

/// What is sent to webhooks.
struct Messages;

impl Modify for Messages {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        type Changes = crate::commerce::webhooks::__path_receive_changes;
        let mut operation = <Changes as Path>::operation();
        operation.tags = Some(<Changes as Tags>::tags().into_iter().map(ToOwned::to_owned).collect());
        let item = PathItem::from_http_methods(<Changes as Path>::methods(), operation);
        document.webhooks = Some(PathsBuilder::new().path(<Changes as Path>::path(), item).build());
        let mut schemas = Vec::new();
        <Changes as SchemaReferences>::schemas(&mut schemas);
        document.components.get_or_insert_default().schemas.extend(schemas);
    }
}

/// The methods of operations, as the document names them.
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

/// The document as it is published, in OpenAPI 3.1 and in 3.0.3.
pub struct Published {
    pub text: &'static str,
    pub compatible_text: &'static str,
}

/// The document that a release was built with: what is checked in, which a test holds equal to what the annotations say. A server
/// starts faster and is smaller without all that makes it.
#[cfg(not(debug_assertions))]
pub fn published() -> Result<Published, String> {
    const TEXT: &str = include_str!("../../../openapi/openapi.json");
    const COMPATIBLE: &str = include_str!("../../../openapi/openapi-3.0.json");
    Ok(Published { text: TEXT, compatible_text: COMPATIBLE })
}

/// The document as the annotations say by now, so that nobody who tries a change meets the one of before.
#[cfg(debug_assertions)]
pub fn published() -> Result<Published, String> {
    static TEXTS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    let document = document();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).map_err(|error| error.to_string());
    let texts = [pretty(&document)?, pretty(&compatible(&document))?];
    let [text, compatible_text] = TEXTS.get_or_init(|| texts);
    Ok(Published { text, compatible_text })
}

/// What the annotations say, in OpenAPI 3.1.
pub fn document() -> Value {
    normalise::normalise(raw())
}

/// The same in OpenAPI 3.0.3, for generators that do not read 3.1.
pub fn compatible_document() -> Value {
    compatible(&document())
}

/// What utoipa makes of the annotations, untouched.
fn raw() -> Value {
    let (_, document) = actix_web::App::new()
        .into_utoipa_app()
        .openapi(Api::openapi())
        .service(scope(VERSION).configure(|config| routes::rooms(config)))
        .configure(|config| routes::beside(config))
        .split_for_parts();
    serde_json::to_value(document).unwrap_or_default()
}
