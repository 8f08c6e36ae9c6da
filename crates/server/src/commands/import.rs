//! `rapport import`

use std::sync::Arc;

use rapport_domain::{people::PeopleResource, people::duplicate::OnDuplicate};
use rapport_http::{openapi, schemas::Schemas};

use super::{block_on, chosen_workspace};
use crate::{
    cli::{ImportDuplicates, ImportMatch, ImportOptions},
    database::Database,
    failure::Failure,
    import::{self, Check, MatchBy, Options, Terminal},
    logging, terminal,
};

/// Imports a file, and says what came of it.
pub(crate) fn run(options: ImportOptions) -> Result<(), Failure> {
    logging::start_quietly();
    let database = Database::for_command(&options.database)?;
    database.make_current()?;
    let done = block_on(async {
        let db = database.open(Some(2)).await?;
        let workspace = chosen_workspace(&db, options.workspace.as_deref()).await?;
        let wanted = wanted(&options);
        let check = check(wanted.kind)?;
        let progress = Arc::new(Terminal::new(wanted.errors.is_some()));
        Ok(import::import(&db, &workspace, wanted, check, progress).await?)
    });
    database.close()?;
    terminal::result(&done?.to_string());
    Ok(())
}

fn wanted(options: &ImportOptions) -> Options {
    let match_by = options.match_by.map(|by| match by {
        ImportMatch::Email => MatchBy::Email,
        ImportMatch::ExternalId => MatchBy::ExternalId,
    });
    let on_duplicate = match options.on_duplicate {
        ImportDuplicates::Refuse => OnDuplicate::Refuse,
        ImportDuplicates::Allow => OnDuplicate::Allow,
    };
    Options {
        map: options.map.clone(),
        match_by,
        on_duplicate,
        dry_run: options.dry_run,
        again: options.again,
        errors: options.errors.clone(),
        ..Options::new(PeopleResource::from(options.kind), &options.file)
    }
}

/// Rows are held to the same schema as the bodies of requests.
fn check(kind: PeopleResource) -> Result<Check, Failure> {
    let published = openapi::published().map_err(Failure::said)?;
    let schemas = Schemas::of(&published).map_err(Failure::said)?;
    let name = match kind {
        PeopleResource::Contacts => "NewContact",
        PeopleResource::Companies => "NewCompany",
    };
    Ok(Arc::new(move |row| schemas.check(name, row)))
}
