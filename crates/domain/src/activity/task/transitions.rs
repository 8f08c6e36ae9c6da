//! How far a task has come, and where it can go from there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Invalid;

/// How far a task has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    #[default]
    NotStarted,
    InProgress,
    Deferred,
    Completed,
    Cancelled,
}

/// What the status of a task means: still to be done, put off, done, or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatusClass {
    Open,
    OnHold,
    Done,
    Cancelled,
}

/// What is done with a task at an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskAction {
    Complete,
    Cancel,
    Reopen,
}

impl TaskAction {
    /// What happened, as the journal says it.
    pub fn event(self) -> &'static str {
        match self {
            Self::Complete => "completed",
            Self::Cancel => "cancelled",
            Self::Reopen => "reopened",
        }
    }
}

impl TaskStatus {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::InProgress => "in_progress",
            Self::Deferred => "deferred",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// What it means.
    pub fn class(self) -> TaskStatusClass {
        match self {
            Self::NotStarted | Self::InProgress => TaskStatusClass::Open,
            Self::Deferred => TaskStatusClass::OnHold,
            Self::Completed => TaskStatusClass::Done,
            Self::Cancelled => TaskStatusClass::Cancelled,
        }
    }

    /// Whether there is still something to be done.
    pub fn is_unfinished(self) -> bool {
        matches!(self.class(), TaskStatusClass::Open | TaskStatusClass::OnHold)
    }

    /// Where a task of this status can go.
    pub fn targets(self) -> Vec<Self> {
        let unfinished = [Self::NotStarted, Self::InProgress, Self::Deferred];
        match self.is_unfinished() {
            true => unfinished
                .into_iter()
                .filter(|status| *status != self)
                .chain([Self::Completed, Self::Cancelled])
                .collect(),
            false => vec![Self::NotStarted],
        }
    }

    /// The status that a patch gives. Only those of tasks that are not finished can be given and left this way.
    pub(super) fn patched(self, wanted: Self) -> Result<Self, Invalid> {
        match wanted {
            _ if wanted == self => Ok(self),
            _ if self.is_unfinished() && wanted.is_unfinished() => Ok(wanted),
            Self::Completed | Self::Cancelled if self.is_unfinished() => {
                let address = if wanted == Self::Completed { "complete" } else { "cancel" };
                Err(self.refusal(&format!("A task becomes {} by POST …/{address}.", wanted.as_str())))
            }
            Self::NotStarted => Err(self.refusal("A finished task comes back by POST …/reopen.")),
            _ => {
                Err(self.refusal(&format!("It can't become {}; POST …/reopen brings it back first.", wanted.as_str())))
            }
        }
    }

    /// The status after something that was done with the task.
    pub(super) fn after(self, action: TaskAction) -> Result<Self, Invalid> {
        match (action, self) {
            (TaskAction::Complete, Self::Completed) | (TaskAction::Cancel, Self::Cancelled) => Ok(self),
            (TaskAction::Complete, _) if self.is_unfinished() => Ok(Self::Completed),
            (TaskAction::Cancel, _) if self.is_unfinished() => Ok(Self::Cancelled),
            (TaskAction::Reopen, _) if self.is_unfinished() => Ok(self),
            (TaskAction::Reopen, _) => Ok(Self::NotStarted),
            (TaskAction::Complete | TaskAction::Cancel, _) => {
                let detail = format!("It can't be {} any more; POST …/reopen brings it back first.", action.event());
                Err(self.refusal(&detail))
            }
        }
    }

    fn refusal(self, what: &str) -> Invalid {
        let targets: Vec<&str> = self.targets().into_iter().map(Self::as_str).collect();
        let from = self.as_str();
        Invalid::transition(
            "/status",
            format!("The task is {from}. {what} From {from} it goes to: {}.", targets.join(", ")),
        )
    }
}
