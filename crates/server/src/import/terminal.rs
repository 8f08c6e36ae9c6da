//! Progress for people: a bar on stderr where that is a terminal, and lines of text.

use std::{
    io::{Write, stderr},
    sync::atomic::{AtomicU64, Ordering},
};

use indicatif::ProgressBar;

use super::{Problem, Progress, Step};
use crate::terminal;

/// Problems that are shown where no errors file keeps them.
const SHOWN: u64 = 10;

/// Shows progress on stderr.
pub struct Terminal {
    bar: ProgressBar,
    /// Problems go to a file, so that none is shown.
    has_errors_file: bool,
    problems: AtomicU64,
}

impl Terminal {
    /// With `has_errors_file` no problem is shown, else the first ten.
    pub fn new(has_errors_file: bool) -> Self {
        let bar = terminal::bar("{wide_bar} {bytes}/{total_bytes} {msg} {eta}");
        Self { bar, has_errors_file, problems: AtomicU64::new(0) }
    }

    fn say(&self, text: &str) {
        // Nobody to tell it to, if stderr is closed.
        self.bar.suspend(|| drop(writeln!(stderr(), "{text}")));
    }
}

impl Progress for Terminal {
    fn start(&self, bytes: u64) {
        self.bar.set_length(bytes);
    }

    fn note(&self, text: &str) {
        self.say(text);
    }

    fn problem(&self, problem: &Problem) {
        let before = self.problems.fetch_add(1, Ordering::Relaxed);
        if self.has_errors_file || before > SHOWN {
            return;
        }
        if before == SHOWN {
            self.say("There are more problems. Use --errors FILE to get them all.");
            return;
        }
        self.say(&problem.to_string());
    }

    fn advance(&self, step: &Step) -> bool {
        let rows = step.tally.rows;
        let rate = step.rows_now as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_position(step.bytes);
        self.bar.set_message(format!("{rows} rows, {rate:.0}/s, {} failed", step.tally.failed));
        true
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
