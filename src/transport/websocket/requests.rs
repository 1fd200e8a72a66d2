//! What clients ask for: what only this door knows is done here, everything else goes the way of all requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::value::RawValue;

use super::door::{Packet, WebSocketConnection, WebSocketDoor};
use super::large::beside_runtime;
use super::message::{Meaning, Message, Own, Received, Unreadable};
use crate::clock::Clock;
use crate::contract::{ErrorCode, EventClass, EventName, Reply, Request, ServerWord};
use crate::hub::Offer;
use crate::transport::connection::Close;
use crate::transport::connection::door::{self, Incoming};
use crate::transport::connection::request_loop::{Asked, RequestLoop, encode};

impl door::Message for Received {
    fn class(&self) -> EventClass {
        let message = self.0.as_ref();
        message.map_or(EventClass::Signal, |message| message.meaning.class())
    }

    fn type_name(&self) -> Option<&str> {
        let message = self.0.as_ref().ok()?;
        Some(match message.meaning {
            Meaning::Event(event) => event.as_str(),
            Meaning::Own(_) | Meaning::Publication => &message.name,
        })
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
    if let (Err(flaw), None) = (&message.envelope, &refused) {
        requests.settle_all().await;
        let refusal = flaw.refusal();
        let connection = &requests.connection;
        return match message.meaning {
            Meaning::Own(_) => connection.refuse(&message, &refusal).await,
            _ => connection.answer(asked(message), &refusal).await,
        };
    }
    match (message.meaning, refused) {
        (Meaning::Own(_), Some(refused)) => {
            requests.settle_all().await;
            requests.connection.send_refusal(&message, &refused).await;
        }
        (_, Some(refused)) => requests.refuse_unread(asked(message), &refused).await,
        (Meaning::Own(own), None) => {
            requests.settle_all().await;
            requests.connection.serve_own(own, &message).await;
        }
        (Meaning::Event(event), None) => serve_request(requests, message, Some(event)).await,
        (Meaning::Publication, None) => serve_request(requests, message, None).await,
    }
}

/// Serves an event that means something at every door; without one the message is published.
async fn serve_request(
    requests: &mut RequestLoop<WebSocketDoor>,
    message: Message,
    event: Option<EventName>,
) {
    let connection = Arc::clone(&requests.connection);
    let Some(subscriber) = connection.subscriber() else {
        requests.settle_all().await;
        return connection.answer(asked(message), &unauthenticated()).await;
    };
    let asked = Asked::new(message.name.clone(), message.id.clone());
    let published = connection.app().publication_limits();
    let read = |_: &str, limits: &_| match event {
        Some(event) => Request::read(event, message.arguments(), limits),
        None => beside_runtime(message.bytes(), || {
            connection.read_unknown(&message, &published)
        }),
    };
    requests
        .serve(&subscriber, asked, message.arguments(), read)
        .await;
    if event.is_none()
        && let Some(copy) = connection.copy_for_worker(&message, &published)
    {
        let unasked = Asked::new(message.name.clone(), None);
        requests
            .run(&subscriber, unasked, Request::ToWorker(copy))
            .await;
    }
}

/// Says that a text is no message.
async fn refuse_unreadable(
    requests: &mut RequestLoop<WebSocketDoor>,
    id: Option<Box<RawValue>>,
    refused: Option<Reply>,
) {
    let asked = Asked::new(String::new(), id);
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

fn asked(message: Message) -> Asked<WebSocketDoor> {
    Asked::new(message.name, message.id)
}

impl WebSocketConnection {
    /// Does what a type means to this door.
    async fn serve_own(self: &Arc<Self>, own: Own, message: &Message) {
        let id = message.id.as_deref();
        if message.is_compressed && matches!(own, Own::Connect | Own::Handshake) {
            self.door.compresses.store(true, Ordering::Relaxed);
        }
        match (own, self.subscriber()) {
            (Own::Ignored, _) => {}
            // There was no room for the answer at once.
            (Own::Ping, _) => self.send(self.door.pong(id)).await,
            (Own::Handshake, _) => {
                Box::pin(self.introduce(message)).await;
                self.say_status().await;
            }
            (Own::Disconnect, _) => self.finish(Close::Normal, "disconnect"),
            (Own::Connect, subscriber) => self.say_connected(subscriber.is_some(), id).await,
            (_, None) => self.refuse(message, &unauthenticated()).await,
            (Own::Subscribe | Own::Unsubscribe, Some(subscriber)) => {
                let begins = own == Own::Subscribe;
                Box::pin(self.change_subscriptions(&subscriber, message, begins)).await;
            }
        }
    }

    /// Sends a message that must not get lost, once there is room for it.
    pub(super) async fn send(&self, packet: Packet) {
        let bytes = packet.text_bytes();
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
