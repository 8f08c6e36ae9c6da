//! The schema's versions, inside the binary.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, migration::MigrationSource, pg::Pg, sql_query, sql_types,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{Db, StoreError, people::refold};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Any number that is ours: whoever migrates holds the lock of this number, so that two starting at once take turns.
const LOCK: i64 = 0x7261_7070_6f72_7401;

/// How a database stands to this version of Rapport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Names of the migrations that were applied.
    pub applied: Vec<String>,
    /// Names of those still to be applied, in order.
    pub pending: Vec<String>,
}

/// Compares the database at `url` with this version.
pub fn status(url: &str) -> Result<Status, StoreError> {
    status_of(&mut connect(url)?)
}

/// Applies what is pending, one after the other, and names it. Others that migrate at the same time wait. What SQL can't
/// do to rows from before, such as folding their texts, is done after that.
pub fn run(url: &str) -> Result<Vec<String>, StoreError> {
    let mut pg = connect(url)?;
    let applied = pg.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    let applied = applied.iter().map(ToString::to_string).collect();
    refold::run(&mut pg)?;
    Ok(applied)
}

/// Whether every migration of this version was applied, asked through a connection of the pool and without any lock.
pub async fn is_current(db: &Db) -> Result<bool, StoreError> {
    db.directory(|pg| {
        let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?.len() as i64;
        let applied: Applied =
            sql_query("SELECT count(*) AS applied FROM __diesel_schema_migrations").get_result(pg)?;
        Ok(applied.applied >= known)
    })
    .await
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = sql_types::BigInt)]
    applied: i64,
}

/// Takes back everything, for tests of the migrations.
pub fn revert_all(url: &str) -> Result<(), StoreError> {
    let mut pg = connect(url)?;
    pg.revert_all_migrations(MIGRATIONS).map(drop).map_err(failed)
}

fn status_of(pg: &mut PgConnection) -> Result<Status, StoreError> {
    let mut applied: Vec<_> = pg.applied_migrations().map_err(failed)?.iter().map(ToString::to_string).collect();
    applied.sort();
    let pending = pg.pending_migrations(MIGRATIONS).map_err(failed)?;
    Ok(Status { applied, pending: pending.iter().map(|migration| migration.name().to_string()).collect() })
}

/// A connection that holds the lock until it is closed. Even asking for the status needs it: diesel creates its table then.
fn connect(url: &str) -> Result<PgConnection, StoreError> {
    let mut pg = PgConnection::establish(url).map_err(|error| StoreError::Unreachable(error.to_string()))?;
    sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(&mut pg)?;
    Ok(pg)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Internal(format!("a migration failed: {error}"))
}
