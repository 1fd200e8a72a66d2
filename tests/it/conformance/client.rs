//! A test client that can be had at every door. It reads only when it is asked to, so a client that is left alone is one
//! that reads nothing.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::door::{Door, End};
use super::long_poll::LongPoll;
use super::message::{Event, Message, Notice, NoticeKind, Said};
use super::socket_io::SocketIo;
use super::sse::Sse;
use super::websocket::WebSocket;

/// How long anything may take that must come.
const DEADLINE: Duration = Duration::from_secs(20);
/// The number of the subscription with which a client begins.
pub(super) const SUBSCRIPTION: u64 = 0;

/// How a client connects.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) token: Option<String>,
    /// Who the client says it is, where nobody verifies tokens.
    pub(super) user: Option<String>,
    /// Where the client was. It brings its channels and types along.
    pub(super) cursor: Option<String>,
    pub(super) channels: Vec<String>,
    pub(super) types: Vec<String>,
}

impl Options {
    pub(super) fn to(channels: &[&str]) -> Self {
        Self {
            channels: channels.iter().map(|&name| name.to_owned()).collect(),
            ..Self::default()
        }
    }

    pub(super) fn types(mut self, types: &[&str]) -> Self {
        self.types = types.iter().map(|&name| name.to_owned()).collect();
        self
    }

    pub(super) fn token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    pub(super) fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    pub(super) fn cursor(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.to_owned());
        self
    }

    /// Who the client is, as members of a query.
    pub(super) fn who(&self) -> String {
        let token = self.token.iter().map(|token| format!("&token={token}"));
        let user = self.user.iter().map(|user| format!("&userId={user}"));
        token.chain(user).collect()
    }
}

enum Wire {
    SocketIo(Box<SocketIo>),
    WebSocket(Box<WebSocket>),
    Sse(Box<Sse>),
    LongPoll(LongPoll),
}

/// See the module.
pub(super) struct Client {
    pub(super) door: Door,
    wire: Wire,
    /// Messages that came while something else was waited for.
    arrived: VecDeque<Message>,
    cursor: Option<String>,
    questions: u64,
}

impl Client {
    /// Connects and subscribes. Returns when nothing can be missed any more; what came until then is still to be taken.
    pub(super) async fn connect(door: Door, address: &str, options: &Options) -> Self {
        let wire = match door {
            Door::SocketIoWebSocket | Door::SocketIoPolling | Door::SocketIoUpgrade => {
                Wire::SocketIo(Box::new(SocketIo::connect(door, address, options).await))
            }
            Door::WebSocketFlat | Door::WebSocketEnvelope => {
                Wire::WebSocket(Box::new(WebSocket::connect(door, address, options).await))
            }
            Door::Sse => Wire::Sse(Box::new(Sse::connect(address, options).await)),
            Door::LongPoll => Wire::LongPoll(LongPoll::connect(address, options).await),
        };
        let mut client = Self {
            door,
            cursor: options.cursor.clone(),
            wire,
            arrived: VecDeque::new(),
            questions: SUBSCRIPTION,
        };
        client.cursor = client.read_cursor().or(client.cursor);
        if door.takes_commands() && options.cursor.is_none() && !options.channels.is_empty() {
            let count = match door {
                Door::WebSocketEnvelope => options.channels.len(),
                _ => 1,
            };
            for _ in 0..count {
                let answer = client.answer(SUBSCRIPTION).await.expect("it goes on");
                assert!(answer["code"].is_null(), "{door:?}: {answer}");
            }
        }
        client
    }

    /// The cursor of the message that was taken last, if it had one, or of those before.
    pub(super) fn cursor(&self) -> String {
        let cursor = self.cursor.clone();
        cursor.unwrap_or_else(|| panic!("{:?} has no cursor", self.door))
    }

    /// The next message; `None` once the connection has ended.
    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.arrived.pop_front() {
                self.cursor = message.cursor.clone().or(self.cursor.take());
                return Some(message);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next event; panics if something was left out before it.
    pub(super) async fn event(&mut self) -> Event {
        loop {
            let message = self.next().await;
            let message =
                message.unwrap_or_else(|| panic!("{:?} ended: {:?}", self.door, self.end()));
            match message.said {
                Said::Event(event) => return event,
                Said::Notice(Notice {
                    kind: NoticeKind::Reset,
                    ..
                }) => panic!("{:?} is told of a reset: {message:?}", self.door),
                _ => {}
            }
        }
    }

    /// The next event, or notice about a channel.
    pub(super) async fn next_of_a_channel(&mut self) -> Said {
        loop {
            let message = self.next().await;
            let message =
                message.unwrap_or_else(|| panic!("{:?} ended: {:?}", self.door, self.end()));
            match message.said {
                Said::Event(_)
                | Said::Notice(Notice {
                    channel: Some(_), ..
                }) => return message.said,
                _ => {}
            }
        }
    }

    /// The next notice of a kind; what comes before it is dropped.
    pub(super) async fn notice(&mut self, kind: NoticeKind) -> Notice {
        loop {
            let message = self.next().await;
            let message =
                message.unwrap_or_else(|| panic!("{:?} ended: {:?}", self.door, self.end()));
            if let Said::Notice(notice) = message.said
                && notice.kind == kind
            {
                return notice;
            }
        }
    }

    /// All that comes until the connection ends.
    pub(super) async fn rest(&mut self) -> Vec<Said> {
        let mut rest = Vec::new();
        while let Some(message) = self.next().await {
            rest.push(message.said);
        }
        rest
    }

    /// Whether all that has been read has been taken: the pages of a log have one cursor each.
    pub(super) fn has_taken_all(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Waits until the cursor is another one, though nothing else may be told.
    pub(super) async fn moves_on_from(&mut self, cursor: &str) -> String {
        let moving = async {
            loop {
                match timeout(Duration::from_millis(100), self.next()).await {
                    Ok(None) => panic!("{:?} ended", self.door),
                    Ok(Some(_)) => {}
                    Err(_) => self.cursor = self.read_cursor().or(self.cursor.take()),
                }
                if self.cursor.as_deref() != Some(cursor) {
                    return self.cursor();
                }
            }
        };
        let moved = timeout(DEADLINE, moving).await;
        moved.unwrap_or_else(|_| panic!("{:?} stays at one cursor", self.door))
    }

    /// Sends a command and does not wait; its number.
    pub(super) async fn ask(&mut self, name: &str, payload: Value) -> u64 {
        self.questions += 1;
        match &mut self.wire {
            Wire::SocketIo(wire) => wire.ask(self.questions, name, &payload).await,
            Wire::WebSocket(wire) => wire.ask(self.questions, name, &payload).await,
            Wire::Sse(_) | Wire::LongPoll(_) => panic!("{:?} takes no commands", self.door),
        }
        self.questions
    }

    /// Sends a command and waits for its answer; `None` if the connection ends first.
    pub(super) async fn call(&mut self, name: &str, payload: Value) -> Option<Value> {
        let number = self.ask(name, payload).await;
        self.answer(number).await
    }

    /// Shows a newer token.
    pub(super) async fn refresh(&mut self, token: &str) -> Option<Value> {
        self.call("auth:refresh", json!({"token": token})).await
    }

    /// Waits for an answer by its number; what comes before it is kept.
    async fn answer(&mut self, number: u64) -> Option<Value> {
        let mut looked_at = 0;
        loop {
            while let Some(message) = self.arrived.get_mut(looked_at) {
                looked_at += 1;
                if matches!(message.said, Said::Answer(found, _) if found == number) {
                    let said = std::mem::replace(&mut message.said, Said::Other);
                    let Said::Answer(_, answer) = said else {
                        unreachable!("it has just been matched")
                    };
                    return Some(answer);
                }
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// Leaves in the door's way.
    pub(super) async fn leave(mut self) {
        match &mut self.wire {
            Wire::SocketIo(wire) => wire.leave().await,
            Wire::WebSocket(wire) => wire.leave().await,
            Wire::Sse(_) | Wire::LongPoll(_) => {}
        }
    }

    /// How the connection ended.
    pub(super) fn end(&self) -> End {
        match &self.wire {
            Wire::SocketIo(wire) => wire.end.clone(),
            Wire::WebSocket(wire) => wire.end.clone(),
            Wire::Sse(wire) => wire.end.clone(),
            Wire::LongPoll(wire) => wire.end.clone(),
        }
    }

    /// Reads more; `false` once the connection has ended.
    async fn read(&mut self) -> bool {
        let reading = async {
            match &mut self.wire {
                Wire::SocketIo(wire) => wire.receive().await,
                Wire::WebSocket(wire) => wire.receive().await,
                Wire::Sse(wire) => wire.receive().await,
                Wire::LongPoll(wire) => wire.receive().await,
            }
        };
        let read = timeout(DEADLINE, reading).await;
        let read = read.unwrap_or_else(|_| panic!("{:?} hears nothing in time", self.door));
        let goes_on = read.is_some();
        self.arrived.extend(read.into_iter().flatten());
        goes_on
    }

    /// A cursor that comes without a message.
    fn read_cursor(&self) -> Option<String> {
        match &self.wire {
            Wire::Sse(wire) => Some(wire.last_id()),
            Wire::LongPoll(wire) => Some(wire.cursor()),
            Wire::SocketIo(_) | Wire::WebSocket(_) => None,
        }
    }
}
