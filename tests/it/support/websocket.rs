//! A client of the plain WebSocket, as anybody writes one.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::Stream;

const PATIENCE: Duration = Duration::from_mins(1);

/// A connection; it ends when dropped.
pub(crate) struct Ws {
    pub(crate) stream: Stream,
    /// Messages that came while something else was waited for.
    waiting: VecDeque<Value>,
    next_id: u64,
    /// Whether answers stand under `data`.
    is_enveloped: bool,
    /// How the server ended it: a number, and a reason.
    end: Option<(u16, String)>,
}

impl Ws {
    /// Connects and takes the greeting.
    pub(crate) async fn connect(address: &str, path: &str) -> Self {
        Self::greeted(address, path).await.0
    }

    /// Connects; also gives the greeting.
    pub(crate) async fn greeted(address: &str, path: &str) -> (Self, Value) {
        let mut ws = Self::open(address, path, &[])
            .await
            .expect("the server listens");
        let greeting = ws.next().await;
        let kind = greeting["type"].as_str();
        assert!(matches!(kind, Some("connection" | "connect")), "{greeting}");
        (ws, greeting)
    }

    /// Connects with headers; the status if that is refused.
    pub(crate) async fn open(
        address: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .expect("an address");
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, value.parse().expect("a header"));
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Self {
                stream,
                waiting: VecDeque::new(),
                next_id: 0,
                is_enveloped: path.starts_with("/ws/v1"),
                end: None,
            }),
            Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.stream
            .send(Message::text(text))
            .await
            .expect("an open connection");
    }

    /// The next message, within a minute.
    pub(crate) async fn next(&mut self) -> Value {
        self.try_next(PATIENCE).await.expect("a message in time")
    }

    /// The next message; `None` if there is none in time, or the connection has ended.
    pub(crate) async fn try_next(&mut self, patience: Duration) -> Option<Value> {
        match self.waiting.pop_front() {
            Some(message) => Some(message),
            None => self.read(patience).await,
        }
    }

    async fn read(&mut self, patience: Duration) -> Option<Value> {
        let text = self.read_text(patience).await?;
        Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    /// The next message as it came.
    pub(crate) async fn read_text(&mut self, patience: Duration) -> Option<String> {
        let reading = async {
            loop {
                match self.stream.next().await?.ok()? {
                    Message::Text(text) => return Some(text.to_string()),
                    Message::Close(Some(frame)) => {
                        self.end = Some((frame.code.into(), frame.reason.to_string()));
                    }
                    _ => {}
                }
            }
        };
        tokio::time::timeout(patience, reading).await.ok().flatten()
    }

    /// The next message of a type; others that come before it are dropped.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Sends a message that carries an id, and waits for its ack: what that says. Other messages wait.
    pub(crate) async fn call(&mut self, kind: &str, data: Value) -> Value {
        self.next_id += 1;
        let id = format!("call-{}", self.next_id);
        self.answer_to(json!({"type": kind, "id": id, "data": data}))
            .await
    }

    /// Sends a message, and waits for the ack that has its id: what that says. Other messages wait.
    pub(crate) async fn answer_to(&mut self, message: Value) -> Value {
        let id = message["id"].clone();
        self.send(message).await;
        loop {
            let mut message = self.read(PATIENCE).await.expect("an answer in time");
            if message["type"] == "ack" && message["id"] == id {
                return if self.is_enveloped {
                    message["data"].take()
                } else {
                    message
                };
            }
            self.waiting.push_back(message);
        }
    }

    /// What has come by the time a ping is answered, and the answer itself is not among it.
    pub(crate) async fn settled(&mut self) -> Vec<Value> {
        // A command is answered after all that was said before it; what it does is heard by nobody here.
        self.call("task:update", json!({"projectId": "", "taskId": "fence"}))
            .await;
        self.waiting.drain(..).collect()
    }

    /// The end of the connection: its number and reason; messages before it are dropped.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        while self.read_text(PATIENCE).await.is_some() {}
        self.end.clone().unwrap_or((1006, String::new()))
    }
}
