//! The `rapport` program, run as people run it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Output, Stdio},
};

/// What the server says last when it is ready.
const LAST_WORDS: &str = "Stop with";

const PROGRAM: &str = env!("CARGO_BIN_EXE_rapport-under-test");

/// Runs a command to its end.
pub fn rapport(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Starts a command, for a test that ends it.
pub fn start(arguments: &[&str]) -> Child {
    command(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("DATABASE_URL").env_remove("RAPPORT_DATABASE_URL").env("RAPPORT_LOG", "warn");
    // Tests send hundreds of requests a second, and say themselves from where.
    for limit in ["KEY", "WORKSPACE", "ADDRESS", "FORM"] {
        command.env(format!("RAPPORT_RATE_LIMIT_{limit}"), "1000000");
    }
    command.env("RAPPORT_TRUSTED_PROXIES", "127.0.0.1/32");
    // Receivers of tests are on this machine.
    command.env("RAPPORT_WEBHOOKS_ON_LOOPBACK", "true");
    // What leaves the change feed is for tests to say, with workers of their own.
    command.env("RAPPORT_FEED_RETENTION_DAYS", "36500");
    command
}

/// A running server. It stops when this value or the whole process goes.
pub struct Rapport {
    /// Its address.
    pub base: String,
    /// What it said when it was ready.
    pub welcome: String,
    given_url: Option<String>,
    child: Child,
    /// Closing it stops the server.
    stdin: Option<ChildStdin>,
}

impl Rapport {
    /// Starts a server on a port of its own and waits until it is ready.
    pub fn serve(arguments: &[&str]) -> Self {
        Self::try_serve(arguments).unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts a server, or gives what it said instead of starting.
    pub fn try_serve(arguments: &[&str]) -> Result<Self, String> {
        let all = [&["serve", "--listen", "127.0.0.1:0", "--stop-with-stdin"], arguments].concat();
        let mut child =
            command(&all).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut welcome = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            welcome.push_str(&line);
            welcome.push('\n');
            if line.starts_with(LAST_WORDS) {
                break;
            }
        }
        if !welcome.contains(LAST_WORDS) {
            let output = child.wait_with_output().unwrap();
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let base = word_after(&welcome, "API ").trim_end_matches("/v1").to_owned();
        let given_url = arguments.windows(2).find(|pair| pair[0] == "--database-url").map(|pair| pair[1].to_owned());
        Ok(Self { base, welcome, given_url, child, stdin })
    }

    /// Where its database is.
    pub fn database_url(&self) -> String {
        self.given_url.clone().unwrap_or_else(|| word_after(&self.welcome, "Database ").to_owned())
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stdin.take();
        let _gone_already = self.child.wait();
    }
}

impl Drop for Rapport {
    fn drop(&mut self) {
        self.end();
    }
}

fn word_after<'t>(text: &'t str, label: &str) -> &'t str {
    let line =
        text.lines().find(|line| line.trim_start().starts_with(label)).unwrap_or_else(|| panic!("{label} in {text}"));
    line.trim_start()[label.len()..].trim()
}
