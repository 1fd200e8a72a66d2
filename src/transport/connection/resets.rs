//! Sends notices, and the resets of a client that missed more than the log keeps.
//!
//! No cursor leaves before the last reset that it covers: a client that is cut off in between comes back with the cursor
//! that it had, and is told of all resets again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::door::Door;
use super::notice::{Missed, Notice};
use super::send_queue::SendQueue;
use super::subscriber::SessionSubscriber;
use crate::domain::{ChannelName, Seq, Target, Timestamp};
use crate::hub::{Offer, SubscribeError, Subscriber};
use crate::session::{Reset, RevokedReason, Session};

/// How long other clients wait for one to take a reset.
const TURN: Duration = Duration::from_secs(1);
/// How long a client may take what it missed before a state takes its place.
const CATCH_UP: Duration = Duration::from_secs(10);

impl<D: Door> SessionSubscriber<D> {
    /// Tells something once there is room for it, with the cursor as it is then if `with_cursor`. Whether it was told.
    pub(crate) async fn tell(&self, notice: &Notice, with_cursor: bool) -> bool {
        let bytes = notice.bytes();
        let told = self.connection.push(bytes, |out| {
            let cursor = with_cursor.then(|| self.session.rooms.cursor());
            let door = &self.connection.door;
            door.notice(out, self.session.style, notice, cursor.as_deref())
        });
        told.await == Offer::Taken
    }

    /// Tells a client where it stands, which it may come back with: it may be told of no event for long.
    pub(crate) async fn tell_cursor(&self) {
        if self.connection.door.takes_cursors() {
            self.tell(&Notice::cursor(), true).await;
        }
    }

    /// Tells a client what it cannot hear any more with the token that it has shown last.
    pub(crate) async fn tell_lost(&self, targets: &[Target]) {
        for target in targets {
            self.settle_room(&target.channel);
            let (event_type, said) = Session::revoked(target, RevokedReason::Token, None);
            let notice = Notice::new(event_type, &said);
            self.tell(&notice, true).await;
        }
    }

    /// Warns a client that its token expires. The warning waits for room on its own.
    pub(super) fn tell_expiring(self: Arc<Self>, expires_at: Timestamp) {
        let lifecycle = self.connection.app().lifecycle().clone();
        lifecycle.spawn(async move {
            let told = self.connection.push(0, |out| {
                let (door, style) = (&self.connection.door, self.session.style);
                door.notice(out, style, &Notice::expiring(expires_at), None)
            });
            told.await;
        });
    }

    /// Tells a client what it missed, and then lets events through. Clients take turns: each has a copy of the state until
    /// it has taken it.
    ///
    /// # Errors
    ///
    /// Fails when a state cannot be read now.
    pub(crate) async fn tell_missed(
        self: &Arc<Self>,
        missed: &[Missed],
    ) -> Result<(), SubscribeError> {
        let last = missed.len().saturating_sub(1);
        for (index, missed) in missed.iter().enumerate() {
            let _turn = self.connection.registry.reset_turns.acquire().await;
            if self.connection.is_gone() {
                break;
            }
            let notice = self.notice_of(missed).await?;
            self.session.charge_read(notice.bytes());
            self.tell(&notice, index == last).await;
            let drained = self.connection.queue.drained();
            if timeout(TURN, drained).await.is_err() {
                tracing::debug!(connection.id = %self.connection.id, "a reset is taken slowly");
            }
        }
        self.open();
        Ok(())
    }

    async fn notice_of(self: &Arc<Self>, missed: &Missed) -> Result<Notice, SubscribeError> {
        let reset = match missed {
            Missed::Known(event_type, said) => return Ok(Notice::new(event_type.clone(), said)),
            Missed::Reset(reset) => reset,
        };
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        let (event_type, said) = self.session.start_over(reset, &subscriber).await?;
        if let Reset::Project { project, .. } = reset {
            // The client may have been turned out before it was its turn.
            self.settle_room(&project.channel());
        }
        Ok(Notice::new(event_type, &said))
    }

    /// Lets channels' events follow the states that have just been sent.
    pub(crate) async fn release(&self, channels: &[ChannelName]) {
        let mut were_held = false;
        for channel in channels {
            were_held |= self.session.rooms.release(channel);
        }
        // Others may have waited only until it was certain that the client may hear them.
        self.connection.queue.wake_all();
        if were_held {
            self.tell_cursor().await;
        }
    }

    /// Tells a client that comes back what it missed of a channel up to the seq of a state, and keeps back everything else. Whether
    /// the client has taken it: the state can be said now, and nothing is missing or told twice.
    pub(crate) async fn catch_up(&self, channel: &ChannelName, seq: Seq) -> bool {
        let rooms = &self.session.rooms;
        rooms.stop_after(channel, seq);
        self.open();
        let told = async {
            loop {
                let mut stopping = std::pin::pin!(rooms.stopping());
                stopping.as_mut().enable();
                if self.has_stopped(channel) {
                    return;
                }
                stopping.await;
            }
        };
        let caught_up = timeout(CATCH_UP, told).await.is_ok();
        self.hold();
        rooms.go_on(channel);
        caught_up
    }

    fn has_stopped(&self, channel: &ChannelName) -> bool {
        // What is on its way in may find no room yet, and does not count as told then.
        let _intake = self.connection.queue.intake();
        self.connection.is_gone() || self.session.rooms.has_stopped(channel)
    }

    /// Brings the door's room of a channel in line with the session.
    pub(crate) fn settle_room(&self, channel: &ChannelName) {
        let mut out = self.connection.queue.intake();
        let is_joined = self.session.rooms.contains(channel);
        self.connection
            .door
            .settle_room(&mut out, channel, is_joined);
    }
}
