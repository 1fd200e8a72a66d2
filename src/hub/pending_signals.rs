//! Signals that found no room with a subscriber and must not get lost, until there is room again.
//!
//! What was said of somebody before is left out once it does not matter any more, so that a subscriber who takes
//! nothing holds back little.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Offer, Subscriber, Wake};
use crate::domain::{ChannelName, Signal};

/// Signals that are held back; beyond that the oldest are lost.
const MAX_PENDING: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PendingSignals {
    signals: VecDeque<Arc<Signal>>,
    /// Nothing is tried until there is room again.
    pub(super) waiting: bool,
}

impl PendingSignals {
    /// Tells a subscriber a signal, or keeps it for later if it must not get lost.
    pub(super) fn tell(
        &mut self,
        subscriber: &dyn Subscriber,
        channel: &ChannelName,
        signal: &Arc<Signal>,
        wake: &Wake,
    ) {
        if signal.lasting.is_none() {
            subscriber.signal(channel, signal);
            return;
        }
        if self.signals.is_empty() && subscriber.signal(channel, signal) != Offer::Full {
            return;
        }
        self.keep(signal);
        self.catch_up(subscriber, channel, wake);
    }

    /// Tells what was missed, as far as there is room.
    pub(super) fn catch_up(
        &mut self,
        subscriber: &dyn Subscriber,
        channel: &ChannelName,
        wake: &Wake,
    ) {
        while let (false, Some(signal)) = (self.waiting, self.signals.front()) {
            if subscriber.signal(channel, signal) == Offer::Full {
                self.waiting = true;
                subscriber.wake_when_writable(wake);
            } else {
                self.signals.pop_front();
            }
        }
        if self.signals.is_empty() && self.signals.capacity() > 0 {
            self.signals = VecDeque::new();
        }
    }

    /// Keeps a signal for later if it must not get lost.
    pub(super) fn keep(&mut self, signal: &Arc<Signal>) {
        let Some(lasting) = &signal.lasting else {
            return;
        };
        self.signals.retain(|pending| {
            let of_same = pending.lasting.as_ref();
            let of_same = of_same.filter(|pending| pending.of == lasting.of);
            // What is news to fewer stands in for nothing that others are still to be told.
            let is_covered = of_same.is_some_and(|pending| {
                lasting.known.start <= pending.known.start && pending.known.end <= lasting.known.end
            });
            !is_covered || !(lasting.is_end || pending.signal_type == signal.signal_type)
        });
        if self.signals.len() >= MAX_PENDING {
            self.signals.pop_front();
        }
        self.signals.push_back(Arc::clone(signal));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::value::to_raw_value;
    use tokio::sync::Notify;

    use super::*;
    use crate::domain::{Actor, Event, EventType, Lasting};

    /// It has room for so many signals.
    #[derive(Debug, Default)]
    struct Reader {
        told: Mutex<Vec<String>>,
        room: Mutex<usize>,
    }

    impl Subscriber for Reader {
        fn offer(&self, _: &Event) -> Offer {
            Offer::Full
        }

        fn signal(&self, _: &ChannelName, signal: &Signal) -> Offer {
            let mut room = self.room.lock().unwrap();
            if *room == 0 {
                return Offer::Full;
            }
            *room -= 1;
            let mut told = self.told.lock().unwrap();
            told.push(signal.signal_type.as_str().to_owned());
            Offer::Taken
        }

        fn taken(&self) -> u64 {
            0
        }

        fn wake_when_writable(&self, wake: &Wake) {
            wake.notify_one();
        }

        fn close(&self, _: &'static str) {}
    }

    fn channel() -> ChannelName {
        ChannelName::restore("project:p")
    }

    fn signal(name: &'static str, of: Option<&str>) -> Arc<Signal> {
        let lasting = of.map(|of| Lasting {
            of: Actor::new(of),
            is_end: name == "leave",
            was: None,
            known: 0..1,
        });
        Arc::new(Signal {
            signal_type: EventType::known(name),
            payload: to_raw_value(&()).unwrap().into(),
            origin: None,
            lasting,
        })
    }

    #[test]
    fn what_must_not_get_lost_is_told_later_and_in_order() {
        let (reader, mut pending) = (Reader::default(), PendingSignals::default());
        let wake = Arc::new(Notify::new());
        *reader.room.lock().unwrap() = 1;
        for (name, of) in [
            ("join", Some("ann")),
            ("join", Some("ben")),
            ("typing", None),
            ("update", Some("ann")),
            ("update", Some("ben")),
            ("update", Some("ann")),
            ("leave", Some("ben")),
        ] {
            pending.tell(&reader, &channel(), &signal(name, of), &wake);
        }
        assert!(pending.waiting);
        *reader.room.lock().unwrap() = 9;
        pending.catch_up(&reader, &channel(), &wake);
        assert_eq!(
            *reader.told.lock().unwrap(),
            ["join"],
            "it waits to be woken"
        );
        pending.waiting = false;
        pending.catch_up(&reader, &channel(), &wake);
        assert_eq!(*reader.told.lock().unwrap(), ["join", "update", "leave"]);
        assert!(!pending.waiting && pending.signals.is_empty());
    }

    #[test]
    fn who_takes_nothing_holds_back_little() {
        let (reader, mut pending) = (Reader::default(), PendingSignals::default());
        let wake = Arc::new(Notify::new());
        for number in 0..2 * MAX_PENDING {
            let signal = signal("join", Some(&number.to_string()));
            pending.tell(&reader, &channel(), &signal, &wake);
        }
        assert_eq!(pending.signals.len(), MAX_PENDING);
    }
}
