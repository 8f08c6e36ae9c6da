//! The `rapport` binary: command line, configuration, embedded Postgres, wiring.

mod cli;
mod commands;
mod database;
mod demo;
pub mod embedded;
mod export;
mod failure;
pub mod import;
mod logging;
mod outbox;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Runs what the command line asks for. The exit status is 0, 1 when it failed, or 2 when the command line is wrong.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(options) => commands::serve::run(*options),
        Command::Worker(options) => commands::worker::run(options),
        Command::Migrate(options) => commands::migrate::run(&options),
        Command::Openapi(options) => commands::openapi::run(&options),
        Command::Import(options) => commands::import::run(options),
        Command::Export(options) => commands::export::run(options),
        Command::Admin(options) => commands::admin::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::error(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}
