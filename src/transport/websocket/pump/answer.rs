//! What clients are told of their messages.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{InFlight, Own, Pump, lost};
use crate::clock::Clock;
use crate::contract::{ErrorCode, Reply, ServerWord};
use crate::domain::ChannelName;
use crate::session::unseen;
use crate::transport::outlet::Kind;
use crate::transport::websocket::connection::Packet;
use crate::transport::websocket::message::Message;
use crate::transport::websocket::seat::Seat;
use crate::transport::websocket::spelling::Spelling;

impl Pump {
    pub(super) async fn settle_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.settle_one().await;
        }
    }

    pub(super) async fn settle_one(&mut self) {
        if let Some(InFlight { name, id, answer }) = self.in_flight.pop_front() {
            let reply = answer.await.unwrap_or_else(|_| lost());
            self.answer(&name, id.as_deref(), reply).await;
        }
    }

    /// Waits for the next answer or the next message, whichever comes first.
    pub(super) async fn settle_or_more(&mut self) {
        let Some(first) = self.in_flight.front_mut() else {
            return;
        };
        let reply = tokio::select! {
            reply = &mut first.answer => reply.unwrap_or_else(|_| lost()),
            () = self.connection.arrived.notified() => return,
        };
        if let Some(InFlight { name, id, .. }) = self.in_flight.pop_front() {
            self.answer(&name, id.as_deref(), reply).await;
        }
    }

    /// Answers a message: with an ack if it carried an id, and else only if it was refused.
    pub(super) async fn answer(&self, name: &str, id: Option<&RawValue>, reply: Reply) {
        let Some(id) = id else {
            if !reply.is_ok() {
                self.refuse(name, None, &reply).await;
            }
            return;
        };
        self.note(name, &reply);
        let raw = reply.to_raw();
        self.connection
            .say(|spelling| spelling.ack(Clock.now(), id, &raw))
            .await;
    }

    /// Refuses a message whose answers have a type of their own, or which carried no id.
    pub(super) async fn refuse(&self, name: &str, id: Option<&RawValue>, reply: &Reply) {
        self.note(name, reply);
        self.connection
            .say(|spelling| spelling.refusal(Clock.now(), name, id, reply))
            .await;
    }

    /// Refuses a message as its type wants it.
    pub(super) async fn answer_own(&self, own: Option<Own>, message: &Message, reply: &Reply) {
        let id = message.id.as_deref();
        match own {
            Some(_) => self.refuse(&message.name, id, reply).await,
            None => self.answer(&message.name, id, reply.clone()).await,
        }
    }

    pub(super) async fn pong(&self, message: &Message) {
        let id = message.id.as_deref();
        let make = |spelling: Spelling| spelling.say(ServerWord::Pong, Clock.now(), id, &[]);
        self.connection.say(make).await;
    }

    /// Says that a text is no message.
    pub(super) async fn complain(&self) {
        self.connection
            .say(|spelling| spelling.unreadable(Clock.now()))
            .await;
    }

    /// Answers a request that may enter or leave channels. The cursor goes before: whoever has the answer must not lose
    /// the channel with the connection. It goes once more after an answer that carries a state: only then it counts on
    /// that.
    pub(super) async fn answer_with_cursor(
        &self,
        seat: &Arc<Seat>,
        message: &Message,
        reply: Reply,
        rooms: &[ChannelName],
    ) {
        let id = message.id.as_deref();
        if rooms.is_empty() || !reply.is_ok() {
            return self.answer(&message.name, id, reply).await;
        }
        seat.tell_cursor().await;
        match (id, rooms) {
            (Some(id), [room]) => self.answer_room(seat, id, &reply, room).await,
            _ => self.answer(&message.name, id, reply).await,
        }
        let mut was_held = false;
        for room in rooms {
            was_held |= seat.release(room);
        }
        if was_held {
            seat.tell_cursor().await;
        }
    }

    /// Answers a join, unless the client is turned out meanwhile, which it may have been told already.
    async fn answer_room(&self, seat: &Seat, id: &RawValue, reply: &Reply, room: &ChannelName) {
        let (joined, refused) = (reply.to_raw(), unseen().to_raw());
        let left = reply.get("noop").is_some() || !seat.session.has_joined(room);
        let spelling = self.connection.spelling;
        let make = || {
            let is_in = left || seat.session.has_joined(room);
            let raw = if is_in { &joined } else { &refused };
            Packet::other(spelling.ack(Clock.now(), id, raw))
        };
        self.connection.outlet.push(Kind::Answer, make).await;
    }

    fn note(&self, name: &str, reply: &Reply) {
        match reply.code() {
            Some(ErrorCode::RateLimited) => self.connection.note_limited("different_signals"),
            Some(code) => tracing::info!(
                connection.id = %self.connection.id,
                event = %name.chars().take(64).collect::<String>(),
                code = code.as_str(),
                reason = reply.message(),
                "refused"
            ),
            None => {}
        }
    }
}
