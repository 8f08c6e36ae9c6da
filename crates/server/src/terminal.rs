//! What people read on the terminal. Results go to standard output, everything else to standard error.

use std::io::{IsTerminal, Write, stderr, stdout};

use indicatif::{ProgressBar, ProgressStyle};

/// A result. When nobody listens any more, there is nobody to tell.
pub(crate) fn result(text: &str) {
    let _nobody_listens = writeln!(stdout(), "{text}");
}

/// Something to know beside the result.
pub(crate) fn note(text: &str) {
    let _nobody_listens = writeln!(stderr(), "{text}");
}

/// A bar for long work, where there is a terminal to show it on.
pub(crate) fn bar(form: &str) -> ProgressBar {
    let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What went wrong.
pub(crate) fn error(text: &str) {
    note(&format!("rapport: {text}"));
}
