//! The outbox: a folder in which each mail is a file, for whoever delivers mail to pick up.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use rapport_http::mail::{Mail, MailError, Mailer};
use rapport_persistence::Clock;
use tempfile::NamedTempFile;

/// Writes mails into a folder.
#[derive(Clone)]
pub(crate) struct Outbox {
    folder: PathBuf,
    /// The part of our own address behind the @.
    host: String,
    clock: Clock,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Outbox").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Outbox {
    pub(crate) fn new(folder: &Path, public_url: Option<&str>, clock: Clock) -> Self {
        Self { folder: folder.to_owned(), host: host(public_url).to_owned(), clock }
    }

    fn write(&self, mail: &Mail) -> io::Result<()> {
        make_private(&self.folder)?;
        let now = self.clock.now();
        let name = format!("{}-{}", now.format("%Y%m%dT%H%M%S%6f"), unique());
        // Under another name until it is whole, so that nobody picks up half a mail.
        let mut file = NamedTempFile::with_prefix_in(".new-", &self.folder)?;
        file.write_all(self.message(mail, &name, now).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(self.folder.join(format!("{name}.eml")))?;
        Ok(())
    }

    /// The mail as RFC 5322 has it.
    fn message(&self, mail: &Mail, name: &str, at: DateTime<Utc>) -> String {
        let (to, subject, host) = (in_one_line(&mail.to), in_one_line(&mail.subject), &self.host);
        let head = [
            format!("Date: {}", at.to_rfc2822()),
            format!("From: Rapport <rapport@{host}>"),
            format!("To: <{to}>"),
            format!("Subject: {subject}"),
            format!("Message-ID: <{name}@{host}>"),
            "Auto-Submitted: auto-generated".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=utf-8".to_owned(),
            "Content-Transfer-Encoding: 8bit".to_owned(),
        ];
        let body = mail.text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        format!("{}\r\n\r\n{body}", head.join("\r\n"))
    }
}

impl Mailer for Outbox {
    fn deliver(&self, mail: &Mail) -> Result<(), MailError> {
        self.write(mail).map_err(|error| MailError::Failed(format!("{}: {error}", self.folder.display())))
    }
}

/// For a server that nobody told how to deliver mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoOutbox;

impl Mailer for NoOutbox {
    fn deliver(&self, _: &Mail) -> Result<(), MailError> {
        Err(MailError::NotConfigured)
    }
}

/// Mails hold tokens: the folder is for its owner alone.
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The host of an address like https://crm.example.com:8443/x.
fn host(url: Option<&str>) -> &str {
    let behind_scheme = url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    let host = behind_scheme.and_then(|rest| rest.split(['/', ':', '?', '#']).next()).unwrap_or_default();
    if host.is_empty() { "localhost" } else { host }
}

fn unique() -> String {
    rapport_domain::id::JournalEntryId::mint().uuid().simple().to_string()
}

/// A header ends with its line: what would begin another one becomes a space.
fn in_one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(folder: &Path) -> Outbox {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Outbox::new(folder, Some("https://crm.example.com:8443/app"), Clock::of(move || at))
    }

    fn mail(to: &str) -> Mail {
        Mail { to: to.to_owned(), subject: "Hello".to_owned(), text: "Grüße,\nMara\n".to_owned() }
    }

    #[test]
    fn a_mail_is_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/outbox");
        outbox(&folder).deliver(&mail("ada@example.com")).unwrap();
        outbox(&folder).deliver(&mail("ada@example.com")).unwrap();
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| file.extension().unwrap() == "eml"));
        let text = fs::read_to_string(&files[0]).unwrap();
        assert!(
            text.starts_with("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nFrom: Rapport <rapport@crm.example.com>\r\n")
        );
        assert!(text.contains("To: <ada@example.com>\r\n") && text.ends_with("\r\n\r\nGrüße,\r\nMara\r\n"), "{text}");
    }

    #[test]
    fn nothing_gets_into_the_head_but_one_address() {
        let folder = tempfile::tempdir().unwrap();
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let text = outbox(folder.path()).message(&mail("ada@example.com>\r\nBcc: <eve@example.com"), "1", at);
        assert!(!text.contains("\r\nBcc:"), "{text}");
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let failed = outbox(&file.path().join("under-a-file")).deliver(&mail("ada@example.com"));
        assert!(matches!(failed, Err(MailError::Failed(_))));
        assert_eq!(NoOutbox.deliver(&mail("ada@example.com")), Err(MailError::NotConfigured));
    }
}
