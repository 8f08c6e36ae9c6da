//! `rapport openapi`

use crate::{failure::Failure, terminal};

/// Prints the OpenAPI document.
pub(crate) fn run() -> Result<(), Failure> {
    let document = serde_json::to_string_pretty(&rapport_http::openapi::document())
        .map_err(|error| Failure::said(error.to_string()))?;
    terminal::result(&document);
    Ok(())
}
