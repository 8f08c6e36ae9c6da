//! Tasks.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    activity::task::{MyTasksQuery, NewTask, Task, TaskAction, TaskPatch, TaskQuery, TaskRelation, TaskSearch},
    id::TaskId,
    record::{ExternalId, WriteResult},
};
use rapport_persistence::{Db, activity::tasks, people::Deleted};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, SignedIn, TasksCreate, TasksDelete, TasksRead, TasksWrite},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of tasks, under a name of its own in the document.
pub(crate) type TaskPage = ListPage<Task>;

/// A batch of tasks, under a name of its own in the document.
pub(crate) type TaskBatch = Batch<Task>;

/// List tasks
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Tasks", operation_id = "list_tasks", params(TaskQuery),
    responses((status = 200, description = "A page of tasks", body = TaskPage)),
    security(("bearer" = ["tasks:read"]))
)]
#[get("/tasks")]
pub(crate) async fn list_tasks(
    auth: Auth<TasksRead>,
    query: Query<TaskQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| tasks::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// List my tasks
///
/// The tasks that the caller is to do, with `involved_as` also those that they help with, whoever owns them. First comes what
/// is left to be done, by the time at which it is due; what has no such time comes after that, and what is finished last. A
/// program that acts for no user has no tasks.
#[utoipa::path(
    tag = "Tasks", operation_id = "list_my_tasks", params(MyTasksQuery),
    responses((status = 200, description = "A page of tasks", body = TaskPage)),
    security(("bearer" = ["tasks:read"]))
)]
#[get("/tasks/mine")]
pub(crate) async fn list_my_tasks(
    auth: Auth<TasksRead>,
    query: Query<MyTasksQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| tasks::list_mine(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search tasks
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records.
/// Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Tasks", operation_id = "search_tasks", request_body = TaskSearch,
    responses((status = 200, description = "A page of tasks", body = TaskPage)),
    security(("bearer" = ["tasks:read"]))
)]
#[post("/tasks/search")]
pub(crate) async fn search_tasks(
    auth: Auth<TasksRead>,
    body: Json<TaskSearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| tasks::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// Create task
///
/// Whoever creates a task owns it and is to do it, unless others are named. With `recurrence` it comes back when it is
/// done.
#[utoipa::path(
    tag = "Tasks", operation_id = "create_task", request_body = NewTask,
    responses(
        (status = 201, description = "The task, as it was created", body = Task,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["tasks:create"]))
)]
#[post("/tasks")]
pub(crate) async fn create_task(
    auth: Auth<TasksCreate>,
    body: Json<NewTask>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let task = tasks::create(writer, new)?;
        answer::created(writer, &task, format!("/v1/tasks/{}", task.id))
    })
    .await
}

/// What to show of a task.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetTaskQuery {
    /// `include` shows a task that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<TaskRelation>,
}

/// Get task
#[utoipa::path(
    tag = "Tasks", operation_id = "get_task",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the task has not changed.",
    params(("task_id" = Uuid, Path, description = "Id of the task"), GetTaskQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The task", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The task has not changed")
    ),
    security(("bearer" = ["tasks:read"]))
)]
#[get("/tasks/{task_id}")]
pub(crate) async fn get_task(
    auth: Auth<TasksRead>,
    id: web::Path<Uuid>,
    query: Query<GetTaskQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetTaskQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (TaskId::from_uuid(id.into_inner()), !expand.is_empty());

    let task = db.read(&auth.scope(), move |reader| tasks::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &task, &fields, embeds, &known)
}

/// Get task by external id
#[utoipa::path(
    tag = "Tasks", operation_id = "get_task_by_external_id",
    description = "The task that an outside system knows under an id, as `get_task` shows it.",
    params(
        ExternalIdPath,
        GetTaskQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The task", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The task has not changed")
    ),
    security(("bearer" = ["tasks:read"]))
)]
#[get("/tasks/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_task_by_external_id(
    auth: Auth<TasksRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetTaskQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetTaskQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let task = db
        .read(&auth.scope(), move |reader| tasks::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &task, &fields, embeds, &known)
}

/// Update task
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
/// `status` moves among `not_started`, `in_progress` and `deferred`; to finish a task or to bring it back is 409
/// `invalid_transition` here, and has addresses of its own.
#[utoipa::path(
    tag = "Tasks", operation_id = "update_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    request_body = TaskPatch,
    responses(
        (status = 200, description = "The task as it is now", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[patch("/tasks/{task_id}")]
pub(crate) async fn update_task(
    auth: Auth<TasksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<TaskPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (TaskId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let task = tasks::update(writer, id, expected, &patch)?;
        answer::record(writer, &task)
    })
    .await
}

/// Delete task
///
/// The task can be brought back with `POST /v1/tasks/{task_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Tasks", operation_id = "delete_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    responses(
        (status = 204, description = "The task is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:delete"]))
)]
#[delete("/tasks/{task_id}")]
pub(crate) async fn delete_task(
    auth: Auth<TasksDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TaskId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        tasks::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore task
///
/// Brings a deleted task back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Tasks", operation_id = "restore_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    responses(
        (status = 200, description = "The task as it is now", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[post("/tasks/{task_id}/restore")]
pub(crate) async fn restore_task(
    auth: Auth<TasksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TaskId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let task = tasks::restore(writer, id, expected)?;
        answer::record(writer, &task)
    })
    .await
}

/// Complete task
///
/// The task is done. One with a `recurrence` comes back at once: the answer names the next task as `successor_id`, which is
/// due at the next time of the rule after `due_at`. One that is done already stays as it is; one that was cancelled is 409
/// `invalid_transition`.
#[utoipa::path(
    tag = "Tasks", operation_id = "complete_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    responses(
        (status = 200, description = "The task as it is now", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[post("/tasks/{task_id}/complete")]
pub(crate) async fn complete_task(
    auth: Auth<TasksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TaskId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let task = tasks::act(writer, id, expected, TaskAction::Complete)?;
        answer::record(writer, &task)
    })
    .await
}

/// Cancel task
///
/// The task is given up; it does not come back. One that is given up already stays as it is; one that was completed is 409
/// `invalid_transition`.
#[utoipa::path(
    tag = "Tasks", operation_id = "cancel_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    responses(
        (status = 200, description = "The task as it is now", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[post("/tasks/{task_id}/cancel")]
pub(crate) async fn cancel_task(
    auth: Auth<TasksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TaskId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let task = tasks::act(writer, id, expected, TaskAction::Cancel)?;
        answer::record(writer, &task)
    })
    .await
}

/// Reopen task
///
/// A task that was completed or cancelled is to be done after all, from the start. One that is not finished stays as it is.
/// When a recurring task is completed anew, the task that came after it the first time remains the only one.
#[utoipa::path(
    tag = "Tasks", operation_id = "reopen_task",
    params(("task_id" = Uuid, Path, description = "Id of the task"), IfMatchHeader),
    responses(
        (status = 200, description = "The task as it is now", body = Task,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[post("/tasks/{task_id}/reopen")]
pub(crate) async fn reopen_task(
    auth: Auth<TasksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TaskId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let task = tasks::act(writer, id, expected, TaskAction::Reopen)?;
        answer::record(writer, &task)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct TaskUpserted {
    /// What became of the task: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The task as it is now.
    pub record: Task,
}

/// Upsert task
///
/// Creates or changes the task that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new task where not, which needs `tasks:create`, too. However many send the same id at once, there is
/// one task. What changes nothing leaves no trace.
/// With `record_id`, the task that is there already gets the id.
#[utoipa::path(
    tag = "Tasks", operation_id = "upsert_task",
    params(
        ExternalIdPath,
        UpsertQuery,
        IfMatchHeader
    ),
    request_body = TaskPatch,
    responses(
        (status = 200, description = "What became of the task, which was there", body = TaskUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The task, which is new", body = TaskUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["tasks:write"]))
)]
#[put("/tasks/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_task(
    auth: Auth<TasksWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertQuery>,
    expected: ExpectedVersion,
    body: Json<TaskPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = tasks::upsert(writer, upsert)?;
        let address = format!("/v1/tasks/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of tasks
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Tasks", operation_id = "batch_tasks", request_body = TaskBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/tasks/batch")]
pub(crate) async fn batch_tasks(auth: Auth<SignedIn>, body: TaskBatch, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, tasks::batch).await
}

/// List task history
///
/// Every change of the task, the newest first: what changed, when, and by whom. A deleted task has its history,
/// too.
#[utoipa::path(
    tag = "Tasks", operation_id = "list_task_history",
    params(("task_id" = Uuid, Path, description = "Id of the task"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["tasks:read"]))
)]
#[get("/tasks/{task_id}/history")]
pub(crate) async fn list_task_history(
    auth: Auth<TasksRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (TaskId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| tasks::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
