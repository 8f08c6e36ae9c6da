//! `rapport worker`

use rapport_worker::Beside;
use tokio::sync::watch;

use super::{asked_to_stop, block_on};
use crate::{cli::WorkerOptions, database::Database, failure::Failure, logging};

/// Does the background work until it is asked to stop.
pub(crate) fn run(options: WorkerOptions) -> Result<(), Failure> {
    logging::start(options.log_format);
    let database = Database::for_command(&options.database)?;
    database.make_current()?;
    let done = block_on(async {
        let db = database.open(None).await?;
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(rapport_worker::run(db, options.feed.worker(Beside::Nobody), stopped));
        tracing::info!("the worker is running");
        asked_to_stop().await?;
        stop.send_replace(true);
        worker.await.map_err(|error| Failure::said(format!("the worker failed: {error}")))
    });
    database.close()?;
    done
}
