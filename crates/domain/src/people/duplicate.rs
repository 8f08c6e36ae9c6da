//! Two records that may be one person.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::record::RecordKind;

/// A record that may be of the person in question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DuplicateCandidate {
    /// What the record is: a contact, a lead where a lead is compared, or a company where one is looked for.
    pub kind: RecordKind,
    /// Its id.
    pub id: Uuid,
    /// Name to show.
    #[schema(example = "Anna Lindt")]
    pub name: String,
    /// Why it may be the same person, the strongest reason first.
    pub reasons: Vec<DuplicateReason>,
    /// How alike the two are, from 0 to 1; 1 when they share a mailbox or a line.
    #[schema(minimum = 0, maximum = 1, example = 1.0)]
    pub score: f64,
}

/// Why two records may be one person. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateReason {
    SameEmail,
    SamePhone,
    SameDomain,
    SameName,
    SameBirthday,
    SamePostalCode,
    SimilarName,
}

/// What a create does when somebody with the same e-mail address or telephone number is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// Refuse with 409 and the candidates.
    #[default]
    Refuse,
    /// Create a second record all the same.
    Allow,
}
