//! The history of a contact, in which the leads that became this contact go on: their entries and its own in one order.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{access::Resource, id::ContactId, journal::JournalEntry};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Row, close};
use crate::{
    Page, Reader, StoreError,
    page::PageRequest,
    visibility::{Policy, Within},
};

/// The entries of a contact and of the leads that became it, as far as the caller may read these, newest first. Whether they may
/// see the contact has been asked.
pub(crate) fn list(
    reader: &mut Reader<'_>,
    contact: ContactId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    let request = PageRequest::read(reader, "contact_history", &contact, limit, cursor)?;
    let tells_of_leads = reader.grants().may_read(Resource::Leads, "converted_contact_id");
    let after = request.after::<Place>()?.map(|(place, _)| place);
    let query = OfContact {
        workspace: reader.workspace(),
        contact: contact.uuid(),
        leads: tells_of_leads.then(|| Policy::reading(reader, Resource::Leads).whole()),
        after: after.clone(),
        limit: request.fetch(),
    };
    let rows: Vec<Told> = query.load(reader.pg())?;
    let mut reached = after.and_then(|place| place.reached);
    let placed = rows.into_iter().map(|told| {
        let own = (told.entry.version, told.entry.id);
        if !told.of_lead {
            reached = Some(own);
        }
        let place = Place { told_at: told.told_at, reached, of_lead: told.of_lead.then_some(own) };
        (place, told.entry)
    });
    let placed: Vec<(Place, Row)> = placed.collect();
    let mut page =
        request.page(reader, placed, |(place, entry)| (place.clone(), entry.id), |(_, entry)| entry.into_entry())?;
    page.data.iter_mut().for_each(|entry| close(reader, entry));
    Ok(page)
}

/// How far a page came.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    told_at: DateTime<Utc>,
    /// The last of the contact's own entries: however many there are, an index leads on from it.
    reached: Option<(i64, Uuid)>,
    /// The last entry, if it is of a lead.
    of_lead: Option<(i64, Uuid)>,
}

#[derive(QueryableByName)]
struct Told {
    #[diesel(embed)]
    entry: Row,
    #[diesel(sql_type = sql_types::Bool)]
    of_lead: bool,
    #[diesel(sql_type = sql_types::Timestamptz)]
    told_at: DateTime<Utc>,
}

/// One statement, which reads no more of each record than a page holds. The contact's own entries stand in the order of its
/// versions even where clocks differed: none is told as later than a newer one. Leads have few.
struct OfContact {
    workspace: Uuid,
    contact: Uuid,
    /// Which leads the caller may read; none where they may not know which contact these became.
    leads: Option<Within>,
    after: Option<Place>,
    limit: i64,
}

impl Query for OfContact {
    type SqlType = sql_types::Untyped;
}
impl QueryId for OfContact {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for OfContact {}

impl QueryFragment<Pg> for OfContact {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT told.*, place.position FROM (SELECT * FROM (");
        self.push_own(out.reborrow())?;
        if let Some(readable) = &self.leads {
            out.push_sql(" UNION ALL ");
            self.push_of_leads(readable, out.reborrow())?;
        }
        out.push_sql(") AS either ORDER BY told_at DESC, of_lead, version DESC, id DESC LIMIT ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)?;
        out.push_sql(") AS told LEFT JOIN feed_positions AS place ON place.workspace_id = told.workspace_id AND ");
        out.push_sql("place.entry_id = told.id ORDER BY told_at DESC, of_lead, version DESC, told.id DESC");
        Ok(())
    }
}

impl OfContact {
    fn push_own<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT own.*, false AS of_lead, least(");
        match &self.after {
            Some(place) => out.push_bind_param::<sql_types::Timestamptz, _>(&place.told_at)?,
            None => out.push_sql("NULL"),
        }
        out.push_sql(", min(at) OVER (ORDER BY version DESC, id DESC)) AS told_at FROM (SELECT * FROM journal ");
        out.push_sql("WHERE workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND record_kind = 'contact' AND record_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.contact)?;
        out.push_sql(" AND version > 0"); // what was only noted is for the audit
        if let Some((version, id)) = self.after.as_ref().and_then(|place| place.reached.as_ref()) {
            out.push_sql(" AND (version, id) < (");
            out.push_bind_param::<sql_types::BigInt, _>(version)?;
            out.push_sql(", ");
            out.push_bind_param::<sql_types::Uuid, _>(id)?;
            out.push_sql(")");
        }
        out.push_sql(" ORDER BY version DESC, id DESC LIMIT ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)?;
        out.push_sql(") AS own");
        Ok(())
    }

    fn push_of_leads<'b>(&'b self, readable: &'b Within, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT entry.*, true AS of_lead, entry.at AS told_at FROM (SELECT id FROM leads WHERE ");
        out.push_sql("workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND converted_contact_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.contact)?;
        out.push_sql(" AND ");
        readable.walk_ast(out.reborrow())?;
        out.push_sql(") AS lead CROSS JOIN LATERAL (SELECT * FROM journal WHERE workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND record_kind = 'lead' AND record_id = lead.id AND version > 0");
        if let Some(place) = &self.after {
            match &place.of_lead {
                None => out.push_sql(" AND at <= "),
                Some(_) => out.push_sql(" AND (at, version, id) < ("),
            }
            out.push_bind_param::<sql_types::Timestamptz, _>(&place.told_at)?;
            if let Some((version, id)) = &place.of_lead {
                out.push_sql(", ");
                out.push_bind_param::<sql_types::BigInt, _>(version)?;
                out.push_sql(", ");
                out.push_bind_param::<sql_types::Uuid, _>(id)?;
                out.push_sql(")");
            }
        }
        out.push_sql(" ORDER BY at DESC, version DESC, id DESC LIMIT ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)?;
        out.push_sql(") AS entry");
        Ok(())
    }
}
