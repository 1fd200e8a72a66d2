//! Works a socket's inbox off, in order.
//!
//! Commands that go through the same queue of the writer are handed in back to back, because the queue keeps
//! their order. Anything else waits until all answers before it are there.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::AckSender;
use super::socket::{Incoming, Socket, refusal};
use crate::contract::{ErrorCode, Limits, Reply, Request, parse};
use crate::domain::ChannelName;
use crate::hub::Subscriber;
use crate::session::Outcome;
use crate::transport::in_flight::InFlightBytes;

struct InFlight {
    name: String,
    ack: Option<AckSender>,
    /// What it counts for.
    bytes: usize,
    answer: oneshot::Receiver<Reply>,
}

/// Runs until the inbox is empty and everything is answered. A message that makes it panic ends the connection:
/// else every later message would wait for a pump that is no more.
pub(super) async fn run(socket: Arc<Socket>) {
    let pumped = AssertUnwindSafe(pump(Arc::clone(&socket)));
    if pumped.catch_unwind().await.is_err() {
        tracing::error!(connection.id = %socket.session.caller.connection, "a message caused a panic");
        socket.end();
    }
}

async fn pump(socket: Arc<Socket>) {
    let _busy = socket.app.connections().busy();
    let mut pump = Pump {
        subscriber: Arc::clone(&socket) as Arc<dyn Subscriber>,
        flying: InFlightBytes::new(socket.app.receive_memory()),
        socket,
        in_flight: VecDeque::new(),
        queue: None,
    };
    loop {
        if pump.flying.is_full() {
            pump.settle_one().await;
        } else if let Some(message) = pump.socket.next_message() {
            pump.take(message).await;
        } else if !pump.in_flight.is_empty() {
            pump.settle_or_more().await;
        } else if pump.socket.rest() {
            return;
        }
    }
}

struct Pump {
    socket: Arc<Socket>,
    subscriber: Arc<dyn Subscriber>,
    in_flight: VecDeque<InFlight>,
    flying: InFlightBytes,
    /// The writer's queue in which the commands in flight are.
    queue: Option<usize>,
}

impl Pump {
    async fn take(&mut self, message: Incoming) {
        let Incoming {
            name,
            packet,
            malformed,
            ack,
            refused,
        } = message;
        if let Some(exceeded) = refused {
            self.settle_all().await;
            self.socket.answer(&name, ack, &refusal(exceeded)).await;
            return;
        }
        let config = self.socket.app.config();
        let limits = Limits {
            max_payload_bytes: config.max_payload,
            max_depth: config.limits.max_depth,
        };
        let parsed = match &packet {
            _ if let Some(malformed) = &malformed => Err(malformed.refusal()),
            // A panic must not cost this client its answers: it would wait for ever.
            Some(packet) => catch_unwind(AssertUnwindSafe(|| parse(&name, packet.get(), &limits)))
                .unwrap_or_else(|_| Err(lost())),
            None => Err(Reply::refused(
                ErrorCode::ValidationFailed,
                "the message is not valid JSON",
            )),
        };
        match parsed {
            Ok(request) => self.serve(name, ack, request).await,
            Err(refusal) => {
                // Answers keep the order of the questions.
                self.settle_all().await;
                self.answer(&name, ack, refusal).await;
            }
        }
    }

    async fn serve(&mut self, name: String, ack: Option<AckSender>, mut request: Request) {
        self.socket.session.own(&mut request);
        let queue = self.socket.session.queue_of(&request);
        if queue.is_none() || queue != self.queue {
            self.settle_all().await;
        }
        if request.is_read() {
            // A client that does not take its answers must not have large ones made for it.
            self.socket.room_for_answer().await;
        }
        let rooms = rooms_of(&request);
        let joins = matches!(request, Request::Join(_));
        match self.socket.session.run(request, &self.subscriber).await {
            Outcome::Done(reply) => {
                // A command that found its queue full, behind others that did not.
                self.settle_all().await;
                self.socket.session.charge_read(reply.text_bytes());
                if rooms.is_empty() {
                    self.answer(&name, ack, reply).await;
                } else {
                    let asked = (&*name, joins);
                    self.answer_with_cursor(asked, ack, reply, &rooms).await;
                }
            }
            Outcome::Refreshed(refreshed) => {
                self.settle_all().await;
                if refreshed.reply.is_ok() {
                    self.socket.keep_watch();
                }
                self.socket.tell_lost(&refreshed.lost).await;
                self.answer(&name, ack, refreshed.reply).await;
            }
            Outcome::Pending {
                queue,
                bytes,
                answer,
            } => {
                self.queue = Some(queue);
                self.flying.begin(bytes);
                self.in_flight.push_back(InFlight {
                    name,
                    ack,
                    bytes,
                    answer,
                });
            }
        }
    }

    /// Answers a join or a leave. The cursor goes before: whoever has the answer must not lose the room with the
    /// connection. It goes once more after an answer that carries a state: only then it counts on that.
    async fn answer_with_cursor(
        &self,
        (name, joins): (&str, bool),
        ack: Option<AckSender>,
        reply: Reply,
        rooms: &[ChannelName],
    ) {
        for room in rooms {
            self.socket.settle_room(room);
        }
        if reply.is_ok() {
            self.socket.tell_cursor().await;
        }
        match (ack, rooms) {
            (Some(ack), [room]) if joins && reply.is_ok() => {
                self.socket.answer_join(ack, &reply, room).await;
            }
            (ack, _) => self.answer(name, ack, reply).await,
        }
        self.socket.release(rooms).await;
    }

    async fn settle_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.settle_one().await;
        }
    }

    async fn settle_one(&mut self) {
        if let Some(first) = self.in_flight.pop_front() {
            let reply = first.answer.await.unwrap_or_else(|_| lost());
            self.answer(&first.name, first.ack, reply).await;
            self.flying.end(first.bytes);
        }
    }

    /// Waits for the next answer or the next message, whichever comes first.
    async fn settle_or_more(&mut self) {
        let Some(first) = self.in_flight.front_mut() else {
            return;
        };
        let reply = tokio::select! {
            reply = &mut first.answer => reply.unwrap_or_else(|_| lost()),
            () = self.socket.arrived.notified() => return,
        };
        if let Some(first) = self.in_flight.pop_front() {
            self.answer(&first.name, first.ack, reply).await;
            self.flying.end(first.bytes);
        }
    }

    async fn answer(&self, name: &str, ack: Option<AckSender>, reply: Reply) {
        if reply.code() == Some(ErrorCode::RateLimited) {
            self.socket.note_limited("different_signals");
        } else if let Some(code) = reply.code() {
            tracing::info!(
                connection.id = %self.socket.session.caller.connection,
                actor = self.socket.session.caller.actor.as_str(),
                event = %name.chars().take(64).collect::<String>(),
                code = code.as_str(),
                reason = reply.message(),
                "refused"
            );
        }
        self.socket.answer(name, ack, &reply).await;
    }
}

/// Somebody panicked who should have answered.
fn lost() -> Reply {
    Reply::refused(ErrorCode::Internal, "something went wrong on the server")
}

/// The channels that a request may make the client hear, or not hear any more.
fn rooms_of(request: &Request) -> Vec<ChannelName> {
    match request {
        Request::Join(join) => vec![join.project.channel()],
        Request::Leave { project } => vec![project.channel()],
        Request::Subscribe(wish) => wish.channels.clone(),
        Request::Unsubscribe { channels } => channels.clone(),
        _ => Vec::new(),
    }
}
