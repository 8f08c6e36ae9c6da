//! How users come to a password: by an invitation, by a reset, or because they want a new one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::UserId;

/// What a single-use token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPurpose {
    /// To accept an invitation, for 7 days.
    Invite,
    /// To choose a new password, for an hour.
    Reset,
}

impl TokenPurpose {
    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
        }
    }

    /// How long such a token is valid.
    pub fn lifetime(self) -> chrono::Duration {
        match self {
            Self::Invite => chrono::Duration::days(7),
            Self::Reset => chrono::Duration::hours(1),
        }
    }
}

/// Whose password is to be chosen anew.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"workspace": "demo", "email": "mara@example.com"}))]
pub struct PasswordReset {
    /// Name of the workspace.
    #[schema(min_length = 1, max_length = 63)]
    pub workspace: String,
    /// E-mail address of the user.
    #[schema(min_length = 1, max_length = 254)]
    pub email: String,
}

/// What is answered to everybody who asks for a mail.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailPromise {
    /// What happens next.
    #[schema(example = "If there is such a user, a mail is on its way to them.")]
    pub detail: String,
}

/// A new password, with the token from the mail.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "3q2-7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWc", "password": "correct horse battery staple"}))]
pub struct PasswordResetConfirmation {
    /// The token from the mail.
    #[schema(min_length = 1, max_length = 100)]
    pub token: String,
    /// The new password: at least 12 characters, and neither the e-mail address nor one that is often guessed.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub password: String,
}

/// A first password, with the token of an invitation.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "3q2-7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWc", "name": "Mara Weiss", "password": "correct horse battery staple"}))]
pub struct InviteAcceptance {
    /// The token from the mail.
    #[schema(min_length = 1, max_length = 100)]
    pub token: String,
    /// Name to show; the one that the invitation was made for unless given.
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The password: at least 12 characters, and neither the e-mail address nor one that is often guessed.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub password: String,
}

/// A new password of somebody who has signed in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "correct horse battery staple", "new_password": "another horse, another battery"}))]
pub struct PasswordChange {
    /// The password until now.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub current_password: String,
    /// The new password: at least 12 characters, and neither the e-mail address nor one that is often guessed.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub new_password: String,
}

/// Whether an invitation is on its way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InviteSent {
    /// The user who is invited.
    #[schema(value_type = uuid::Uuid)]
    pub user_id: UserId,
    /// When the invitation ends.
    pub expires_at: chrono::DateTime<chrono::Utc>,
    /// Whether the mail was handed over for delivery.
    #[schema(example = true)]
    pub delivered: bool,
    /// What happened to the mail, for people.
    #[schema(example = "The invitation is on its way.")]
    pub detail: String,
}
