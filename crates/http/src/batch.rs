//! Bodies and answers of batches. Each operation is checked against the schema of its own, so that one that does not fit
//! keeps the others from nothing.

use std::{borrow::Cow, collections::BTreeMap, future::Future, pin::Pin, rc::Rc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, http::StatusCode};
use rapport_domain::{
    access::Resource,
    activity::{
        note::{NewNote, Note, NotePatch},
        task::{NewTask, Task, TaskPatch},
    },
    people::{
        company::{Company, CompanyPatch, NewCompany},
        contact::{Contact, ContactPatch, NewContact},
        duplicate::OnDuplicate,
    },
    problem::FieldProblem,
    record::{ExternalId, WriteResult},
    sales::{
        lead::{Lead, LeadPatch, NewLead},
        opportunity::{NewOpportunity, Opportunity, OpportunityPatch},
        product::{NewProduct, Product, ProductPatch},
    },
};
use rapport_persistence::{
    Db, StoreError, Writer,
    batch::{Operation, Outcome, Results, Upsert},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};
use uuid::Uuid;

use crate::{
    answer::{self, Answer},
    auth::{Auth, Caller},
    body,
    conditional::ExpectedVersion,
    contract::Contract,
    envelope::current_request_id,
    problem::{ApiError, ApiResult, Problem},
    render::Shown,
};

/// The most operations of one batch.
const MOST: usize = 1_000;

/// Records that batches write.
pub(crate) trait Batched: Shown + ToSchema {
    type New: DeserializeOwned + ToSchema + Send + 'static;
    type Patch: DeserializeOwned + ToSchema + Send + 'static;
    const RECORDS: Resource;
    /// Whether a new record may be one that is known already.
    const HAS_DUPLICATES: bool;

    fn id(&self) -> Uuid;
}

impl Batched for Contact {
    type New = NewContact;
    type Patch = ContactPatch;
    const RECORDS: Resource = Resource::Contacts;
    const HAS_DUPLICATES: bool = true;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Company {
    type New = NewCompany;
    type Patch = CompanyPatch;
    const RECORDS: Resource = Resource::Companies;
    const HAS_DUPLICATES: bool = false;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Task {
    type New = NewTask;
    type Patch = TaskPatch;
    const RECORDS: Resource = Resource::Tasks;
    const HAS_DUPLICATES: bool = false;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Note {
    type New = NewNote;
    type Patch = NotePatch;
    const RECORDS: Resource = Resource::Notes;
    const HAS_DUPLICATES: bool = false;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Opportunity {
    type New = NewOpportunity;
    type Patch = OpportunityPatch;
    const RECORDS: Resource = Resource::Opportunities;
    const HAS_DUPLICATES: bool = false;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Lead {
    type New = NewLead;
    type Patch = LeadPatch;
    const RECORDS: Resource = Resource::Leads;
    const HAS_DUPLICATES: bool = true;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Batched for Product {
    type New = NewProduct;
    type Patch = ProductPatch;
    const RECORDS: Resource = Resource::Products;
    const HAS_DUPLICATES: bool = false;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }
}

/// An operation as it is sent, under its `op`: were that a tag, everything would be read twice.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sent<New, Patch> {
    Create {
        #[serde(default)]
        on_duplicate: OnDuplicate,
        data: New,
    },
    Update {
        id: Uuid,
        version: Option<i64>,
        data: Patch,
    },
    Upsert {
        connection: String,
        external_id: String,
        record_id: Option<Uuid>,
        source_version: Option<i64>,
        #[serde(default)]
        on_duplicate: OnDuplicate,
        data: Patch,
    },
    Delete {
        id: Uuid,
        version: Option<i64>,
    },
}

impl<New, Patch> From<Sent<New, Patch>> for Operation<New, Patch> {
    fn from(sent: Sent<New, Patch>) -> Self {
        match sent {
            Sent::Create { on_duplicate, data } => Self::Create { new: data, on_duplicate },
            Sent::Update { id, version, data } => Self::Update { id, version, patch: data },
            Sent::Upsert { connection, external_id, record_id, source_version, on_duplicate, data } => {
                Self::Upsert(Upsert {
                    external: ExternalId { connection, external_id },
                    record: record_id,
                    version: None,
                    must_exist: false,
                    source_version,
                    patch: data,
                    on_duplicate,
                })
            }
            Sent::Delete { id, version } => Self::Delete { id, version },
        }
    }
}

/// Does operations on records of one kind: all of them or none, if that is asked.
type Apply<R, New, Patch> = fn(&mut Writer<'_>, &[Operation<New, Patch>], bool) -> Result<Results<R>, StoreError>;

/// A batch as it came: what fits, and what does not.
pub(crate) struct Batch<R: Batched> {
    atomic: bool,
    operations: Vec<Operation<R::New, R::Patch>>,
    /// Where each of them stands, and what the caller calls it.
    places: Vec<(usize, Option<String>)>,
    /// Those that do not fit.
    refused: Vec<BatchResult>,
    request_id: String,
}

impl<R: Batched + 'static> FromRequest for Batch<R> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let text = body::json_text(request, payload);
        let contract = body::contract(request);
        let caller = request.extensions().get::<Rc<Caller>>().cloned();
        Box::pin(async move {
            let (text, contract) = (text.await?, contract?);
            let caller = caller.ok_or_else(|| ApiError::internal("a batch of nobody"))?;
            Self::read(&text, &contract, &caller)
        })
    }
}

impl<R: Batched> Batch<R> {
    /// Operations become values one by one: as values, all together would take more memory than anything else.
    fn read(text: &[u8], contract: &Contract, caller: &Caller) -> ApiResult<Self> {
        let (atomic, items) = outline(text)?;
        let mut batch = Self {
            atomic,
            operations: Vec::with_capacity(items.len()),
            places: Vec::with_capacity(items.len()),
            refused: Vec::new(),
            request_id: current_request_id(),
        };
        let mut failed = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Ok(item) = serde_json::from_str::<Value>(item.get()) else { return Err(refused(text, Vec::new())) };
            let reference = item.get("ref").and_then(Value::as_str).map(ToOwned::to_owned);
            match Self::operation(item, contract, caller) {
                Ok(operation) => {
                    batch.operations.push(operation);
                    batch.places.push((index, reference));
                }
                Err(error) if atomic => failed.push((index, error)),
                Err(error) => batch.refused.push(batch.refusal(index, reference, &error)),
            }
        }
        // As everywhere, what the schema says is told before anything is looked at.
        if failed.is_empty() { Ok(batch) } else { Err(ApiError::batch(failed.into_iter())) }
    }

    fn operation(mut item: Value, contract: &Contract, caller: &Caller) -> ApiResult<Operation<R::New, R::Patch>> {
        let (op, verb) = match item.get("op").and_then(Value::as_str) {
            Some("create") => ("create", "Create"),
            Some("update") => ("update", "Update"),
            Some("upsert") => ("upsert", "Upsert"),
            Some("delete") => ("delete", "Delete"),
            _ => {
                let detail = "This has to be one of \"create\", \"update\", \"upsert\", \"delete\".";
                return Err(ApiError::fields(vec![FieldProblem::at("/op", "unknown_value", detail)]));
            }
        };
        let problems = contract.schemas.check(&format!("{verb}{}Operation", R::name()), &mut item);
        if !problems.is_empty() {
            return Err(ApiError::fields(problems));
        }
        if let Some(data) = item.get("data") {
            body::check_written(caller, R::RECORDS, data).map_err(|error| error.below("/data"))?;
        }
        let sent: Sent<R::New, R::Patch> = serde_json::from_value(Value::from_iter([(op, item)]))
            .map_err(|error| ApiError::new("validation_failed", format!("The operation does not fit: {error}.")))?;
        Ok(sent.into())
    }

    fn refusal(&self, index: usize, reference: Option<String>, error: &ApiError) -> BatchResult {
        let problem = Problem { request_id: self.request_id.clone(), ..error.problem() };
        BatchResult {
            index: index as i64,
            reference,
            status: problem.status,
            result: None,
            is_late: false,
            id: None,
            version: None,
            error: Some(problem),
        }
    }

    /// Does the operations, when it is their turn among others that take long.
    pub(crate) async fn apply<P>(
        self,
        auth: &Auth<P>,
        db: &Db,
        apply: Apply<R, R::New, R::Patch>,
    ) -> ApiResult<HttpResponse>
    where
        R: 'static,
    {
        auth.write(&db.for_long_work(), move |writer| {
            let results = apply(writer, &self.operations, self.atomic)?;
            self.answer(writer, results)
        })
        .await
    }

    /// What came of all operations, in their order.
    fn answer(mut self, writer: &Writer<'_>, results: Results<R>) -> Result<Answer, StoreError> {
        let mut all = std::mem::take(&mut self.refused);
        for ((index, reference), result) in std::mem::take(&mut self.places).into_iter().zip(results) {
            all.push(match result {
                Ok(outcome) => done(index, reference, &outcome, writer.is_rehearsal()),
                Err(error) => self.refusal(index, reference, &ApiError::from(error).below("/data")),
            });
        }
        all.sort_by_key(|result| result.index);
        let status = if self.atomic { StatusCode::OK } else { StatusCode::MULTI_STATUS };
        answer::with_status(status, &BatchResults { results: all })
    }
}

fn done<R: Batched>(
    index: usize,
    reference: Option<String>,
    outcome: &Outcome<Rc<R>>,
    is_rehearsal: bool,
) -> BatchResult {
    let status = match outcome.result {
        WriteResult::Created => StatusCode::CREATED,
        WriteResult::Updated | WriteResult::Unchanged => StatusCode::OK,
        WriteResult::Deleted => StatusCode::NO_CONTENT,
    };
    let is_imagined = is_rehearsal && outcome.result == WriteResult::Created;
    BatchResult {
        index: index as i64,
        reference,
        status: i32::from(status.as_u16()),
        result: Some(outcome.result),
        is_late: outcome.is_late,
        id: Some(if is_imagined { Uuid::nil() } else { outcome.record.id() }),
        version: Some(outcome.record.version()),
        error: None,
    }
}

/// What a batch is, before its operations are looked at.
fn outline(text: &[u8]) -> ApiResult<(bool, Vec<&RawValue>)> {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(text) else {
        return Err(refused(text, vec![FieldProblem::at("", "wrong_type", "This has to be of type object.")]));
    };
    let mut problems = Vec::new();
    let atomic = fields.remove("atomic").is_some_and(|atomic| {
        serde_json::from_str(atomic.get()).unwrap_or_else(|_| {
            problems.push(FieldProblem::at("/atomic", "wrong_type", "This has to be of type boolean."));
            false
        })
    });
    let items = operations(fields.remove("operations"), &mut problems);
    let unknown = fields.keys().map(|name| {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        FieldProblem::at(pointer, "unknown_field", "There is no such field. Leave it out.")
    });
    problems.extend(unknown);
    if problems.is_empty() { Ok((atomic, items)) } else { Err(refused(text, problems)) }
}

/// Why a batch is refused as a whole: because it is no JSON, down to its last value, or else for what is wrong with it.
fn refused(text: &[u8], problems: Vec<FieldProblem>) -> ApiError {
    body::read_json(text).err().unwrap_or_else(|| ApiError::fields(problems))
}

fn operations<'t>(given: Option<&'t RawValue>, problems: &mut Vec<FieldProblem>) -> Vec<&'t RawValue> {
    let (code, detail) = match given.map(|given| serde_json::from_str::<Vec<&RawValue>>(given.get())) {
        Some(Ok(items)) if (1..=MOST).contains(&items.len()) => return items,
        Some(Ok(items)) if items.is_empty() => ("too_few", "At least 1 is needed.".to_owned()),
        Some(Ok(_)) => ("too_many", format!("At most {MOST} are allowed. Send several batches.")),
        Some(Err(_)) => ("wrong_type", "This has to be of type array.".to_owned()),
        None => ("required", "This field is required.".to_owned()),
    };
    problems.push(FieldProblem::at("/operations", code, detail));
    Vec::new()
}

/// What came of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResults {
    /// One for each operation, in their order.
    pub results: Vec<BatchResult>,
}

/// What came of one operation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// Its place in the batch, from 0.
    #[schema(minimum = 0, example = 0)]
    pub index: i64,
    /// What the caller calls it.
    #[serde(rename = "ref")]
    #[schema(example = "a1")]
    pub reference: Option<String>,
    /// The status that it would have alone.
    #[schema(minimum = 200, maximum = 599, example = 201)]
    pub status: i32,
    /// What it did; null where it failed.
    pub result: Option<WriteResult>,
    /// Whether an upsert came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The record; null where it failed.
    pub id: Option<Uuid>,
    /// The version of the record by now; null where it failed.
    pub version: Option<i64>,
    /// Why it failed. Pointers begin at the operation.
    pub error: Option<Problem>,
}

/// The body of a batch, in the document.
impl<R: Batched> PartialSchema for Batch<R> {
    fn schema() -> RefOr<Schema> {
        let thing = R::name();
        schema_of(json!({
            "type": "object",
            "description": "Operations to do at once. Without `atomic`, each is done or refused by itself.",
            "required": ["operations"],
            "properties": {
                "atomic": {"type": "boolean", "default": false, "description": "Whether all of them are done, or none."},
                "operations": {
                    "type": "array", "minItems": 1, "maxItems": MOST,
                    "description": "What to do, in this order.",
                    "items": {"$ref": format!("#/components/schemas/{thing}Operation")}
                }
            },
            "example": {"operations": [
                {"op": "create", "ref": "a1", "data": example_of::<R>()},
                {"op": "delete", "id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b", "version": 3}
            ]}
        }))
    }
}

impl<R: Batched> ToSchema for Batch<R> {
    fn name() -> Cow<'static, str> {
        format!("{}Batch", R::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let thing = R::name();
        let names: Vec<String> =
            ["Create", "Update", "Upsert", "Delete"].iter().map(|verb| format!("{verb}{thing}Operation")).collect();
        let one_of: Vec<Value> =
            names.iter().map(|name| json!({"$ref": format!("#/components/schemas/{name}")})).collect();
        let mapping: Map<String, Value> = ["create", "update", "upsert", "delete"]
            .iter()
            .zip(&names)
            .map(|(op, name)| ((*op).to_owned(), json!(format!("#/components/schemas/{name}"))))
            .collect();
        let any = json!({"description": "One operation of a batch; `op` says which.", "oneOf": one_of, "discriminator": {"propertyName": "op", "mapping": mapping}});
        schemas.push((format!("{thing}Operation"), schema_of(any)));
        for (name, schema) in names.into_iter().zip([create::<R>(), update::<R>(), upsert::<R>(), delete::<R>()]) {
            schemas.push((name, schema_of(schema)));
        }
        schemas.push((R::New::name().into(), R::New::schema()));
        R::New::schemas(schemas);
        schemas.push((R::Patch::name().into(), R::Patch::schema()));
        R::Patch::schemas(schemas);
        schemas.push((OnDuplicate::name().into(), OnDuplicate::schema()));
    }
}

fn create<R: Batched>() -> Value {
    let data = json!({"$ref": format!("#/components/schemas/{}", R::New::name())});
    operation("create", "Creates a record.", with_duplicates::<R>(json!({"data": data})), &["data"])
}

fn update<R: Batched>() -> Value {
    let data = json!({"$ref": format!("#/components/schemas/{}", R::Patch::name())});
    operation("update", "Changes a record.", json!({"id": id(), "version": version(), "data": data}), &["id", "data"])
}

fn upsert<R: Batched>() -> Value {
    let data = json!({"$ref": format!("#/components/schemas/{}", R::Patch::name())});
    let fields = json!({
        "connection": {"type": "string", "minLength": 1, "maxLength": 63, "description": "Key of the connection."},
        "external_id": {"type": "string", "minLength": 1, "maxLength": 255, "description": "The id of the record there."},
        "record_id": {
            "type": "string", "format": "uuid",
            "description": "The record that it is, by its id here: one that is there already gets the external id, if it does not have it yet, and nothing is created."
        },
        "source_version": {
            "type": "integer", "format": "int64", "minimum": 0,
            "description": "Version of the record there. What is older than what came before changes nothing."
        },
        "data": data
    });
    let about = "Creates or changes the record that an outside system knows under an id.";
    operation("upsert", about, with_duplicates::<R>(fields), &["connection", "external_id", "data"])
}

fn delete<R: Batched>() -> Value {
    operation("delete", "Deletes a record.", json!({"id": id(), "version": version()}), &["id"])
}

fn operation(op: &str, about: &str, mut fields: Value, required: &[&str]) -> Value {
    fields["op"] = json!({"type": "string", "enum": [op], "description": "What to do."});
    fields["ref"] = json!({"type": "string", "minLength": 1, "maxLength": 255, "description": "What you call it: the result says so."});
    let required: Vec<&str> = ["op"].iter().chain(required).copied().collect();
    json!({"type": "object", "description": about, "required": required, "properties": fields})
}

fn with_duplicates<R: Batched>(mut fields: Value) -> Value {
    if R::HAS_DUPLICATES {
        fields["on_duplicate"] = json!({"$ref": "#/components/schemas/OnDuplicate"});
    }
    fields
}

fn id() -> Value {
    json!({"type": "string", "format": "uuid", "description": "Id of the record."})
}

fn version() -> Value {
    json!({
        "type": "integer", "format": "int64", "minimum": 1,
        "description": "The version that you know. When the record has moved on, it stays as it is."
    })
}

fn example_of<R: Batched>() -> Value {
    let schema = serde_json::to_value(R::New::schema()).unwrap_or_default();
    schema["example"].clone()
}

/// A schema that is written as JSON, where the derived one would not do.
fn schema_of(value: Value) -> RefOr<Schema> {
    serde_json::from_value::<Schema>(value).map(RefOr::T).unwrap_or_else(|_| RefOr::T(Schema::default()))
}

/// How an outside system calls a record.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ExternalIdPath {
    /// Key of the connection
    #[param(min_length = 1, max_length = 63, pattern = "^[a-z][a-z0-9_-]{0,62}$", example = "shop")]
    connection: String,
    /// Id of the record there
    #[param(min_length = 1, max_length = 255, example = "K-10442")]
    external_id: String,
}

impl From<ExternalIdPath> for ExternalId {
    fn from(path: ExternalIdPath) -> Self {
        Self { connection: path.connection, external_id: path.external_id }
    }
}

/// What a program says of the record that it knows under an id.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UpsertQuery {
    /// The record that it is, by its id here: one that is there already gets the external id, if it does not have it yet, and nothing
    /// is created.
    pub(crate) record_id: Option<Uuid>,
    /// Version of the record in the outside system. What is older than what came before changes nothing.
    #[param(minimum = 0)]
    pub(crate) source_version: Option<i64>,
}

impl UpsertQuery {
    /// What is to be upserted, of what nobody is known by.
    pub(crate) fn into_upsert<P>(self, id: ExternalIdPath, expected: &ExpectedVersion, patch: P) -> Upsert<P> {
        let Self { record_id, source_version } = self;
        let query = UpsertOrRefuseQuery { record_id, source_version, on_duplicate: OnDuplicate::Allow };
        query.into_upsert(id, expected, patch)
    }
}

/// The same of a record that may be somebody who is known.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UpsertOrRefuseQuery {
    /// The record that it is, by its id here: one that is there already gets the external id, if it does not have it yet, and nothing
    /// is created.
    pub(crate) record_id: Option<Uuid>,
    /// Version of the record in the outside system. What is older than what came before changes nothing.
    #[param(minimum = 0)]
    pub(crate) source_version: Option<i64>,
    /// What to do when the record is new and somebody with the same e-mail address or telephone number is known;
    /// `refuse` unless said otherwise.
    #[param(inline = false)]
    pub(crate) on_duplicate: OnDuplicate,
}

impl UpsertOrRefuseQuery {
    /// What is to be upserted.
    pub(crate) fn into_upsert<P>(self, id: ExternalIdPath, expected: &ExpectedVersion, patch: P) -> Upsert<P> {
        Upsert {
            external: id.into(),
            record: self.record_id,
            version: expected.0,
            must_exist: expected.is_given(),
            source_version: self.source_version,
            patch,
            on_duplicate: self.on_duplicate,
        }
    }
}
