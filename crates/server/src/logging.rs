//! Where log lines go and how they look.

use std::{
    io::{IsTerminal, stderr},
    panic,
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::cli::LogFormat;

/// What is logged unless `RAPPORT_LOG` says otherwise.
const USUAL: &str = "info,actix_server=warn";

/// For commands that speak for themselves: logs what is amiss.
pub(crate) fn start_quietly() {
    start_with(LogFormat::Pretty, "warn");
}

/// Logs to standard error. `RAPPORT_LOG` takes directives such as `debug` or `info,rapport_http=debug`.
pub(crate) fn start(format: LogFormat) {
    start_with(format, USUAL);
}

fn start_with(format: LogFormat, usual: &str) {
    let filter = EnvFilter::try_from_env("RAPPORT_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    let started = match format {
        LogFormat::Pretty => lines.with_target(false).with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // Somebody who embeds the server may log already.
    let _logging_already = started;
    // A defect is a log line like any other, not a page of frames on the terminal.
    panic::set_hook(Box::new(|defect| {
        let place = defect.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked: {}", defect.payload_as_str().unwrap_or("without a word"));
    }));
}
