//! What people read on the terminal. Results go to standard output, everything else to standard error.

use std::io::{Write, stderr, stdout};

/// A result. When nobody listens any more, there is nobody to tell.
pub(crate) fn result(text: &str) {
    let _nobody_listens = writeln!(stdout(), "{text}");
}

/// Something to know beside the result.
pub(crate) fn note(text: &str) {
    let _nobody_listens = writeln!(stderr(), "{text}");
}

/// What went wrong.
pub(crate) fn error(text: &str) {
    note(&format!("rapport: {text}"));
}
