//! `rapport openapi`

use crate::{
    cli::{OpenapiOptions, OpenapiVersion},
    failure::Failure,
    terminal,
};

/// Prints the OpenAPI document.
pub(crate) fn run(options: &OpenapiOptions) -> Result<(), Failure> {
    let document = match options.version {
        OpenapiVersion::Newest => rapport_http::openapi::document(),
        OpenapiVersion::Compatible => rapport_http::openapi::compatible_document(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::said(error.to_string()))?;
    terminal::result(&text);
    Ok(())
}
