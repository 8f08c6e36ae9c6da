//! What the commands do, one module each.

pub(crate) mod admin;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod worker;

use std::future::Future;

use rapport_persistence::{
    Db,
    workspace::workspaces::{self, Workspace},
};
use tokio::runtime::Runtime;

use self::admin::find_workspace;
use crate::failure::Failure;

/// Runs asynchronous work to its end.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Runtime::new().map_err(|error| Failure::said(format!("no threads can be started: {error}")))?;
    runtime.block_on(work)
}

/// Ends when the process is asked to stop.
async fn asked_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Failure::said(format!("no signals can be received: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?; // the terminal was closed
    tokio::select! {
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The workspace of this name, or the only one there is.
async fn chosen_workspace(db: &Db, name: Option<&str>) -> Result<Workspace, Failure> {
    if let Some(name) = name {
        return find_workspace(db, name).await;
    }
    match workspaces::names(db).await?.as_slice() {
        [only] => find_workspace(db, only).await,
        [] => Err(Failure::said("there is no workspace yet: create one with `rapport admin create-workspace NAME`")),
        names => Err(Failure::said(format!(
            "there are several workspaces, so name one with --workspace: {}",
            names.join(", ")
        ))),
    }
}
