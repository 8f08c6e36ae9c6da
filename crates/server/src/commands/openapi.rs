//! `rapport openapi`

use crate::{
    cli::{OpenapiOptions, OpenapiVersion},
    failure::Failure,
    terminal,
};

/// Prints the OpenAPI document.
pub(crate) fn run(options: &OpenapiOptions) -> Result<(), Failure> {
    let published = rapport_http::openapi::published().map_err(Failure::said)?;
    terminal::result(match options.version {
        OpenapiVersion::Newest => published.text.trim_end(),
        OpenapiVersion::Compatible => published.compatible_text.trim_end(),
    });
    Ok(())
}
