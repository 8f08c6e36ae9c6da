//! Codes that no two living records have: who has them, as the operations so far have left them.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::step::Step;
use crate::{Reader, StoreError, bulk::Bulk};

/// Who has the codes that a batch is about.
#[derive(Default)]
pub(super) struct Codes {
    holders: HashMap<String, Uuid>,
    /// Codes that earlier operations have given free. Before anybody gets them, the database has to know of that.
    freed: HashSet<String>,
}

impl Codes {
    /// Asks who has the codes that operations give.
    pub(super) fn ask<R: Bulk>(reader: &mut Reader<'_>, steps: &[Step<R>]) -> Result<Self, StoreError> {
        let codes: Vec<String> = steps.iter().filter_map(Step::code).map(ToOwned::to_owned).collect();
        if codes.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { holders: R::code_holders(reader, codes)?.into_iter().collect(), freed: HashSet::new() })
    }

    /// Refuses a record that wants the code of another.
    pub(super) fn require_free<R: Bulk>(&self, record: &R) -> Result<(), StoreError> {
        let holder = record.code().and_then(|code| self.holders.get(code));
        match holder.is_some_and(|holder| *holder != record.id()) {
            true => Err(R::code_taken()),
            false => Ok(()),
        }
    }

    /// Whether a record wants a code that was given free: what did that has to be written first.
    pub(super) fn follows_another<R: Bulk>(&mut self, record: &R) -> bool {
        record.code().is_some_and(|code| self.freed.remove(code))
    }

    /// Notes what becomes of codes when a record is written.
    pub(super) fn note<R: Bulk>(&mut self, before: Option<&R>, after: &R) {
        let old = before.and_then(R::code);
        let new = if after.is_deleted() { None } else { after.code() };
        if old == new {
            return;
        }
        if let Some(code) = old {
            self.holders.remove(code);
            self.freed.insert(code.to_owned());
        }
        if let Some(code) = new {
            self.holders.insert(code.to_owned(), after.id());
        }
    }
}
