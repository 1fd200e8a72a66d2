//! Feeds whose log is pruned under them, and feeds whose memory is short.

mod large_room;
mod memory;

use std::sync::atomic::AtomicUsize;

use serde_json::value::to_raw_value;

use super::*;
use crate::domain::{Actor, EventId, EventType, InstanceId, Lasting, Timestamp};
use crate::store::{Batch, PruneLimits};

/// It takes so many events and notes what becomes of it.
#[derive(Debug)]
struct Reader {
    room: AtomicUsize,
    told: Mutex<Vec<Seq>>,
    /// How many events had been told when a signal came.
    signals: Mutex<Vec<usize>>,
    closed: Mutex<Option<&'static str>>,
    wake: Mutex<Option<Wake>>,
}

impl Reader {
    fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            room: AtomicUsize::new(room),
            told: Mutex::default(),
            signals: Mutex::default(),
            closed: Mutex::default(),
            wake: Mutex::default(),
        })
    }

    fn told(&self) -> Vec<Seq> {
        self.told.lock().clone()
    }

    fn closed(&self) -> Option<&'static str> {
        *self.closed.lock()
    }

    fn make_room(&self) {
        self.room.store(usize::MAX, Ordering::Relaxed);
        if let Some(wake) = self.wake.lock().take() {
            wake.notify_one();
        }
    }
}

impl Subscriber for Reader {
    fn offer(&self, event: &Event) -> Offer {
        assert_eq!(self.closed(), None, "nothing comes after the end");
        let mut told = self.told.lock();
        if told.len() >= self.room.load(Ordering::Relaxed) {
            return Offer::Full;
        }
        told.push(event.seq);
        Offer::Taken
    }

    fn signal(&self, _: &ChannelName, _: &Signal) -> Offer {
        let told = self.told.lock().len();
        self.signals.lock().push(told);
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        0
    }

    fn wake_when_writable(&self, wake: &Wake) {
        *self.wake.lock() = Some(Arc::clone(wake));
    }

    fn close(&self, reason: &'static str) {
        *self.closed.lock() = Some(reason);
    }
}

/// A hub with a log in memory, and a channel.
struct Stage {
    store: Store,
    hub: Arc<Hub>,
    channel: ChannelName,
}

impl Stage {
    async fn new(ring_events: usize) -> Self {
        Self::with_memory(ring_events, usize::MAX).await
    }

    /// One whose feeds together may keep so many bytes.
    async fn with_memory(ring_events: usize, event_memory: usize) -> Self {
        let store = Store::open(&"sqlite::memory:".parse().unwrap(), 1).await;
        let (store, lifecycle) = (store.unwrap(), Lifecycle::new());
        store.migrate().await.unwrap();
        let broker = Broker::start(None, "test", &InstanceId::generate(), &lifecycle);
        let options = HubOptions {
            ring_events,
            ring_bytes: usize::MAX,
            event_memory,
            replay_limit: 10_000,
            slow_reader_timeout: Duration::from_hours(1),
        };
        Self {
            hub: Hub::new(store.clone(), broker, lifecycle, options),
            store,
            channel: ChannelName::restore("project:p"),
        }
    }

    /// Commits events, of which nobody here is told.
    async fn append(&self, count: i64) -> Arc<[Arc<Event>]> {
        self.append_to(&self.channel, count, 0).await
    }

    /// Commits events of so many bytes to a channel.
    async fn append_to(&self, name: &ChannelName, count: i64, bytes: usize) -> Arc<[Arc<Event>]> {
        let mut tx = self.store.begin().await.unwrap();
        let names = std::slice::from_ref(name);
        let channel = tx.channels_lock(names).await.unwrap().remove(0);
        let event = |seq| {
            Arc::new(Event {
                source: None,
                channel: name.clone(),
                channel_no: channel.no,
                seq,
                id: EventId::generate(),
                event_type: EventType::known("task.updated"),
                payload: to_raw_value(&(seq, "x".repeat(bytes))).unwrap().into(),
                actor: Actor::new("ann"),
                envelope: None,
                created_at: Timestamp::from_millis(0),
                origin: None,
            })
        };
        let events: Arc<[_]> = (channel.seq + 1..=channel.seq + count).map(event).collect();
        let batch = Batch {
            events: events.iter().map(|event| (event.clone(), None)).collect(),
            heads: vec![(channel.no, channel.seq + count)],
            ..Batch::default()
        };
        tx.write(&batch).await.unwrap();
        tx.commit().await.unwrap();
        events
    }

    /// Removes so many events.
    async fn prune(&self, events: i64) {
        let no = self
            .store
            .channel_get(&self.channel)
            .await
            .unwrap()
            .unwrap()
            .no;
        let limits = PruneLimits {
            events,
            bytes: i64::MAX,
        };
        let all = Timestamp::from_millis(1);
        let pruned = self.store.events_prune(no, all, limits).await.unwrap();
        assert_eq!(i64::try_from(pruned.events), Ok(events));
    }

    async fn subscribe(
        &self,
        reader: &Arc<Reader>,
        from: From,
    ) -> Result<(Subscription, Joined), SubscribeError> {
        let reader = Arc::clone(reader) as Arc<dyn Subscriber>;
        self.hub.subscribe(&self.channel, reader, from).await
    }

    async fn is_refused(&self, from: From) -> bool {
        let refused = self.subscribe(&Reader::new(0), from).await;
        matches!(refused, Err(SubscribeError::OutOfRange(OutOfRange::Pruned)))
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "not in time: {what}");
}

fn seqs(from: Seq, to: Seq) -> Vec<Seq> {
    (from..=to).collect()
}

#[tokio::test]
async fn who_needs_what_is_gone_is_closed_and_nobody_else() {
    let stage = Stage::new(10).await;
    stage.append(600).await;
    let (slow, late, live) = (Reader::new(5), Reader::new(usize::MAX), Reader::new(9));
    let _live = stage.subscribe(&live, From::Now).await.unwrap();
    let _slow = stage.subscribe(&slow, From::Seen(0)).await.unwrap();
    until("it has no room", || slow.told().len() == 5).await;
    stage.prune(500).await;

    let _late = stage.subscribe(&late, From::Seen(400)).await.unwrap();
    until("it is known only now", || late.closed().is_some()).await;
    assert_eq!((late.told(), late.closed()), (vec![], Some("pruned")));
    slow.make_room();
    until("the page that was read ends", || slow.closed().is_some()).await;
    assert_eq!(slow.told(), seqs(1, 256));

    let next = stage.append(1).await;
    stage.hub.publish(&stage.channel, &next);
    stage.hub.settle().await;
    assert_eq!((live.told(), live.closed()), (vec![601], None));

    assert!(stage.is_refused(From::Seen(499)).await);
    assert!(stage.is_refused(From::After(400)).await);
    let edge = Reader::new(usize::MAX);
    let _edge = stage.subscribe(&edge, From::Seen(500)).await.unwrap();
    until("what is left is told", || edge.told().len() == 101).await;
    assert_eq!(edge.told(), seqs(501, 601));
    let reads = stage.hub.log_reads();
    assert!(
        (1..=4).contains(&reads),
        "nothing is asked again and again: {reads}"
    );
}

#[tokio::test]
async fn what_is_still_in_memory_is_told_although_it_is_gone() {
    let stage = Stage::new(100).await;
    let (slow, live) = (Reader::new(5), Reader::new(usize::MAX));
    let _slow = stage.subscribe(&slow, From::Now).await.unwrap();
    let _live = stage.subscribe(&live, From::Now).await.unwrap();
    let events = stage.append(50).await;
    stage.hub.publish(&stage.channel, &events);
    stage.hub.settle().await;
    stage.prune(40).await;
    stage.hub.check_heads().await.unwrap();
    slow.make_room();
    until("it has everything", || slow.told().len() == 50).await;
    assert_eq!(slow.told(), seqs(1, 50));
    assert_eq!((slow.closed(), stage.hub.log_reads()), (None, 0));
    assert!(
        stage.is_refused(From::Seen(39)).await,
        "heard of with the head"
    );
}

#[tokio::test]
async fn a_feed_that_slept_through_it_goes_on_where_the_log_begins() {
    let stage = Stage::new(100).await;
    let (old, new) = (Reader::new(usize::MAX), Reader::new(usize::MAX));
    let _old = stage.subscribe(&old, From::Now).await.unwrap();
    let first = stage.append(10).await;
    stage.hub.publish(&stage.channel, &first);
    stage.hub.settle().await;
    // Another instance writes and prunes; everything up to the feed's head is gone, and more.
    stage.append(20).await;
    stage.prune(25).await;
    stage.hub.check_heads().await.unwrap();
    until("it cannot go on", || old.closed().is_some()).await;
    assert_eq!((old.told(), old.closed()), (seqs(1, 10), Some("pruned")));

    assert!(stage.is_refused(From::After(24)).await);
    let (_new, joined) = stage.subscribe(&new, From::After(25)).await.unwrap();
    assert_eq!(joined.position, 25);
    let next = stage.append(20).await;
    stage.hub.publish(&stage.channel, &next);
    until("it has what there is", || new.told().len() == 25).await;
    assert_eq!((new.told(), new.closed()), (seqs(26, 50), None));
    let late = Reader::new(usize::MAX);
    let _late = stage.subscribe(&late, From::After(25)).await.unwrap();
    until("so has a later one", || late.told().len() == 25).await;
    assert_eq!(late.told(), seqs(26, 50));
    let reads = stage.hub.log_reads();
    assert!(reads <= 3, "nothing is asked again and again: {reads}");
}

#[tokio::test]
async fn a_feed_whose_whole_log_was_removed_goes_on_with_what_comes_next() {
    let stage = Stage::new(100).await;
    let old = Reader::new(usize::MAX);
    stage.append(10).await;
    let _old = stage.subscribe(&old, From::Now).await.unwrap();
    stage.append(5).await;
    stage.prune(15).await;
    stage.hub.check_heads().await.unwrap();
    until("it cannot go on", || old.closed().is_some()).await;
    let new = Reader::new(usize::MAX);
    let (_new, joined) = stage.subscribe(&new, From::Now).await.unwrap();
    assert_eq!(joined.head, 15);
    let next = stage.append(1).await;
    stage.hub.publish(&stage.channel, &next);
    until("it is told", || new.told() == [16]).await;
}

#[tokio::test]
async fn what_was_read_for_one_is_there_for_those_who_come_after() {
    let stage = Stage::new(600).await;
    stage.append(1000).await;
    let live = Reader::new(usize::MAX);
    let _live = stage.subscribe(&live, From::Now).await.unwrap();
    let mut reads = Vec::new();
    // A page, some pages, more than is kept in memory.
    for pending in [200, 200, 100, 500, 500, 500, 500, 600, 600, 601] {
        let reader = Reader::new(usize::MAX);
        let position = 1000 - pending;
        let _subscription = stage.subscribe(&reader, From::Seen(position)).await;
        until("it has all", || reader.told().last() == Some(&1000)).await;
        assert_eq!(reader.told(), seqs(position + 1, 1000));
        reads.push(stage.hub.log_reads());
    }
    assert_eq!(reads, [1, 1, 1, 3, 4, 4, 4, 5, 5, 6]);
    let next = stage.append(1).await;
    stage.hub.publish(&stage.channel, &next);
    stage.hub.settle().await;
    assert_eq!(live.told(), [1001]);
}

#[tokio::test]
async fn who_comes_back_does_not_wait_for_those_who_come_later() {
    let stage = Stage::new(10).await;
    stage.append(5000).await;
    let first = Reader::new(usize::MAX);
    let _first = stage.subscribe(&first, From::Seen(0)).await.unwrap();
    let mut later = Vec::new();
    let all_told = || first.told().len() == 5000;
    while !all_told() {
        let (told, reads) = (first.told().len(), stage.hub.log_reads());
        assert!(reads < 200, "{told} events after {reads} reads");
        let reader = Reader::new(usize::MAX);
        later.push(stage.subscribe(&reader, From::Seen(0)).await.unwrap());
        let is_served = || !reader.told().is_empty() && stage.hub.log_reads() > reads;
        until("it is served", || is_served() || all_told()).await;
    }
    assert_eq!(first.told(), seqs(1, 5000));
}

#[tokio::test]
async fn who_is_up_to_date_does_not_wait_for_those_who_come_back() {
    let stage = Stage::new(100).await;
    stage.append(10_000).await;
    let (live, late) = (Reader::new(usize::MAX), Reader::new(usize::MAX));
    let _live = stage.subscribe(&live, From::Now).await.unwrap();
    let _late = stage.subscribe(&late, From::Seen(0)).await.unwrap();
    // Another instance writes, and nobody hears of it but by the log.
    stage.append(1).await;
    stage.hub.check_heads().await.unwrap();
    until("it is told", || !live.told().is_empty()).await;
    let told = late.told().len();
    assert!(told < 10_000, "the other one had everything by then");
    until("it goes on", || late.told().len() == 10_001).await;
    assert_eq!(late.told(), seqs(1, 10_001));
}

/// Else somebody who was turned out by one of these events would hear what is said after that.
#[tokio::test]
async fn signals_are_for_those_who_were_told_what_happened_before() {
    let stage = Stage::new(8).await;
    let (slow, quick) = (Reader::new(1), Reader::new(usize::MAX));
    let mut subscriptions = Vec::new();
    for reader in [&slow, &quick] {
        let subscriber = Arc::clone(reader) as Arc<dyn Subscriber>;
        let joining = stage.hub.subscribe(&stage.channel, subscriber, From::Now);
        subscriptions.push(joining.await.unwrap());
    }
    let signal = |lasting| {
        Arc::new(Signal {
            signal_type: EventType::known("presence.join"),
            payload: to_raw_value(&()).unwrap().into(),
            origin: None,
            lasting,
        })
    };
    let lasting = Lasting {
        of: Actor::new("ann"),
        is_end: false,
        was: None,
        known: 0..1,
    };
    stage.hub.publish(&stage.channel, &stage.append(3).await);
    stage.hub.signal_here(&stage.channel, &signal(None));
    stage
        .hub
        .signal_here(&stage.channel, &signal(Some(lasting)));
    stage.hub.settle().await;
    assert_eq!(*quick.signals.lock(), [3, 3]);
    assert!(slow.signals.lock().is_empty());
    slow.make_room();
    let told = async {
        while slow.signals.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .unwrap();
    assert_eq!(*slow.signals.lock(), [3], "the one that lasts");
}

/// Born on another instance, of which nothing was heard: the comparison of heads finds it by its name.
#[tokio::test]
async fn feed_without_events_learns_of_the_first_ones_from_the_log() {
    let stage = Stage::new(100).await;
    let reader = Reader::new(usize::MAX);
    let (_kept, joined) = stage.subscribe(&reader, From::Now).await.unwrap();
    assert_eq!(
        (joined.channel_no, joined.head, joined.position),
        (None, 0, 0)
    );
    let written = stage.store.channel_get(&stage.channel).await.unwrap();
    assert_eq!(written, None, "a subscription writes nothing");
    let events = stage.append(3).await;
    stage.hub.check_heads().await.unwrap();
    until("what was born elsewhere is told", || {
        reader.told() == seqs(1, 3)
    })
    .await;
    let late = Reader::new(usize::MAX);
    let (_late, joined) = stage.subscribe(&late, From::Seen(0)).await.unwrap();
    assert_eq!(joined.channel_no, Some(events[0].channel_no));
    until("the newcomer is told", || late.told() == seqs(1, 3)).await;
}

/// A first event that another instance tells with a number of its own is not believed.
#[tokio::test]
async fn first_event_of_another_log_is_not_told() {
    let stage = Stage::new(100).await;
    let reader = Reader::new(usize::MAX);
    let (_kept, _) = stage.subscribe(&reader, From::Now).await.unwrap();
    let elsewhere = Stage::new(100).await;
    let other = Stage {
        channel: ChannelName::restore("other"),
        store: elsewhere.store.clone(),
        hub: Arc::clone(&elsewhere.hub),
    };
    other.append(1).await;
    let foreign = elsewhere.append(1).await;
    stage
        .hub
        .put(&stage.channel, Message::Events(Arc::clone(&foreign)));
    stage.hub.settle().await;
    let own = stage.append(2).await;
    assert_ne!(own[0].channel_no, foreign[0].channel_no);
    stage.hub.publish(&stage.channel, &own);
    until("the channel's own events are told", || {
        reader.told() == seqs(1, 2)
    })
    .await;
}

/// Those who subscribe while the first event is on its way hear of it once, whether they came before it or after.
#[tokio::test(flavor = "multi_thread")]
async fn first_event_reaches_those_who_subscribe_meanwhile() {
    for round in 0..50 {
        let stage = Arc::new(Stage::new(100).await);
        let writer = Arc::clone(&stage);
        let writing = async move {
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            let events = writer.append(1).await;
            writer.hub.publish(&writer.channel, &events);
        };
        let reader = Reader::new(usize::MAX);
        let ((), subscribed) = tokio::join!(writing, stage.subscribe(&reader, From::Seen(0)));
        let (_kept, _) = subscribed.unwrap();
        until("the first event is told", || reader.told() == seqs(1, 1)).await;
    }
}
