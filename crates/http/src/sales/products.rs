//! Products.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    id::ProductId,
    record::{ExternalId, WriteResult},
    sales::product::{NewProduct, Product, ProductPatch, ProductQuery, ProductRelation, ProductSearch},
};
use rapport_persistence::{Db, people::Deleted, sales::products};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, ProductsCreate, ProductsDelete, ProductsRead, ProductsWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of products, under a name of its own in the document.
pub(crate) type ProductPage = ListPage<Product>;

/// A batch of products, under a name of its own in the document.
pub(crate) type ProductBatch = Batch<Product>;

/// List products
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Products", operation_id = "list_products", params(ProductQuery),
    responses((status = 200, description = "A page of products", body = ProductPage)),
    security(("bearer" = ["products:read"]))
)]
#[get("/products")]
pub(crate) async fn list_products(
    auth: Auth<ProductsRead>,
    query: Query<ProductQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| products::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search products
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, the currencies of
/// prices. Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Products", operation_id = "search_products", request_body = ProductSearch,
    responses((status = 200, description = "A page of products", body = ProductPage)),
    security(("bearer" = ["products:read"]))
)]
#[post("/products/search")]
pub(crate) async fn search_products(
    auth: Auth<ProductsRead>,
    body: Json<ProductSearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| products::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// Create product
///
/// Its code has to be its own: where another living product has it, the answer is 409 `conflict`, with `code_taken` among
/// the errors.
#[utoipa::path(
    tag = "Products", operation_id = "create_product", request_body = NewProduct,
    responses(
        (status = 201, description = "The product, as it was created", body = Product,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["products:create"]))
)]
#[post("/products")]
pub(crate) async fn create_product(
    auth: Auth<ProductsCreate>,
    body: Json<NewProduct>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let product = products::create(writer, new)?;
        answer::created(writer, &product, format!("/v1/products/{}", product.id))
    })
    .await
}

/// What to show of a product.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetProductQuery {
    /// `include` shows a product that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<ProductRelation>,
}

/// Get product
#[utoipa::path(
    tag = "Products", operation_id = "get_product",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the product has not changed.",
    params(("product_id" = Uuid, Path, description = "Id of the product"), GetProductQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The product", body = Product,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The product has not changed")
    ),
    security(("bearer" = ["products:read"]))
)]
#[get("/products/{product_id}")]
pub(crate) async fn get_product(
    auth: Auth<ProductsRead>,
    id: web::Path<Uuid>,
    query: Query<GetProductQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetProductQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ProductId::from_uuid(id.into_inner()), !expand.is_empty());

    let product =
        db.read(&auth.scope(), move |reader| products::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &product, &fields, embeds, &known)
}

/// Get product by external id
#[utoipa::path(
    tag = "Products", operation_id = "get_product_by_external_id",
    description = "The product that an outside system knows under an id, as `get_product` shows it.",
    params(
        ExternalIdPath,
        GetProductQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The product", body = Product,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The product has not changed")
    ),
    security(("bearer" = ["products:read"]))
)]
#[get("/products/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_product_by_external_id(
    auth: Auth<ProductsRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetProductQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetProductQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let product = db
        .read(&auth.scope(), move |reader| products::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &product, &fields, embeds, &known)
}

/// Update product
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is, and a code that another living product has is refused with 409. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
#[utoipa::path(
    tag = "Products", operation_id = "update_product",
    params(("product_id" = Uuid, Path, description = "Id of the product"), IfMatchHeader),
    request_body = ProductPatch,
    responses(
        (status = 200, description = "The product as it is now", body = Product,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["products:write"]))
)]
#[patch("/products/{product_id}")]
pub(crate) async fn update_product(
    auth: Auth<ProductsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ProductPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ProductId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let product = products::update(writer, id, expected, &patch)?;
        answer::record(writer, &product)
    })
    .await
}

/// Delete product
///
/// The product can be brought back with `POST /v1/products/{product_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Products", operation_id = "delete_product",
    params(("product_id" = Uuid, Path, description = "Id of the product"), IfMatchHeader),
    responses(
        (status = 204, description = "The product is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["products:delete"]))
)]
#[delete("/products/{product_id}")]
pub(crate) async fn delete_product(
    auth: Auth<ProductsDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ProductId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        products::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore product
///
/// Brings a deleted product back. One that lives stays as it is. The answer is 409 when another one has its code
/// by now, or a value that is unique.
#[utoipa::path(
    tag = "Products", operation_id = "restore_product",
    params(("product_id" = Uuid, Path, description = "Id of the product"), IfMatchHeader),
    responses(
        (status = 200, description = "The product as it is now", body = Product,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["products:write"]))
)]
#[post("/products/{product_id}/restore")]
pub(crate) async fn restore_product(
    auth: Auth<ProductsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ProductId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let product = products::restore(writer, id, expected)?;
        answer::record(writer, &product)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct ProductUpserted {
    /// What became of the product: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The product as it is now.
    pub record: Product,
}

/// Upsert product
///
/// Creates or changes the product that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new product where not, which needs `products:create`, too. However many send the same id at once, there is
/// one product. What changes nothing leaves no trace.
/// With `record_id`, the product that is there already gets the id.
#[utoipa::path(
    tag = "Products", operation_id = "upsert_product",
    params(
        ExternalIdPath,
        UpsertQuery,
        IfMatchHeader
    ),
    request_body = ProductPatch,
    responses(
        (status = 200, description = "What became of the product, which was there", body = ProductUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The product, which is new", body = ProductUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["products:write"]))
)]
#[put("/products/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_product(
    auth: Auth<ProductsWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertQuery>,
    expected: ExpectedVersion,
    body: Json<ProductPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = products::upsert(writer, upsert)?;
        let address = format!("/v1/products/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of products
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Products", operation_id = "batch_products", request_body = ProductBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/products/batch")]
pub(crate) async fn batch_products(
    auth: Auth<SignedIn>,
    body: ProductBatch,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, products::batch).await
}

/// List product history
///
/// Every change of the product, the newest first: what changed, when, and by whom. A deleted product has its history,
/// too.
#[utoipa::path(
    tag = "Products", operation_id = "list_product_history",
    params(("product_id" = Uuid, Path, description = "Id of the product"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["products:read"]))
)]
#[get("/products/{product_id}/history")]
pub(crate) async fn list_product_history(
    auth: Auth<ProductsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ProductId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| products::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
