//! Exchange rates. They are never changed: of several for a pair and day, the one that was created last counts.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    id::ExchangeRateId,
    journal::Changes,
    money::Rates,
    record::RecordKind,
    sales::exchange_rate::{ExchangeRate, ExchangeRateList, ExchangeRateQuery, NewExchangeRate},
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, Writer,
    insert::insert_all,
    journal::{self, BulkEntry, Entry},
    page::{PageRequest, seek},
    schema::exchange_rates,
};

const KIND: RecordKind = RecordKind::ExchangeRate;

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = exchange_rates, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    from_currency: String,
    to_currency: String,
    rate: Decimal,
    valid_from: NaiveDate,
}

impl Row {
    fn of(workspace: Uuid, rate: &ExchangeRate) -> Self {
        Self {
            workspace_id: workspace,
            id: rate.id.uuid(),
            created_at: rate.created_at,
            created_by: rate.created_by,
            from_currency: rate.from_currency.clone(),
            to_currency: rate.to_currency.clone(),
            rate: rate.rate,
            valid_from: rate.valid_from,
        }
    }

    fn into_rate(self) -> ExchangeRate {
        ExchangeRate {
            id: ExchangeRateId::from_uuid(self.id),
            version: 1,
            created_at: self.created_at,
            created_by: self.created_by,
            from_currency: self.from_currency,
            to_currency: self.to_currency,
            rate: self.rate.normalize(),
            valid_from: self.valid_from,
        }
    }
}

/// Exchange rates of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> exchange_rates::BoxedQuery<'static, Pg> {
    exchange_rates::table.filter(exchange_rates::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One exchange rate.
pub fn get(reader: &mut Reader<'_>, id: ExchangeRateId) -> Result<ExchangeRate, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(exchange_rates::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    row.map(Row::into_rate).ok_or(StoreError::Missing(KIND))
}

/// A page of the exchange rates, the newest day first.
pub fn list(reader: &mut Reader<'_>, query: &ExchangeRateQuery) -> Result<Page<ExchangeRate>, StoreError> {
    let request = PageRequest::read(reader, "list_exchange_rates", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if let Some(currency) = &query.from_currency {
        select = select.filter(exchange_rates::from_currency.eq(currency.clone()));
    }
    if let Some(currency) = &query.to_currency {
        select = select.filter(exchange_rates::to_currency.eq(currency.clone()));
    }
    if let Some(on) = query.on {
        let ids: Vec<Uuid> = valid(reader, on, None)?.into_iter().map(|row| row.id).collect();
        select = select.filter(exchange_rates::id.eq_any(ids));
    }
    let after = request.after::<NaiveDate>()?;
    let select =
        seek!(select, "exchange_rates.valid_from", sql_types::Date, "exchange_rates.id", Direction::Descending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.valid_from, row.id), |row| Ok(row.into_rate()))
}

/// Creates an exchange rate.
pub fn create(writer: &mut Writer<'_>, new: NewExchangeRate) -> Result<ExchangeRate, StoreError> {
    let rate = ExchangeRate::create(new, ExchangeRateId::mint(), writer.stamp())?;
    insert(writer, std::slice::from_ref(&rate))?;
    Ok(rate)
}

/// Creates several exchange rates, or none.
pub fn load(writer: &mut Writer<'_>, list: ExchangeRateList) -> Result<Vec<ExchangeRate>, StoreError> {
    let rates = ExchangeRate::create_all(list, writer.stamp())?;
    insert(writer, &rates)?;
    Ok(rates)
}

fn insert(writer: &mut Writer<'_>, rates: &[ExchangeRate]) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        let workspace = writer.workspace();
        let entries = rates.iter().map(|rate| {
            let entry = Entry::new(writer, KIND, "created", rate.id.uuid(), Changes::of_new(rate), rate.created_at);
            BulkEntry::new(entry, rate.version)
        });
        let entries = entries.collect();
        let rows: Vec<Row> = rates.iter().map(|rate| Row::of(workspace, rate)).collect();
        insert_all!(exchange_rates::table, writer.pg(), rows)?;
        journal::insert(writer.pg(), entries)
    })
}

/// The rates by which amounts are converted on a day, as they were known at a moment: what was created later does not
/// count, so that a look back sees what was seen then.
pub fn known(reader: &mut Reader<'_>, on: NaiveDate, as_of: DateTime<Utc>) -> Result<Rates, StoreError> {
    let mut rates = Rates::default();
    for row in valid(reader, on, Some(as_of))? {
        rates.add(&row.from_currency, &row.to_currency, row.valid_from, row.rate);
    }
    Ok(rates)
}

/// Of each pair the newest rate. Pairs are few and rates are many, so the index is not read but jumped through: from one
/// pair to the next, and in each to its end.
const VALID: &str = "
WITH RECURSIVE pairs AS (
    (SELECT from_currency, to_currency FROM exchange_rates WHERE workspace_id = $1
      ORDER BY from_currency, to_currency LIMIT 1)
    UNION ALL
    SELECT next.from_currency, next.to_currency
      FROM pairs
     CROSS JOIN LATERAL (
        SELECT later.from_currency, later.to_currency FROM exchange_rates AS later
         WHERE later.workspace_id = $1
           AND (later.from_currency, later.to_currency) > (pairs.from_currency, pairs.to_currency)
         ORDER BY later.from_currency, later.to_currency LIMIT 1
     ) AS next
)
SELECT newest.*
  FROM pairs
 CROSS JOIN LATERAL (
    SELECT exchange_rates.* FROM exchange_rates
     WHERE exchange_rates.workspace_id = $1
       AND exchange_rates.from_currency = pairs.from_currency AND exchange_rates.to_currency = pairs.to_currency
       AND exchange_rates.valid_from <= $2 AND ($3 IS NULL OR exchange_rates.created_at <= $3)
     ORDER BY exchange_rates.valid_from DESC, exchange_rates.created_at DESC, exchange_rates.id DESC LIMIT 1
 ) AS newest";

fn valid(reader: &mut Reader<'_>, on: NaiveDate, as_of: Option<DateTime<Utc>>) -> Result<Vec<Row>, StoreError> {
    let workspace = reader.workspace();
    let rows = diesel::sql_query(VALID)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Date, _>(on)
        .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(as_of);
    Ok(rows.load(reader.pg())?)
}
