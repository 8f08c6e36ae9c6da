//! Answers of writes, in a form in which they can be kept and given again.

use actix_web::{HttpResponse, http::StatusCode};
use rapport_domain::record::WriteResult;
use rapport_persistence::{StoreError, Writer, batch::Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use uuid::Uuid;

use crate::{
    conditional::etag,
    render::{self, Shown},
};

const ETAG: &str = "etag";
const LOCATION: &str = "location";

/// What a write answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    /// JSON; none where there is nothing to say.
    body: Option<String>,
}

impl Answer {
    fn new(status: StatusCode) -> Self {
        Self { status: status.as_u16(), headers: Vec::new(), body: None }
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn with_body(mut self, body: &impl Serialize) -> Result<Self, StoreError> {
        self.body = Some(serde_json::to_string(body).map_err(|error| StoreError::Internal(error.to_string()))?);
        Ok(self)
    }

    pub(crate) fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        for (name, value) in self.headers {
            response.insert_header((name, value));
        }
        match self.body {
            Some(body) => response.content_type("application/json").body(body),
            None => response.finish(),
        }
    }
}

/// 200 with the record.
pub(crate) fn record<T: Shown>(writer: &Writer<'_>, record: &T) -> Result<Answer, StoreError> {
    let mut answer = Answer::new(StatusCode::OK);
    answer.body = Some(render::text(writer.grants(), record)?);
    Ok(if writer.is_rehearsal() { answer } else { answer.with_header(ETAG, etag(record.version())) })
}

/// 200 with the record under a name, beside what else came of the write.
pub(crate) fn record_within<T: Shown>(
    writer: &Writer<'_>,
    name: &str,
    record: &T,
    mut body: Value,
) -> Result<Answer, StoreError> {
    body[name] = render::shown(writer.grants(), record, &[])?;
    let answer = json(&body)?;
    Ok(if writer.is_rehearsal() { answer } else { answer.with_header(ETAG, etag(record.version())) })
}

/// 201 with the record and its address. In a rehearsal it has neither, and an id that no record has.
pub(crate) fn created<T: Shown>(writer: &Writer<'_>, record: &T, address: String) -> Result<Answer, StoreError> {
    let mut answer = Answer::new(StatusCode::CREATED);
    if !writer.is_rehearsal() {
        answer.body = Some(render::text(writer.grants(), record)?);
        return Ok(answer.with_header(LOCATION, address).with_header(ETAG, etag(record.version())));
    }
    let mut body = render::shown(writer.grants(), record, &[])?;
    forget_id(&mut body);
    answer.with_body(&body)
}

/// 201 with several records under a name. In a rehearsal they have ids that no records have.
pub(crate) fn all_created<T: Shown>(writer: &Writer<'_>, name: &str, records: &[T]) -> Result<Answer, StoreError> {
    let mut bodies = Vec::with_capacity(records.len());
    for record in records {
        let mut body = render::shown(writer.grants(), record, &[])?;
        if writer.is_rehearsal() {
            forget_id(&mut body);
        }
        bodies.push(body);
    }
    Answer::new(StatusCode::CREATED).with_body(&value!({name: bodies}))
}

/// 200 with what was done, in which the record stands under a name.
pub(crate) fn done<T: Shown>(
    writer: &Writer<'_>,
    name: &str,
    record: &T,
    what: &impl Serialize,
) -> Result<Answer, StoreError> {
    let mut body = serde_json::to_value(what).map_err(|error| StoreError::Internal(error.to_string()))?;
    body[name] = render::shown(writer.grants(), record, &[])?;
    let answer = Answer::new(StatusCode::OK).with_body(&body)?;
    Ok(if writer.is_rehearsal() { answer } else { answer.with_header(ETAG, etag(record.version())) })
}

/// 200 with what is no record.
pub(crate) fn json(body: &impl Serialize) -> Result<Answer, StoreError> {
    Answer::new(StatusCode::OK).with_body(body)
}

/// This status with what is no record.
pub(crate) fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Answer, StoreError> {
    Answer::new(status).with_body(body)
}

/// What came of an upsert, and the record: 201 with its address where it is new, 200 where not.
pub(crate) fn upserted<T: Shown>(
    writer: &Writer<'_>,
    outcome: &Outcome<T>,
    address: String,
) -> Result<Answer, StoreError> {
    let is_new = outcome.result == WriteResult::Created;
    let mut record = render::shown(writer.grants(), &outcome.record, &[])?;
    let mut answer = Answer::new(if is_new { StatusCode::CREATED } else { StatusCode::OK });
    match writer.is_rehearsal() {
        true if is_new => forget_id(&mut record),
        true => {}
        false => answer = answer.with_header(ETAG, etag(outcome.record.version())),
    }
    if is_new && !writer.is_rehearsal() {
        answer = answer.with_header(LOCATION, address);
    }
    answer.with_body(&value!({"result": outcome.result, "is_late": outcome.is_late, "record": record}))
}

/// Of a record that is not there, nobody is to keep the id.
fn forget_id(record: &mut Value) {
    if let Some(id) = record.get_mut("id") {
        *id = Value::String(Uuid::nil().to_string());
    }
}

/// 204.
pub(crate) fn nothing() -> Answer {
    Answer::new(StatusCode::NO_CONTENT)
}
