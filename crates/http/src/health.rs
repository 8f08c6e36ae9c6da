//! Whether the server lives and can work.

use actix_web::{get, web};
use rapport_persistence::{Db, migrations};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, ApiResult};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: a server that is not says so with a problem.
    #[schema(example = "ok")]
    pub status: String,
    /// Version of Rapport.
    #[schema(example = "0.1.0")]
    pub version: String,
}

impl Health {
    fn ok() -> web::Json<Self> {
        web::Json(Self { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
    }
}

/// Ask whether the server lives
///
/// Answers without looking at anything else. A server that does not answer should be restarted.
#[utoipa::path(tag = "Service", operation_id = "get_liveness", path = "/livez",
    responses((status = 200, description = "The server lives", body = Health)), security())]
#[get("/livez")]
pub(crate) async fn get_liveness() -> web::Json<Health> {
    Health::ok()
}

/// Ask whether the server can work
///
/// Asks the database whether it is there and up to date. A server that says no should get no requests for the time being.
#[utoipa::path(tag = "Service", operation_id = "get_readiness", path = "/readyz",
    responses((status = 200, description = "The server can work", body = Health)), security())]
#[get("/readyz")]
pub(crate) async fn get_readiness(db: web::Data<Db>) -> ApiResult<web::Json<Health>> {
    if !migrations::is_current(&db).await? {
        return Err(ApiError::new(
            "unavailable",
            "The database is behind this version of Rapport: run `rapport migrate`.",
        ));
    }
    Ok(Health::ok())
}
