//! What comes in on a connection, and where it goes to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;

use super::Stream;

/// Who waits for which ack; `None` once the connection has ended and no ack will come.
pub(super) type Acks = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// An event as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) args: Vec<Value>,
    /// The first argument as its bytes were.
    pub(crate) raw: String,
}

impl Received {
    fn parse(event: &str) -> Self {
        let parts: Vec<&RawValue> = serde_json::from_str(event).expect("an event is JSON");
        let [name, args @ ..] = parts.as_slice() else {
            panic!("an event has a name: {event}");
        };
        let value = |raw: &&RawValue| serde_json::from_str(raw.get()).expect("it is JSON");
        Self {
            name: serde_json::from_str(name.get()).expect("a name is a string"),
            args: args.iter().map(value).collect(),
            raw: args.first().map_or("", |raw| raw.get()).to_owned(),
        }
    }

    pub(crate) fn seq(&self) -> i64 {
        self.args[0]["seq"]
            .as_i64()
            .unwrap_or_else(|| panic!("an event has a seq: {self:?}"))
    }

    /// Whether it is ephemeral: it has no place in the order of events and may come at any time.
    fn is_signal(&self) -> bool {
        self.name != "error"
            && self
                .args
                .first()
                .is_none_or(|payload| payload["seq"].is_null())
    }

    /// Whether it only brings a cursor to come back with, and frontends do not listen to it.
    fn is_cursor(&self) -> bool {
        [
            "session:cursor",
            "session-cursor",
            "session_cursor",
            "sessionCursor",
        ]
        .contains(&self.name.as_str())
    }

    /// What socket.io-client takes for its offset: a string that stands last, be it the name.
    fn offset(&self) -> Option<&str> {
        self.args.last().map_or(Some(&self.name), Value::as_str)
    }
}

/// Where what comes in goes to.
pub(super) struct Incoming {
    pub(super) outgoing: mpsc::UnboundedSender<Message>,
    pub(super) events: mpsc::UnboundedSender<Received>,
    pub(super) signals: mpsc::UnboundedSender<Received>,
    pub(super) acks: Acks,
    /// Kept only if the server gave a `pid`, as the real client does it.
    pub(super) offset: Option<Arc<Mutex<Option<String>>>>,
}

impl Incoming {
    pub(super) async fn read(
        self,
        mut source: SplitStream<Stream>,
        mut may_read: watch::Receiver<bool>,
    ) {
        loop {
            if may_read.wait_for(|reading| *reading).await.is_err() {
                return;
            }
            let message = tokio::select! {
                message = source.next() => message,
                _ = may_read.changed() => continue,
            };
            let Some(Ok(message)) = message else { break };
            if let Message::Text(text) = message {
                // The server has disconnected the socket: real clients close the connection then.
                if text == "41" {
                    break;
                }
                self.take(text.as_str());
            }
        }
        // Whoever still waits, or asks later, learns that no ack will come.
        self.acks.lock().unwrap().take();
    }

    fn take(&self, text: &str) {
        if text == "2" {
            self.outgoing.send(Message::text("3")).ok();
        } else if let Some(event) = text.strip_prefix("42") {
            self.take_event(Received::parse(event));
        } else if let Some(ack) = text.strip_prefix("43") {
            let digits = ack.find('[').expect("an ack has an array");
            let id: u64 = ack[..digits].parse().expect("an ack has an id");
            let mut args: Vec<Value> =
                serde_json::from_str(&ack[digits..]).expect("an ack is JSON");
            let mut acks = self.acks.lock().unwrap();
            let waiting = acks.as_mut().and_then(|acks| acks.remove(&id));
            waiting
                .expect("one ack per packet")
                .send(args.remove(0))
                .ok();
        }
    }

    fn take_event(&self, event: Received) {
        if let (Some(kept), Some(offset)) = (&self.offset, event.offset()) {
            *kept.lock().unwrap() = Some(offset.to_owned());
        }
        if event.is_cursor() {
            return;
        }
        let queue = if event.is_signal() {
            &self.signals
        } else {
            &self.events
        };
        queue.send(event).ok();
    }
}
