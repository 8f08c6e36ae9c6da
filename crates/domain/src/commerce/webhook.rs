//! Webhooks: addresses of outside systems to which the change feed is sent.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::Resource,
    feed::{ChangeQuery, FeedKind, FeedStart},
    id::{WebhookDeliveryId, WebhookId},
    journal::{EventName, JournalEntry},
    problem::{Fields, Invalid},
    record::{RecordKind, Stamp, keep_each_once},
    text,
};

/// The most webhooks of a workspace.
pub const MOST_WEBHOOKS: i64 = 20;

/// The most changes of one message.
pub const MOST_CHANGES: i64 = 100;

/// About how large a message is at most, in bytes of its changes; one of a single change may be larger.
pub const LARGEST_MESSAGE: usize = 256 * 1024;

/// How long an address may be.
const LONGEST_URL: usize = 2000;

/// For how long messages are signed with the old secret, too, after there is a new one.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// After how long without success a webhook is switched off.
pub const PATIENCE: TimeDelta = TimeDelta::days(3);

/// The address of an outside system that is told of changes: the change feed, sent instead of fetched.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Webhook {
    /// Identifies the webhook for ever.
    #[schema(value_type = Uuid)]
    pub id: WebhookId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// Its name for people.
    #[schema(example = "Accounting")]
    pub name: String,
    /// Where messages are sent.
    #[schema(example = "https://accounting.example.com/rapport")]
    pub url: String,
    /// Only changes of records of these kinds are sent; of all where there is none.
    #[schema(value_type = Vec<FeedKind>, example = json!(["contact", "company"]))]
    pub kinds: Vec<RecordKind>,
    /// Only these events are sent; all where there is none.
    #[schema(value_type = Vec<EventName>, example = json!(["contact.created", "contact.updated"]))]
    pub events: Vec<String>,
    /// Changes that came through these connections are not sent: whoever writes through one knows them already.
    pub exclude_origins: Vec<Uuid>,
    /// Whether changes are sent. Rapport switches a webhook off to which nothing could be sent for three days, or that
    /// answers 410. Switched on again, it goes on where it ended.
    #[schema(example = true)]
    pub enabled: bool,
}

/// A webhook with a new secret: shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IssuedWebhook {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// With what messages are signed. Keep it safe: nobody can show it again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
}

/// A webhook to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Accounting", "url": "https://accounting.example.com/rapport", "kinds": ["contact", "company"]}))]
pub struct NewWebhook {
    /// Its name for people.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// Where messages are sent: https to a server that everybody can reach, without user and password. http is for the server's
    /// own machine alone, and only where it was told to send there. Kept in the form in which it is called.
    #[schema(
        required,
        format = "uri",
        min_length = 1,
        max_length = 2000,
        example = "https://accounting.example.com/rapport"
    )]
    pub url: String,
    /// Only changes of records of these kinds; of all unless said otherwise.
    #[schema(value_type = Vec<FeedKind>, max_items = 50)]
    pub kinds: Vec<RecordKind>,
    /// Only these events; all unless said otherwise.
    #[schema(value_type = Vec<EventName>, max_items = 50)]
    pub events: Vec<String>,
    /// No changes that came through these connections.
    #[schema(max_items = 50)]
    pub exclude_origins: Vec<Uuid>,
    /// Whether changes are sent.
    #[schema(default = true)]
    pub enabled: bool,
}

impl Default for NewWebhook {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            kinds: Vec::new(),
            events: Vec::new(),
            exclude_origins: Vec::new(),
            enabled: true,
        }
    }
}

/// Changes to a webhook, as JSON Merge Patch: absent fields stay, null clears.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct WebhookPatch {
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Where messages are sent.
    #[schema(nullable = false, format = "uri", min_length = 1, max_length = 2000)]
    pub url: Option<String>,
    /// Only changes of records of these kinds; null for all.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<FeedKind>>, max_items = 50)]
    pub kinds: Option<Option<Vec<RecordKind>>>,
    /// Only these events; null for all.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<EventName>>, max_items = 50)]
    pub events: Option<Option<Vec<String>>>,
    /// No changes that came through these connections; null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50)]
    pub exclude_origins: Option<Option<Vec<Uuid>>>,
    /// Whether changes are sent. Switched on, it is tried again at once.
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhookQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// From where on changes are sent again.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"from": "oldest"}))]
pub struct WebhookReplay {
    /// Without a cursor: from the `oldest` change that is still kept on, unless said otherwise, or from the `head`, which
    /// leaves out everything that has happened so far.
    #[schema(inline = false)]
    pub from: FeedStart,
    /// `next_cursor` of a message: from behind it on. One of `GET /v1/changes` does, too, if the filters are those of the
    /// webhook.
    #[schema(min_length = 1, max_length = 2000)]
    pub cursor: Option<String>,
}

/// How far a webhook has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookStatus {
    /// Changes up to this position of the feed have been sent.
    #[schema(minimum = 0, example = 4711)]
    pub position: i64,
    /// Positions of the feed that are still to be looked at; not all of them are for this webhook.
    #[schema(minimum = 0, example = 0)]
    pub waiting: i64,
    /// A message is to be sent as a test.
    pub test_waiting: bool,
    /// Attempts that failed since the last success.
    #[schema(minimum = 0, example = 0)]
    pub failures: i64,
    /// Since when every attempt has failed; null when the last one did not. A test that fails does not count.
    #[schema(required)]
    pub failing_since: Option<DateTime<Utc>>,
    /// When it is tried again; null when the last attempt did not fail, and when the webhook is switched off.
    #[schema(required)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When a message last arrived.
    #[schema(required)]
    pub last_success_at: Option<DateTime<Utc>>,
}

/// What a message is about. More types will follow: answer one that you do not know with 2xx, and ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookMessageType {
    /// Changes of records.
    Changes,
    /// Nothing: somebody wants to know whether it arrives.
    Test,
}

/// What is sent to a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b", "type": "test", "webhook_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c",
    "data": [], "next_cursor": "z9XWUoGieYeR35AdZD0PQWVC", "resync_required": false
}))]
pub struct WebhookMessage {
    /// Identifies the message: the same however often it is sent, so that what arrives twice can be told.
    pub id: Uuid,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: WebhookMessageType,
    /// The webhook to which it is sent.
    #[schema(value_type = Uuid)]
    pub webhook_id: WebhookId,
    /// The changes, in the order in which they happened to each record: a hundred at most, and fewer where they are long.
    pub data: Vec<JournalEntry>,
    /// Leads on from here in `GET /v1/changes` with the same filters in the same order, for whoever has lost something.
    pub next_cursor: String,
    /// Before these changes there were others that have left the feed and are never sent. Read the records anew.
    pub resync_required: bool,
}

/// An attempt to send a message.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// Identifies the attempt.
    #[schema(value_type = Uuid)]
    pub id: WebhookDeliveryId,
    /// The message, which is sent until an attempt succeeds.
    pub message_id: Uuid,
    /// What the message is about.
    #[serde(rename = "type")]
    pub kind: WebhookMessageType,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    #[schema(minimum = 0, example = 84)]
    pub duration_ms: i64,
    /// How many changes the message has.
    #[schema(minimum = 0, example = 3)]
    pub changes: i64,
    /// Position of the feed at the end of the message; null for a test.
    #[schema(required, minimum = 1, example = 4711)]
    pub position: Option<i64>,
    /// The answer was 2xx.
    pub succeeded: bool,
    /// Status of the answer; null when there was none.
    #[schema(required, minimum = 100, maximum = 999, example = 200)]
    pub status: Option<i32>,
    /// Why there was no answer; null when there was one.
    #[schema(required, example = "timeout: global")]
    pub error: Option<String>,
    /// How an answer begins that was not 2xx: a thousand characters at most.
    #[schema(required, example = "no such tenant")]
    pub response: Option<String>,
}

/// What came of sending a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    Answered { status: u16, beginning: String },
    Unanswered { error: String },
}

impl Attempt {
    /// Whether the message arrived.
    pub fn succeeded(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// Whether whoever answers wants no more messages.
    pub fn is_unwanted(&self) -> bool {
        matches!(self, Self::Answered { status: 410, .. })
    }
}

/// How long to wait after so many failures in a row: a second, then four times as long each time, up to an hour.
pub fn wait_after(failures: i64) -> TimeDelta {
    let doublings = u32::try_from((failures - 1).clamp(0, 6)).unwrap_or(6) * 2;
    TimeDelta::seconds(1 << doublings).min(TimeDelta::hours(1))
}

impl Webhook {
    /// A new webhook.
    pub fn create(new: NewWebhook, id: WebhookId, stamp: Stamp) -> Result<Self, Invalid> {
        let webhook = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            url: new.url,
            kinds: new.kinds,
            events: new.events,
            exclude_origins: new.exclude_origins,
            enabled: new.enabled,
        };
        webhook.checked()
    }

    /// The webhook as it would be after a patch.
    pub fn patch(&self, patch: WebhookPatch) -> Result<Self, Invalid> {
        let webhook = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            url: patch.url.unwrap_or_else(|| self.url.clone()),
            kinds: patch.kinds.map_or_else(|| self.kinds.clone(), Option::unwrap_or_default),
            events: patch.events.map_or_else(|| self.events.clone(), Option::unwrap_or_default),
            exclude_origins: patch
                .exclude_origins
                .map_or_else(|| self.exclude_origins.clone(), Option::unwrap_or_default),
            enabled: patch.enabled.unwrap_or(self.enabled),
            ..*self
        };
        webhook.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// The part of the feed that it is told of, as somebody would ask for it.
    pub fn changes(&self) -> ChangeQuery {
        ChangeQuery {
            kind: self.kinds.clone(),
            event: self.events.clone(),
            exclude_origin: self.exclude_origins.clone(),
            ..ChangeQuery::default()
        }
    }

    /// Whether it is told of more, or somebody else is told of it, than before.
    pub fn tells_more_than(&self, before: &Self) -> bool {
        let told = |webhook: &Self| {
            let Self { url, kinds, events, exclude_origins, .. } = webhook.clone();
            (url, kinds, events, exclude_origins)
        };
        told(self) != told(before) || (self.enabled && !before.enabled)
    }

    /// The resources of whose records it may be told.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        let is_told_of = |resource: &Resource| self.kinds.is_empty() || self.kinds.contains(&resource.kind());
        Resource::ALL.iter().copied().filter(is_told_of)
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A webhook needs a name.");
        }
        match canonical_url(&self.url) {
            Ok(url) if url.len() > LONGEST_URL => {
                let detail = format!("Written in full, this address has more than {LONGEST_URL} characters.");
                fields.refuse("/url", "too_long", detail);
            }
            // What was judged is what is called.
            Ok(url) => self.url = url,
            Err(detail) => fields.refuse("/url", "invalid_url", detail),
        }
        keep_each_once(&mut self.kinds);
        keep_each_once(&mut self.exclude_origins);
        let mut seen = std::collections::HashSet::new();
        self.events.retain(|event| seen.insert(event.clone()));
        fields.verdict().map(|()| self)
    }
}

/// An address as programs write it, with the name of its host in ASCII.
fn canonical_url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "This is no address. Write it like https://example.com/rapport.")?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("This address has no host. Write it like https://example.com/rapport."),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err("Messages are sent by https alone. Write the address like https://example.com/rapport.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "An address with user or password would show them to everybody who sees the webhook. Leave them out: \
                    messages are signed.",
        );
    }
    if url.fragment().is_some() {
        return Err("What follows # is never sent. Leave it out.");
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    fn create(new: NewWebhook) -> Result<Webhook, Invalid> {
        Webhook::create(new, WebhookId::mint(), Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api))
    }

    fn at(url: &str) -> Result<Webhook, Invalid> {
        create(NewWebhook { name: "Shop".to_owned(), url: url.to_owned(), ..NewWebhook::default() })
    }

    #[test]
    fn messages_go_by_https_or_to_this_machine() {
        for url in ["https://example.com/hook?x=1", "http://localhost:3000", "http://127.0.0.1:9/x", "http://[::1]/"] {
            assert!(at(url).is_ok(), "{url}");
        }
        let refused = [
            "",
            "example.com",
            "http://example.com",
            "http://10.0.0.1/",
            "ftp://example.com",
            "https://",
            "https://user@example.com",
            "https://user:secret@example.com",
            "https://example.com/#part",
            "http://localhost.example.com",
        ];
        for url in refused {
            let invalid = at(url).unwrap_err();
            assert_eq!(invalid.problems()[0].pointer.as_deref(), Some("/url"), "{url}");
        }
    }

    #[test]
    fn an_address_is_kept_as_it_is_called() {
        assert_eq!(at("https://m\u{fc}nchen.example/a b").unwrap().url, "https://xn--mnchen-3ya.example/a%20b");
        assert_eq!(at("HTTPS://Example.com").unwrap().url, "https://example.com/");
        let long = format!("https://example.com/{}", "\u{20ac}".repeat(300));
        assert_eq!(at(&long).unwrap_err().problems()[0].code, "too_long");
    }

    #[test]
    fn nothing_stands_twice_in_a_list() {
        let twice = NewWebhook {
            name: "Shop".to_owned(),
            url: "https://example.com".to_owned(),
            kinds: vec![RecordKind::Contact, RecordKind::Lead, RecordKind::Contact],
            events: vec!["lead.created".to_owned(), "lead.created".to_owned()],
            ..NewWebhook::default()
        };
        let webhook = create(twice).unwrap();
        assert_eq!(webhook.kinds, [RecordKind::Contact, RecordKind::Lead]);
        assert_eq!(webhook.events, ["lead.created"]);
        assert!(webhook.resources().eq([Resource::Contacts, Resource::Leads]));
    }

    #[test]
    fn waits_grow_up_to_an_hour() {
        let waits: Vec<i64> = (1..=9).map(|failures| wait_after(failures).num_seconds()).collect();
        assert_eq!(waits, [1, 4, 16, 64, 256, 1024, 3600, 3600, 3600]);
        assert_eq!(wait_after(0), TimeDelta::seconds(1));
        assert_eq!(wait_after(i64::MAX), TimeDelta::hours(1));
    }
}
