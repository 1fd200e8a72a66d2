//! Connections as receivers of direct messages: `broadcast` and `client:<id>`.

use std::sync::Arc;

use super::Connection;
use super::door::Door;
use super::registry::Registry;
use super::send_queue::{Intake as _, Kind, SendQueue as _};
use super::subscriber::SessionSubscriber;
use crate::contract::{Condition, DirectMessage};
use crate::direct::{Delivered, Receiver, Receivers};
use crate::domain::ClientId;
use crate::hub::Offer;

impl<D: Door> Receivers for Registry<D> {
    fn of_client(&self, client: ClientId) -> Option<Arc<dyn Receiver>> {
        let found = self.find(client);
        found.map(|connection| connection as Arc<dyn Receiver>)
    }

    fn of_broadcasts(&self) -> Vec<Arc<dyn Receiver>> {
        let all = self.all().into_iter();
        all.map(|connection| connection as Arc<dyn Receiver>)
            .collect()
    }
}

impl<D: Door> Receiver for Connection<D> {
    fn deliver(&self, message: &DirectMessage) -> Delivered {
        // Who has not shown who they are has no session, and hears nothing.
        let Some(subscriber) = self.subscriber().filter(|one| one.was_greeted()) else {
            return Delivered::NotMeant;
        };
        if message.client().is_none() && !self.is_meant(&subscriber, message) {
            return Delivered::NotMeant;
        }
        let mut out = self.queue.intake();
        if out.is_closed() {
            return Delivered::NotMeant;
        }
        if !out.has_room(Kind::Event, message.bytes()) {
            return Delivered::Full;
        }
        let style = subscriber.session.style;
        match self.door.direct(&mut out, style, message) {
            Offer::Taken => Delivered::Taken,
            Offer::Full => Delivered::Full,
            Offer::Gone => Delivered::NotMeant,
        }
    }
}

impl<D: Door> Connection<D> {
    /// Whether a broadcast is for this connection.
    fn is_meant(&self, subscriber: &SessionSubscriber<D>, message: &DirectMessage) -> bool {
        let (rooms, channel) = (&subscriber.session.rooms, &message.channel);
        let hears = match rooms.hears(channel) {
            Some(true) => rooms.wants(channel, &message.message_type),
            _ => D::HEARS_BROADCASTS,
        };
        let is_own = message.origin == Some(self.id) && !self.door.hears_itself(channel);
        let condition = message.condition.as_ref();
        hears && !is_own && condition.is_none_or(|condition| self.fulfils(subscriber, condition))
    }

    fn fulfils(&self, subscriber: &SessionSubscriber<D>, condition: &Condition) -> bool {
        let hears = |channel| subscriber.session.rooms.hears(channel) == Some(true);
        let (caller, info) = (&subscriber.session.caller, self.client_info());
        let is_of = |name: &String| info.client_type.as_deref() == Some(name);
        let version = info.version.as_deref();
        (condition.client_types.is_empty() || condition.client_types.iter().any(is_of))
            && condition
                .versions
                .as_ref()
                .is_none_or(|range| version.is_some_and(|version| range.contains(version)))
            && (condition.subscribed.is_empty() || condition.subscribed.iter().any(hears))
            && condition.session.as_ref().is_none_or(hears)
            && condition
                .user
                .as_ref()
                .is_none_or(|user| caller.is_named(user.as_str()))
    }
}
