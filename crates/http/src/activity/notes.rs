//! Notes.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    activity::note::{NewNote, Note, NotePatch, NoteQuery, NoteRelation, NoteSearch},
    id::NoteId,
    record::{ExternalId, WriteResult},
};
use rapport_persistence::{Db, activity::notes, people::Deleted};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, NotesCreate, NotesDelete, NotesRead, NotesWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of notes, under a name of its own in the document.
pub(crate) type NotePage = ListPage<Note>;

/// A batch of notes, under a name of its own in the document.
pub(crate) type NoteBatch = Batch<Note>;

/// List notes
///
/// The newest first, unless `sort` or `q` say otherwise: `sort=-pinned` puts those that are pinned before the others.
/// Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Notes", operation_id = "list_notes", params(NoteQuery),
    responses((status = 200, description = "A page of notes", body = NotePage)),
    security(("bearer" = ["notes:read"]))
)]
#[get("/notes")]
pub(crate) async fn list_notes(
    auth: Auth<NotesRead>,
    query: Query<NoteQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| notes::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search notes
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records.
/// Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Notes", operation_id = "search_notes", request_body = NoteSearch,
    responses((status = 200, description = "A page of notes", body = NotePage)),
    security(("bearer" = ["notes:read"]))
)]
#[post("/notes/search")]
pub(crate) async fn search_notes(
    auth: Auth<NotesRead>,
    body: Json<NoteSearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| notes::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// Create note
///
/// Whoever creates a note owns it, unless somebody else is named. Whoever is mentioned sees it, as far as their roles let
/// them see any notes.
#[utoipa::path(
    tag = "Notes", operation_id = "create_note", request_body = NewNote,
    responses(
        (status = 201, description = "The note, as it was created", body = Note,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["notes:create"]))
)]
#[post("/notes")]
pub(crate) async fn create_note(
    auth: Auth<NotesCreate>,
    body: Json<NewNote>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let note = notes::create(writer, new)?;
        answer::created(writer, &note, format!("/v1/notes/{}", note.id))
    })
    .await
}

/// What to show of a note.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetNoteQuery {
    /// `include` shows a note that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<NoteRelation>,
}

/// Get note
#[utoipa::path(
    tag = "Notes", operation_id = "get_note",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the note has not changed.",
    params(("note_id" = Uuid, Path, description = "Id of the note"), GetNoteQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The note", body = Note,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The note has not changed")
    ),
    security(("bearer" = ["notes:read"]))
)]
#[get("/notes/{note_id}")]
pub(crate) async fn get_note(
    auth: Auth<NotesRead>,
    id: web::Path<Uuid>,
    query: Query<GetNoteQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetNoteQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (NoteId::from_uuid(id.into_inner()), !expand.is_empty());

    let note = db.read(&auth.scope(), move |reader| notes::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &note, &fields, embeds, &known)
}

/// Get note by external id
#[utoipa::path(
    tag = "Notes", operation_id = "get_note_by_external_id",
    description = "The note that an outside system knows under an id, as `get_note` shows it.",
    params(
        ExternalIdPath,
        GetNoteQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The note", body = Note,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The note has not changed")
    ),
    security(("bearer" = ["notes:read"]))
)]
#[get("/notes/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_note_by_external_id(
    auth: Auth<NotesRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetNoteQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetNoteQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let note = db
        .read(&auth.scope(), move |reader| notes::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &note, &fields, embeds, &known)
}

/// Update note
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
#[utoipa::path(
    tag = "Notes", operation_id = "update_note",
    params(("note_id" = Uuid, Path, description = "Id of the note"), IfMatchHeader),
    request_body = NotePatch,
    responses(
        (status = 200, description = "The note as it is now", body = Note,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["notes:write"]))
)]
#[patch("/notes/{note_id}")]
pub(crate) async fn update_note(
    auth: Auth<NotesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<NotePatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (NoteId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let note = notes::update(writer, id, expected, &patch)?;
        answer::record(writer, &note)
    })
    .await
}

/// Delete note
///
/// The note can be brought back with `POST /v1/notes/{note_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Notes", operation_id = "delete_note",
    params(("note_id" = Uuid, Path, description = "Id of the note"), IfMatchHeader),
    responses(
        (status = 204, description = "The note is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["notes:delete"]))
)]
#[delete("/notes/{note_id}")]
pub(crate) async fn delete_note(
    auth: Auth<NotesDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (NoteId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        notes::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore note
///
/// Brings a deleted note back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Notes", operation_id = "restore_note",
    params(("note_id" = Uuid, Path, description = "Id of the note"), IfMatchHeader),
    responses(
        (status = 200, description = "The note as it is now", body = Note,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["notes:write"]))
)]
#[post("/notes/{note_id}/restore")]
pub(crate) async fn restore_note(
    auth: Auth<NotesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (NoteId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let note = notes::restore(writer, id, expected)?;
        answer::record(writer, &note)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct NoteUpserted {
    /// What became of the note: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The note as it is now.
    pub record: Note,
}

/// Upsert note
///
/// Creates or changes the note that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new note where not, which needs `notes:create`, too. However many send the same id at once, there is
/// one note. What changes nothing leaves no trace.
/// With `record_id`, the note that is there already gets the id.
#[utoipa::path(
    tag = "Notes", operation_id = "upsert_note",
    params(
        ExternalIdPath,
        UpsertQuery,
        IfMatchHeader
    ),
    request_body = NotePatch,
    responses(
        (status = 200, description = "What became of the note, which was there", body = NoteUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The note, which is new", body = NoteUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["notes:write"]))
)]
#[put("/notes/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_note(
    auth: Auth<NotesWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertQuery>,
    expected: ExpectedVersion,
    body: Json<NotePatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = notes::upsert(writer, upsert)?;
        let address = format!("/v1/notes/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of notes
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Notes", operation_id = "batch_notes", request_body = NoteBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/notes/batch")]
pub(crate) async fn batch_notes(auth: Auth<SignedIn>, body: NoteBatch, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, notes::batch).await
}

/// List note history
///
/// Every change of the note, the newest first: what changed, when, and by whom. A deleted note has its history,
/// too.
#[utoipa::path(
    tag = "Notes", operation_id = "list_note_history",
    params(("note_id" = Uuid, Path, description = "Id of the note"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["notes:read"]))
)]
#[get("/notes/{note_id}/history")]
pub(crate) async fn list_note_history(
    auth: Auth<NotesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (NoteId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| notes::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
