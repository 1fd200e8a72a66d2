//! One client that listens: what it is told, and how it comes to its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::frame::{self, Form};
use super::streams::Streams;
use super::take_up::{Notice, REVOKED, said_of};
use super::wish::Manner;
use crate::domain::{ChannelName, ConnectionId, Event, Identity, Signal, Timestamp};
use crate::hub::{Offer, Subscriber, Wake};
use crate::session::{Delivery, Revoked, Session};
use crate::transport::hangup::Hangup;
use crate::transport::outlet::{Intake, Kind, Outlet};
use crate::transport::tenure::{Tenant, Tenure};

/// How long others wait for a client to take a state.
const TURN: Duration = Duration::from_secs(1);
/// A client that takes nothing for so long will not take more.
const STALLED: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Listener {
    pub(super) session: Session,
    pub(super) outlet: Outlet<Bytes>,
    form: Form,
    signals: bool,
    /// The channels that were asked for.
    channels: Vec<ChannelName>,
    /// Whether events may follow: not before the resets.
    welcomed: AtomicBool,
    /// Whether the cursor has moved since the client was told one.
    moved: AtomicBool,
    tenure: Tenure,
    hangup: Option<Hangup>,
    began: Instant,
    /// Tells that nobody writes to the client any more.
    gone: CancellationToken,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("connection", &self.session.caller.connection)
            .finish_non_exhaustive()
    }
}

impl Listener {
    pub(super) fn new(
        session: Session,
        channels: Vec<ChannelName>,
        manner: Manner,
        tenure: Tenure,
        hangup: Option<Hangup>,
    ) -> Self {
        Self {
            form: Form {
                style: session.style,
                named: manner.named,
            },
            signals: manner.signals,
            outlet: Outlet::default(),
            channels,
            welcomed: AtomicBool::new(false),
            moved: AtomicBool::new(false),
            tenure,
            hangup,
            began: Instant::now(),
            gone: CancellationToken::new(),
            session,
        }
    }

    pub(super) fn connection(&self) -> ConnectionId {
        self.session.caller.connection
    }

    /// Lets events follow at once.
    pub(super) fn welcome(&self) {
        {
            let mut intake = self.outlet.intake();
            intake.push(frame::opening(Some(&self.session.cursor())));
            self.welcomed.store(true, Ordering::Release);
        }
        self.outlet.wake_all();
    }

    /// Tells first what was reset, and then lets events follow. Only the last notice carries a cursor, which covers all of
    /// them: a client that is cut off in between is told all anew.
    pub(super) async fn start_over(&self, notices: Vec<Notice>, turns: &Semaphore) {
        self.outlet
            .push(Kind::Answer, || frame::opening(None))
            .await;
        let last = notices.len().saturating_sub(1);
        for (index, notice) in notices.into_iter().enumerate() {
            // Each client has a copy of the state until it has taken it.
            let _turn = turns.acquire().await;
            let made = || {
                let cursor = (index == last).then(|| self.session.cursor());
                frame::notice(notice.name, &notice.said, cursor.as_deref())
            };
            if !self.outlet.push(Kind::Answer, made).await {
                return;
            }
            if timeout(TURN, self.outlet.drained()).await.is_err() {
                tracing::debug!(connection.id = %self.connection(), "a reset is taken slowly");
            }
        }
        self.welcomed.store(true, Ordering::Release);
        self.outlet.wake_all();
    }

    /// A sign of life, unless there is more to be told.
    pub(super) fn keep_alive(&self) -> Option<Bytes> {
        // Nobody else puts an event in meanwhile, which the cursor would cover.
        let intake = self.outlet.intake();
        if intake.is_waiting() {
            return None;
        }
        let moved = self.is_welcome() && self.moved.swap(false, Ordering::Relaxed);
        let cursor = moved.then(|| self.session.cursor());
        Some(frame::keep_alive(cursor.as_deref()))
    }

    /// Ends once what waits has been taken. Returns when that is so, or the client takes nothing.
    pub(super) async fn finish(&self, reason: &'static str) {
        self.outlet.finish(reason);
        loop {
            let taken = self.outlet.taken();
            if timeout(STALLED, self.gone.cancelled()).await.is_ok() {
                return;
            }
            if self.outlet.taken() == taken {
                return;
            }
        }
    }

    /// Ends at once.
    pub(super) fn cut(&self, reason: &'static str) {
        self.outlet.close(reason);
        if let Some(hangup) = &self.hangup {
            hangup.hang_up();
        }
    }

    /// Notes that the client has gone.
    fn let_go(&self) {
        self.outlet.close("client_gone");
        self.session.close();
        self.tenure.forget(self.connection());
        tracing::info!(
            connection.id = %self.connection(),
            actor = self.session.caller.actor.as_str(),
            reason = self.outlet.reason(),
            messages = self.outlet.taken(),
            duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "event stream ended"
        );
        self.gone.cancel();
    }

    fn is_welcome(&self) -> bool {
        self.welcomed.load(Ordering::Acquire)
    }

    /// Tells that a channel may not be heard any more, in the place of the event by which that is so.
    fn turn_out(&self, intake: &mut Intake<'_, Bytes>, event: &Event) {
        let said = said_of(&event.channel, Some(event.seq));
        let cursor = self.session.cursor_without(&event.channel);
        intake.push(frame::notice(REVOKED, &said, Some(&cursor)));
        self.session.uncover(&event.channel);
    }

    fn hears_nothing(&self) -> bool {
        let mut channels = self.channels.iter();
        !channels.any(|channel| self.session.has_joined(channel))
    }
}

impl Subscriber for Listener {
    fn offer(&self, event: &Event) -> Offer {
        let mut intake = self.outlet.intake();
        if intake.is_closed() {
            return Offer::Gone;
        }
        if self.session.heed(event) {
            tracing::trace!(channel = %event.channel, "not to be heard any more");
        }
        if !self.is_welcome() || !intake.has_room(Kind::Event) {
            return Offer::Full;
        }
        match self.session.deliver(event) {
            Delivery::Told(cursor) => {
                intake.push(self.form.event(event, &cursor));
                self.moved.store(false, Ordering::Relaxed);
                Offer::Taken
            }
            Delivery::Skipped => {
                self.moved.store(true, Ordering::Relaxed);
                Offer::Taken
            }
            Delivery::Wait => Offer::Full,
            Delivery::Gone => Offer::Gone,
            Delivery::Revoked => {
                self.turn_out(&mut intake, event);
                drop(intake);
                self.session.expel(&event.channel, Revoked::Removed);
                if self.hears_nothing() {
                    // A browser comes back, is refused, and stops.
                    self.outlet.finish(REVOKED.as_str());
                }
                Offer::Gone
            }
        }
    }

    fn signal(&self, channel: &ChannelName, signal: &Signal) -> Offer {
        if !self.signals || !self.session.wants(channel, &signal.signal_type) {
            return Offer::Taken;
        }
        let mut intake = self.outlet.intake();
        if intake.is_closed() {
            return Offer::Gone;
        }
        if !self.is_welcome() || !intake.has_room(Kind::Signal) {
            return Offer::Full;
        }
        match self.session.hears(channel) {
            Some(true) => intake.push(self.form.signal(channel, signal)),
            Some(false) => return Offer::Full,
            None => return Offer::Gone,
        }
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        self.outlet.taken()
    }

    fn wake_when_writable(&self, wake: &Wake) {
        let holds = || !self.is_welcome() || self.session.is_holding();
        self.outlet.wake_when_writable(wake, holds);
    }

    fn close(&self, reason: &'static str) {
        tracing::info!(connection.id = %self.connection(), reason, "closing an event stream");
        self.cut(reason);
    }
}

impl Tenant for Listener {
    fn connection(&self) -> ConnectionId {
        Self::connection(self)
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.session.identity()
    }

    fn is_gone(&self) -> bool {
        self.outlet.is_closed()
    }

    /// There is no way to show a newer token: the client opens another stream with it, from its last id.
    fn warn(self: Arc<Self>, _: Timestamp) {}

    fn end(&self, reason: &'static str) {
        self.outlet.close(reason);
    }
}

/// A client's stay, which ends when this is dropped: with the body of its answer, or before there is one.
#[derive(Debug)]
pub(super) struct Stay<K> {
    pub(super) listener: Arc<Listener>,
    streams: Streams,
    /// What counts it.
    _kept: K,
}

impl<K> Stay<K> {
    pub(super) fn new(listener: Arc<Listener>, streams: Streams, kept: K) -> Self {
        Self {
            listener,
            streams,
            _kept: kept,
        }
    }
}

impl<K> Drop for Stay<K> {
    fn drop(&mut self) {
        self.streams.remove(self.listener.connection());
        self.listener.let_go();
    }
}
