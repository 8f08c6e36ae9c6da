//! Many records in few statements. Changed rows travel as one JSON document, whose fields are the columns of the table: one
//! bind for any number of rows, and the database reads each value as the type of its column. New rows go by `COPY`
//! instead, at half the cost.

mod custom;

use std::collections::{HashMap, HashSet};

use diesel::{
    PgConnection,
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_query, sql_types,
};
use rapport_domain::{
    access::Resource,
    id::{TeamId, UserId},
    journal::Changes,
    people::duplicate::DuplicateCandidate,
    problem::{FieldProblem, Invalid},
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use serde::Serialize;
use uuid::Uuid;

use self::custom::Custom;
use crate::{
    Reader, StoreError, Writer,
    batch::Operation,
    insert::insert_all,
    journal::{self, BulkEntry, Entry},
    people::{companies, contacts},
    sales::{leads, lost_reasons, opportunities, products},
    schema::external_ids,
    workspace::{teams, users},
};

/// Records of which many can be written at once: what their kind has to tell.
pub(crate) trait Bulk: Clone + PartialEq + Serialize {
    const RESOURCE: Resource;
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    type New: Clone;
    type Patch: Clone;
    type Row: Serialize;
    /// What has to be known to judge an input, asked once for all operations of a batch.
    type Context;

    fn id(&self) -> Uuid;
    fn version(&self) -> i64;
    fn match_keys(&self) -> Vec<String>;
    fn external_ids(&mut self) -> &mut Vec<ExternalId>;
    fn is_deleted(&self) -> bool;
    /// The values of custom fields. Those of an input are not judged yet.
    fn custom(&self) -> &CustomValues;
    fn custom_mut(&mut self) -> &mut CustomValues;
    /// The values of custom fields that a patch gives.
    fn given(patch: &Self::Patch) -> Option<&CustomValues>;
    /// The records that it names.
    fn references(&self) -> References;
    /// Who is to do it, and so may change it whoever owns it; none for what nobody is assigned to.
    fn assignee(&self) -> Option<UserId> {
        None
    }
    /// Who owns it, and the team that it belongs to.
    fn owner_and_team(&self) -> (Option<UserId>, Option<TeamId>);
    /// Gives it to a team, or to none.
    fn give_to_team(&mut self, team: Option<TeamId>);
    /// Who may see it because they are named in it.
    fn involved(&self) -> &[UserId] {
        &[]
    }

    /// Asks for what inputs are judged by.
    fn context(
        writer: &mut Writer<'_>,
        operations: &[Operation<Self::New, Self::Patch>],
    ) -> Result<Self::Context, StoreError>;
    /// A new record.
    fn create(new: Self::New, stamp: Stamp, context: &Self::Context) -> Result<Self, StoreError>;
    /// What a patch of a record that is not there would create.
    fn new_of(patch: Self::Patch) -> Self::New;
    /// Owner and team of a new record, as far as they are named.
    fn place_of_new(new: &mut Self::New) -> Place<'_>;
    /// Owner and team of a changed record, as far as they are named.
    fn place_of_patch(patch: &mut Self::Patch) -> Place<'_>;
    /// As a merge patch changes it.
    fn patched(&self, patch: Self::Patch, stamp: Stamp, context: &Self::Context) -> Result<Self, StoreError>;
    /// Refuses to delete what has to stay as it is.
    fn require_deletable(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Marked as deleted.
    fn deleted(&self, stamp: Stamp) -> Self;
    /// Becomes the next version.
    fn advance(&mut self, stamp: Stamp);
    fn row(&self, workspace: Uuid) -> Self::Row;

    /// Writes new records.
    fn insert(pg: &mut PgConnection, rows: Vec<Self::Row>) -> Result<(), StoreError>;
    /// The records that a patch names.
    fn named(patch: &Self::Patch) -> References;
    /// The living with one of these ids.
    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError>;
    /// The living record with this id, which the caller may change.
    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError>;
    /// Changes one record alone, if it still is as it was read.
    fn update(writer: &mut Writer<'_>, before: &Self, patch: &Self::Patch) -> Result<Self, StoreError>;
    /// Those of these ids that a change may find, locked in the order of their ids, and whether the caller may change them.
    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError>;
    /// What only the database can tell of a changed relation. All earlier records are written when it is asked.
    fn verify(_writer: &mut Writer<'_>, _before: &Self, _after: &Self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Writes what goes along with records that were written a moment ago.
    fn follow(_writer: &mut Writer<'_>, _written: &[Uuid]) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether a change has to be verified.
    fn needs_verifying(_before: &Self, _after: &Self) -> bool {
        false
    }

    /// The code that no other living record of its kind has; none where there is no such code.
    fn code(&self) -> Option<&str> {
        None
    }
    /// The code that a patch gives.
    fn code_given(_patch: &Self::Patch) -> Option<&str> {
        None
    }
    /// Who has which of these codes, whether the caller may see them or not.
    fn code_holders(_reader: &mut Reader<'_>, _codes: Vec<String>) -> Result<Vec<(String, Uuid)>, StoreError> {
        Ok(Vec::new())
    }
    /// What somebody is told who wants the code of another.
    fn code_taken() -> StoreError {
        StoreError::Internal(format!("a {} has no code", Self::kind().as_str()))
    }

    /// Those whom the caller may see and who have one of these match keys, with all of their keys. None where it is no
    /// matter who has them.
    fn holders(
        _reader: &mut Reader<'_>,
        _keys: &[String],
    ) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
        Ok(Vec::new())
    }
    /// As one who has some of these keys; none where it is no matter.
    fn candidate(&self, _keys: &[String]) -> Option<DuplicateCandidate> {
        None
    }

    /// What a record of this kind is.
    fn kind() -> RecordKind {
        Self::RESOURCE.kind()
    }
}

/// Owner and team in an input: absent, null, or named.
pub(crate) type Place<'i> = (&'i mut Option<Option<UserId>>, &'i mut Option<Option<TeamId>>);

/// What a record may refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Referenced {
    User,
    Team,
    Contact,
    Company,
    Lead,
    Opportunity,
    LostReason,
    Product,
}

impl Referenced {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Team => "team",
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Lead => "lead",
            Self::Opportunity => "opportunity",
            Self::LostReason => "lost reason to choose",
            Self::Product => "product",
        }
    }
}

/// The records that a record or a patch names, each with the pointer of the field that does.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct References(Vec<(String, Referenced, Uuid)>);

impl References {
    /// With one more, where there is one.
    pub(crate) fn with(mut self, pointer: impl Into<String>, what: Referenced, id: Option<impl Into<Uuid>>) -> Self {
        self.0.extend(id.map(|id| (pointer.into(), what, id.into())));
        self
    }

    /// With those of a list of ids.
    pub(crate) fn with_list(
        mut self,
        list: &str,
        what: Referenced,
        ids: impl Iterator<Item = impl Into<Uuid>>,
    ) -> Self {
        self.0.extend(ids.enumerate().map(|(index, id)| (format!("{list}/{index}"), what, id.into())));
        self
    }

    /// With those of a list, each of whose items names one in a field.
    pub(crate) fn with_each(
        mut self,
        list: &str,
        field: &str,
        what: Referenced,
        ids: impl Iterator<Item = impl Into<Uuid>>,
    ) -> Self {
        self.0.extend(ids.enumerate().map(|(index, id)| (format!("{list}/{index}/{field}"), what, id.into())));
        self
    }

    /// With those of another.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Refuses what is not there, each at the pointer of the field that names it. Of what was named before, nothing is asked:
    /// it may be gone by now.
    pub(crate) fn require(&self, reader: &mut Reader<'_>, before: &Self) -> Result<(), StoreError> {
        if self == before {
            return Ok(());
        }
        Known::find(reader, self)?.require(self, before)
    }

    fn ids(&self, wanted: Referenced) -> Vec<Uuid> {
        self.0.iter().filter(|(_, what, _)| *what == wanted).map(|(.., id)| *id).collect()
    }
}

/// Records that are there, as far as the caller may see them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    ids: HashSet<(Referenced, Uuid)>,
    /// The main teams of those users.
    teams: HashMap<Uuid, Uuid>,
}

impl Known {
    /// Looks for all that are named: one statement for each kind.
    pub(crate) fn find(reader: &mut Reader<'_>, named: &References) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let users = named.ids(Referenced::User);
        if !users.is_empty() {
            known.add(Referenced::User, users::summaries(reader, &users)?.into_iter().map(|user| user.id.uuid()));
            known.teams = users::main_teams(reader, &users)?.into_iter().collect();
            let teams: Vec<Uuid> = known.teams.values().copied().collect();
            known.add(Referenced::Team, teams);
        }
        let teams = named.ids(Referenced::Team);
        if !teams.is_empty() {
            known.add(Referenced::Team, teams::known(reader, teams)?);
        }
        let contacts = named.ids(Referenced::Contact);
        if !contacts.is_empty() {
            known.add(Referenced::Contact, contacts::known(reader, contacts)?);
        }
        let companies = named.ids(Referenced::Company);
        if !companies.is_empty() {
            known.add(Referenced::Company, companies::known(reader, companies)?);
        }
        let leads = named.ids(Referenced::Lead);
        if !leads.is_empty() {
            known.add(Referenced::Lead, leads::known(reader, leads)?);
        }
        let opportunities = named.ids(Referenced::Opportunity);
        if !opportunities.is_empty() {
            known.add(Referenced::Opportunity, opportunities::known(reader, opportunities)?);
        }
        let reasons = named.ids(Referenced::LostReason);
        if !reasons.is_empty() {
            known.add(Referenced::LostReason, lost_reasons::known(reader, reasons)?);
        }
        let products = named.ids(Referenced::Product);
        if !products.is_empty() {
            known.add(Referenced::Product, products::known(reader, products)?);
        }
        Ok(known)
    }

    fn add(&mut self, what: Referenced, ids: impl IntoIterator<Item = Uuid>) {
        self.ids.extend(ids.into_iter().map(|id| (what, id)));
    }

    /// What a record names, did not name before, and is not there: each with the pointer of the field and what is missing.
    pub(crate) fn missing(&self, named: &References, before: &References) -> Vec<(String, &'static str)> {
        let was_named = |what: Referenced, id: Uuid| before.0.iter().any(|(_, of, known)| *of == what && *known == id);
        let missing =
            named.0.iter().filter(|(_, what, id)| !self.ids.contains(&(*what, *id)) && !was_named(*what, *id));
        missing.map(|(pointer, what, _)| (pointer.clone(), what.as_str())).collect()
    }

    /// Refuses what is missing, each at the pointer of the field that names it.
    pub(crate) fn require(&self, named: &References, before: &References) -> Result<(), StoreError> {
        let problems: Vec<FieldProblem> = self
            .missing(named, before)
            .into_iter()
            .map(|(pointer, what)| {
                let detail = format!("There is no {what} with this id. Name another, or null.");
                FieldProblem::at(pointer, "unknown_reference", detail)
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(StoreError::fields(problems)) }
    }

    /// A record that is gone by now.
    pub(crate) fn forget(&mut self, id: Uuid) {
        self.ids.retain(|(_, known)| *known != id);
    }

    pub(crate) fn main_team(&self, owner: UserId) -> Option<TeamId> {
        self.teams.get(&owner.uuid()).copied().map(TeamId::from_uuid)
    }
}

/// What is yet to be written. It holds no record twice: before a second change the first has to be flushed.
pub(crate) struct Pending<R: Bulk> {
    inserted: Vec<R::Row>,
    updated: Vec<R::Row>,
    entries: Vec<BulkEntry>,
    external_ids: Vec<NewExternalId>,
    records: HashSet<Uuid>,
    custom: Custom,
}

/// The key under which who gives an external id to a record locks it.
pub(crate) fn external_key<R: Bulk>(connection: &str, external_id: &str) -> String {
    format!("external:{}:{connection}:{external_id}", R::TABLE)
}

/// An external id to be kept.
#[derive(Insertable)]
#[diesel(table_name = external_ids, treat_none_as_default_value = false)]
pub(crate) struct NewExternalId {
    workspace_id: Uuid,
    connection: String,
    record_kind: &'static str,
    external_id: String,
    record_id: Uuid,
    source_version: Option<i64>,
}

impl<R: Bulk> Pending<R> {
    pub(crate) fn new() -> Self {
        Self {
            inserted: Vec::new(),
            updated: Vec::new(),
            entries: Vec::new(),
            external_ids: Vec::new(),
            records: HashSet::new(),
            custom: Custom::default(),
        }
    }

    /// Asks what has to be known to judge the values of custom fields that are given.
    pub(crate) fn ask_custom(
        &mut self,
        writer: &mut Writer<'_>,
        given: &[&CustomValues],
        deletes: bool,
    ) -> Result<(), StoreError> {
        self.custom = Custom::prepare(writer, R::RESOURCE, given, deletes)?;
        Ok(())
    }

    /// Judges the values of custom fields of a new record.
    pub(crate) fn judge_new(&self, record: &mut R) -> Result<(), Invalid> {
        *record.custom_mut() = self.custom.judge_new(record.id(), record.custom())?;
        Ok(())
    }

    /// Judges the values of custom fields that a patch gave a record.
    pub(crate) fn judge_changes(&self, patch: &R::Patch, before: &R, after: &mut R) -> Result<(), Invalid> {
        if let Some(given) = R::given(patch) {
            *after.custom_mut() = self.custom.judge_changes(before.id(), given, before.custom())?;
        }
        Ok(())
    }

    /// How many records wait to be written.
    pub(crate) fn count(&self) -> usize {
        self.records.len()
    }

    /// Whether this record waits to be written.
    pub(crate) fn holds(&self, id: Uuid) -> bool {
        self.records.contains(&id)
    }

    /// Notes a new record; `origin` is the connection that brought it.
    pub(crate) fn create(&mut self, writer: &Writer<'_>, record: &R, stamp: Stamp, origin: Option<Uuid>) {
        let entry = Entry::new(writer, R::kind(), "created", record.id(), Changes::of_new(record), stamp.at);
        self.entries.push(BulkEntry::new(entry.brought_by(origin), record.version()));
        self.custom.keep(writer.workspace(), record.id(), &CustomValues::new(), record.custom());
        self.inserted.push(record.row(writer.workspace()));
        self.records.insert(record.id());
    }

    /// Notes the next version of a record.
    pub(crate) fn update(
        &mut self,
        writer: &Writer<'_>,
        verb: &str,
        (before, after): (&R, &R),
        stamp: Stamp,
        origin: Option<Uuid>,
    ) {
        let entry = Entry::new(writer, R::kind(), verb, after.id(), Changes::between(before, after), stamp.at);
        self.entries.push(BulkEntry::new(entry.brought_by(origin), after.version()));
        // What is deleted gives its values free.
        let (none, is_deleted) = (CustomValues::new(), after.is_deleted());
        self.custom.keep(
            writer.workspace(),
            after.id(),
            before.custom(),
            if is_deleted { &none } else { after.custom() },
        );
        self.updated.push(after.row(writer.workspace()));
        self.records.insert(after.id());
    }

    /// Notes an external id, which the record itself tells of, too.
    pub(crate) fn name(&mut self, writer: &Writer<'_>, record: &mut R, id: ExternalId, source_version: Option<i64>) {
        self.external_ids.push(NewExternalId {
            workspace_id: writer.workspace(),
            connection: id.connection.clone(),
            record_kind: R::kind().as_str(),
            external_id: id.external_id.clone(),
            record_id: record.id(),
            source_version,
        });
        record.external_ids().push(id);
    }

    /// Writes what is pending.
    pub(crate) fn flush(&mut self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let custom = std::mem::take(&mut self.custom);
        let pending = std::mem::replace(self, Self { custom, ..Self::new() });
        let pg = writer.pg();
        R::insert(pg, pending.inserted).map_err(outrun)?;
        if update(pg, R::TABLE, R::COLUMNS, &pending.updated).map_err(outrun)? != pending.updated.len() {
            return Err(StoreError::Contention); // somebody changed one of them since it was read
        }
        insert_all!(external_ids::table, pg, pending.external_ids).map_err(|error| outrun(error.into()))?;
        self.custom.flush(writer)?;
        journal::insert(writer.pg(), pending.entries)?;
        let written: Vec<Uuid> = pending.records.into_iter().collect();
        if written.is_empty() { Ok(()) } else { R::follow(writer, &written) }
    }
}

/// Somebody has taken a code or an external id since it was asked for; who looks again sees who has it.
fn outrun(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict { .. } => StoreError::Contention,
        other => other,
    }
}

/// The rows of a query by ids, locked until the end of the transaction. There are few such statements, so they are kept prepared,
/// although diesel by itself keeps nothing with SQL that is written out.
pub(crate) struct Locked<S>(pub(crate) S);

impl<S: Query> Query for Locked<S> {
    type SqlType = S::SqlType;
}
impl<S> QueryId for Locked<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<S> RunQueryDsl<PgConnection> for Locked<S> {}

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Locked<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" FOR UPDATE");
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

/// Replaces the columns of records that are still one version behind their row; returns how many were.
fn update<R: Serialize>(pg: &mut PgConnection, table: &str, columns: &[&str], rows: &[R]) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    replace(pg, table, columns, rows, "old.version = new.version - 1")
}

/// Replaces derived columns of records that are still of the version of their row; returns how many were.
pub(crate) fn derive<R: Serialize>(
    pg: &mut PgConnection,
    table: &str,
    columns: &[&str],
    rows: &[R],
) -> Result<usize, StoreError> {
    replace(pg, table, columns, rows, "old.version = new.version")
}

fn replace<R: Serialize>(
    pg: &mut PgConnection,
    table: &str,
    columns: &[&str],
    rows: &[R],
    is_meant: &str,
) -> Result<usize, StoreError> {
    let names = columns.join(", ");
    let values = columns.iter().map(|column| format!("new.{column}")).collect::<Vec<_>>().join(", ");
    let statement = format!(
        "UPDATE {table} AS old SET ({names}) = ROW({values}) FROM json_populate_recordset(NULL::{table}, $1::json) AS new \
         WHERE old.workspace_id = new.workspace_id AND old.id = new.id AND {is_meant}"
    );
    Ok(sql_query(statement).bind::<sql_types::Text, _>(document(rows)?).execute(pg)?)
}

/// Written as text at once: a tree of values in between would cost as much again.
pub(crate) fn document<R: Serialize>(rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Internal(error.to_string()))
}
