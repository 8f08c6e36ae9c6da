//! `rapport serve`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rapport_http::{HttpOptions, RateLimits, Running, mail::Mailer};
use rapport_persistence::{Db, workspace::workspaces};
use rapport_worker::Beside;
use tokio::{
    io::{AsyncReadExt, stdin},
    sync::watch,
};

use super::{asked_to_stop, block_on};
use crate::{
    cli::ServeOptions,
    database::Database,
    demo,
    failure::Failure,
    logging,
    outbox::{NoOutbox, Outbox},
    terminal,
};

/// How long requests that are under way may take when the server stops, and after them what goes on for callers who have hung up.
const GRACE: Duration = Duration::from_secs(20);

/// Serves until it is asked to stop, then lets everything under way come to its end.
pub(crate) fn run(options: ServeOptions) -> Result<(), Failure> {
    logging::start(options.log_format);
    let database = Database::for_server(&options.database, options.ephemeral)?;
    let served = database.make_current().and_then(|()| block_on(serve(&options, &database)));
    database.close()?;
    served
}

async fn serve(options: &ServeOptions, database: &Database) -> Result<(), Failure> {
    let db = database.open(options.connections).await?;
    let key = if options.demo {
        Some(demo::prepare(&db, &options.database.data_dir, options.ephemeral).await?)
    } else {
        None
    };
    let running = rapport_http::start(http_options(options, &db), db.clone()).await.map_err(Failure::said)?;
    if let Database::Own(embedded) = database {
        embedded.announce(&format!("http://{}", reachable(running.address)))?;
    }
    let (stop, stopped) = watch::channel(false);
    let work = options.feed.worker(Beside::Server);
    let worker = (!options.no_worker).then(|| tokio::spawn(rapport_worker::run(db.in_background(), work, stopped)));
    welcome(&running, database, &db, key.as_deref()).await?;

    tokio::select! {
        asked = asked_to_stop() => asked?,
        () = input_closed(), if options.stop_with_stdin => {}
    }
    tracing::info!("stopping");
    stop.send_replace(true); // at once, for what is being sent to webhooks may take as long as requests that are under way
    running.stop().await;
    if let Some(worker) = worker {
        worker.await.map_err(|error| Failure::said(format!("the worker failed: {error}")))?;
    }
    if !db.at_rest(GRACE).await {
        tracing::warn!("a write took too long to wait for it; it will be as if it had not been sent");
    }
    Ok(())
}

fn http_options(options: &ServeOptions, db: &Db) -> HttpOptions {
    HttpOptions {
        listen: options.listen,
        metrics_listen: options.metrics_listen,
        cors_origins: options.cors_origins.clone(),
        trusted_proxies: options.trusted_proxies.clone(),
        rate_limits: RateLimits {
            key: options.rate_limit_key,
            workspace: options.rate_limit_workspace,
            address: options.rate_limit_address,
            form: options.rate_limit_form,
        },
        mailer: mailer(options, db),
        public_url: options.public_url.clone(),
        outside: options.outside.provider(),
        grace: GRACE,
    }
}

/// The outbox that was named, or the one in the data folder, where there is one.
fn mailer(options: &ServeOptions, db: &Db) -> Arc<dyn Mailer> {
    let has_folder = options.database.url().is_none() && !options.ephemeral;
    let folder = options.outbox.clone().or_else(|| has_folder.then(|| options.database.data_dir.join("outbox")));
    match folder {
        Some(folder) => Arc::new(Outbox::new(&folder, options.public_url.as_deref(), db.clock().clone())),
        None => Arc::new(NoOutbox),
    }
}

/// Ends when standard input does: whoever started the server is gone then.
async fn input_closed() {
    let mut ignored = [0; 64];
    while matches!(stdin().read(&mut ignored).await, Ok(count) if count > 0) {}
}

async fn welcome(running: &Running, database: &Database, db: &Db, key: Option<&str>) -> Result<(), Failure> {
    let base = format!("http://{}", reachable(running.address));
    let mut lines = vec![
        format!("Rapport {} is ready.", env!("CARGO_PKG_VERSION")),
        String::new(),
        format!("  API        {base}/v1"),
        format!("  Reference  {base}/docs/"),
    ];
    if let Some(address) = running.metrics_address {
        lines.push(format!("  Metrics    http://{}/metrics", reachable(address)));
    }
    if let Database::Own(embedded) = database {
        lines.push(format!("  Database   {}", embedded.url()));
    }
    match key {
        Some(key) => lines.extend([
            format!("  API key    {key}"),
            String::new(),
            "A first call:".to_owned(),
            String::new(),
            format!("  curl -H 'Authorization: Bearer {key}' '{base}/v1/contacts?q=lindt&limit=1'"),
        ]),
        None if workspaces::names(db).await?.is_empty() => lines.extend([
            String::new(),
            "There is no workspace yet. With the same --data-dir or --database-url:".to_owned(),
            String::new(),
            "  rapport admin create-workspace NAME".to_owned(),
            "  rapport admin create-api-key --workspace NAME --name first".to_owned(),
        ]),
        None => {}
    }
    lines.extend([String::new(), "Stop with Ctrl-C.".to_owned()]);
    terminal::result(&lines.join("\n"));
    Ok(())
}

/// An address that can be called: a server that listens everywhere is reached on this machine, too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
