//! A session on a connection, as the hub's subscriber: the only way by which events and signals reach a client.
//!
//! A client that shows later who it is gets another session, and what was heard by the old one is not heard twice.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::credential_expiry::Expiring;
use super::cursor_pace::{CursorPace, Due};
use super::door::{Door, Out};
use super::notice::Notice;
use super::send_queue::{Intake, Kind, SendQueue};
use super::user_connections::{Replaceable, UserConnections};
use super::{Close, Connection};
use crate::config::UserConnectionsFull;
use crate::contract::{ErrorCode, JsonObject, ListRequest, Reply, Request, Subscribe};
use crate::domain::{
    ChannelName, ConnectionId, Event, Id, Identity, ProjectId, Signal, Target, Timestamp,
};
use crate::hub::{Offer, SubscribeError, Subscriber, Wake};
use crate::limits::{Budget, Exceeded, Place};
use crate::session::{Delivery, Outcome, Resumed, RevokedReason, Session};
use crate::state::AppState;
use crate::writer::Caller;

/// See the module's description.
pub(crate) struct SessionSubscriber<D: Door> {
    pub(crate) connection: Arc<Connection<D>>,
    pub(crate) session: Session,
    /// What the user may still send, over all connections.
    user_budget: Option<Arc<Budget>>,
    /// Whether events may follow: not before the client was greeted and told what it missed, nor while it subscribes.
    is_open: AtomicBool,
    /// Whether events were let through once.
    was_greeted: AtomicBool,
    /// Guards when the client was told where it stands, if its events do not show it.
    cursor_pace: Mutex<CursorPace>,
    /// Counts among the connections of the user.
    place: Mutex<Option<Place<String>>>,
}

impl<D: Door> std::fmt::Debug for SessionSubscriber<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionSubscriber")
            .field("connection", &self.connection.id)
            .finish_non_exhaustive()
    }
}

/// Who a client is, and what it may use.
pub(crate) struct Admitted {
    pub(crate) caller: Caller,
    /// What the client has shown.
    pub(crate) identity: Option<Identity>,
    /// What the client's user, or else its address, may still send over all connections.
    pub(crate) user_budget: Option<Arc<Budget>>,
    /// A place among the connections of its user.
    pub(crate) place: Option<Place<String>>,
}

impl Admitted {
    /// A client of the user that it has shown to be, with a place among the user's connections. A name that anybody can
    /// take is no user: anybody could use up what its owner may do.
    ///
    /// # Errors
    ///
    /// The user has too many connections.
    pub(crate) fn new(
        app: &AppState,
        users: &UserConnections,
        caller: Caller,
        identity: Option<Identity>,
    ) -> Result<Self, Exceeded> {
        let user = identity.is_some().then(|| caller.actor.as_str());
        let place = user.map(|user| place_of(app, users, user)).transpose()?;
        Ok(Self {
            user_budget: user.and_then(|user| app.limits().budget_of(user)),
            place,
            caller,
            identity,
        })
    }
}

thread_local! {
    /// Where cursors are written before they are sent.
    static CURSOR: Cell<String> = const { Cell::new(String::new()) };
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
enum Handed {
    /// It was written.
    Written,
    /// It is none of those that the client wants to hear of.
    Unwanted,
    /// It was not taken.
    Refused(Offer),
    /// The client was told that it was turned out of the channel.
    Revoked,
}

/// What the answer to a request for a list says and the event does not: only events of the log have a seq.
const ONLY_IN_ANSWERS: [&str; 2] = ["seq", "cursor"];

/// A place among the connections of a user. If there is none, the oldest one gives way, where a setting wants that.
fn place_of(
    app: &AppState,
    users: &UserConnections,
    user: &str,
) -> Result<Place<String>, Exceeded> {
    loop {
        let exceeded = match app.limits().user_connection(user) {
            Ok(place) => return Ok(place),
            Err(exceeded) => exceeded,
        };
        let gives_way = app.config().limits.user_connections_full == UserConnectionsFull::Replace;
        if !gives_way || !users.replace_oldest(user) {
            return Err(exceeded);
        }
    }
}

impl<D: Door> SessionSubscriber<D> {
    pub(super) fn new(connection: &Arc<Connection<D>>, admitted: Admitted) -> Arc<Self> {
        let Admitted {
            caller,
            identity,
            user_budget,
            place,
        } = admitted;
        let app = connection.app().clone();
        let session = Session::new(app, caller, connection.style, identity);
        let session = session.looking(connection.door.chooses_presence());
        let mut session = session.paying(Some(Arc::clone(&connection.budget)), user_budget.clone());
        if let (Some(dialect), Some(introduction)) =
            (connection.door.dialect(), connection.door.introduction())
        {
            let profile = dialect.profile(&introduction.scope());
            session = session.speaking(dialect, profile);
        }
        Arc::new(Self {
            session: if D::ATTENDS {
                session
            } else {
                session.unattending()
            },
            connection: Arc::clone(connection),
            user_budget,
            is_open: AtomicBool::new(false),
            was_greeted: AtomicBool::new(false),
            cursor_pace: Mutex::default(),
            place: Mutex::new(place),
        })
    }

    pub(super) fn user_budget(&self) -> Option<&Budget> {
        self.user_budget.as_deref()
    }

    /// Stays among the connections of the user until it gives up its place, or a newer one takes it.
    pub(super) fn keep_place(self: &Arc<Self>) {
        if self.place.lock().is_some() {
            let (user, id) = (self.session.caller.actor.as_str(), self.connection.id);
            let found: Arc<dyn Replaceable> = Arc::clone(self) as _;
            let users = &self.connection.registry.users;
            users.add(user, id, Arc::downgrade(&found));
        }
    }

    /// Counts no longer among the connections of the user.
    pub(super) fn give_up_place(&self) {
        if let Some(place) = self.place.lock().take() {
            let (user, id) = (self.session.caller.actor.as_str(), self.connection.id);
            self.connection.registry.users.remove(user, id);
            drop(place);
        }
    }

    /// Lets events through.
    pub(crate) fn open(&self) {
        self.was_greeted.store(true, Ordering::Release);
        self.is_open.store(true, Ordering::Release);
        self.connection.queue.wake_all();
    }

    /// Keeps events back until [`SessionSubscriber::open`]: the answer to a subscription comes before its events.
    pub(crate) fn hold(&self) {
        // No event that is on its way in may slip by.
        let _intake = self.connection.queue.intake();
        self.is_open.store(false, Ordering::Release);
    }

    /// Subscribes the session to all of the channels, or to none.
    pub(crate) async fn subscribe(self: &Arc<Self>, wish: Subscribe) -> Reply {
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        // Boxed, because it is large.
        Box::pin(self.session.subscribe_all(wish, &subscriber)).await
    }

    /// Serves a request in the session.
    pub(crate) async fn run(self: &Arc<Self>, request: Request) -> Outcome {
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        self.session.run(request, &subscriber).await
    }

    /// Takes up the subscriptions of a cursor. Nothing is told before [`SessionSubscriber::open`].
    ///
    /// # Errors
    ///
    /// Fails when it cannot be found out now what was missed.
    pub(crate) async fn resume(self: &Arc<Self>, cursor: &str) -> Result<Resumed, SubscribeError> {
        self.connection.registry.traffic.resumed.count();
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        let resumed = self.session.resume(cursor, &subscriber).await?;
        for channel in &resumed.channels {
            self.settle_room(channel);
        }
        tracing::debug!(
            connection.id = %self.connection.id,
            channels = resumed.channels.len(),
            resets = resumed.resets.len(),
            "resumed"
        );
        Ok(resumed)
    }

    /// Tells the client of a project that it has made, which others hear who have subscribed to it or to the list.
    pub(super) async fn tell_founded(&self, project: &ProjectId, reply: &Reply) {
        let door = &self.connection.door;
        if !door.hears_itself(&project.channel()) {
            return;
        }
        let Some(event) = self.session.founding(project, reply).await else {
            return;
        };
        let told = self.connection.push(event.payload.get().len(), |out| {
            let cursor = self.session.rooms.cursor();
            door.event(out, self.session.style, &event, &cursor)
        });
        told.await;
    }

    /// Tells the client a page of a list for which it has asked: over what it sent stands what there is.
    pub(super) async fn tell_list(&self, wish: &ListRequest, reply: &Reply) {
        let mut said = JsonObject::from(wish.echo.clone());
        said.extend(&reply.object().without(&ONLY_IN_ANSWERS));
        let payload = said.to_raw();
        let project = reply.get("projectId").and_then(|id| Id::from_json(id).ok());
        let channel = match project {
            Some(id) => ProjectId(id).channel(),
            None => ChannelName::list_of_projects(),
        };
        let bytes = payload.get().len();
        let list = Signal {
            signal_type: wish.event_type(),
            payload: payload.into(),
            origin: None,
            lasting: None,
        };
        let (door, style) = (&self.connection.door, self.session.style);
        let told = self
            .connection
            .push(bytes, |out| door.list(out, style, &channel, &list));
        told.await;
    }

    /// The cursor, once nothing is to be told before events. The caller keeps the intake, so that none comes in between.
    pub(crate) fn cursor_if_open(&self) -> Option<String> {
        self.is_open().then(|| self.session.rooms.cursor())
    }

    /// Whether the client was greeted, so that anything else may follow.
    pub(crate) fn was_greeted(&self) -> bool {
        self.was_greeted.load(Ordering::Acquire)
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Tells that the client was turned out of a channel, in the place of the event that did so.
    fn tell_revoked(&self, out: &mut Out<'_, D>, event: &Event) -> Offer {
        // As the client wrote the project's id: its channel has lost whether that was a number.
        let target = match self.session.rooms.project(&event.channel) {
            Some(project) => Target::project(&project),
            None => Target::from(event.channel.clone()),
        };
        let (event_type, said) = Session::revoked(&target, RevokedReason::Removed, Some(event.seq));
        let notice = Notice::new(event_type, &said);
        let cursor = self.session.rooms.cursor_without(&event.channel);
        if !out.has_room(Kind::Event, notice.bytes() + cursor.len()) {
            return Offer::Full;
        }
        let door = &self.connection.door;
        let told = door.notice(out, self.session.style, &notice, Some(&cursor));
        if told == Offer::Taken {
            self.session.rooms.uncover(&event.channel);
        }
        told
    }

    /// Tells a client where it stands that was told nothing for long, because it wanted none of the events: it would else
    /// come back to the first of them. If there is no room it is told later.
    fn tell_overdue_cursor(&self, out: &mut Out<'_, D>) {
        let door = &self.connection.door;
        if !door.takes_cursors() || !out.has_room(Kind::Signal, 0) {
            return;
        }
        if let Some(cursor) = self.session.rooms.overdue_cursor() {
            let style = self.session.style;
            if door.notice(out, style, &Notice::cursor(), Some(&cursor)) != Offer::Taken {
                tracing::debug!(connection.id = %self.connection.id, "no room for a cursor");
            }
        }
    }

    /// Tells a client where it stands after an event that does not show it: now, or when it was not told for a while.
    fn tell_cursor_after_event(&self, out: &mut Out<'_, D>, cursor: &str) {
        let has_room = out.has_room(Kind::Signal, cursor.len());
        let due = self.cursor_pace.lock().event(Instant::now(), has_room);
        let at = match due {
            Due::Pending => return,
            Due::At(at) => at,
            Due::Now => {
                let (door, style) = (&self.connection.door, self.session.style);
                // The queue may be full of what is not ours: then the next event is followed by a cursor.
                door.notice(out, style, &Notice::cursor(), Some(cursor));
                return;
            }
        };
        let connection = Arc::downgrade(&self.connection);
        self.connection.app().lifecycle().spawn_service(async move {
            tokio::time::sleep_until(at).await;
            let Some(subscriber) = connection.upgrade().and_then(|found| found.subscriber()) else {
                return;
            };
            subscriber.cursor_pace.lock().begin(Instant::now());
            subscriber.tell_cursor().await;
        });
    }

    /// Hands events over, and lets them leave together: how many were taken, and what became of the next one.
    fn hand_over<'a>(&self, events: impl Iterator<Item = &'a Event>) -> (usize, Offer) {
        let mut out = self.connection.queue.intake();
        let mut cursor = CURSOR.take();
        let (mut taken, mut written) = (0, 0);
        let mut offered = Offer::Taken;
        let mut revoked = None;
        for event in events {
            let handed = self.hand(&mut out, event, &mut cursor);
            written += u64::from(handed == Handed::Written);
            match handed {
                Handed::Written | Handed::Unwanted => taken += 1,
                Handed::Refused(refused) => offered = refused,
                Handed::Revoked => (offered, revoked) = (Offer::Gone, Some(&event.channel)),
            }
            if offered != Offer::Taken {
                break;
            }
        }
        drop(out);
        CURSOR.set(cursor);
        self.connection.note_written(written);
        if let Some(channel) = revoked {
            self.session.expel(channel, RevokedReason::Removed);
            if self.connection.door.is_over(&self.session) {
                self.connection.finish(Close::Normal, "access_revoked");
            }
        }
        (taken, offered)
    }

    /// Hands one event over.
    fn hand(&self, out: &mut Out<'_, D>, event: &Event, cursor: &mut String) -> Handed {
        let (door, style) = (&self.connection.door, self.session.style);
        if out.is_closed() {
            return Handed::Refused(Offer::Gone);
        }
        if self.session.apply_membership(event) {
            door.settle_room(out, &event.channel, false);
        }
        if !self.is_open() || !out.has_room(Kind::Event, event.payload.get().len()) {
            return Handed::Refused(Offer::Full);
        }
        let done = || {
            let connection = Arc::clone(&self.connection);
            Box::new(move || connection.queue.wake_all()) as Box<dyn FnOnce() + Send>
        };
        let Some(hears) = self.session.hears(event, done) else {
            return Handed::Refused(Offer::Full);
        };
        match self.session.rooms.deliver(event, hears, cursor) {
            Delivery::Told => {}
            Delivery::Skipped => {
                self.tell_overdue_cursor(out);
                return Handed::Unwanted;
            }
            Delivery::Wait => return Handed::Refused(Offer::Full),
            Delivery::Gone => return Handed::Refused(Offer::Gone),
            Delivery::Revoked => {
                return match self.tell_revoked(out, event) {
                    Offer::Full => Handed::Refused(Offer::Full),
                    _ => Handed::Revoked,
                };
            }
        }
        if self.is_own(event.origin) && !door.hears_itself(event.subject()) {
            return Handed::Unwanted;
        }
        match door.event(out, style, event, cursor) {
            Offer::Taken => {
                if !door.shows_cursors() {
                    self.tell_cursor_after_event(out, cursor);
                }
                Handed::Written
            }
            refused => {
                if refused == Offer::Full {
                    self.session.rooms.not_told(event);
                }
                Handed::Refused(refused)
            }
        }
    }

    fn is_own(&self, origin: Option<ConnectionId>) -> bool {
        origin == Some(self.connection.id)
    }
}

impl<D: Door> Subscriber for SessionSubscriber<D> {
    fn offer(&self, event: &Event) -> Offer {
        let (_, offered) = self.hand_over([event].into_iter());
        offered
    }

    fn offer_all(&self, events: &[Arc<Event>]) -> (usize, Offer) {
        self.hand_over(events.iter().map(Arc::as_ref))
    }

    fn replayed(&self, bytes: usize) {
        self.session.charge_read(bytes);
    }

    fn signal(&self, channel: &ChannelName, signal: &Signal) -> Offer {
        let door = &self.connection.door;
        let is_heard = match &signal.lasting {
            // Presence is for those who look.
            Some(lasting) => self.session.rooms.is_news(channel, lasting),
            None => door.hears_signals(),
        };
        if self.is_own(signal.origin) || !is_heard {
            return Offer::Taken;
        }
        let mut out = self.connection.queue.intake();
        if out.is_closed() {
            return Offer::Gone;
        }
        if !self.is_open() || !out.has_room(Kind::Signal, signal.payload.get().len()) {
            return Offer::Full;
        }
        match self.session.rooms.hears(channel) {
            Some(true) => {}
            Some(false) => return Offer::Full,
            None => return Offer::Gone,
        }
        if !self.session.rooms.wants(channel, &signal.signal_type) {
            return Offer::Taken;
        }
        let told = door.signal(&mut out, self.session.style, channel, signal);
        self.connection.note_sent(told);
        told
    }

    fn taken(&self) -> u64 {
        self.connection.queue.left()
    }

    fn wake_when_writable(&self, wake: &Wake) {
        let holds = || {
            let session = &self.session;
            !self.is_open() || session.rooms.is_holding() || session.is_looking_up()
        };
        self.connection.queue.wake_when_writable(wake, holds);
    }

    fn close(&self, reason: &'static str) {
        self.connection.abort(Close::TryAgain, reason);
    }
}

impl<D: Door> Replaceable for SessionSubscriber<D> {
    fn replace(&self) {
        self.give_up_place();
        self.connection.replace();
    }
}

impl<D: Door> Expiring for SessionSubscriber<D> {
    fn id(&self) -> ConnectionId {
        self.connection.id
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.session.identity()
    }

    fn is_gone(&self) -> bool {
        self.connection.is_gone()
    }

    fn warn(self: Arc<Self>, expires_at: Timestamp) {
        if D::REFRESHES {
            self.tell_expiring(expires_at);
        }
    }

    fn end(&self, reason: &'static str) {
        let close = Close::Refused(ErrorCode::Unauthenticated);
        self.connection.finish(close, reason);
    }
}
