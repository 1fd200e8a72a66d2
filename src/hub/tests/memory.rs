//! What all feeds remember together.

use super::*;

const KIB: usize = 1024;

fn channel(number: usize) -> ChannelName {
    ChannelName::restore(format!("project:{number}"))
}

impl Stage {
    async fn follow(&self, name: &ChannelName, reader: &Arc<Reader>, from: From) -> Subscription {
        let reader = Arc::clone(reader) as Arc<dyn Subscriber>;
        self.hub.subscribe(name, reader, from).await.unwrap().0
    }

    async fn publish_to(&self, name: &ChannelName, count: i64, bytes: usize) {
        let events = self.append_to(name, count, bytes).await;
        self.hub.publish(name, &events);
        self.hub.settle().await;
    }
}

#[tokio::test]
async fn all_feeds_together_keep_no_more_than_they_may() {
    const MAX: usize = 1024 * KIB;
    let stage = Stage::with_memory(1024, MAX).await;
    let (names, reader) = ((0..50).map(channel), Reader::new(usize::MAX));
    let names: Vec<_> = names.collect();
    let mut subscriptions = Vec::new();
    for name in &names {
        subscriptions.push(stage.follow(name, &reader, From::Now).await);
    }
    for name in &names {
        // A feed alone would keep all of it.
        stage.publish_to(name, 20, 10 * KIB).await;
        until("the sum is kept", || stage.hub.event_memory() <= MAX).await;
    }
    assert_eq!(reader.told().len(), 50 * 20);
    assert!(stage.hub.event_memory() > MAX / 4, "what fits is kept");
    for name in &names {
        let late = Reader::new(usize::MAX);
        let _late = stage.follow(name, &late, From::Seen(0)).await;
        until("nothing is lost", || late.told() == seqs(1, 20)).await;
    }
    until("the sum is kept", || stage.hub.event_memory() <= MAX).await;
    drop(subscriptions);
    until("all is given back", || stage.hub.event_memory() == 0).await;
}

#[tokio::test]
async fn the_coldest_feed_gives_up_first() {
    let stage = Stage::with_memory(1024, 1024 * KIB).await;
    let reader = Reader::new(usize::MAX);
    let (cold, warm, hot) = (channel(1), channel(2), channel(3));
    let mut subscriptions = Vec::new();
    for name in [&cold, &warm, &hot] {
        subscriptions.push(stage.follow(name, &reader, From::Now).await);
    }
    for name in [&cold, &warm, &hot] {
        stage.publish_to(name, 32, 10 * KIB).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    until("it is shrunk", || stage.hub.event_memory() <= 768 * KIB).await;
    let late = Reader::new(usize::MAX);
    for name in [&warm, &hot] {
        subscriptions.push(stage.follow(name, &late, From::Seen(0)).await);
    }
    until("they have all", || late.told().len() == 64).await;
    assert_eq!(stage.hub.log_reads(), 0, "the others have kept everything");
    subscriptions.push(stage.follow(&cold, &late, From::Seen(0)).await);
    until("it has all", || late.told().len() == 96).await;
    assert!(stage.hub.log_reads() > 0);
}

#[tokio::test]
async fn pages_of_the_log_count_and_who_lags_behind_gets_everything() {
    const MAX: usize = 256 * KIB;
    let stage = Stage::with_memory(8, MAX).await;
    let name = channel(1);
    // More than a page, of which each is larger than all the memory.
    stage.append_to(&name, 300, 10 * KIB).await;
    let slow = Reader::new(5);
    let _slow = stage.follow(&name, &slow, From::Seen(0)).await;
    until("it has no room", || slow.told().len() == 5).await;
    until("the page is gone", || stage.hub.event_memory() <= MAX).await;
    let reads = stage.hub.log_reads();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(
        stage.hub.log_reads() <= reads + 1,
        "for one that has no room nothing is read again and again"
    );
    slow.make_room();
    until("it has all", || slow.told() == seqs(1, 300)).await;
}

#[tokio::test]
async fn messages_that_wait_for_a_feed_count_and_the_log_repairs_the_rest() {
    const MAX: usize = 256 * KIB;
    let stage = Stage::with_memory(1024, MAX).await;
    let (name, reader) = (channel(1), Reader::new(usize::MAX));
    let _subscription = stage.follow(&name, &reader, From::Now).await;
    // The feed gets no turn in between.
    let mut batches = Vec::new();
    for _ in 0..100 {
        batches.push(stage.append_to(&name, 1, 10 * KIB).await);
    }
    for events in &batches {
        stage.hub.publish(&name, events);
        assert!(stage.hub.event_memory() <= MAX + 11 * KIB);
    }
    assert!(stage.hub.event_memory() > MAX, "what waits is counted");
    until("it has all", || reader.told() == seqs(1, 100)).await;
}
