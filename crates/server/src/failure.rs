//! Why a command failed, in one sentence for people.

use rapport_persistence::StoreError;

use crate::{embedded::EmbeddedError, import::ImportError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Said(String),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("{}", explain(.0))]
    Store(#[from] StoreError),
}

impl Failure {
    pub(crate) fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }
}

fn explain(error: &StoreError) -> String {
    match error {
        StoreError::Invalid(invalid) => {
            invalid.problems().iter().map(|problem| problem.detail.as_str()).collect::<Vec<_>>().join(" ")
        }
        StoreError::Unreachable(context) | StoreError::Lost(context) => {
            format!("the database can't be reached: {}", context.trim())
        }
        StoreError::Conflict { detail, .. } => detail.clone(),
        other => other.to_string(),
    }
}
