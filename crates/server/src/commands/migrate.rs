//! `rapport migrate`

use rapport_persistence::migrations;

use crate::{cli::MigrateOptions, database::Database, failure::Failure, terminal};

/// Applies pending migrations, or says which there are.
pub(crate) fn run(options: &MigrateOptions) -> Result<(), Failure> {
    let database = Database::for_command(&options.database)?;
    let done = if options.status { status(&database) } else { apply(&database) };
    database.close()?;
    done
}

fn status(database: &Database) -> Result<(), Failure> {
    let status = migrations::status(database.url())?;
    for version in &status.applied {
        terminal::result(&format!("applied  {version}"));
    }
    for name in &status.pending {
        terminal::result(&format!("pending  {name}"));
    }
    Ok(())
}

fn apply(database: &Database) -> Result<(), Failure> {
    let applied = migrations::run(database.url())?;
    for name in &applied {
        terminal::result(&format!("applied  {name}"));
    }
    if applied.is_empty() {
        terminal::note("The database is up to date.");
    }
    Ok(())
}
