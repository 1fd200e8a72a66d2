//! A reader of event streams that does what the HTML standard says browsers do, byte for byte, and may be cut anywhere.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http;

/// How long anything may take; signs of life do not count.
const PATIENCE: Duration = Duration::from_secs(40);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, what).await;
    done.expect("something in time")
}

/// A message that was dispatched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// `message` if it has no name of its own.
    pub(crate) name: String,
    pub(crate) data: String,
    /// The last event id, of whatever message.
    pub(crate) id: String,
}

impl Message {
    /// What is said, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("messages are JSON")
    }

    /// The event's place in its channel.
    pub(crate) fn seq(&self) -> i64 {
        let seq = self.json()["seq"].as_i64();
        seq.unwrap_or_else(|| panic!("no seq: {self:?}"))
    }

    pub(crate) fn channel(&self) -> String {
        let json = self.json();
        json["channel"].as_str().expect("it has one").to_owned()
    }
}

/// A stream that is being read.
pub(crate) struct EventStream {
    stream: TcpStream,
    /// The head of the answer.
    pub(crate) head: String,
    parser: Parser,
    chunks: Chunks,
    ready: VecDeque<Message>,
    /// How many more bytes are read before the connection is cut.
    budget: usize,
}

impl EventStream {
    /// Opens a stream; what is read may lie after a last event id.
    pub(crate) async fn open(address: &str, path: &str, last_id: Option<&str>) -> Self {
        let opened = Self::try_open(address, path, last_id).await;
        let stream = opened.expect("it listens");
        assert!(stream.head.starts_with("HTTP/1.1 200 "), "{}", stream.head);
        stream
    }

    /// As [`EventStream::open`], whatever is answered; `None` if nobody listens.
    pub(crate) async fn try_open(address: &str, path: &str, last_id: Option<&str>) -> Option<Self> {
        Self::open_with(address, path, last_id, "").await
    }

    /// As [`EventStream::try_open`], with more headers, each of which ends in a line break.
    pub(crate) async fn open_with(
        address: &str,
        path: &str,
        last_id: Option<&str>,
        more: &str,
    ) -> Option<Self> {
        let last = last_id.map(|id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: it\r\nAccept: text/event-stream\r\n{more}{}\r\n",
            last.unwrap_or_default()
        );
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).expect("a head is text");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        Some(Self {
            stream,
            chunks: Chunks {
                length: length.map(|length| length.parse().expect("a number")),
                ..Chunks::default()
            },
            head,
            parser: Parser {
                id: last_id.unwrap_or_default().to_owned(),
                ..Parser::default()
            },
            ready: VecDeque::new(),
            budget: usize::MAX,
        })
    }

    /// Cuts the connection after so many more bytes.
    pub(crate) fn cut_after(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// The next message; `None` if the connection ends, or is cut, first.
    pub(crate) async fn try_next(&mut self) -> Option<Message> {
        in_time(async { while self.ready.is_empty() && self.read().await {} }).await;
        self.ready.pop_front()
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Message {
        self.try_next().await.expect("the stream goes on")
    }

    /// So many messages.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(self.next().await);
        }
        taken
    }

    /// Reads until the end of the stream; whether it came to its end as HTTP wants it.
    pub(crate) async fn ended(&mut self) -> bool {
        in_time(async { while self.read().await {} }).await;
        self.chunks.ended
    }

    /// Waits for the next line that is a comment.
    pub(crate) async fn comment(&mut self) -> String {
        let seen = self.parser.comments.len();
        in_time(async {
            while self.parser.comments.len() == seen {
                assert!(self.read().await, "the stream goes on");
            }
        })
        .await;
        self.parser.comments[seen].clone()
    }

    /// The last event id by now: what has been read and not been taken counts.
    pub(crate) fn last_id(&self) -> &str {
        &self.parser.id
    }

    /// After how many milliseconds the client is to come back.
    pub(crate) fn retry(&self) -> Option<u64> {
        self.parser.retry
    }

    /// Waits until the last event id is another one.
    pub(crate) async fn id_after(&mut self, id: &str) -> String {
        in_time(async {
            while self.last_id() == id {
                assert!(self.read().await, "the stream goes on");
            }
        })
        .await;
        self.last_id().to_owned()
    }

    /// Reads a bit more; whether there was more.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let most = buffer.len().min(self.budget);
        if most == 0 || self.chunks.ended {
            return false;
        }
        let Ok(count @ 1..) = self.stream.read(&mut buffer[..most]).await else {
            return false;
        };
        self.budget -= count;
        for &byte in &buffer[..count] {
            if let Some(byte) = self.chunks.take(byte) {
                self.ready.extend(self.parser.take(byte));
            }
        }
        true
    }
}

/// Takes the chunks of HTTP away.
#[derive(Default)]
struct Chunks {
    /// Of an answer that has none: bytes that are still to come.
    length: Option<usize>,
    line: String,
    /// Bytes of the chunk that are still to come, its line break included.
    left: usize,
    ended: bool,
}

impl Chunks {
    fn take(&mut self, byte: u8) -> Option<u8> {
        if self.ended {
            return None;
        }
        if let Some(length) = &mut self.length {
            *length -= 1;
            self.ended = *length == 0;
            return Some(byte);
        }
        if self.left > 0 {
            self.left -= 1;
            // The last two are the line break.
            return (self.left >= 2).then_some(byte);
        }
        self.line.push(char::from(byte));
        if let Some(size) = self.line.strip_suffix("\r\n") {
            let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
            self.line.clear();
            self.ended = size == 0;
            self.left = if self.ended { 0 } else { size + 2 };
        }
        None
    }
}

/// As in "event stream interpretation" of the HTML standard.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    name: String,
    data: Option<String>,
    /// The id so far, which counts at the end of its message.
    id_buffer: Option<String>,
    id: String,
    retry: Option<u64>,
    comments: Vec<String>,
}

impl Parser {
    fn take(&mut self, byte: u8) -> Option<Message> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => None,
            b'\n' | b'\r' => {
                let line = std::mem::take(&mut self.line);
                self.end_line(&String::from_utf8(line).expect("streams are UTF-8"))
            }
            _ => {
                self.line.push(byte);
                None
            }
        }
    }

    fn end_line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments.push(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" => self.id_buffer = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok(),
            other => panic!("a field {other:?}"),
        }
        None
    }

    fn dispatch(&mut self) -> Option<Message> {
        if let Some(id) = self.id_buffer.take() {
            self.id = id;
        }
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        Some(Message {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
            id: self.id.clone(),
        })
    }
}

/// Posts what is to be published; status and body of the answer.
pub(crate) async fn post(address: &str, body: &str) -> (u16, String) {
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    http::request(address, &(head + body)).await
}

/// Publishes an event; its seq.
pub(crate) async fn publish(address: &str, channel: &str, event_type: &str, data: &Value) -> i64 {
    let body = serde_json::json!({"channel": channel, "type": event_type, "data": data});
    let (status, answer) = post(address, &body.to_string()).await;
    assert_eq!(status, 201, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("answers are JSON");
    answer["seq"].as_i64().expect("a seq")
}

/// Publishes many events on a channel, with a number each, in as few requests as may be.
pub(crate) async fn publish_many(address: &str, channel: &str, numbers: std::ops::Range<usize>) {
    let events: Vec<_> = numbers
        .map(|number| serde_json::json!({"channel": channel, "type": "tick", "data": {"number": number}}))
        .collect();
    for part in events.chunks(100) {
        let body = Value::from(part.to_vec()).to_string();
        let (status, answer) = post(address, &body).await;
        assert_eq!(status, 200, "{answer}");
        assert!(!answer.contains("\"ok\":false"), "{answer}");
    }
}

/// Publishes an event without data as somebody.
pub(crate) async fn publish_as(address: &str, token: &str, channel: &str, event_type: &str) {
    let body = serde_json::json!({"channel": channel, "type": event_type}).to_string();
    let request = format!(
        "POST /api/publish HTTP/1.1\r\nHost: it\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = http::request(address, &request).await;
    assert_eq!(status, 201, "{answer}");
}
