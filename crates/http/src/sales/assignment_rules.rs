//! Assignment rules: who gets which new leads.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::{AssignmentRuleId, LeadId},
    sales::assignment_rule::{
        AssignmentRule, AssignmentRulePatch, AssignmentRuleQuery, LeadAssignment, NewAssignmentRule,
    },
};
use rapport_persistence::{
    Db,
    sales::{assignment_rules, leads},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, LeadsRead, LeadsWrite, SalesSettingsWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of assignment rules, under a name of its own in the document.
pub(crate) type AssignmentRulePage = ListPage<AssignmentRule>;

/// List assignment rules
///
/// By position, as they are asked, also those that are not active.
#[utoipa::path(
    tag = "Assignment rules", operation_id = "list_assignment_rules", params(AssignmentRuleQuery),
    responses((status = 200, description = "A page of assignment rules", body = AssignmentRulePage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/assignment_rules")]
pub(crate) async fn list_assignment_rules(
    auth: Auth<LeadsRead>,
    query: Query<AssignmentRuleQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| assignment_rules::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create assignment rule
///
/// Adds a rule to the list. Leads that nobody is named for are given by the first active rule whose filter holds and that has
/// somebody to give: those of capture forms, and those that programs create which act for no user.
#[utoipa::path(
    tag = "Assignment rules", operation_id = "create_assignment_rule", request_body = NewAssignmentRule,
    responses(
        (status = 201, description = "The rule, as it was created", body = AssignmentRule,
            headers(("ETag" = String, description = "Version of the rule"), ("Location" = String, description = "Address of the rule"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/assignment_rules")]
pub(crate) async fn create_assignment_rule(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewAssignmentRule>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let rule = assignment_rules::create(writer, new)?;
        answer::created(writer, &rule, format!("/v1/assignment_rules/{}", rule.id))
    })
    .await
}

/// Get assignment rule
#[utoipa::path(
    tag = "Assignment rules", operation_id = "get_assignment_rule",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the rule has not changed.",
    params(("assignment_rule_id" = Uuid, Path, description = "Id of the rule"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The rule", body = AssignmentRule,
            headers(("ETag" = String, description = "Version of the rule"))),
        (status = 304, description = "The rule has not changed")
    ),
    security(("bearer" = ["leads:read"]))
)]
#[get("/assignment_rules/{assignment_rule_id}")]
pub(crate) async fn get_assignment_rule(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = AssignmentRuleId::from_uuid(id.into_inner());

    let rule = db.read(&auth.scope(), move |reader| assignment_rules::get(reader, id)).await?;

    render::read(&auth, &rule, &[], false, &known)
}

/// Update assignment rule
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists and the filter are replaced. Leads that the rule has
/// given stay where they are, and whose turn it is stays, too.
#[utoipa::path(
    tag = "Assignment rules", operation_id = "update_assignment_rule",
    params(("assignment_rule_id" = Uuid, Path, description = "Id of the rule"), IfMatchHeader),
    request_body = AssignmentRulePatch,
    responses(
        (status = 200, description = "The rule as it is now", body = AssignmentRule,
            headers(("ETag" = String, description = "Version of the rule"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/assignment_rules/{assignment_rule_id}")]
pub(crate) async fn update_assignment_rule(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<AssignmentRulePatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (AssignmentRuleId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let rule = assignment_rules::update(writer, id, expected, &patch)?;
        answer::record(writer, &rule)
    })
    .await
}

/// Delete assignment rule
///
/// For good. Leads keep whom it gave them to. To let a rule rest, make it inactive instead.
#[utoipa::path(
    tag = "Assignment rules", operation_id = "delete_assignment_rule",
    params(("assignment_rule_id" = Uuid, Path, description = "Id of the rule"), IfMatchHeader),
    responses(
        (status = 204, description = "The rule is gone"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/assignment_rules/{assignment_rule_id}")]
pub(crate) async fn delete_assignment_rule(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (AssignmentRuleId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        assignment_rules::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List assignment rule history
///
/// Every change of the rule, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Assignment rules", operation_id = "list_assignment_rule_history",
    params(("assignment_rule_id" = Uuid, Path, description = "Id of the rule"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/assignment_rules/{assignment_rule_id}/history")]
pub(crate) async fn list_assignment_rule_history(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (AssignmentRuleId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| assignment_rules::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Assign lead
///
/// Asks the assignment rules who gets the lead, whoever has it now, and gives it to them. The answer says of each rule what came
/// of it; with `dry_run=true` it says so without giving the lead to anybody. Where no rule decides, the lead stays as it is. A
/// lead that was converted is 409.
#[utoipa::path(
    tag = "Leads", operation_id = "assign_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    responses(
        (status = 200, description = "The lead as it is now, and what the rules said", body = LeadAssignment,
            headers(("ETag" = String, description = "Version of the lead"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/assign")]
pub(crate) async fn assign_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let LeadAssignment { lead, decided_by, rules } = leads::assign(writer, id, expected)?;
        answer::record_within(writer, "lead", &lead, json!({"decided_by": decided_by, "rules": rules}))
    })
    .await
}
