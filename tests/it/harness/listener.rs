//! Somebody who listens to a stream of server-sent events.

use std::{
    io::{BufRead, BufReader},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use ureq::{Body, http::Response};

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is heard until it goes.
pub struct Listener {
    pub status: u16,
    pub encoding: String,
    events: Receiver<Event>,
    /// Lives as long as somebody listens.
    _ear: Arc<()>,
}

/// One event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

impl Listener {
    pub fn new(response: Response<Body>) -> Self {
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, encoding) = (response.status().as_u16(), header("content-encoding"));
        let (heard, events) = channel();
        let ear = Arc::new(());
        let somebody = Arc::downgrade(&ear);
        thread::spawn(move || {
            let lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
            // A comment, too, tells that nobody listens any more: the connection is closed then, and its place free.
            let lines = lines.take_while(|_| somebody.strong_count() > 0);
            read(lines, |event| heard.send(event).is_ok());
        });
        Self { status, encoding, events, _ear: ear }
    }

    /// The next event; none when the stream has ended.
    pub fn next(&self) -> Option<Event> {
        match self.next_within(PATIENCE) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was heard for {PATIENCE:?}"),
        }
    }

    /// The next event, if it comes soon enough.
    pub fn next_within(&self, patience: Duration) -> Result<Event, RecvTimeoutError> {
        self.events.recv_timeout(patience)
    }

    /// The next event of a change.
    pub fn change(&self) -> Event {
        loop {
            let event = self.next().expect("the stream has ended");
            if event.name == "change" {
                return event;
            }
        }
    }

    /// Waits until the stream ends.
    pub fn end(&self) {
        while self.next().is_some() {}
    }
}

/// The events of a body that has come to its end.
pub fn events(body: &str) -> Vec<Event> {
    let mut events = Vec::new();
    read(body.lines().map(ToOwned::to_owned), |event| {
        events.push(event);
        true
    });
    events
}

/// Hands over each event as soon as it is whole, for as long as somebody wants more.
fn read(lines: impl Iterator<Item = String>, mut hear: impl FnMut(Event) -> bool) {
    let mut event = Event::default();
    for line in lines {
        match line.split_once(": ") {
            Some(("event", name)) => event.name = name.to_owned(),
            Some(("id", id)) => event.id = id.to_owned(),
            Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
            _ if line.is_empty() && !event.name.is_empty() && !hear(std::mem::take(&mut event)) => return,
            _ => {}
        }
    }
}
