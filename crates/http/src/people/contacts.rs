//! Contacts.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    id::ContactId,
    people::{
        contact::{Contact, ContactPatch, ContactQuery, ContactRelation, ContactSearch, NewContact},
        duplicate::{DuplicateCandidate, OnDuplicate},
    },
    record::{ExternalId, WriteResult},
};
use rapport_persistence::{
    Db,
    people::{Deleted, contacts, duplicates},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, ContactsCreate, ContactsDelete, ContactsRead, ContactsWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertOrRefuseQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of contacts, under a name of its own in the document.
pub(crate) type ContactPage = ListPage<Contact>;

/// A batch of contacts, under a name of its own in the document.
pub(crate) type ContactBatch = Batch<Contact>;

/// List contacts
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Contacts", operation_id = "list_contacts", params(ContactQuery),
    responses((status = 200, description = "A page of contacts", body = ContactPage)),
    security(("bearer" = ["contacts:read"]))
)]
#[get("/contacts")]
pub(crate) async fn list_contacts(
    auth: Auth<ContactsRead>,
    query: Query<ContactQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| contacts::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search contacts
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records,
/// places on the map. Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Contacts", operation_id = "search_contacts", request_body = ContactSearch,
    responses((status = 200, description = "A page of contacts", body = ContactPage)),
    security(("bearer" = ["contacts:read"]))
)]
#[post("/contacts/search")]
pub(crate) async fn search_contacts(
    auth: Auth<ContactsRead>,
    body: Json<ContactSearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| contacts::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// How a contact is created.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CreateContactQuery {
    /// What to do when somebody with the same e-mail address or telephone number is known; `refuse` unless said
    /// otherwise.
    #[param(inline = false)]
    on_duplicate: OnDuplicate,
}

/// Create contact
///
/// When somebody with the same e-mail address or telephone number is known, the answer is 409 with the candidates,
/// unless `on_duplicate=allow`.
#[utoipa::path(
    tag = "Contacts", operation_id = "create_contact", params(CreateContactQuery), request_body = NewContact,
    responses(
        (status = 201, description = "The contact, as it was created", body = Contact,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["contacts:create"]))
)]
#[post("/contacts")]
pub(crate) async fn create_contact(
    auth: Auth<ContactsCreate>,
    query: Query<CreateContactQuery>,
    body: Json<NewContact>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (new, on_duplicate) = (body.0, query.0.on_duplicate);

    auth.write(&db, move |writer| {
        let contact = contacts::create(writer, new, on_duplicate)?;
        answer::created(writer, &contact, format!("/v1/contacts/{}", contact.id))
    })
    .await
}

/// What to show of a contact.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetContactQuery {
    /// `include` shows a contact that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<ContactRelation>,
}

/// Get contact
#[utoipa::path(
    tag = "Contacts", operation_id = "get_contact",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the contact has not changed.",
    params(("contact_id" = Uuid, Path, description = "Id of the contact"), GetContactQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The contact", body = Contact,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The contact has not changed")
    ),
    security(("bearer" = ["contacts:read"]))
)]
#[get("/contacts/{contact_id}")]
pub(crate) async fn get_contact(
    auth: Auth<ContactsRead>,
    id: web::Path<Uuid>,
    query: Query<GetContactQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetContactQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ContactId::from_uuid(id.into_inner()), !expand.is_empty());

    let contact =
        db.read(&auth.scope(), move |reader| contacts::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &contact, &fields, embeds, &known)
}

/// Get contact by external id
#[utoipa::path(
    tag = "Contacts", operation_id = "get_contact_by_external_id",
    description = "The contact that an outside system knows under an id, as `get_contact` shows it.",
    params(
        ExternalIdPath,
        GetContactQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The contact", body = Contact,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The contact has not changed")
    ),
    security(("bearer" = ["contacts:read"]))
)]
#[get("/contacts/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_contact_by_external_id(
    auth: Auth<ContactsRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetContactQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetContactQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let contact = db
        .read(&auth.scope(), move |reader| contacts::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &contact, &fields, embeds, &known)
}

/// Update contact
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
#[utoipa::path(
    tag = "Contacts", operation_id = "update_contact",
    params(("contact_id" = Uuid, Path, description = "Id of the contact"), IfMatchHeader),
    request_body = ContactPatch,
    responses(
        (status = 200, description = "The contact as it is now", body = Contact,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["contacts:write"]))
)]
#[patch("/contacts/{contact_id}")]
pub(crate) async fn update_contact(
    auth: Auth<ContactsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ContactPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ContactId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let contact = contacts::update(writer, id, expected, &patch)?;
        answer::record(writer, &contact)
    })
    .await
}

/// Delete contact
///
/// The contact can be brought back with `POST /v1/contacts/{contact_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Contacts", operation_id = "delete_contact",
    params(("contact_id" = Uuid, Path, description = "Id of the contact"), IfMatchHeader),
    responses(
        (status = 204, description = "The contact is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["contacts:delete"]))
)]
#[delete("/contacts/{contact_id}")]
pub(crate) async fn delete_contact(
    auth: Auth<ContactsDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ContactId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        contacts::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore contact
///
/// Brings a deleted contact back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Contacts", operation_id = "restore_contact",
    params(("contact_id" = Uuid, Path, description = "Id of the contact"), IfMatchHeader),
    responses(
        (status = 200, description = "The contact as it is now", body = Contact,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["contacts:write"]))
)]
#[post("/contacts/{contact_id}/restore")]
pub(crate) async fn restore_contact(
    auth: Auth<ContactsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ContactId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let contact = contacts::restore(writer, id, expected)?;
        answer::record(writer, &contact)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct ContactUpserted {
    /// What became of the contact: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The contact as it is now.
    pub record: Contact,
}

/// Upsert contact
///
/// Creates or changes the contact that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new contact where not, which needs `contacts:create`, too. However many send the same id at once, there is
/// one contact. What changes nothing leaves no trace.
/// With `record_id`, the contact that is there already gets the id.
#[utoipa::path(
    tag = "Contacts", operation_id = "upsert_contact",
    params(
        ExternalIdPath,
        UpsertOrRefuseQuery,
        IfMatchHeader
    ),
    request_body = ContactPatch,
    responses(
        (status = 200, description = "What became of the contact, which was there", body = ContactUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The contact, which is new", body = ContactUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["contacts:write"]))
)]
#[put("/contacts/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_contact(
    auth: Auth<ContactsWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertOrRefuseQuery>,
    expected: ExpectedVersion,
    body: Json<ContactPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = contacts::upsert(writer, upsert)?;
        let address = format!("/v1/contacts/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of contacts
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Contacts", operation_id = "batch_contacts", request_body = ContactBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/contacts/batch")]
pub(crate) async fn batch_contacts(
    auth: Auth<SignedIn>,
    body: ContactBatch,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, contacts::batch).await
}

/// List contact history
///
/// Every change of the contact, the newest first: what changed, when, and by whom. The entries of leads that were converted to
/// it are among them, as far as you may see these. A deleted contact has its history, too.
#[utoipa::path(
    tag = "Contacts", operation_id = "list_contact_history",
    params(("contact_id" = Uuid, Path, description = "Id of the contact"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["contacts:read"]))
)]
#[get("/contacts/{contact_id}/history")]
pub(crate) async fn list_contact_history(
    auth: Auth<ContactsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ContactId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| contacts::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Contacts who may be the same person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DuplicateList {
    /// The likeliest first, 20 at most.
    pub data: Vec<DuplicateCandidate>,
}

/// List contact duplicates
///
/// Contacts who may be the same person: with the same e-mail address or telephone number, or with a similar name; the
/// same birthday or postal code makes it likelier.
#[utoipa::path(
    tag = "Contacts", operation_id = "list_contact_duplicates",
    params(("contact_id" = Uuid, Path, description = "Id of the contact")),
    responses((status = 200, description = "The likeliest candidates", body = DuplicateList)),
    security(("bearer" = ["contacts:read"]))
)]
#[get("/contacts/{contact_id}/duplicates")]
pub(crate) async fn list_contact_duplicates(
    auth: Auth<ContactsRead>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<DuplicateList>> {
    let id = ContactId::from_uuid(id.into_inner());

    let data = db.read(&auth.scope(), move |reader| duplicates::list(reader, id)).await?;

    Ok(web::Json(DuplicateList { data }))
}
