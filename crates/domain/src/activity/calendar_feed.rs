//! Calendar feeds: secret addresses at which programs for calendars read the tasks of a user.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    id::{CalendarFeedId, UserId},
    problem::{Fields, Invalid},
    record::Stamp,
    text,
};

/// The most feeds of a user.
pub const MOST_FEEDS: i64 = 10;

/// A secret address at which a program reads the tasks that a user is to do.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CalendarFeed {
    /// Identifies the feed.
    #[schema(value_type = Uuid)]
    pub id: CalendarFeedId,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// User or API key that created it.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// User whose tasks it shows.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// What it is for, for people.
    #[schema(example = "My phone")]
    pub name: String,
}

/// A feed that was just created, with its address.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct IssuedCalendarFeed {
    #[serde(flatten)]
    pub feed: CalendarFeed,
    /// Where programs read it. Whoever knows the address sees the tasks; it is shown this once.
    #[schema(example = "/v1/calendars/cf_AZOhsjxNfl-Kmwxyz")]
    pub address: String,
}

/// A feed to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "My phone"}))]
pub struct NewCalendarFeed {
    /// What it is for, for people.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// User whose tasks it shows: whoever creates it, unless said otherwise. Only who may do everything names somebody else.
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
}

/// Whose feeds are listed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CalendarFeedQuery {
    /// Those of this user, which for others than yourself needs the permission `users:write`. Your own unless given.
    #[param(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// Most feeds of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl CalendarFeed {
    /// A new feed of a user.
    pub fn create(mut new: NewCalendarFeed, user: UserId, id: CalendarFeedId, stamp: Stamp) -> Result<Self, Invalid> {
        text::tidy(&mut new.name);
        let mut fields = Fields::default();
        if new.name.is_empty() {
            fields.refuse("/name", "required", "A feed needs a name, such as that of the device which reads it.");
        }
        let feed = Self { id, created_at: stamp.at, created_by: stamp.by, user_id: user, name: new.name };
        fields.verdict().map(|()| feed)
    }
}
