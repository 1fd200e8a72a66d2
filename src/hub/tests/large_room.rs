//! Rooms with many subscribers, who come, go and stall.

use super::*;

const ROOM: usize = 1000;

/// It has room for so much and notes what it was told at once.
#[derive(Debug)]
struct Member {
    told: Mutex<Vec<Seq>>,
    /// How many events came together.
    hand_overs: Mutex<Vec<usize>>,
    room: AtomicUsize,
    wake: Mutex<Option<Wake>>,
}

impl Member {
    fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            told: Mutex::default(),
            hand_overs: Mutex::default(),
            room: AtomicUsize::new(room),
            wake: Mutex::default(),
        })
    }

    fn last(&self) -> Option<Seq> {
        self.told.lock().last().copied()
    }

    fn make_room(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
        if let Some(wake) = self.wake.lock().take() {
            wake.notify_one();
        }
    }
}

impl Subscriber for Member {
    fn offer(&self, _: &Event) -> Offer {
        unreachable!("events are offered together")
    }

    fn offer_all(&self, events: &[Arc<Event>]) -> (usize, Offer) {
        let room = self.room.load(Ordering::Relaxed);
        let taken = events.len().min(room);
        if room != usize::MAX {
            self.room.fetch_sub(taken, Ordering::Relaxed);
        }
        let seqs = events[..taken].iter().map(|event| event.seq);
        self.told.lock().extend(seqs);
        if taken > 0 {
            self.hand_overs.lock().push(taken);
        }
        if taken == events.len() {
            (taken, Offer::Taken)
        } else {
            (taken, Offer::Full)
        }
    }

    fn signal(&self, _: &ChannelName, _: &Signal) -> Offer {
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        self.told.lock().len() as u64
    }

    fn wake_when_writable(&self, wake: &Wake) {
        if self.room.load(Ordering::Relaxed) > 0 {
            wake.notify_one();
        } else {
            *self.wake.lock() = Some(Arc::clone(wake));
        }
    }

    fn close(&self, reason: &'static str) {
        panic!("nobody is slow here: {reason}");
    }
}

impl Stage {
    async fn enter(&self, member: &Arc<Member>, from: From) -> Subscription {
        let member = Arc::clone(member) as Arc<dyn Subscriber>;
        let subscribed = self.hub.subscribe(&self.channel, member, from).await;
        subscribed.unwrap().0
    }
}

#[tokio::test]
async fn events_that_were_committed_together_are_handed_over_together() {
    let stage = Stage::new(100).await;
    let members = [Member::new(usize::MAX), Member::new(10)];
    let mut subscriptions = Vec::new();
    for member in &members {
        subscriptions.push(stage.enter(member, From::Now).await);
    }
    let events = stage.append(64).await;
    stage.hub.publish(&stage.channel, &events);
    stage.hub.settle().await;
    assert_eq!(*members[0].hand_overs.lock(), [64]);
    assert_eq!(*members[1].hand_overs.lock(), [10]);
    members[1].make_room(usize::MAX);
    until("the rest is handed over", || members[1].last() == Some(64)).await;
    assert_eq!(*members[1].hand_overs.lock(), [10, 54]);
}

#[tokio::test]
async fn others_have_their_turn_while_a_large_room_is_served() {
    let stage = Stage::new(100).await;
    let mut members = Vec::new();
    for _ in 0..ROOM {
        let member = Member::new(usize::MAX);
        let subscription = stage.enter(&member, From::Now).await;
        members.push((member, subscription));
    }
    let (first, last) = (Arc::clone(&members[0].0), Arc::clone(&members[ROOM - 1].0));
    let turns = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&turns);
    let events = stage.append(1).await;
    // Not spawned: both run in this one thread, in turns.
    let other = async move {
        while last.last().is_none() {
            let is_within = first.last().is_some();
            counting.fetch_add(usize::from(is_within), Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    stage.hub.publish(&stage.channel, &events);
    other.await;
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= ROOM / 100, "{turns} turns");
    stage.hub.settle().await;
    assert!(members.iter().all(|(member, _)| member.last() == Some(1)));
}

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Whatever they do: each is told every event after the one at which it came, once and in order.
#[tokio::test]
async fn who_comes_goes_and_stalls_is_told_everything_in_order() {
    for seed in 0..20 {
        let stage = Stage::new(40).await;
        let mut dice = Dice(seed);
        let (mut members, mut gone) = (Vec::new(), Vec::new());
        let mut head = 0;
        for _ in 0..120 {
            match dice.roll(8) {
                0..=2 => {
                    let from = if dice.roll(2) == 0 {
                        head
                    } else {
                        i64::try_from(dice.roll(usize::try_from(head).unwrap() + 1)).unwrap()
                    };
                    let member = Member::new([usize::MAX, 0, 3][dice.roll(3)]);
                    let subscription = stage.enter(&member, From::After(from)).await;
                    members.push((member, from, subscription));
                }
                3 if !members.is_empty() => {
                    let (member, from, subscription) =
                        members.swap_remove(dice.roll(members.len()));
                    drop(subscription);
                    gone.push((member, from));
                }
                4 if !members.is_empty() => {
                    let room = [usize::MAX, 0, 7][dice.roll(3)];
                    members[dice.roll(members.len())].0.make_room(room);
                }
                5 => tokio::task::yield_now().await,
                _ => {
                    let count = i64::try_from(1 + dice.roll(30)).unwrap();
                    let events = stage.append(count).await;
                    head += count;
                    // Some are heard of from the log alone.
                    if dice.roll(4) > 0 {
                        stage.hub.publish(&stage.channel, &events);
                    }
                }
            }
        }
        stage.hub.check_heads().await.unwrap();
        for (member, from, _) in &members {
            member.make_room(usize::MAX);
            let is_told = || member.last().is_some_and(|last| last >= head) || *from == head;
            until("all is told", is_told).await;
            assert_eq!(*member.told.lock(), seqs(from + 1, head), "seed {seed}");
        }
        for (member, from) in &gone {
            let told = member.told.lock();
            let until = told.last().copied().unwrap_or(*from);
            assert_eq!(*told, seqs(from + 1, until), "seed {seed}");
        }
    }
}
