//! Quotas: how many of something a workspace or a user has at most.

use diesel::QueryResult;
use rapport_domain::id::UserId;
use uuid::Uuid;

use crate::{StoreError, Writer, turns};

/// How many there may be.
pub(crate) struct Quota {
    /// What is counted, in the plural: `webhooks`.
    pub(crate) of: &'static str,
    pub(crate) most: i64,
    /// What to do where there are as many, as a sentence.
    pub(crate) advice: &'static str,
}

impl Quota {
    /// Refuses one more in a workspace that has as many as it may; `count` says how many it has.
    pub(crate) fn require_in_workspace(
        &self,
        writer: &mut Writer<'_>,
        count: impl FnOnce(&mut Writer<'_>) -> QueryResult<i64>,
    ) -> Result<(), StoreError> {
        let workspace = writer.workspace();
        self.require(writer, "workspace", workspace, count)
    }

    /// Refuses one more of a user who has as many as they may; `count` says how many they have.
    pub(crate) fn require_of_user(
        &self,
        writer: &mut Writer<'_>,
        user: UserId,
        count: impl FnOnce(&mut Writer<'_>) -> QueryResult<i64>,
    ) -> Result<(), StoreError> {
        self.require(writer, "user", user.uuid(), count)
    }

    fn require(
        &self,
        writer: &mut Writer<'_>,
        whose: &str,
        id: Uuid,
        count: impl FnOnce(&mut Writer<'_>) -> QueryResult<i64>,
    ) -> Result<(), StoreError> {
        let Self { of, most, advice } = *self;
        // Two that are created at once are counted one after the other.
        turns::take(writer, &format!("{of} of {id}"))?;
        if count(writer)? < most {
            return Ok(());
        }
        let detail = format!("A {whose} has at most {most} {of}. {advice}");
        Err(StoreError::Conflict { code: "too_many", detail })
    }
}
