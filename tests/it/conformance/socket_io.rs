//! Socket.IO: over a WebSocket, over long-polling, and from one to the other.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::client::{Options, SUBSCRIPTION};
use super::door::{Door, End};
use super::message::{Event, Message, Said, subscription};
use crate::support::client::{self, Stream};
use crate::support::polling::{OPENING, Polling};

/// Ends each but the last packet of a polling request.
const SEPARATOR: char = '\u{1e}';

enum Carrier {
    WebSocket(Box<Stream>),
    Polling {
        session: Polling,
        /// A request that waits for packets: given up, it would lose them.
        poll: Option<Poll>,
    },
}

type Poll = JoinHandle<(u16, String)>;

/// Asks for packets, unless that is asked already.
fn start_poll<'a>(session: &Polling, poll: &'a mut Option<Poll>) -> &'a mut Poll {
    poll.get_or_insert_with(|| {
        let session = session.clone();
        tokio::spawn(async move { session.poll().await })
    })
}

/// See the module.
pub(super) struct SocketIo {
    carrier: Carrier,
    /// Packets that came while the connection was being made.
    early: Vec<String>,
    /// The first form of a channel's event, whose second form brings the cursor.
    whole: Option<Event>,
    pub(super) end: End,
}

impl SocketIo {
    pub(super) async fn connect(door: Door, address: &str, options: &Options) -> Self {
        let carrier = if door == Door::SocketIoWebSocket {
            Carrier::WebSocket(Box::new(client::open(address).await))
        } else {
            Carrier::Polling {
                session: Polling::open(address).await,
                poll: None,
            }
        };
        let mut wire = Self {
            carrier,
            early: Vec::new(),
            whole: None,
            end: End::default(),
        };
        let mut auth = json!({});
        for (key, value) in [
            ("token", &options.token),
            ("userId", &options.user),
            ("cursor", &options.cursor),
        ] {
            if let Some(value) = value {
                auth[key] = json!(value);
            }
        }
        wire.send(&format!("40{auth}")).await;
        while !wire.early.iter().any(|packet| packet.starts_with("40")) {
            let packets = wire.packets().await.expect("the server lets everyone in");
            let refused = packets.iter().find(|packet| packet.starts_with("44"));
            assert_eq!(refused, None);
            wire.early.extend(packets);
        }
        if door == Door::SocketIoUpgrade {
            wire.upgrade(address).await;
        }
        if options.cursor.is_none() && !options.channels.is_empty() {
            let wish = subscription(&options.channels, &options.types);
            wire.ask(SUBSCRIPTION, "subscribe", &wish).await;
        }
        wire
    }

    async fn upgrade(&mut self, address: &str) {
        let Carrier::Polling { session, poll } = &mut self.carrier else {
            panic!("it begins with long-polling");
        };
        let path = OPENING.replace("polling", "websocket");
        let url = format!("ws://{address}{path}&sid={}", session.sid);
        let (mut stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        stream.send(Frame::text("2probe")).await.unwrap();
        assert_eq!(client::next_text(&mut stream).await, "3probe");
        if let Some(poll) = poll.take() {
            let (_, body) = poll.await.unwrap();
            let packets = body.split(SEPARATOR).filter(|packet| *packet != "6");
            self.early.extend(packets.map(str::to_owned));
        }
        stream.send(Frame::text("5")).await.unwrap();
        self.carrier = Carrier::WebSocket(Box::new(stream));
    }

    pub(super) async fn ask(&mut self, number: u64, name: &str, payload: &Value) {
        self.send(&format!("42{number}{}", json!([name, payload])))
            .await;
    }

    pub(super) async fn leave(&mut self) {
        self.send("41").await;
        if let Carrier::WebSocket(stream) = &mut self.carrier {
            (**stream).close(None).await.ok();
        }
    }

    /// Sends a packet, which a connection that has ended does not take.
    async fn send(&mut self, packet: &str) {
        match &mut self.carrier {
            Carrier::WebSocket(stream) => {
                stream.send(Frame::text(packet)).await.ok();
            }
            Carrier::Polling { session, .. } => {
                session.post(packet).await;
            }
        }
    }

    /// The next messages, if what is read next brings any; `None` at the end.
    pub(super) async fn receive(&mut self) -> Option<Vec<Message>> {
        let packets = if self.early.is_empty() {
            self.packets().await?
        } else {
            std::mem::take(&mut self.early)
        };
        let mut messages = Vec::new();
        for packet in packets {
            match packet.as_str() {
                "2" => self.send("3").await,
                "1" | "41" => self.end.farewell = Some(packet),
                _ => messages.extend(self.read(&packet)),
            }
        }
        Some(messages)
    }

    async fn packets(&mut self) -> Option<Vec<String>> {
        match &mut self.carrier {
            Carrier::WebSocket(stream) => loop {
                match stream.next().await {
                    Some(Ok(Frame::Text(text))) => return Some(vec![text.to_string()]),
                    Some(Ok(Frame::Close(Some(frame)))) => {
                        self.end.code = frame.code.into();
                        self.end.reason = frame.reason.to_string();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            },
            Carrier::Polling { session, poll } => {
                let waiting = start_poll(session, poll);
                let (status, body) = waiting.await.unwrap();
                *poll = None;
                if status != 200 {
                    self.end.code = status;
                    return None;
                }
                // As clients do: what comes then must not wait until something is asked.
                start_poll(session, poll);
                Some(body.split(SEPARATOR).map(str::to_owned).collect())
            }
        }
    }

    fn read(&mut self, packet: &str) -> Option<Message> {
        if let Some(answer) = packet.strip_prefix("43") {
            let number = answer.find('[').expect("an ack has an array");
            let mut args: Vec<Value> = serde_json::from_str(&answer[number..]).expect(packet);
            let number = answer[..number].parse().expect("an ack has a number");
            return Some(Message::new(Said::Answer(number, args.remove(0)), None));
        }
        let args: Vec<Value> = serde_json::from_str(packet.strip_prefix("42")?).expect(packet);
        let name = args[0].as_str().expect("an event has a name");
        let body = args.get(1).cloned().unwrap_or_default();
        let cursor = args.last().and_then(Value::as_str).map(str::to_owned);
        let cursor = cursor.filter(|_| args.len() > 1);
        Some(Message::new(
            self.said(name, body, cursor.as_ref())?,
            cursor,
        ))
    }

    fn said(&mut self, name: &str, body: Value, cursor: Option<&String>) -> Option<Said> {
        if let Some(notice) = Said::notice(name, &body) {
            return Some(notice);
        }
        if name == "error" {
            return Some(Said::Refusal);
        }
        if name == "event" {
            let channel = body["channel"].as_str().expect("it is of a channel");
            let said = Said::logged(channel, &body, &body["data"]).expect("an event of a log");
            match said {
                Said::Event(event) if cursor.is_none() => self.whole = Some(event),
                said => return Some(said),
            }
            return None;
        }
        if let Some(event) = self.whole.take() {
            assert_eq!((event.kind.as_str(), &event.payload), (name, &body));
            return Some(Said::Event(event));
        }
        let (Some(seq), Some(project)) = (body["seq"].as_i64(), body["projectId"].as_str()) else {
            return Some(Said::Other);
        };
        Some(Said::Event(Event {
            channel: format!("project:{project}"),
            seq,
            kind: name.to_owned(),
            payload: body,
        }))
    }
}
