//! Exchange rates: what a currency is worth in another, from a day on.

use actix_web::{HttpResponse, get, post, web};
use rapport_domain::{
    id::ExchangeRateId,
    sales::exchange_rate::{ExchangeRate, ExchangeRateList, ExchangeRateQuery, ExchangeRatesLoaded, NewExchangeRate},
};
use rapport_persistence::{Db, sales::exchange_rates};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, SalesSettingsWrite, SignedIn},
    body::Json,
    conditional::{IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
};

/// A page of exchange rates, under a name of its own in the document.
pub(crate) type ExchangeRatePage = ListPage<ExchangeRate>;

/// List exchange rates
///
/// The newest day first, with all that were ever created. With `on`, only those by which amounts of that day are converted.
/// Everybody who is signed in may read them.
#[utoipa::path(
    tag = "Exchange rates", operation_id = "list_exchange_rates", params(ExchangeRateQuery),
    responses((status = 200, description = "A page of exchange rates", body = ExchangeRatePage)),
    security(("bearer" = []))
)]
#[get("/exchange_rates")]
pub(crate) async fn list_exchange_rates(
    auth: Auth<SignedIn>,
    query: Query<ExchangeRateQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| exchange_rates::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create exchange rate
///
/// A rate is never changed or deleted. To correct one, create another for the same pair and day: it replaces the earlier from
/// the moment at which it is created. What looks back at a moment before that still finds the earlier one.
#[utoipa::path(
    tag = "Exchange rates", operation_id = "create_exchange_rate", request_body = NewExchangeRate,
    responses(
        (status = 201, description = "The rate, as it was created", body = ExchangeRate,
            headers(("ETag" = String, description = "Version of the rate"), ("Location" = String, description = "Address of the rate")))
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/exchange_rates")]
pub(crate) async fn create_exchange_rate(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewExchangeRate>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let rate = exchange_rates::create(writer, new)?;
        answer::created(writer, &rate, format!("/v1/exchange_rates/{}", rate.id))
    })
    .await
}

/// Load exchange rates
///
/// Creates up to 1,000 rates, such as the list of a day: all of them, or none where one is refused. Like rates that are
/// created one by one, they replace earlier ones for the same pairs and days.
#[utoipa::path(
    tag = "Exchange rates", operation_id = "load_exchange_rates", request_body = ExchangeRateList,
    responses((status = 201, description = "The rates, as they were created", body = ExchangeRatesLoaded)),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/exchange_rates/load")]
pub(crate) async fn load_exchange_rates(
    auth: Auth<SalesSettingsWrite>,
    body: Json<ExchangeRateList>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let list = body.0;

    auth.write(&db, move |writer| {
        let rates = exchange_rates::load(writer, list)?;
        answer::all_created(writer, "rates", &rates)
    })
    .await
}

/// Get exchange rate
#[utoipa::path(
    tag = "Exchange rates", operation_id = "get_exchange_rate",
    description = "A rate never changes: with `If-None-Match`, the answer is 304 without a body from the second time on.",
    params(("exchange_rate_id" = Uuid, Path, description = "Id of the rate"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The rate", body = ExchangeRate,
            headers(("ETag" = String, description = "Version of the rate"))),
        (status = 304, description = "The rate is known")
    ),
    security(("bearer" = []))
)]
#[get("/exchange_rates/{exchange_rate_id}")]
pub(crate) async fn get_exchange_rate(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ExchangeRateId::from_uuid(id.into_inner());

    let rate = db.read(&auth.scope(), move |reader| exchange_rates::get(reader, id)).await?;

    render::read(&auth, &rate, &[], false, &known)
}
