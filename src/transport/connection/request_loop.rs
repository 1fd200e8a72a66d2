//! Serves a connection's messages, in order.
//!
//! Commands that go through the same queue of the writer are handed in back to back, because the queue keeps their order.
//! Anything else waits until all answers before it are there.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Connection;
use super::door::{Door, Out};
use super::in_flight::InFlightBytes;
use super::obey::Obeyed;
use super::send_queue::SendQueue;
use super::subscriber::SessionSubscriber;
use crate::contract::{
    Arguments, ErrorCode, EventName, Limits, ListRequest, ReadRequest, Reply, Request, json_text,
};
use crate::domain::{Action, ChannelName, Kind, ProjectId};
use crate::session::{Outcome, Pending, Refreshed, unseen};

/// A command that is on its way through the writer.
struct InFlight<D: Door> {
    asked: Asked<D>,
    pending: Pending,
    /// The project that it makes, and who is to hear of that.
    founded: Option<(ProjectId, Arc<SessionSubscriber<D>>)>,
}

/// What an answer has to name.
pub(crate) struct Asked<D: Door> {
    pub(crate) name: String,
    /// Where the answer goes; nothing if the client does not wait for one.
    pub(crate) ack: Option<D::Ack>,
    /// The rule of a dialect by which it is served, and what is to follow.
    pub(super) obeyed: Option<Box<Obeyed<D>>>,
    /// When it was looked at.
    since: Instant,
}

impl<D: Door> Asked<D> {
    pub(crate) fn new(name: String, ack: Option<D::Ack>) -> Self {
        Self {
            name,
            ack,
            obeyed: None,
            since: Instant::now(),
        }
    }

    /// Whether nothing says what became of it if it succeeds.
    fn is_unanswered(&self) -> bool {
        self.ack.is_none() && self.obeyed.is_none()
    }
}

/// See the module's description.
pub(crate) struct RequestLoop<D: Door> {
    pub(crate) connection: Arc<Connection<D>>,
    in_flight: VecDeque<InFlight<D>>,
    bytes: InFlightBytes,
    /// The writer's queue in which the commands in flight are.
    queue: Option<usize>,
}

/// Runs until the inbox is empty and everything is answered.
pub(super) async fn run<D: Door>(connection: Arc<Connection<D>>) {
    let mut requests = RequestLoop {
        in_flight: VecDeque::new(),
        bytes: InFlightBytes::new(connection.app().receive_memory()),
        queue: None,
        connection,
    };
    loop {
        if requests.bytes.is_full() {
            requests.settle_one().await;
        } else if let Some(incoming) = requests.connection.next_message() {
            D::serve(&mut requests, incoming).await;
        } else if !requests.in_flight.is_empty() {
            requests.settle_or_more().await;
        } else if requests.connection.rest() {
            return;
        }
    }
}

impl<D: Door> RequestLoop<D> {
    /// Refuses a message that was not looked at, because it was too much or came too late. It was counted when it came.
    pub(crate) async fn refuse_unread(&mut self, asked: Asked<D>, refused: &Reply) {
        self.settle_all().await;
        let traffic = &self.connection.registry.traffic;
        traffic.refuse(&asked.name, refused);
        self.connection.send_answer(asked, refused).await;
    }

    /// Reads a request and serves it, or refuses what is none.
    pub(crate) async fn serve(
        &mut self,
        subscriber: &Arc<SessionSubscriber<D>>,
        asked: Asked<D>,
        arguments: Arguments<'_>,
        read: impl FnOnce(&str, &Limits) -> Result<Request, Reply>,
    ) {
        let limits = self.connection.app().payload_limits();
        // A panic must not cost this client its answers: it would wait for ever.
        let request = catch_unwind(AssertUnwindSafe(|| read(&asked.name, &limits)));
        match request.unwrap_or_else(|_| Err(Reply::internal())) {
            Ok(request) => {
                self.record_taken(&asked, arguments, || {
                    let event = EventName::find(&asked.name);
                    event.map_or("publish", EventName::as_str)
                });
                self.run(subscriber, asked, request).await;
            }
            Err(refusal) => {
                self.record_refused(&asked, arguments, &refusal);
                // Answers keep the order of the questions.
                self.settle_all().await;
                self.connection.answer(asked, &refusal).await;
            }
        }
    }

    /// Serves a request.
    pub(crate) async fn run(
        &mut self,
        subscriber: &Arc<SessionSubscriber<D>>,
        asked: Asked<D>,
        mut request: Request,
    ) {
        let session = &subscriber.session;
        if let Request::Command(command) = &mut request {
            session.own(command);
        }
        if let Request::Bulk(commands) = &request
            && let Err(refusal) = self.pay_for(commands.len()).await
        {
            return self.connection.answer(asked, &refusal).await;
        }
        let queue = session.queue_of(&request);
        if queue.is_none() || queue != self.queue {
            self.settle_all().await;
        }
        if request.may_have_large_answer() {
            // A client that does not take its answers must not have large ones made for it.
            self.connection.queue.room_for_answer().await;
        }
        let channels = channels_of(&request);
        let wish = listing(&request, &asked);
        let founded = founded(&request).map(|project| (project, Arc::clone(subscriber)));
        let joins = matches!(request, Request::Join(_));
        let holds_events = matches!(request, Request::Subscribe(_));
        if holds_events {
            // Channels are subscribed to one after the other: a cursor that left meanwhile would not cover all of them.
            subscriber.hold();
        }
        match subscriber.run(request).await {
            Outcome::Done(reply) => {
                // A command that found its queue full, behind others that did not.
                self.settle_all().await;
                session.charge_read(reply.text_bytes());
                self.connection.record_refused_later(&asked.name, &reply);
                if let Some(wish) = wish.filter(|_| reply.is_ok()) {
                    return subscriber.tell_list(&wish, &reply).await;
                }
                if channels.is_empty() {
                    self.connection.answer(asked, &reply).await;
                } else {
                    subscriber
                        .answer_with_cursor(asked, &reply, &channels, joins)
                        .await;
                }
            }
            Outcome::Refreshed(refreshed) => {
                self.refreshed(subscriber, asked, &refreshed).await;
            }
            Outcome::Pending(pending) => {
                self.queue = Some(pending.queue);
                self.bytes.begin(pending.bytes);
                self.in_flight.push_back(InFlight {
                    asked,
                    pending,
                    founded,
                });
            }
        }
        if holds_events {
            subscriber.open();
        }
    }

    async fn refreshed(
        &mut self,
        subscriber: &SessionSubscriber<D>,
        asked: Asked<D>,
        refreshed: &Refreshed,
    ) {
        self.settle_all().await;
        if refreshed.reply.is_ok() {
            self.connection.watch_credential();
        }
        subscriber.tell_lost(&refreshed.lost).await;
        self.connection.answer(asked, &refreshed.reply).await;
    }

    /// Takes the price of several commands in one message. The first was paid for when it came in.
    async fn pay_for(&mut self, commands: usize) -> Result<(), Reply> {
        self.settle_all().await;
        self.connection.spend_more(commands - 1).await
    }

    /// Waits for all commands in flight, and answers them.
    pub(crate) async fn settle_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.settle_one().await;
        }
    }

    async fn settle_one(&mut self) {
        if let Some(mut first) = self.in_flight.pop_front() {
            let reply = first.pending.answer().await;
            self.conclude(first, &reply).await;
        }
    }

    async fn conclude(&mut self, done: InFlight<D>, reply: &Reply) {
        self.connection
            .record_refused_later(&done.asked.name, reply);
        self.connection.answer(done.asked, reply).await;
        self.bytes.end(done.pending.bytes);
        if let Some((project, subscriber)) = done.founded {
            // Boxed, because few commands need it.
            Box::pin(subscriber.tell_founded(&project, reply)).await;
        }
    }

    /// Waits for the next answer or the next message, whichever comes first.
    async fn settle_or_more(&mut self) {
        let Some(first) = self.in_flight.front_mut() else {
            return;
        };
        let reply = tokio::select! {
            reply = first.pending.answer() => reply,
            () = self.connection.arrived.notified() => return,
        };
        if let Some(first) = self.in_flight.pop_front() {
            self.conclude(first, &reply).await;
        }
    }
}

impl<D: Door> SessionSubscriber<D> {
    /// Answers a request that may subscribe or unsubscribe. The cursor goes before: a client that has the answer must not
    /// lose the channel with the connection. It goes once more after an answer that carries a state: only then the client
    /// counts on that.
    async fn answer_with_cursor(
        &self,
        asked: Asked<D>,
        reply: &Reply,
        channels: &[ChannelName],
        joins: bool,
    ) {
        for channel in channels {
            self.settle_room(channel);
        }
        if reply.is_ok() {
            self.tell_cursor().await;
        }
        match (asked, channels) {
            (
                Asked {
                    ack: Some(ack),
                    obeyed: None,
                    ..
                },
                [channel],
            ) if joins && reply.is_ok() => {
                self.answer_join(ack, reply, channel).await;
            }
            (asked, _) => self.connection.answer(asked, reply).await,
        }
        self.release(channels).await;
    }

    /// Answers a join, unless the client is turned out meanwhile, which it may have been told already.
    async fn answer_join(&self, ack: D::Ack, reply: &Reply, channel: &ChannelName) {
        let (joined, refused) = (reply.to_raw(), unseen().to_raw());
        let answered = self.connection.push(joined.get().len(), |out| {
            let is_in = self.session.rooms.contains(channel);
            let raw = if is_in { &joined } else { &refused };
            self.connection.door.answer(out, Some(ack), raw)
        });
        answered.await;
    }
}

impl<D: Door> Connection<D> {
    /// Answers a message, and logs a refusal. What a dialect's rule says follows.
    pub(crate) async fn answer(&self, mut asked: Asked<D>, reply: &Reply) {
        self.app().metrics().answered(asked.since.elapsed());
        self.note_refused(&asked.name, reply);
        let Some(obeyed) = asked.obeyed.take() else {
            return self.send_answer(asked, reply).await;
        };
        // Boxed, because few messages need it.
        Box::pin(self.answer_obeyed(asked, *obeyed, reply)).await;
    }

    async fn answer_obeyed(&self, asked: Asked<D>, obeyed: Obeyed<D>, reply: &Reply) {
        if reply.is_ok() {
            match (asked.ack, obeyed.acknowledgement(reply)) {
                (Some(ack), Some(shaped)) => {
                    let raw = json_text(&shaped);
                    let sent = |out: &mut Out<'_, D>| self.door.answer(out, Some(ack), &raw);
                    self.push(raw.get().len(), sent).await;
                }
                (ack, _) => {
                    self.send_answer(Asked::new(asked.name, ack), reply).await;
                }
            }
            return obeyed.follow(reply).await;
        }
        let Some((said, payload)) = obeyed.refusal(reply) else {
            return self.send_answer(asked, reply).await;
        };
        let (name, payload) = (said.event.clone(), json_text(&payload));
        let told = self.push(payload.get().len(), |out| {
            self.door.say(out, &name, &payload, "")
        });
        told.await;
        if asked.ack.is_some() {
            self.send_answer(asked, reply).await;
        }
    }

    /// Logs a refusal, and counts what was too much.
    pub(crate) fn note_refused(&self, name: &str, reply: &Reply) {
        let Some(code) = reply.code() else {
            return;
        };
        self.registry.traffic.refuse(name, reply);
        if code == ErrorCode::RateLimited {
            return self.note_limited("different_signals");
        }
        let subscriber = self.subscriber();
        tracing::info!(
            door = D::NAME,
            connection.id = %self.id,
            actor = subscriber.as_ref().map(|one| one.session.caller.actor.as_str()),
            event = %name.chars().take(64).collect::<String>(),
            code = code.as_str(),
            reason = reply.message(),
            "refused"
        );
    }

    /// Sends an answer, waiting for room: to the ack, or else as an error if it is a refusal.
    async fn send_answer(&self, Asked { name, ack, .. }: Asked<D>, reply: &Reply) {
        if reply.is_ok() && ack.is_none() {
            return;
        }
        let raw = encode(&name, ack.is_some(), reply);
        let answered = self.push(raw.get().len(), |out| self.door.answer(out, ack, &raw));
        answered.await;
    }
}

/// An answer as it goes out: to an ack, or as an error that names the event.
pub(crate) fn encode(name: &str, has_ack: bool, reply: &Reply) -> Box<RawValue> {
    if has_ack {
        reply.to_raw()
    } else {
        reply.to_error_event(name)
    }
}

/// The project that a request makes.
fn founded(request: &Request) -> Option<ProjectId> {
    match request {
        Request::Command(command) => match &command.action {
            Action::Create {
                kind: Kind::Project,
                id,
                ..
            } => Some(ProjectId(id.0.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// A list that is told in an event, because its sender waits for no answer.
fn listing<D: Door>(request: &Request, asked: &Asked<D>) -> Option<Box<ListRequest>> {
    match request {
        Request::Read(ReadRequest::List(wish)) if asked.is_unanswered() => Some(wish.clone()),
        _ => None,
    }
}

/// The channels that a request may make the client hear, or not hear any more.
fn channels_of(request: &Request) -> Vec<ChannelName> {
    match request {
        Request::Join(join) => vec![join.project.channel()],
        Request::Leave { project } => vec![project.channel()],
        Request::Subscribe(wish) => wish.channels.clone(),
        Request::Unsubscribe { channels } => channels.clone(),
        _ => Vec::new(),
    }
}
