//! Sends the change feed to webhooks, as Standard Webhooks has it: signed, in order, and again until it has arrived.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rapport_domain::commerce::webhook::Attempt;
use rapport_outside::{
    Reach, agent,
    ureq::{self, Agent},
};
use rapport_persistence::{
    Db, StoreError,
    commerce::webhooks::{self, Claim, Outgoing},
};
use sha2::Sha256;
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep},
};

use crate::AFTER_FAILURE;

/// How many webhooks are sent something at the same time.
const AT_ONCE: usize = 8;

/// How often to look for webhooks whose next attempt is due. What this process has told the feed is noticed at once.
const LOOKING: Duration = Duration::from_secs(1);

/// Why nothing is sent to this machine.
const NOT_HERE: &str = "This server sends nothing to its own machine. Name an address with https that everybody can reach, or start \
                        the server with --webhooks-on-loopback.";

/// How long an attempt may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// For how long it is tried to note what came of an attempt, which is shorter than its lease with the attempt, and how often.
const NOTING: Duration = Duration::from_secs(30);
const BETWEEN_NOTING: Duration = Duration::from_millis(500);

/// The most that is read of an answer, in bytes.
const LARGEST: u64 = 4 * 1024;

/// Sends until `stop` turns true, and lets what is on its way come to its end.
pub(crate) async fn send(db: &Db, on_loopback: bool, mut stop: watch::Receiver<bool>) {
    let sender = Arc::new(Sender::new(on_loopback));
    let mut positions = db.positions();
    let mut under_way = JoinSet::new();
    while !*stop.borrow() {
        positions.mark_unchanged();
        let claimed = match webhooks::claim(db, AT_ONCE - under_way.len()).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "nothing is sent to webhooks");
                sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        for claim in claimed {
            let (db, sender) = (db.clone(), Arc::clone(&sender));
            under_way.spawn(async move { attempt(&db, &sender, claim).await });
        }
        tokio::select! {
            () = sleep(LOOKING) => {}
            _ = positions.changed(), if under_way.len() < AT_ONCE => {}
            Some(_) = under_way.join_next() => {}
            _ = stop.changed() => {}
        }
    }
    under_way.join_all().await;
}

/// Sends the next message to a webhook. An attempt that is not noted is made again when its lease has run out.
async fn attempt(db: &Db, sender: &Arc<Sender>, claim: Claim) {
    if let Err(error) = try_attempt(db, sender, claim).await {
        tracing::warn!(%error, ?claim, "what was sent to a webhook was not noted");
    }
}

async fn try_attempt(db: &Db, sender: &Arc<Sender>, claim: Claim) -> Result<(), StoreError> {
    let outgoing = match webhooks::prepare(db, claim).await {
        Ok(Some(outgoing)) => outgoing,
        Ok(None) => return Ok(()),
        Err(error) => {
            webhooks::set_aside(db, claim).await?;
            return Err(error);
        }
    };
    let begun = Instant::now();
    let (sender, sent) = (Arc::clone(sender), outgoing.clone());
    let attempt = spawn_blocking(move || sender.post(&sent)).await;
    let attempt = attempt.map_err(|error| StoreError::Internal(format!("an attempt did not end: {error}")))?;
    let (took, answered) = (begun.elapsed(), Instant::now());
    loop {
        match webhooks::finish(db, claim, outgoing.clone(), attempt.clone(), took).await {
            // What has arrived is not to be sent again because the database is busy at this moment.
            Err(error) if is_passing(&error) && answered.elapsed() < NOTING => sleep(BETWEEN_NOTING).await,
            done => return done,
        }
    }
}

fn is_passing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Busy
            | StoreError::Contention
            | StoreError::TooSlow
            | StoreError::Lost(_)
            | StoreError::Unreachable(_)
    )
}

/// Makes the calls.
struct Sender {
    outside: Agent,
    /// None where webhooks may not be on this machine.
    loopback: Option<Agent>,
}

impl Sender {
    fn new(on_loopback: bool) -> Self {
        Self {
            outside: agent(Reach::Outside, PATIENCE),
            loopback: on_loopback.then(|| agent(Reach::Loopback, PATIENCE)),
        }
    }

    /// Sends a message. Blocks for a while.
    fn post(&self, outgoing: &Outgoing) -> Attempt {
        match self.try_post(outgoing) {
            Ok(attempt) => attempt,
            Err(error) => Attempt::Unanswered { error },
        }
    }

    fn try_post(&self, outgoing: &Outgoing) -> Result<Attempt, String> {
        // Addresses without TLS are of this machine alone: the domain takes no others.
        let is_plain = outgoing.url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        let agent = match &self.loopback {
            Some(loopback) if is_plain => loopback,
            None if is_plain => return Err(NOT_HERE.to_owned()),
            _ => &self.outside,
        };
        let (id, timestamp) = (outgoing.id.to_string(), outgoing.at.timestamp().to_string());
        let signatures: Result<Vec<_>, _> =
            outgoing.keys.iter().map(|key| signature(key, &id, &timestamp, &outgoing.body)).collect();
        let answer = agent
            .post(&outgoing.url)
            .header("Content-Type", "application/json")
            .header("Webhook-Id", &id)
            .header("Webhook-Timestamp", &timestamp)
            .header("Webhook-Signature", signatures?.join(" "))
            .send(&outgoing.body);
        answer.map_err(|error| error.to_string()).map(read)
    }
}

/// What an answer says, as far as it is kept.
fn read(mut answer: ureq::http::Response<ureq::Body>) -> Attempt {
    let mut beginning = Vec::new();
    // An answer that breaks off was an answer all the same.
    let mut body = std::io::Read::take(answer.body_mut().as_reader(), LARGEST);
    if let Err(error) = std::io::Read::read_to_end(&mut body, &mut beginning) {
        tracing::debug!(%error, "the answer of a webhook broke off");
    }
    let beginning = String::from_utf8_lossy(&beginning).into_owned();
    Attempt::Answered { status: answer.status().as_u16(), beginning }
}

/// A signature of Standard Webhooks.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn messages_are_signed_as_the_standard_has_it() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = "{\"test\": 2432232314}";
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
