//! How many streams are open, and when they have to end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    auth::Caller,
    problem::{ApiError, ApiResult},
};

/// How many streams one API key or user can have open.
const OF_CALLER: u32 = 10;

/// How many streams all callers of a workspace can have open together.
const OF_WORKSPACE: u32 = 100;

/// Seconds after which a place may have come free.
const TRY_AGAIN: u16 = 10;

/// Places for the streams of this server.
pub(crate) struct Places {
    /// How many are taken, by API key or user and by workspace.
    taken: Mutex<HashMap<Uuid, u32>>,
    /// Turns true when the server stops.
    stopping: watch::Receiver<bool>,
}

/// The place of one stream, free again when it goes.
pub(crate) struct Place {
    places: Arc<Places>,
    of: [Uuid; 2],
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Places {
    pub(crate) fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { taken: Mutex::default(), stopping }
    }

    /// A place for a stream of this caller.
    pub(crate) fn take(self: Arc<Self>, caller: &Caller) -> ApiResult<Place> {
        let of = [caller.id, caller.workspace.id.uuid()];
        if !self.try_take(&of) {
            let detail = format!(
                "There may be {OF_CALLER} streams of one API key or user, and {OF_WORKSPACE} of one workspace. End one, or \
                 share one among the parts of your program."
            );
            return Err(ApiError::new("too_many_streams", detail).retry_after(TRY_AGAIN));
        }
        let stopping = self.stopping.clone();
        Ok(Place { places: self, of, stopping })
    }

    fn try_take(&self, of: &[Uuid; 2]) -> bool {
        let mut taken = self.taken();
        let has_room = |(whose, most): (&Uuid, u32)| taken.get(whose).is_none_or(|count| *count < most);
        let there_is_room = of.iter().zip([OF_CALLER, OF_WORKSPACE]).all(has_room);
        if there_is_room {
            of.iter().for_each(|whose| *taken.entry(*whose).or_default() += 1);
        }
        there_is_room
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        for whose in &self.of {
            if let Some(count) = taken.get_mut(whose) {
                *count -= 1;
            }
        }
        taken.retain(|_, count| *count > 0);
    }
}
