//! Mail that Rapport sends: what is in it. How it travels is for whoever starts the server to say.

use std::{fmt, sync::Arc};

/// A mail to one person.
#[derive(Clone)]
pub struct Mail {
    /// E-mail address.
    pub to: String,
    pub subject: String,
    /// Plain text in lines that end with \n.
    pub text: String,
}

/// Without the text, which holds what only the receiver may know.
impl fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail did not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailError {
    /// Nobody said how mail is to be delivered.
    NotConfigured,
    /// It was tried and failed.
    Failed(String),
}

/// Takes mail and delivers it, or leaves it where somebody else does. May block.
pub trait Mailer: fmt::Debug + Send + Sync {
    fn deliver(&self, mail: &Mail) -> Result<(), MailError>;
}

/// The way out, as handlers see it.
#[derive(Clone)]
pub(crate) struct Post {
    mailer: Arc<dyn Mailer>,
    /// Where the pages are on which people choose passwords; none when programs alone handle tokens.
    public_url: Option<String>,
}

impl Post {
    pub(crate) fn new(mailer: Arc<dyn Mailer>, public_url: Option<&str>) -> Self {
        Self { mailer, public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()) }
    }

    /// Sends a mail. A failure is logged here, once; what the mail says is not.
    pub(crate) async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let (subject, mailer) = (mail.subject.clone(), Arc::clone(&self.mailer));
        let delivered = tokio::task::spawn_blocking(move || mailer.deliver(&mail)).await;
        let delivered = delivered.unwrap_or_else(|error| Err(MailError::Failed(error.to_string())));
        match &delivered {
            Ok(()) => {}
            Err(MailError::NotConfigured) => {
                tracing::warn!(subject, "a mail was not delivered: start the server with --outbox");
            }
            Err(MailError::Failed(error)) => tracing::error!(subject, error, "a mail was not delivered"),
        }
        delivered
    }

    /// Invites somebody to a workspace.
    pub(crate) fn invite(&self, to: &str, name: &str, workspace: &str, token: &str) -> Mail {
        let how = self.how("accept-invite", "POST /v1/auth/accept-invite", token);
        let text = format!(
            "Hello {name},\n\nyou are invited to work in the workspace {workspace} of Rapport.\n\n{how}\n\nThis works \
             once, within 7 days. If you did not expect an invitation, leave this mail alone.\n"
        );
        Mail { to: to.to_owned(), subject: format!("You are invited to {workspace}"), text }
    }

    /// Lets somebody choose a new password.
    pub(crate) fn reset(&self, to: &str, name: &str, workspace: &str, token: &str) -> Mail {
        let how = self.how("reset-password", "POST /v1/auth/password-reset/confirm", token);
        let text = format!(
            "Hello {name},\n\nsomebody asked for a new password for your account in the workspace {workspace} of \
             Rapport.\n\n{how}\n\nThis works once, within an hour. If it was not you who asked, leave this mail alone: \
             your password stays as it is.\n"
        );
        Mail { to: to.to_owned(), subject: format!("A new password for {workspace}"), text }
    }

    /// The token is behind the #, which browsers keep to themselves: no proxy has it in its log.
    fn how(&self, page: &str, call: &str, token: &str) -> String {
        match &self.public_url {
            Some(url) => format!("Choose your password here:\n\n  {url}/{page}#token={token}"),
            None => format!("Choose your password with {call}. Your token is:\n\n  {token}"),
        }
    }
}
