//! A client's session over a connection. Who shows later who they are gets another one, and what was heard by the old one
//! is not heard twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::connection::{Connection, Packet};
use crate::clock::Clock;
use crate::command::Caller;
use crate::contract::Document;
use crate::domain::{
    ChannelName, ConnectionId, Event, EventType, Identity, Signal, Target, Timestamp,
};
use crate::hub::{Offer, Subscriber, Wake};
use crate::limits::{Budget, Place};
use crate::session::{Delivery, Revoked, Session};
use crate::transport::outlet::{Intake, Kind};
use crate::transport::tenure::Tenant;

/// See the module.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: Arc<Connection>,
    pub(super) session: Session,
    /// What the user may still send, over all connections.
    pub(super) user_budget: Option<Arc<Budget>>,
    /// Whether events may follow: not before the client was greeted, nor while it subscribes to something.
    welcomed: AtomicBool,
    /// Counts among the connections of the user.
    _place: Option<Place<String>>,
}

impl Seat {
    pub(super) fn new(
        connection: &Arc<Connection>,
        caller: Caller,
        identity: Option<Identity>,
        place: Option<Place<String>>,
    ) -> Arc<Self> {
        let app = &connection.gateway.app;
        // A name that anybody can take is no user: anybody could use up what its owner may do.
        let user = identity.is_some().then_some(&caller.actor);
        let user_budget = user.and_then(|user| app.limits().budget_of(user.as_str()));
        let session = Session::new(app.clone(), caller, connection.style, identity);
        let budget = Arc::clone(&connection.budget);
        Arc::new(Self {
            session: session.paying(Some(budget), user_budget.clone()),
            connection: Arc::clone(connection),
            user_budget,
            welcomed: AtomicBool::new(false),
            _place: place,
        })
    }

    /// Who the client is known as; nobody, if by no name of its own.
    pub(super) fn user(&self) -> Option<String> {
        let is_named = self.session.identity().is_some() || self.connection.said.is_some();
        is_named.then(|| self.session.caller.actor.as_str().to_owned())
    }

    /// Keeps events back, until the next welcome: the answer to a subscription is to come before what is heard of it.
    pub(super) fn hold(&self) {
        // No event that is on its way in may slip by.
        let _intake = self.connection.outlet.intake();
        self.welcomed.store(false, Ordering::Release);
    }

    /// Lets events through.
    pub(super) fn welcome(&self) {
        self.welcomed.store(true, Ordering::Release);
        self.connection.outlet.wake_all();
    }

    /// Lets a channel's events follow what was said of its state. Whether they waited for that.
    pub(super) fn release(&self, channel: &ChannelName) -> bool {
        let was_held = self.session.release(channel);
        // Others may have waited only until it was certain that the client may hear them.
        self.connection.outlet.wake_all();
        was_held
    }

    /// Tells something of the server's own accord, with the cursor as of then.
    pub(super) async fn tell(&self, event_type: &EventType, said: &Document) -> bool {
        let (name, said) = (self.session.style.name(event_type), said.to_raw());
        let make = || {
            let cursor = self.session.cursor();
            let spelling = self.connection.spelling;
            Packet::other(spelling.tell(&name, Clock.now(), &said, Some(&cursor)))
        };
        self.connection.outlet.push(Kind::Answer, make).await
    }

    /// Tells where the client stands, which it may come back with: it may be told of no event for long.
    pub(super) async fn tell_cursor(&self) {
        self.tell(&EventType::known("session.cursor"), &Document::default())
            .await;
    }

    /// Tells what the client cannot hear any more with what it has shown last.
    pub(super) async fn tell_lost(&self, targets: &[Target]) {
        for target in targets {
            let (event_type, said) = Session::revoked(target, Revoked::Token, None);
            self.tell(&event_type, &said).await;
        }
    }

    /// Whether the client does not hear of this, because it said so itself. What a client tells the others of its session
    /// it does not hear; its changes of projects it does, unless it does not want to.
    fn is_own(&self, channel: &ChannelName, origin: Option<ConnectionId>) -> bool {
        let caused = origin == Some(self.connection.id);
        caused && (!channel.is_project() || self.connection.is_deaf_to_itself)
    }

    /// Tells that the client was turned out of a project, in the place of the event that did so.
    fn turn_out(&self, intake: &mut Intake<'_, Packet>, event: &Event) {
        if let Some(project) = self.session.project_of(&event.channel) {
            let target = Target::project(&project);
            let (event_type, said) = Session::revoked(&target, Revoked::Removed, Some(event.seq));
            let cursor = self.session.cursor_without(&event.channel);
            let name = self.session.style.name(&event_type);
            let spelling = self.connection.spelling;
            let text = spelling.tell(&name, Clock.now(), &said.to_raw(), Some(&cursor));
            intake.push(Packet::other(text));
            self.session.uncover(&event.channel);
        }
    }
}

impl Subscriber for Seat {
    fn offer(&self, event: &Event) -> Offer {
        let connection = &self.connection;
        let mut intake = connection.outlet.intake();
        if intake.is_closed() {
            return Offer::Gone;
        }
        if self.session.heed(event) {
            tracing::debug!(connection.id = %connection.id, channel = %event.channel, "is not there any more");
        }
        if !self.welcomed.load(Ordering::Acquire) || !intake.has_room(Kind::Event) {
            return Offer::Full;
        }
        let cursor = match self.session.deliver(event) {
            Delivery::Told(cursor) => cursor,
            Delivery::Skipped => return Offer::Taken,
            Delivery::Wait => return Offer::Full,
            Delivery::Gone => return Offer::Gone,
            Delivery::Revoked => {
                self.turn_out(&mut intake, event);
                drop(intake);
                self.session.expel(&event.channel, Revoked::Removed);
                return Offer::Gone;
            }
        };
        if !self.is_own(&event.channel, event.origin) {
            let (spelling, style) = (connection.spelling, self.session.style);
            let text = connection.gateway.rendered.get(spelling, style, event);
            intake.push(Packet::event(spelling.with_cursor(&text, &cursor)));
        }
        Offer::Taken
    }

    fn replayed(&self, bytes: usize) {
        self.session.charge_read(bytes);
    }

    fn signal(&self, channel: &ChannelName, signal: &Signal) -> Offer {
        if signal.origin == Some(self.connection.id) {
            return Offer::Taken;
        }
        let mut intake = self.connection.outlet.intake();
        if intake.is_closed() {
            return Offer::Gone;
        }
        if !self.welcomed.load(Ordering::Acquire) || !intake.has_room(Kind::Signal) {
            return Offer::Full;
        }
        match self.session.hears(channel) {
            Some(true) => {}
            Some(false) => return Offer::Full,
            None => return Offer::Gone,
        }
        if self.session.wants(channel, &signal.signal_type) {
            let name = self.session.style.name(&signal.signal_type);
            let text = self
                .connection
                .spelling
                .signal(&name, Clock.now(), channel, signal);
            intake.push(Packet::other(text));
        }
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        self.connection.outlet.taken()
    }

    fn wake_when_writable(&self, wake: &Wake) {
        let holds = || !self.welcomed.load(Ordering::Acquire) || self.session.is_holding();
        self.connection.outlet.wake_when_writable(wake, holds);
    }

    fn close(&self, reason: &'static str) {
        self.connection.cut(super::close::COME_BACK, reason);
    }
}

impl Tenant for Seat {
    fn connection(&self) -> ConnectionId {
        self.connection.id
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.session.identity()
    }

    fn is_gone(&self) -> bool {
        self.connection.outlet.is_closed()
    }

    /// The warning waits for room on its own.
    fn warn(self: Arc<Self>, expires_at: Timestamp) {
        let lifecycle = self.connection.gateway.app.lifecycle().clone();
        lifecycle.spawn(async move {
            let left = expires_at
                .as_millis()
                .saturating_sub(Clock.now().as_millis());
            let mut said = Document::default();
            said.insert("expiresAt", expires_at.to_string());
            said.insert("expiresInMs", left.max(0));
            self.tell(&EventType::known("auth.expiring"), &said).await;
        });
    }

    fn end(&self, reason: &'static str) {
        let code = crate::contract::ErrorCode::Unauthenticated;
        self.connection.end(super::close::refused(code), reason);
    }
}
