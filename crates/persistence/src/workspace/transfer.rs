//! Handing over everything that a user owns, so that nothing is lost when a colleague leaves.

use std::collections::HashMap;

use diesel::{prelude::*, sql_types};
use rapport_domain::{
    access::{Reach, Resource, Right},
    id::{TeamId, UserId},
    journal::Changes,
    problem::FieldProblem,
    record::RecordKind,
    workspace::user::{Transfer, Transferred, TransferredRecords, UserState},
};
use serde_json::json;
use uuid::Uuid;

use super::users;
use crate::{
    Reader, StoreError, Writer, audit,
    journal::{self, BulkEntry, Entry},
    sales::opportunities,
};

/// Records are handed over so many at a time, to bound the memory.
const CHUNK: i64 = 5_000;

/// A transfer of so many records takes longer than a statement may otherwise.
const PATIENCE: &str = "SET LOCAL statement_timeout = '60s'";

/// Gives everything that a user owns, also what was deleted, to others, who take turns. Each record goes to the main team
/// of who gets it, where they have one. All of it is one transaction.
pub fn all(writer: &mut Writer<'_>, from: UserId, transfer: &Transfer) -> Result<Transferred, StoreError> {
    users::get(writer, from)?;
    require_all(writer)?;
    let to = receivers(writer, from, &transfer.to)?;
    writer.transaction(|writer| {
        diesel::sql_query(PATIENCE).execute(writer.pg())?;
        let records = Resource::ALL.iter().map(|resource| {
            Ok(TransferredRecords { resource: *resource, count: hand_over(writer, *resource, from.uuid(), &to)? })
        });
        let records = records.collect::<Result<_, StoreError>>()?;
        let ids: Vec<String> = transfer.to.iter().map(ToString::to_string).collect();
        audit::insert_for(writer, "user.transferred", RecordKind::User, from.uuid(), Changes::of_field("to", ids))?;
        Ok(Transferred { records })
    })
}

/// Whoever hands over may give records to themselves: so they need to be allowed to write all of them.
fn require_all(reader: &Reader<'_>) -> Result<(), StoreError> {
    let grants = reader.scope().grants();
    let writes_all = |resource: &Resource| {
        let fields = ["owner_id", "team_id"];
        grants.allow(resource.permission(Right::Write))
            && grants.on(*resource).write == Reach::All
            && fields.into_iter().all(|field| grants.may_write(*resource, field))
    };
    match Resource::ALL.iter().find(|resource| !writes_all(resource)) {
        None => Ok(()),
        Some(resource) => {
            let detail =
                format!("Only who may change the owner and team of all {} may hand them over.", resource.as_str());
            Err(StoreError::Forbidden(detail))
        }
    }
}

/// Those who get the records, each with their main team.
fn receivers(reader: &mut Reader<'_>, from: UserId, to: &[UserId]) -> Result<Vec<(Uuid, Option<TeamId>)>, StoreError> {
    let ids: Vec<Uuid> = to.iter().map(|id| id.uuid()).collect();
    let states = users::states(reader, &ids)?;
    let problem = |(index, id): (usize, &UserId)| {
        let (code, detail) = match states.get(&id.uuid()) {
            _ if *id == from => ("same_user", "This is the user who hands over. Name somebody else."),
            Some(UserState::Active) => return None,
            Some(_) => ("not_active", "This user can't sign in. Name one who is active."),
            None => ("unknown_reference", "There is no user with this id. Name another."),
        };
        Some(FieldProblem::at(format!("/to/{index}"), code, detail))
    };
    let problems: Vec<FieldProblem> = to.iter().enumerate().filter_map(problem).collect();
    if !problems.is_empty() {
        return Err(StoreError::fields(problems));
    }
    let teams: HashMap<Uuid, Uuid> = users::main_teams(reader, &ids)?.into_iter().collect();
    Ok(ids.into_iter().map(|id| (id, teams.get(&id).copied().map(TeamId::from_uuid))).collect())
}

#[derive(QueryableByName)]
struct Owned {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = sql_types::BigInt)]
    version: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    team_id: Option<Uuid>,
}

/// Hands over the records of one resource, and says how many.
fn hand_over(
    writer: &mut Writer<'_>,
    resource: Resource,
    from: Uuid,
    to: &[(Uuid, Option<TeamId>)],
) -> Result<i64, StoreError> {
    let (workspace, stamp, table) = (writer.workspace(), writer.stamp(), resource.as_str());
    let mut turns = to.iter().cycle();
    let mut count = 0;
    loop {
        // In the order of their ids, so that two who change many records at once do not wait for each other.
        let owned: Vec<Owned> = diesel::sql_query(format!(
            "SELECT id, version, team_id FROM {table} WHERE workspace_id = $1 AND owner_id = $2 \
             ORDER BY id LIMIT $3 FOR NO KEY UPDATE"
        ))
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(from)
        .bind::<sql_types::BigInt, _>(CHUNK)
        .load(writer.pg())?;
        if owned.is_empty() {
            return Ok(count);
        }
        let mut entries = Vec::with_capacity(owned.len());
        let (mut ids, mut owners, mut teams) = (Vec::new(), Vec::new(), Vec::new());
        for (record, (owner, team)) in owned.iter().zip(turns.by_ref()) {
            let team = team.map(TeamId::uuid).or(record.team_id);
            let before = json!({"owner_id": from, "team_id": record.team_id});
            let changes = Changes::between(&before, &json!({"owner_id": owner, "team_id": team}));
            let entry = Entry::new(writer, resource.kind(), "updated", record.id, changes, stamp.at);
            entries.push(BulkEntry::new(entry, record.version + 1));
            ids.push(record.id);
            owners.push(*owner);
            teams.push(team);
        }
        count += diesel::sql_query(format!(
            "UPDATE {table} SET owner_id = given.owner_id, team_id = given.team_id, version = version + 1, \
                    updated_at = greatest(updated_at, $5), updated_by = $6 \
               FROM unnest($2, $3, $4) AS given (id, owner_id, team_id) \
              WHERE {table}.workspace_id = $1 AND {table}.id = given.id"
        ))
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(owners)
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::Uuid>>, _>(teams)
        .bind::<sql_types::Timestamptz, _>(stamp.at)
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(stamp.by)
        .execute(writer.pg())? as i64;
        journal::insert(writer.pg(), entries)?;
        if resource == Resource::Opportunities {
            opportunities::follow(writer, &ids)?;
        }
    }
}
