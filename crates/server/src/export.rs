//! Exporting records as CSV files, from one moment, a page at a time: memory stays the same however many there are.

use std::io::Write;

use rapport_domain::{
    page::RecordSort,
    people::PeopleResource,
    people::{company::CompanyQuery, contact::ContactQuery, export::Table},
    workspace::custom_field::CustomField,
};
use rapport_persistence::{
    Page, Reader, StoreError, export,
    people::{companies, contacts},
    workspace::custom_fields,
};
use serde::Serialize;
use serde_json::Value;

/// Records of a page.
const PAGE: i64 = 200;

/// Writes all living records of a resource, the oldest first, and says how many there were. `progress` hears how many are
/// done, and of how many.
pub(crate) fn write(
    reader: &mut Reader<'_>,
    kind: PeopleResource,
    out: &mut csv::Writer<impl Write>,
    progress: &impl Fn(u64, u64),
) -> Result<Result<u64, csv::Error>, StoreError> {
    reader.snapshot(|reader| {
        let (total, lengths) = export::extent(reader, kind.resource())?;
        let fields: Vec<CustomField> = custom_fields::of(reader, kind.resource())?.live().cloned().collect();
        let table = Table::new(kind, &lengths, &fields);
        if let Err(error) = out.write_record(table.headings()) {
            return Ok(Err(error));
        }
        let (mut done, mut cursor) = (0, None);
        loop {
            let (records, next) = page(reader, kind, cursor)?;
            for record in &records {
                if let Err(error) = out.write_record(table.row(record)) {
                    return Ok(Err(error));
                }
            }
            done += records.len() as u64;
            progress(done, total);
            match next {
                Some(_) => cursor = next,
                None => return Ok(out.flush().map(|()| done).map_err(csv::Error::from)),
            }
        }
    })
}

/// A page of records as the API shows them, and the cursor of the next.
fn page(
    reader: &mut Reader<'_>,
    kind: PeopleResource,
    cursor: Option<String>,
) -> Result<(Vec<Value>, Option<String>), StoreError> {
    let (sort, limit) = (Some(RecordSort::OLDEST), Some(PAGE));
    match kind {
        PeopleResource::Contacts => {
            shown(contacts::list(reader, &ContactQuery { sort, limit, cursor, ..ContactQuery::default() })?)
        }
        PeopleResource::Companies => {
            shown(companies::list(reader, &CompanyQuery { sort, limit, cursor, ..CompanyQuery::default() })?)
        }
    }
}

fn shown<T: Serialize>(page: Page<T>) -> Result<(Vec<Value>, Option<String>), StoreError> {
    let records: Result<Vec<Value>, _> = page.data.iter().map(serde_json::to_value).collect();
    let records = records.map_err(|error| StoreError::Internal(format!("a record can't be written: {error}")))?;
    Ok((records, page.next_cursor))
}
