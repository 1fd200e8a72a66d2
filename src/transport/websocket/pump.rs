//! Works a connection's inbox off, in order.
//!
//! Commands that go through the same queue of the writer are handed in back to back, because the queue keeps
//! their order. Anything else waits until all answers before it are there.

mod answer;
mod greet;
mod subscribe;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::close;
use super::connection::{Connection, Incoming};
use super::message::Message;
use super::relay;
use super::schemas;
use super::seat::Seat;
use super::spelling::Spelling;
use super::subscriptions::Subscriptions;
use crate::contract::{
    self, ErrorCode, EventClass, Limits, Publication, Reply, Request, ServerWord,
};
use crate::hub::Subscriber;
use crate::session::Outcome;
use crate::transport::credential::Credential;

/// Commands of one connection that may be on their way at once.
const MAX_IN_FLIGHT: usize = 512;

/// What a type means to the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Ping,
    Connect,
    Disconnect,
    /// Shows who the client is.
    Introduction,
    Subscribe,
    Unsubscribe,
    /// Nothing has to be done about it.
    Ignored,
    /// What only the server says: others must not take it for its word.
    Reserved,
}

fn own(spelling: Spelling, name: &str) -> Option<Own> {
    let flat = spelling == Spelling::Flat;
    Some(match name {
        "ping" => Own::Ping,
        "subscribe" => Own::Subscribe,
        "unsubscribe" => Own::Unsubscribe,
        "pong" | "heartbeat" | "ack" | "error" => Own::Ignored,
        "handshake" if flat => Own::Introduction,
        "auth_request" if !flat => Own::Introduction,
        "connect" if !flat => Own::Connect,
        "disconnect" if !flat => Own::Disconnect,
        name if ServerWord::is_meant(name) => Own::Reserved,
        _ => return None,
    })
}

/// What a message counts as.
pub(super) fn class(message: Option<&Message>) -> EventClass {
    let Some(message) = message else {
        return EventClass::Signal;
    };
    match &*message.name {
        "ping" | "pong" | "heartbeat" | "ack" | "error" => EventClass::Signal,
        "subscribe" | "unsubscribe" | "handshake" | "auth_request" | "connect" | "disconnect" => {
            EventClass::Read
        }
        name if contract::knows(name) => contract::class(name),
        // It is published, which is written to the log.
        _ => EventClass::Command,
    }
}

struct InFlight {
    name: String,
    id: Option<Box<RawValue>>,
    answer: oneshot::Receiver<Reply>,
}

/// What goes with a connection from one pump to the next.
#[derive(Debug, Default)]
pub(super) struct Kept {
    subscriptions: Subscriptions,
}

/// A client that is to be greeted.
pub(super) struct Arrival {
    /// What it has shown with its request.
    pub(super) shown: Option<Credential>,
}

/// Runs until the inbox is empty and everything is answered. The first one on a connection greets the client, by what it
/// has shown. A message that makes it panic ends the connection: else every later message would wait for a pump that is
/// no more.
pub(super) async fn run(connection: Arc<Connection>, first: Option<Arrival>) {
    let _busy = connection.gateway.app.connections().busy();
    let kept = std::mem::take(&mut *connection.kept());
    let mut pump = Pump {
        connection: Arc::clone(&connection),
        in_flight: VecDeque::new(),
        queue: None,
        kept,
    };
    let pumped = AssertUnwindSafe(pump.run(first)).catch_unwind();
    if pumped.await.is_err() {
        tracing::error!(connection.id = %connection.id, "a message caused a panic");
        connection.cut(close::INTERNAL, "internal");
    }
}

struct Pump {
    connection: Arc<Connection>,
    in_flight: VecDeque<InFlight>,
    /// The writer's queue in which the commands in flight are.
    queue: Option<usize>,
    kept: Kept,
}

impl Pump {
    async fn run(&mut self, first: Option<Arrival>) {
        if let Some(Arrival { shown }) = first {
            // Boxed, because it is large, and happens once.
            Box::pin(self.greet(shown)).await;
        }
        loop {
            if self.in_flight.len() >= MAX_IN_FLIGHT {
                self.settle_one().await;
            } else if let Some(incoming) = self.connection.next_message() {
                self.take(incoming).await;
            } else if !self.in_flight.is_empty() {
                self.settle_or_more().await;
            } else if self.rest() {
                return;
            }
        }
    }

    /// Leaves what is to be kept to the next pump, if there is nothing to do.
    fn rest(&mut self) -> bool {
        *self.connection.kept() = std::mem::take(&mut self.kept);
        let rests = self.connection.rest();
        if !rests {
            self.kept = std::mem::take(&mut *self.connection.kept());
        }
        rests
    }

    async fn take(&mut self, Incoming { message, refused }: Incoming) {
        let Ok(message) = message else {
            self.settle_all().await;
            match refused {
                Some(refused) => self.refuse("", None, &refused).await,
                None => self.complain().await,
            }
            return;
        };
        let own = own(self.connection.spelling, &message.name);
        if let Some(refused) = refused {
            self.settle_all().await;
            return self.answer_own(own, &message, &refused).await;
        }
        if own.is_some() {
            self.settle_all().await;
        }
        match (own, self.connection.seat()) {
            (Some(Own::Ignored), _) => {}
            // There was no room for the answer at once.
            (Some(Own::Ping), _) => self.pong(&message).await,
            (Some(Own::Introduction), _) => Box::pin(self.introduce(&message)).await,
            (Some(Own::Disconnect), _) => self.connection.end(close::NORMAL, "disconnect"),
            (Some(Own::Connect), seat) => {
                self.say_connected(seat.as_deref(), message.id.as_deref())
                    .await;
            }
            (own, None) => {
                self.settle_all().await;
                self.answer_own(own, &message, &unauthenticated()).await;
            }
            (Some(Own::Subscribe), Some(seat)) => Box::pin(self.subscribe(&seat, &message)).await,
            (Some(Own::Unsubscribe), Some(seat)) => {
                Box::pin(self.unsubscribe(&seat, &message)).await;
            }
            (Some(Own::Reserved), Some(_)) => {
                self.answer_own(own, &message, &ServerWord::refusal(&message.name))
                    .await;
            }
            (None, Some(seat)) => self.serve(&seat, message).await,
        }
    }

    /// Runs a command, or publishes what is no command.
    async fn serve(&mut self, seat: &Arc<Seat>, message: Message) {
        // A panic must not cost this client its answers: it would wait for ever.
        let understood = catch_unwind(AssertUnwindSafe(|| self.understand(&message)));
        let mut request = match understood.unwrap_or_else(|_| Err(lost())) {
            Ok(request) => request,
            Err(refusal) => {
                // Answers keep the order of the questions.
                self.settle_all().await;
                return self
                    .answer(&message.name, message.id.as_deref(), refusal)
                    .await;
            }
        };
        seat.session.own(&mut request);
        let queue = seat.session.queue_of(&request);
        if queue.is_none() || queue != self.queue {
            self.settle_all().await;
        }
        let rooms = rooms_of(&request);
        let subscriber = Arc::clone(seat) as Arc<dyn Subscriber>;
        match seat.session.run(request, &subscriber).await {
            Outcome::Done(reply) => {
                // A command that found its queue full, behind others that did not.
                self.settle_all().await;
                self.answer_with_cursor(seat, &message, reply, &rooms).await;
            }
            Outcome::Refreshed(refreshed) => {
                self.settle_all().await;
                if refreshed.reply.is_ok() {
                    self.connection.keep_watch();
                }
                seat.tell_lost(&refreshed.lost).await;
                self.answer(&message.name, message.id.as_deref(), refreshed.reply)
                    .await;
            }
            Outcome::Pending { queue, answer } => {
                self.queue = Some(queue);
                let Message { name, id, .. } = message;
                self.in_flight.push_back(InFlight { name, id, answer });
            }
        }
    }

    /// What a message asks for.
    fn understand(&self, message: &Message) -> Result<Request, Reply> {
        let limits = self.limits();
        if contract::knows(&message.name) {
            return contract::parse(&message.name, &message.packet(), &limits);
        }
        let spelling = self.connection.spelling;
        let session = self.connection.session_id();
        let channel = relay::channel(spelling, message, session.as_deref())?;
        let publication = Publication::new(channel, &message.name, Some(&message.data), &limits)?;
        if spelling == Spelling::Envelope {
            schemas::check(&message.name, &message.data)?;
        }
        Ok(Request::Publish(publication))
    }

    fn limits(&self) -> Limits {
        let config = self.connection.gateway.app.config();
        Limits {
            max_payload_bytes: config.max_payload,
            max_depth: config.limits.max_depth,
        }
    }
}

/// Somebody panicked who should have answered.
fn lost() -> Reply {
    Reply::refused(ErrorCode::Internal, "something went wrong on the server")
}

fn unauthenticated() -> Reply {
    let message = "show a valid token or API key first";
    Reply::refused(ErrorCode::Unauthenticated, message)
}

/// The channels that a request may make the client hear, or not hear any more.
fn rooms_of(request: &Request) -> Vec<crate::domain::ChannelName> {
    match request {
        Request::Join(join) => vec![join.project.channel()],
        Request::Leave { project } => vec![project.channel()],
        Request::Subscribe(wish) => wish.channels.clone(),
        Request::Unsubscribe { channels } => channels.clone(),
        _ => Vec::new(),
    }
}
