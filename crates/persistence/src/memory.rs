//! What this process remembers of the database for some seconds, so that not every request has to ask for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use rapport_domain::{access::Resource, workspace::custom_field::CustomFields};
use uuid::Uuid;

use crate::{Reader, StoreError};

/// How long something is taken to be as it was. What this process changes itself it forgets at once.
const TRUST: TimeDelta = TimeDelta::seconds(5);

/// How many resources of workspaces are remembered at once.
const REMEMBERED: usize = 10_000;

pub(crate) struct Memory {
    /// How often this process has changed the settings of a workspace.
    changes: AtomicU64,
    /// The custom fields that new records need, by workspace and resource.
    required_fields: Cache<(Uuid, Resource), Remembered>,
}

#[derive(Clone)]
struct Remembered {
    fields: Arc<CustomFields>,
    until: DateTime<Utc>,
    /// How often settings had changed before it was read.
    changes: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self { changes: AtomicU64::default(), required_fields: Cache::new(REMEMBERED) }
    }
}

impl Memory {
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Forgets all that is remembered.
    pub(crate) fn settings_changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The custom fields that new records of a resource need, read when they are not remembered.
    pub(crate) fn required_fields(
        reader: &mut Reader<'_>,
        resource: Resource,
        read: impl FnOnce(&mut Reader<'_>) -> Result<CustomFields, StoreError>,
    ) -> Result<Arc<CustomFields>, StoreError> {
        let (memory, key, now) = (Arc::clone(reader.memory()), (reader.workspace(), resource), reader.now());
        let changes = memory.changes();
        let is_fresh = |known: &Remembered| now < known.until && known.changes == changes;
        if let Some(known) = memory.required_fields.get(&key).filter(is_fresh) {
            return Ok(known.fields);
        }
        let fields = Arc::new(read(reader)?);
        memory.required_fields.insert(key, Remembered { fields: Arc::clone(&fields), until: now + TRUST, changes });
        Ok(fields)
    }
}
