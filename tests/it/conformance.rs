//! What must be alike in all resources, held by walking the published document and the catalog of the database: a new
//! operation or table is covered by being there.

mod access;
mod catalog;
mod document;
mod hostile;
mod leaks;
mod patch;
pub mod samples;
mod terms;
