//! One subscriber of a feed: how far it has been told, and how long it may have no room.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::pending_signals::PendingSignals;
use super::{Subscriber, Wake};
use crate::domain::{ChannelName, Event, Seq, Signal};

pub(super) struct Subscription {
    pub(super) id: u64,
    pub(super) subscriber: Arc<dyn Subscriber>,
    /// The last seq that was handed over.
    pub(super) position: Seq,
    /// The seq up to which events had happened when it came.
    pub(super) replays_up_to: Seq,
    /// Nothing is offered until it is woken.
    pub(super) waiting: bool,
    pub(super) pending: PendingSignals,
    blocked: Option<Blocked>,
}

struct Blocked {
    /// Since when it has had no room and taken nothing.
    since: Instant,
    /// What it had taken by then.
    taken: u64,
}

impl Subscription {
    pub(super) fn new(id: u64, subscriber: Arc<dyn Subscriber>, position: Seq) -> Self {
        Self {
            id,
            subscriber,
            position,
            replays_up_to: position,
            waiting: false,
            pending: PendingSignals::default(),
            blocked: None,
        }
    }

    /// Notes that events were handed over, if there are any.
    pub(super) fn told(&mut self, events: &[Arc<Event>]) {
        let Some(last) = events.last() else { return };
        self.position = last.seq;
        self.blocked = None;
        let replayed = events
            .iter()
            .take_while(|event| event.seq <= self.replays_up_to);
        let bytes = replayed.map(|event| event.payload.get().len()).sum();
        if bytes > 0 {
            self.subscriber.replayed(bytes);
        }
    }

    /// Notes that there was no room for an event.
    pub(super) fn block(&mut self) {
        self.waiting = true;
        self.blocked.get_or_insert_with(|| Blocked {
            since: Instant::now(),
            taken: self.subscriber.taken(),
        });
    }

    /// Tells it a signal, unless there are events that it was not told yet.
    pub(super) fn signal(
        &mut self,
        head: Seq,
        channel: &ChannelName,
        signal: &Arc<Signal>,
        wake: &Wake,
    ) {
        if self.position < head {
            self.pending.keep(signal);
        } else {
            let subscriber = &*self.subscriber;
            self.pending.tell(subscriber, channel, signal, wake);
        }
    }

    /// Tells it the signals that it missed, unless there are events that it was not told yet.
    pub(super) fn catch_up(&mut self, head: Seq, channel: &ChannelName, wake: &Wake) {
        if self.position >= head {
            self.pending.catch_up(&*self.subscriber, channel, wake);
        }
    }

    /// Whether it has taken something since there was no room.
    pub(super) fn has_taken(&self) -> bool {
        let taken = self.subscriber.taken();
        self.blocked
            .as_ref()
            .is_none_or(|blocked| blocked.taken != taken)
    }

    /// Whether it has taken nothing at all for so long. One that takes its answers is no slow reader, even if
    /// they leave no room for events.
    pub(super) fn is_stuck(&mut self, patience: Duration) -> bool {
        let Some(blocked) = &mut self.blocked else {
            return false;
        };
        let taken = self.subscriber.taken();
        if taken != blocked.taken {
            let since = Instant::now();
            *blocked = Blocked { since, taken };
        }
        blocked.since.elapsed() > patience
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use serde_json::value::to_raw_value;

    use super::*;
    use crate::domain::{Actor, ChannelNo, EventId, EventType, Timestamp};
    use crate::hub::Offer;

    /// It never has room for an event.
    #[derive(Debug, Default)]
    struct Full {
        taken: AtomicU64,
        replayed: AtomicUsize,
    }

    fn event(seq: Seq) -> Arc<Event> {
        Arc::new(Event {
            channel: ChannelName::restore("project:p"),
            channel_no: ChannelNo(1),
            seq,
            id: EventId::generate(),
            source: None,
            event_type: EventType::known("task.updated"),
            payload: to_raw_value(&seq).unwrap().into(),
            actor: Actor::new("ann"),
            envelope: None,
            created_at: Timestamp::from_millis(0),
            origin: None,
        })
    }

    #[test]
    fn events_from_before_the_subscription_are_replayed_and_later_ones_are_not() {
        let full = Arc::new(Full::default());
        let mut slot = Subscription::new(1, Arc::clone(&full) as Arc<dyn Subscriber>, 0);
        slot.replays_up_to = 2;
        for seq in 1..=5 {
            slot.told(&[event(seq)]);
        }
        assert_eq!(full.replayed.load(Ordering::Relaxed), 2);
    }

    impl Subscriber for Full {
        fn offer(&self, _: &Event) -> Offer {
            Offer::Full
        }

        fn signal(&self, _: &ChannelName, _: &Signal) -> Offer {
            Offer::Full
        }

        fn taken(&self) -> u64 {
            self.taken.load(Ordering::Relaxed)
        }

        fn replayed(&self, bytes: usize) {
            self.replayed.fetch_add(bytes, Ordering::Relaxed);
        }

        fn wake_when_writable(&self, _: &Wake) {}

        fn close(&self, _: &'static str) {}
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_takes_nothing_at_all_is_stuck() {
        const PATIENCE: Duration = Duration::from_mins(1);
        let full = Arc::new(Full::default());
        let mut slot = Subscription::new(1, Arc::clone(&full) as Arc<dyn Subscriber>, 0);
        assert!(!slot.is_stuck(PATIENCE), "it was never offered anything");
        for _ in 0..3 {
            slot.block();
            tokio::time::advance(PATIENCE * 2 / 3).await;
            full.taken.fetch_add(1, Ordering::Relaxed);
            assert!(!slot.is_stuck(PATIENCE), "it takes other things");
        }
        tokio::time::advance(PATIENCE).await;
        assert!(!slot.is_stuck(PATIENCE));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(slot.is_stuck(PATIENCE));
        slot.told(&[event(1)]);
        assert!(!slot.is_stuck(PATIENCE));
    }
}
