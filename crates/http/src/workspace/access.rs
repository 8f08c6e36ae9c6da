//! Who may do what, explained and audited.

use actix_web::{HttpResponse, get, web};
use rapport_domain::{
    access::{AccessExplanation, Resource},
    id::UserId,
    journal::{AuditEntry, AuditQuery},
};
use rapport_persistence::{Db, audit, workspace::explanations};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    auth::{AuditRead, Auth, RolesRead},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
};

/// A page of the audit, under a name of its own in the document.
pub(crate) type AuditEntryPage = ListPage<AuditEntry>;

/// Whose access to what is to be explained.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainAccessQuery {
    /// The resource that the record belongs to.
    #[param(inline = false)]
    resource: Resource,
    /// The record.
    record: Uuid,
    /// The user.
    user: Uuid,
}

/// Explain access
///
/// What a user may do with a record, and which rule of which role, or which share, lets or stops them. To ask about
/// somebody else is noted in the audit.
#[utoipa::path(
    tag = "Access", operation_id = "explain_access", params(ExplainAccessQuery),
    responses(
        (status = 200, description = "What the user may do, and why", body = AccessExplanation),
        (status = 404, response = crate::openapi::responses::NotFound)
    ),
    security(("bearer" = ["roles:read"]))
)]
#[get("/access/explain")]
pub(crate) async fn explain_access(
    auth: Auth<RolesRead>,
    query: Query<ExplainAccessQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<AccessExplanation>> {
    let ExplainAccessQuery { resource, record, user } = query.0;
    let user = UserId::from_uuid(user);

    let explanation = db.write(&auth.scope(), move |writer| explanations::get(writer, resource, record, user)).await?;

    Ok(web::Json(explanation))
}

/// List audit entries
///
/// Who signed in and who failed to, who changed users, teams, roles, keys and shares, and who looked on somebody's
/// behalf, the newest first.
#[utoipa::path(
    tag = "Access", operation_id = "list_audit_entries", params(AuditQuery),
    responses((status = 200, description = "A page of the audit", body = AuditEntryPage)),
    security(("bearer" = ["audit:read"]))
)]
#[get("/audit")]
pub(crate) async fn list_audit_entries(
    auth: Auth<AuditRead>,
    query: Query<AuditQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| audit::list(reader, &query)).await?;

    Ok(render::list(page))
}
