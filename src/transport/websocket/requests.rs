//! What clients ask for: what only this door knows is done here, everything else goes the way of all requests.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::codec::{Packet, WebSocketConnection, WebSocketDoor};
use super::format::Format;
use super::message::{Message, Received, Unreadable};
use super::routing;
use crate::clock::Clock;
use crate::contract::{
    self, ErrorCode, EventClass, Limits, Publication, Reply, Request, ServerWord,
};
use crate::hub::Offer;
use crate::transport::connection::Close;
use crate::transport::connection::door::{self, Incoming};
use crate::transport::connection::request_loop::{Asked, RequestLoop, encode};

/// What a type means to this door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Ping,
    Connect,
    Disconnect,
    /// Shows who the client is.
    Handshake,
    Subscribe,
    Unsubscribe,
    /// Nothing has to be done about it.
    Ignored,
}

fn own(format: Format, name: &str) -> Option<Own> {
    let flat = format == Format::Flat;
    Some(match name {
        "ping" => Own::Ping,
        "subscribe" => Own::Subscribe,
        "unsubscribe" => Own::Unsubscribe,
        "pong" | "heartbeat" | "ack" | "error" => Own::Ignored,
        "handshake" if flat => Own::Handshake,
        "auth_request" if !flat => Own::Handshake,
        "connect" if !flat => Own::Connect,
        "disconnect" if !flat => Own::Disconnect,
        _ => return None,
    })
}

impl door::Message for Received {
    fn class(&self) -> EventClass {
        let Ok(message) = &self.0 else {
            return EventClass::Signal;
        };
        match &*message.name {
            "ping" | "pong" | "heartbeat" | "ack" | "error" => EventClass::Signal,
            "subscribe" | "unsubscribe" | "handshake" | "auth_request" | "connect"
            | "disconnect" => EventClass::Read,
            name if contract::knows(name) => contract::class(name),
            // It is published, which is written to the log.
            _ => EventClass::Command,
        }
    }

    fn bytes(&self) -> usize {
        match &self.0 {
            Ok(message) => message.bytes(),
            Err(Unreadable { id }) => id.as_ref().map_or(0, |id| id.get().len()),
        }
    }

    fn forget_payload(&mut self) {
        if let Ok(message) = &mut self.0 {
            message.forget_data();
        }
    }
}

/// Serves the next message of an inbox.
pub(super) async fn serve(
    requests: &mut RequestLoop<WebSocketDoor>,
    Incoming { message, refused }: Incoming<Received>,
) {
    let message = match message.0 {
        Ok(message) => message,
        Err(Unreadable { id }) => return refuse_unreadable(requests, id, refused).await,
    };
    let own = own(requests.connection.door.format, &message.name);
    match (own, refused) {
        (Some(_), Some(refused)) => {
            requests.settle_all().await;
            requests.connection.send_refusal(&message, &refused).await;
        }
        (None, Some(refused)) => requests.refuse_unread(asked(message), &refused).await,
        (Some(own), None) => {
            requests.settle_all().await;
            requests.connection.serve_own(own, &message).await;
        }
        (None, None) => serve_request(requests, message).await,
    }
}

/// Serves what is a request at every door, or is published.
async fn serve_request(requests: &mut RequestLoop<WebSocketDoor>, message: Message) {
    let connection = Arc::clone(&requests.connection);
    let Some(subscriber) = connection.subscriber() else {
        requests.settle_all().await;
        return connection.answer(asked(message), &unauthenticated()).await;
    };
    let asked = Asked {
        name: message.name.clone(),
        ack: message.id.clone(),
    };
    let understand = |_: &str, limits: &_| connection.understand(&message, limits);
    requests.serve(&subscriber, asked, understand).await;
}

/// Says that a text is no message.
async fn refuse_unreadable(
    requests: &mut RequestLoop<WebSocketDoor>,
    id: Option<Box<RawValue>>,
    refused: Option<Reply>,
) {
    let asked = Asked {
        name: String::new(),
        ack: id,
    };
    if let Some(refused) = refused {
        return requests.refuse_unread(asked, &refused).await;
    }
    requests.settle_all().await;
    let connection = &requests.connection;
    if asked.ack.is_some() {
        let reply = Reply::invalid("type", "must be a text of 1 to 64 bytes");
        return connection.answer(asked, &reply).await;
    }
    let text = connection.door.format.unreadable(Clock.now());
    connection.send(Packet::other(text)).await;
}

fn asked(message: Message) -> Asked<Box<RawValue>> {
    Asked {
        name: message.name,
        ack: message.id,
    }
}

impl WebSocketConnection {
    /// Does what a type means to this door.
    async fn serve_own(self: &Arc<Self>, own: Own, message: &Message) {
        let id = message.id.as_deref();
        match (own, self.subscriber()) {
            (Own::Ignored, _) => {}
            // There was no room for the answer at once.
            (Own::Ping, _) => self.send(self.door.pong(id)).await,
            (Own::Handshake, _) => Box::pin(self.introduce(message)).await,
            (Own::Disconnect, _) => self.finish(Close::Normal, "disconnect"),
            (Own::Connect, subscriber) => self.say_connected(subscriber.is_some(), id).await,
            (_, None) => self.refuse(message, &unauthenticated()).await,
            (Own::Subscribe | Own::Unsubscribe, Some(subscriber)) => {
                let begins = own == Own::Subscribe;
                Box::pin(self.change_subscriptions(&subscriber, message, begins)).await;
            }
        }
    }

    /// What a message asks for: a command, or to publish what is no command.
    fn understand(&self, message: &Message, limits: &Limits) -> Result<Request, Reply> {
        if ServerWord::is_meant(&message.name) {
            return Err(ServerWord::refusal(&message.name));
        }
        if contract::knows(&message.name) {
            return contract::parse(&message.name, &message.packet(), limits);
        }
        let session = self.door.session_id();
        let channel = routing::channel(self.door.format, message, session.as_deref())?;
        let publication = Publication::new(channel, &message.name, Some(&message.data), limits)?;
        Ok(Request::Publish(publication))
    }

    /// Sends a message that must not get lost, once there is room for it.
    pub(super) async fn send(&self, packet: Packet) {
        let bytes = packet.text.len();
        let sent = self.push(bytes, |out| {
            out.push(packet);
            Offer::Taken
        });
        sent.await;
    }

    /// Refuses a message whose answers have a type of their own, and logs that.
    pub(super) async fn refuse(&self, message: &Message, reply: &Reply) {
        self.note_refused(&message.name, reply);
        self.send_refusal(message, reply).await;
    }

    async fn send_refusal(&self, message: &Message, reply: &Reply) {
        let id = message.id.as_deref();
        self.say_refused(&message.name, id, reply).await;
    }

    /// Tells of a refusal as an error that names what was refused.
    pub(super) async fn say_refused(&self, name: &str, id: Option<&RawValue>, reply: &Reply) {
        let said = encode(name, false, reply);
        let format = self.door.format;
        let text = format.object(ServerWord::Error, Clock.now(), id, &said);
        self.send(Packet::other(text)).await;
    }
}

fn unauthenticated() -> Reply {
    let message = "show a valid token or API key first";
    Reply::refused(ErrorCode::Unauthenticated, message)
}
