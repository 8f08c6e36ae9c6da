//! How the keys of groups are called.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    Reader, StoreError,
    sales::{lost_reasons, pipelines},
    workspace::{teams, users},
};

fn ids<'k>(keys: impl Iterator<Item = Option<&'k str>>) -> Vec<Uuid> {
    let ids: BTreeSet<Uuid> = keys.filter_map(|key| key?.parse().ok()).collect();
    ids.into_iter().collect()
}

/// Those of users, by name.
pub(super) fn users<'k>(
    reader: &mut Reader<'_>,
    keys: impl Iterator<Item = Option<&'k str>>,
) -> Result<Vec<(String, String)>, StoreError> {
    let users = users::summaries(reader, &ids(keys))?;
    Ok(sorted(users.into_iter().map(|user| (user.id.to_string(), user.name)).collect()))
}

/// Those of teams, by name.
pub(super) fn teams<'k>(
    reader: &mut Reader<'_>,
    keys: impl Iterator<Item = Option<&'k str>>,
) -> Result<Vec<(String, String)>, StoreError> {
    let teams = teams::names(reader, ids(keys))?;
    Ok(sorted(teams.into_iter().map(|(id, name)| (id.to_string(), name)).collect()))
}

fn sorted(mut names: Vec<(String, String)>) -> Vec<(String, String)> {
    names.sort_by(|one, other| one.1.cmp(&other.1));
    names
}

/// The stages of all pipelines: the default one first, each in its order, then what was taken away.
pub(super) fn stages(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, StoreError> {
    let mut pipelines = pipelines::all(reader)?;
    pipelines.sort_by_key(|pipeline| !pipeline.is_default);
    let stages = pipelines.iter().flat_map(|pipeline| pipeline.stages.iter().chain(&pipeline.archived_stages));
    Ok(stages.map(|stage| (stage.id.to_string(), stage.name.clone())).collect())
}

/// Those of lost reasons, by name.
pub(super) fn lost_reasons<'k>(
    reader: &mut Reader<'_>,
    keys: impl Iterator<Item = Option<&'k str>>,
) -> Result<Vec<(String, String)>, StoreError> {
    let reasons = lost_reasons::names(reader, ids(keys))?;
    Ok(sorted(reasons.into_iter().map(|(id, name)| (id.to_string(), name)).collect()))
}
