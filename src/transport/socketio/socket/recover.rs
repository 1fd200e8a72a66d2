//! Coming back: a client goes on where it was when its last connection ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::{IoSocket, Socket};
use crate::domain::PrivateId;
use crate::hub::{SubscribeError, Subscriber};
use crate::session::Reset;
use crate::store::StoreError;
use crate::telemetry::causes;

/// How long others wait for a client to take a state.
const TURN: Duration = Duration::from_secs(1);

impl Socket {
    /// Takes up the subscriptions of a cursor. Nothing is told before [`Socket::welcome`]. What the client must be told
    /// first, because it does not get all that it missed.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be found out now what was missed.
    pub(in super::super) async fn resume(
        this: &Arc<Self>,
        cursor: &str,
    ) -> Result<Vec<Reset>, SubscribeError> {
        let subscriber = Arc::clone(this) as Arc<dyn Subscriber>;
        // Well before socketioxide loses its own patience: its farewell keeps Python clients from coming back.
        let patience = this.app.config().connect_timeout / 2;
        let resumed = timeout(patience, this.session.resume(cursor, &subscriber)).await;
        let late = |late: Elapsed| SubscribeError::Store(StoreError::Unavailable(late.into()));
        let resumed = resumed.map_err(late)??;
        for channel in &resumed.channels {
            this.settle_room(channel);
        }
        tracing::debug!(
            connection.id = %this.session.caller.connection,
            channels = resumed.channels.len(),
            resets = resumed.resets.len(),
            "resumed"
        );
        Ok(resumed.resets)
    }

    /// Lets the client know who it is, so that it can come back.
    pub(in super::super) fn give_pid(&self, pid: PrivateId) {
        if self.recoverable {
            self.meter.give_pid(pid);
        }
    }

    /// Tells a client that is connected now what was reset, and then lets events through. What it asks for waits until
    /// then: the answer to a join comes with a cursor, which covers what was reset.
    pub(in super::super) async fn welcome(self: &Arc<Self>, resets: &[Reset], turns: &Semaphore) {
        match self.tell_resets(resets, turns).await {
            Ok(()) => {
                self.welcomed.store(true, Ordering::Release);
                self.meter.wake_all();
            }
            Err(error) => {
                let error = causes(&error);
                tracing::debug!(%error, "a client cannot go on now");
                self.end();
            }
        }
        if !self.rest() {
            self.start_pump();
        }
    }

    async fn tell_resets(
        self: &Arc<Self>,
        resets: &[Reset],
        turns: &Semaphore,
    ) -> Result<(), SubscribeError> {
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        let last = resets.len().saturating_sub(1);
        for (index, reset) in resets.iter().enumerate() {
            // Each client has a copy of the state until it has taken it.
            let _turn = turns.acquire().await;
            if self.is_gone() {
                break;
            }
            let (event_type, said) = self.session.start_over(reset, &subscriber).await?;
            if let Reset::Project { project, .. } = reset {
                // They may have been turned out before it was their turn.
                self.settle_room(&project.channel());
            }
            let name = self.session.style.name(&event_type);
            let payload = said.to_raw();
            // It covers all of them: a client that is cut off in between has the old one, and is told all anew.
            let cursor = (index == last).then(|| self.session.cursor());
            let bytes = payload.get().len();
            self.session.charge_read(bytes);
            let emit = |socket: &IoSocket| match &cursor {
                Some(cursor) => socket.emit(&name, &(&payload, cursor)),
                None => socket.emit(&name, &payload),
            };
            self.send(bytes, emit).await;
            if timeout(TURN, self.drained()).await.is_err() {
                tracing::debug!(connection.id = %self.session.caller.connection, "a reset is taken slowly");
            }
        }
        Ok(())
    }

    pub(super) fn is_welcome(&self) -> bool {
        self.welcomed.load(Ordering::Acquire)
    }
}
