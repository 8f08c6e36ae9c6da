//! Tokens for programs: client credentials, and the keys with which anybody can check a token.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A program that asks for an access token (RFC 6749, section 4.4).
///
/// Its API key is the client: `client_id` is the id of the key, `client_secret` the whole key. Both can be sent as HTTP
/// Basic instead. Parameters that are not listed here are ignored, as the RFC demands.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(example = json!({"grant_type": "client_credentials", "scope": "contacts:read"}))]
pub struct TokenRequest {
    /// Always `client_credentials`.
    #[schema(max_length = 64, example = "client_credentials")]
    pub grant_type: String,
    /// Id of the API key: the part of it after `rk_`.
    #[serde(default)]
    #[schema(nullable = false, max_length = 64)]
    pub client_id: Option<String>,
    /// The whole API key.
    #[serde(default)]
    #[schema(nullable = false, max_length = 256)]
    pub client_secret: Option<String>,
    /// What the token shall be able to do: some of the key's scopes, separated by spaces. All of them unless given.
    #[serde(default)]
    #[schema(nullable = false, max_length = 2000, example = "contacts:read companies:read")]
    pub scope: Option<String>,
}

/// An access token for a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientToken {
    /// To be sent with every request: `Authorization: Bearer <access_token>`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ik4xIn0.eyJzdWIiOiIwMTk3In0.c2lnbmF0dXJl")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Seconds until the token ends.
    #[schema(minimum = 1, example = 900)]
    pub expires_in: i64,
    /// What the token can do, separated by spaces.
    #[schema(example = "contacts:read companies:read")]
    pub scope: String,
}

/// The public keys of access tokens (RFC 7517).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JsonWebKeySet {
    /// The key that signs now, those before it as long as their tokens live, and the next one a day before it signs.
    pub keys: Vec<JsonWebKey>,
}

/// A public key of access tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JsonWebKey {
    /// Family of the key: always `EC`.
    #[schema(example = "EC")]
    pub kty: String,
    /// What it is for: always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub usage: String,
    /// With what it signs: always `ES256`.
    #[schema(example = "ES256")]
    pub alg: String,
    /// Its name, which the header of a token repeats.
    #[schema(example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b")]
    pub kid: String,
    /// The curve: always `P-256`.
    #[schema(example = "P-256")]
    pub crv: String,
    /// The point's first coordinate, in base64url.
    #[schema(example = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")]
    pub x: String,
    /// The point's second coordinate, in base64url.
    #[schema(example = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")]
    pub y: String,
}
