//! A connection over either transport, with messages as their bytes are.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::client::open;
use crate::support::polling::Polling;

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    WebSocket,
    Polling,
    Rest,
}

impl Transport {
    /// Those that are a [`Wire`].
    pub(super) const ALL: [Self; 2] = [Self::WebSocket, Self::Polling];
    /// All ways to ask.
    pub(super) const EVERY: [Self; 3] = [Self::WebSocket, Self::Polling, Self::Rest];
}

enum Line {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Polling(Polling, VecDeque<String>),
}

/// See the module.
pub(super) struct Wire {
    line: Line,
    /// What came besides answers.
    pub(super) heard: Vec<String>,
}

impl Wire {
    /// Connects and says nothing yet.
    pub(super) async fn open(transport: Transport, address: &str) -> Self {
        let line = match transport {
            Transport::WebSocket => Line::WebSocket(Box::new(open(address).await)),
            Transport::Polling => Line::Polling(Polling::open(address).await, VecDeque::new()),
            Transport::Rest => panic!("REST is no connection"),
        };
        Self {
            line,
            heard: Vec::new(),
        }
    }

    /// Enters the namespace with `auth`; else the message that refuses it.
    pub(super) async fn enter(
        transport: Transport,
        address: &str,
        auth: &Value,
    ) -> Result<Self, String> {
        let mut wire = Self::open(transport, address).await;
        wire.connect(auth).await?;
        Ok(wire)
    }

    /// Sends CONNECT; the refusal if there is one.
    pub(super) async fn connect(&mut self, auth: &Value) -> Result<(), String> {
        let connect = if auth.is_null() {
            "40".to_owned()
        } else {
            format!("40{auth}")
        };
        self.send(&connect).await;
        loop {
            let message = self.next().await;
            let message = message.ok_or("the transport has ended")?;
            match message.get(..2) {
                Some("40") => return Ok(()),
                Some("44") => return Err(message),
                _ => self.heard.push(message),
            }
        }
    }

    /// Sends a packet with an ack; the message that answers it, without the ack's number.
    pub(super) async fn ask(&mut self, packet: &str) -> String {
        const ACK: &str = "4377";
        self.send(&format!("4277{packet}")).await;
        loop {
            let message = self.next().await;
            let message = message.unwrap_or_else(|| panic!("ended without an answer: {packet}"));
            match message.strip_prefix(ACK) {
                Some(answer) => return format!("43{answer}"),
                None => self.heard.push(message),
            }
        }
    }

    /// Sends a message as it stands; whether it could be.
    pub(super) async fn send(&mut self, message: &str) -> bool {
        match &mut self.line {
            Line::WebSocket(stream) => stream.send(Message::text(message)).await.is_ok(),
            Line::Polling(polling, _) => polling.post(message).await.0 == 200,
        }
    }

    /// The next message that is no ping; `None` if the connection has ended.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.receive()).await;
            let message = received.expect("a message in time")?;
            match &*message {
                "2" => {
                    self.send("3").await;
                }
                "1" | "6" => {}
                _ => return Some(message),
            }
        }
    }

    async fn receive(&mut self) -> Option<String> {
        match &mut self.line {
            Line::WebSocket(stream) => loop {
                if let Message::Text(text) = stream.next().await?.ok()? {
                    return Some(text.to_string());
                }
            },
            Line::Polling(polling, waiting) => {
                if waiting.is_empty() {
                    let (status, body) = polling.poll().await;
                    if status != 200 {
                        return None;
                    }
                    waiting.extend(body.split('\u{1e}').map(str::to_owned));
                }
                waiting.pop_front()
            }
        }
    }
}
