//! In which order entries of a batch get their positions.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, sql_types};
use uuid::Uuid;

/// An entry that waits for its position.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub(super) struct Waiting {
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) entry_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    pub(super) record_kind: String,
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) record_id: Uuid,
    #[diesel(sql_type = sql_types::BigInt)]
    pub(super) version: i64,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub(super) at: DateTime<Utc>,
}

impl Waiting {
    fn record(&self) -> (Uuid, &str, Uuid) {
        (self.workspace_id, &self.record_kind, self.record_id)
    }

    pub(super) fn is_of_workspace_of(&self, other: &Self) -> bool {
        self.workspace_id == other.workspace_id
    }
}

/// Each workspace by itself, and there in the order of time, but never against the versions of a record: clocks of several
/// servers may differ, so an entry counts as late as the latest one of the same record before it.
pub(super) fn in_order(mut entries: Vec<Waiting>) -> Vec<Waiting> {
    entries.sort_by(|one, other| {
        (one.record(), one.version, one.entry_id).cmp(&(other.record(), other.version, other.entry_id))
    });
    let mut dated: Vec<(DateTime<Utc>, Waiting)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = match dated.last() {
            Some((at, before)) if before.record() == entry.record() => entry.at.max(*at),
            _ => entry.at,
        };
        dated.push((at, entry));
    }
    // Sorting keeps the order of what is alike, which is that of records and versions.
    dated.sort_by_key(|(at, entry)| (entry.workspace_id, *at));
    dated.into_iter().map(|(_, entry)| entry).collect()
}

/// The entries of a batch below which there may be others: later versions than the first whose predecessor is not here.
pub(super) fn without_predecessor(batch: &[Waiting]) -> Vec<&Waiting> {
    let here: HashSet<_> = batch.iter().map(|entry| (entry.record(), entry.version)).collect();
    batch.iter().filter(|entry| entry.version > 1 && !here.contains(&(entry.record(), entry.version - 1))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn entry(workspace: u8, record: u8, version: i64, second: i64) -> Waiting {
        Waiting {
            workspace_id: Uuid::from_u128(workspace.into()),
            entry_id: Uuid::from_u128((u128::from(workspace) << 32) + (u128::from(record) << 16) + version as u128),
            record_kind: "contact".to_owned(),
            record_id: Uuid::from_u128(record.into()),
            version,
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
        }
    }

    fn entries() -> impl Strategy<Value = Vec<Waiting>> {
        let one = (0..3_u8, 0..4_u8, 0..6_i64, 0..20_i64);
        let unique = |entries: Vec<(u8, u8, i64, i64)>| {
            let by_version: HashMap<_, _> = entries
                .into_iter()
                .map(|(workspace, record, version, at)| ((workspace, record, version), at))
                .collect();
            by_version
                .into_iter()
                .map(|((workspace, record, version), at)| entry(workspace, record, version, at))
                .collect()
        };
        prop::collection::vec(one, 0..40).prop_map(unique)
    }

    proptest! {
        #[test]
        fn versions_stand_in_their_order_and_nothing_is_lost(entries in entries()) {
            let ordered = in_order(entries.clone());
            let mut last = HashMap::new();
            for entry in &ordered {
                let before = last.insert(entry.record(), entry.version);
                prop_assert!(before.is_none_or(|before| before < entry.version));
            }
            prop_assert!(ordered.is_sorted_by_key(|entry| entry.workspace_id));
            let ids = |entries: &[Waiting]| entries.iter().map(|entry| entry.entry_id).collect::<HashSet<_>>();
            prop_assert_eq!(ids(&ordered), ids(&entries));
        }

        #[test]
        fn where_clocks_agree_the_order_is_that_of_time(mut entries in entries()) {
            entries.iter_mut().for_each(|entry| entry.at = DateTime::UNIX_EPOCH + TimeDelta::seconds(entry.version));
            let ordered = in_order(entries);
            prop_assert!(ordered.is_sorted_by_key(|entry| (entry.workspace_id, entry.at)));
        }
    }

    #[test]
    fn what_has_its_predecessor_beside_it_is_not_looked_below() {
        let batch = [entry(1, 1, 1, 0), entry(1, 1, 2, 0), entry(1, 1, 4, 0), entry(1, 2, 2, 0), entry(2, 1, 1, 0)];
        assert_eq!(without_predecessor(&batch), [&batch[2], &batch[3]]);
    }
}
