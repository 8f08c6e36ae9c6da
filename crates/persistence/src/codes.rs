//! Words of the API as the database keeps them.

use serde::{Serialize, de::DeserializeOwned, de::IntoDeserializer, de::value::Error as WordError};

use crate::StoreError;

/// The word of a value, as the API writes it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable_word(&other),
    }
}

/// Only enums whose variants are words are ever asked for one.
fn unreachable_word(other: &impl std::fmt::Debug) -> String {
    debug_assert!(false, "not a word: {other:?}");
    String::new()
}

/// The value of a word. A word that this version does not know is a defect, not an input.
pub(crate) fn value<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    T::deserialize(IntoDeserializer::<WordError>::into_deserializer(word))
        .map_err(|error| StoreError::Internal(format!("the database holds the word {word:?}: {error}")))
}

/// The value of a word that may be missing.
pub(crate) fn optional<T: DeserializeOwned>(word: Option<&str>) -> Result<Option<T>, StoreError> {
    word.map(value).transpose()
}
