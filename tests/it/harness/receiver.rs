//! An outside system to which webhooks lead.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver as Channel, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes messages one after the other, and answers 200 unless it was told otherwise.
pub struct Receiver {
    pub url: String,
    answers: Arc<Mutex<VecDeque<Reply>>>,
    messages: Channel<Message>,
    /// Lets a message be answered that was held.
    release: Sender<u16>,
}

/// How a message is answered.
enum Reply {
    At(u16),
    /// When it is said how.
    Held,
}

/// What arrived.
#[derive(Debug)]
pub struct Message {
    headers: HashMap<String, String>,
    pub text: String,
    pub body: Value,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (next, (arrived, messages), (release, released)) = (Arc::clone(&answers), channel(), channel());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(message) = Self::take(&stream) else { continue };
                let reply = next.lock().unwrap().pop_front().unwrap_or(Reply::At(200));
                if arrived.send(message).is_err() {
                    return;
                }
                let status = match reply {
                    Reply::At(status) => status,
                    Reply::Held => released.recv().unwrap_or(200),
                };
                let _hung_up = Self::reply(stream, status);
            }
        });
        Self { url, answers, messages, release }
    }

    /// Answers a further message in this way.
    pub fn answer(&self, status: u16) {
        self.answers.lock().unwrap().push_back(Reply::At(status));
    }

    /// Keeps a further message waiting for its answer.
    pub fn hold(&self) {
        self.answers.lock().unwrap().push_back(Reply::Held);
    }

    /// Answers the message that is kept waiting.
    pub fn release(&self, status: u16) {
        self.release.send(status).unwrap();
    }

    /// The next message.
    pub fn next(&self) -> Message {
        self.messages.recv_timeout(PATIENCE).expect("no message arrived")
    }

    fn take(stream: &TcpStream) -> std::io::Result<Message> {
        let mut reader = BufReader::new(stream);
        let mut headers = HashMap::new();
        for line in reader.by_ref().lines().skip(1) {
            match line?.split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None => break,
            };
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        let text = String::from_utf8(bytes).unwrap();
        Ok(Message { headers, body: serde_json::from_str(&text).unwrap(), text })
    }

    fn reply(mut stream: TcpStream, status: u16) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 6\r\nConnection: close\r\n\r\nthanks")
    }
}
