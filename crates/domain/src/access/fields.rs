//! Which fields of a record may be read or written.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a list of fields is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldMode {
    /// All fields but those listed, also fields that are added later.
    #[default]
    AllBut,
    /// Those listed alone. A field that is added later stays closed.
    Only,
}

/// The fields that may be read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"mode": "all_but", "fields": ["birthday"]}))]
pub struct FieldRule {
    /// How the list is meant; `all_but` unless said otherwise.
    #[schema(inline = false)]
    pub mode: FieldMode,
    /// Names of fields.
    #[schema(value_type = Vec<super::resource::FieldName>, max_items = 200)]
    pub fields: BTreeSet<String>,
}

impl FieldRule {
    /// Every field.
    pub const ALL: Self = Self { mode: FieldMode::AllBut, fields: BTreeSet::new() };
    /// No field.
    pub const NONE: Self = Self { mode: FieldMode::Only, fields: BTreeSet::new() };

    /// Whether this field is among them.
    pub fn allows(&self, field: &str) -> bool {
        self.fields.contains(field) == (self.mode == FieldMode::Only)
    }

    /// Whether there is no field that is not among them.
    pub fn allows_all(&self) -> bool {
        self.mode == FieldMode::AllBut && self.fields.is_empty()
    }

    /// The fields of one rule or the other.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        use FieldMode::{AllBut, Only};
        let fields = match (self.mode, other.mode) {
            (AllBut, AllBut) => &self.fields & &other.fields,
            (AllBut, Only) => &self.fields - &other.fields,
            (Only, AllBut) => &other.fields - &self.fields,
            (Only, Only) => &self.fields | &other.fields,
        };
        Self { mode: if self.mode == Only && other.mode == Only { Only } else { AllBut }, fields }
    }

    /// The fields of both rules.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        use FieldMode::{AllBut, Only};
        let fields = match (self.mode, other.mode) {
            (AllBut, AllBut) => &self.fields | &other.fields,
            (AllBut, Only) => &other.fields - &self.fields,
            (Only, AllBut) => &self.fields - &other.fields,
            (Only, Only) => &self.fields & &other.fields,
        };
        Self { mode: if self.mode == AllBut && other.mode == AllBut { AllBut } else { Only }, fields }
    }

    /// Whether every field of the other rule is one of this, also of fields that are added later.
    pub fn covers(&self, other: &Self) -> bool {
        self.or(other) == *self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELDS: &[&str] = &["a", "b", "c", "d"];

    fn rules() -> impl Strategy<Value = FieldRule> {
        let fields = proptest::collection::btree_set(proptest::sample::select(FIELDS), 0..4);
        (any::<bool>(), fields).prop_map(|(only, fields)| FieldRule {
            mode: if only { FieldMode::Only } else { FieldMode::AllBut },
            fields: fields.into_iter().map(ToOwned::to_owned).collect(),
        })
    }

    proptest! {
        #[test]
        fn two_rules_together_allow_what_either_does(one in rules(), other in rules()) {
            let (either, both) = (one.or(&other), one.and(&other));
            for field in FIELDS.iter().chain(&["added later"]) {
                prop_assert_eq!(either.allows(field), one.allows(field) || other.allows(field), "{}", field);
                prop_assert_eq!(both.allows(field), one.allows(field) && other.allows(field), "{}", field);
            }
        }

        #[test]
        fn a_rule_covers_another_when_it_allows_all_that_the_other_does(one in rules(), other in rules()) {
            let mut fields = FIELDS.iter().chain(&["added later"]);
            let covers = fields.all(|field| one.allows(field) || !other.allows(field));
            prop_assert_eq!(one.covers(&other), covers);
        }
    }
}
