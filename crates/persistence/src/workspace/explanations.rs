//! Why somebody may, or may not, do something with a record.

use diesel::{prelude::*, sql_types};
use rapport_domain::{
    access::{AccessExplanation, Part, Resource, Standing, Subject},
    id::UserId,
    journal::Changes,
    record::RecordKind,
};
use uuid::Uuid;

use super::{accounts, shares};
use crate::{
    Reader, StoreError, Writer,
    activity::{notes, tasks},
    audit, visibility,
};

/// Explains what a user may do with a record that the caller may see. Who asks about somebody else is noted.
pub fn get(
    writer: &mut Writer<'_>,
    resource: Resource,
    record: Uuid,
    user: UserId,
) -> Result<AccessExplanation, StoreError> {
    visibility::require_seen(writer, resource, record)?;
    visibility::require_readable(writer, resource, &[("record", "owner_id"), ("record", "team_id")])?;
    let standing = accounts::standing(writer, user)?;
    let explanation = standing.explain(&subject(writer, resource, record, &standing)?);
    if writer.scope().grants().user != Some(user.uuid()) {
        let changes = Changes::of_field("record_id", record.to_string());
        audit::insert_for(writer, "user.access_explained", RecordKind::User, user.uuid(), changes)?;
    }
    Ok(explanation)
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    owner_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    team_id: Option<Uuid>,
}

/// A record as far as a user's rights on it go.
fn subject(reader: &mut Reader<'_>, resource: Resource, id: Uuid, standing: &Standing) -> Result<Subject, StoreError> {
    let (workspace, table) = (reader.workspace(), resource.as_str());
    let place: Option<Place> =
        diesel::sql_query(format!("SELECT owner_id, team_id FROM {table} WHERE workspace_id = $1 AND id = $2"))
            .bind::<sql_types::Uuid, _>(workspace)
            .bind::<sql_types::Uuid, _>(id)
            .get_result(reader.pg())
            .optional()?;
    let place = place.ok_or(StoreError::Missing(resource.kind()))?;
    let shares = shares::that_count(reader, resource, id, standing)?;
    let part = match resource {
        Resource::Tasks => tasks::part(reader, id, standing.user)?,
        Resource::Notes => notes::mentions(reader, id, standing.user)?.then_some(Part::Mentioned),
        Resource::Contacts | Resource::Companies | Resource::Opportunities | Resource::Products | Resource::Leads => {
            None
        }
    };
    Ok(Subject { resource, id, owner: place.owner_id, team: place.team_id, shares, part })
}
