//! The time, injected, so that tests can turn it.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time in microseconds: the database keeps no finer one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn system() -> Self {
        Self(Arc::new(Utc::now))
    }

    /// A clock that says what `tell` says.
    pub fn of(tell: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}
