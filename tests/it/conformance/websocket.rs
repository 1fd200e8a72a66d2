//! The plain WebSocket, in both forms of its messages.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::client::{Options, SUBSCRIPTION};
use super::door::{Door, End};
use super::message::{Event, Message, Said, cursor_in, subscription};
use crate::support::websocket::Ws;

/// See the module.
pub(super) struct WebSocket {
    ws: Ws,
    is_flat: bool,
    pub(super) end: End,
}

impl WebSocket {
    pub(super) async fn connect(door: Door, address: &str, options: &Options) -> Self {
        let is_flat = door == Door::WebSocketFlat;
        let path = if is_flat { "/ws" } else { "/ws/v1" };
        let cursor = options.cursor.as_ref();
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("{path}?{}{cursor}", options.who());
        let ws = Ws::open(address, &path, &[]).await;
        let mut wire = Self {
            ws: ws.expect("the server lets everyone in"),
            is_flat,
            end: End {
                code: 1006,
                ..End::default()
            },
        };
        if options.cursor.is_none() && !options.channels.is_empty() {
            wire.subscribe(options).await;
        }
        wire
    }

    async fn subscribe(&mut self, options: &Options) {
        if self.is_flat {
            let wish = subscription(&options.channels, &options.types);
            return self.ask(SUBSCRIPTION, "subscribe", &wish).await;
        }
        for channel in &options.channels {
            let wish = json!({"resource": channel, "events": options.types});
            self.ask(SUBSCRIPTION, "subscribe", &wish).await;
        }
    }

    /// Sends a message, which a connection that has ended does not take.
    pub(super) async fn ask(&mut self, number: u64, name: &str, payload: &Value) {
        let message = json!({"type": name, "id": number, "data": payload});
        let frame = Frame::text(message.to_string());
        self.ws.stream.send(frame).await.ok();
    }

    pub(super) async fn leave(&mut self) {
        self.ws.stream.close(None).await.ok();
        while self.receive().await.is_some() {}
    }

    /// The next message; `None` at the end.
    pub(super) async fn receive(&mut self) -> Option<Vec<Message>> {
        loop {
            match self.ws.stream.next().await {
                Some(Ok(Frame::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).expect("messages are JSON");
                    return Some(vec![self.read(&message)]);
                }
                Some(Ok(Frame::Close(Some(frame)))) => {
                    self.end.code = frame.code.into();
                    self.end.reason = frame.reason.to_string();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn read(&self, message: &Value) -> Message {
        let kind = message["type"].as_str().expect("a message has a type");
        let (body, place) = if self.is_flat {
            (message, message)
        } else {
            (&message["data"], &message["metadata"])
        };
        let number = if self.is_flat || kind == "ack" {
            &message["id"]
        } else {
            &place["correlationId"]
        };
        if let Some(notice) = Said::notice(kind, body) {
            return Message::new(notice, cursor_in(body));
        }
        match (kind, number.as_u64()) {
            // Its cursor is that of one project.
            ("ack", Some(number)) => Message::new(Said::Answer(number, body.clone()), None),
            (_, Some(number)) => Message::new(Said::Answer(number, body.clone()), cursor_in(body)),
            ("error", None) => Message::new(Said::Refusal, None),
            (_, None) => match event(kind, &message["data"], place) {
                Some(event) => Message::new(Said::Event(event), cursor_in(place)),
                None => Message::new(Said::Other, cursor_in(body)),
            },
        }
    }
}

fn event(kind: &str, data: &Value, place: &Value) -> Option<Event> {
    Some(Event {
        channel: place["channel"].as_str()?.to_owned(),
        seq: place["seq"].as_i64()?,
        kind: kind.to_owned(),
        payload: data.clone(),
    })
}
