//! Scores of leads.

use actix_web::{HttpResponse, get, web};
use rapport_domain::{
    id::LeadId,
    insight::score::{LeadScore, LeadScoreQuery, ScoreChange},
};
use rapport_persistence::{Db, insight::scores};
use uuid::Uuid;

use crate::{
    auth::{Auth, LeadsRead},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::HistoryQuery,
};

/// Get lead score
///
/// Reckoned afresh, with what each rule gives and why: the contributions add up to the total exactly. `as_of` asks for an instant
/// of the past: by the version that counted then and what had happened by then. What the lead itself is, and which of
/// the related records there are, is taken as it is now.
#[utoipa::path(
    tag = "Scores", operation_id = "get_lead_score",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), LeadScoreQuery),
    responses((status = 200, description = "The score at that instant", body = LeadScore)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/score")]
pub(crate) async fn get_lead_score(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<LeadScoreQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<LeadScore>> {
    let (id, query) = (LeadId::from_uuid(id.into_inner()), query.0);

    let score = db.read(&auth.scope(), move |reader| scores::of_lead(reader, id, query)).await?;

    Ok(web::Json(score))
}

/// A page of the changes of a score.
pub(crate) type ScoreChangePage = ListPage<ScoreChange>;

/// List lead score history
///
/// How the score has changed and why, the latest change first. Points that fade are told of when a whole one is gone. A
/// deleted lead has its history, too.
#[utoipa::path(
    tag = "Scores", operation_id = "list_lead_score_changes",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = ScoreChangePage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/score_history")]
pub(crate) async fn list_lead_score_changes(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (LeadId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| scores::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
