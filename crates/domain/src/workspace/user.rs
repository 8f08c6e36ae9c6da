//! Users: the people who work with Rapport.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::UserId;

/// A user, as other records show one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserSummary {
    /// Identifies the user.
    #[schema(value_type = uuid::Uuid)]
    pub id: UserId,
    /// Name to show.
    #[schema(example = "Mara Weiss")]
    pub name: String,
    /// E-mail address with which the user signs in.
    #[schema(example = "mara@example.com")]
    pub email: String,
}
