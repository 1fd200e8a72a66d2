//! Subscribers that come back with a cursor.

use super::*;
use boardcast::store::PruneLimits;

both_databases! {
    async fn a_cursor_brings_back_channels_and_filters(app: &App) {
        let (first, publisher) = (Client::new(app), Client::new(app));
        first.subscribe(&["user:ann", "session:s"], &["wanted", "task:updated"], None).await;
        first.subscribe(&["c"], &[], None).await;
        publisher.publish("session:s", "wanted", "1").await;
        publisher.publish("session:s", "unwanted", "2").await;
        publisher.publish("c", "unwanted", "3").await;
        let told = first.told(2).await;
        let cursor = first.session.cursor();
        assert!(told.iter().all(|told| told.payload != "2"));
        first.session.close();
        for (name, event_type, data) in
            [("session:s", "unwanted", "4"), ("session:s", "wanted", "5"), ("c", "x", "6"), ("user:ann", "wanted", "7")]
        {
            publisher.publish(name, event_type, data).await;
        }
        let second = Client::new(app);
        let resumed = second.session.resume(&cursor, &second.subscriber()).await.unwrap();
        assert_eq!((resumed.channels.len(), resumed.resets.len()), (3, 0));
        publisher.publish("session:s", "unwanted", "8").await;
        publisher.publish("session:s", "wanted", "9").await;
        let told = second.told(4).await;
        let mut payloads: Vec<_> = told.iter().map(|told| &*told.payload).collect();
        payloads.sort_unstable();
        assert_eq!(payloads, ["5", "6", "7", "9"]);
        assert!(second.session.cursor().contains("=wanted|task:updated"));
        // Whoever subscribes with the cursor gets the same.
        let third = Client::new(app);
        let since = || Some(Since::Cursor(cursor.clone()));
        third.subscribe(&["user:ann", "session:s", "new"], &["wanted"], since()).await;
        let told = third.told(3).await;
        let mut payloads: Vec<_> = told.iter().map(|told| &*told.payload).collect();
        payloads.sort_unstable();
        assert_eq!(payloads, ["5", "7", "9"]);
    }
}

both_databases! {
    async fn what_is_gone_is_said_and_what_is_kept_is_told(app: &App) {
        let (publisher, listener) = (Client::new(app), Client::new(app));
        for number in 0..10 {
            publisher.publish("c", "t", &number.to_string()).await;
        }
        let channel = app.store().channel_open(&ChannelName::parse("c").unwrap()).await.unwrap();
        let limits = PruneLimits { events: 4, bytes: 1 << 20 };
        let now = boardcast::domain::Timestamp::from_millis(i64::MAX);
        app.store().events_prune(channel.no, now, limits).await.unwrap();
        let joined = listener.subscribe(&["c"], &[], Some(Since::Seq(1))).await;
        assert_eq!(joined["channels"][0]["reset"], true);
        assert_eq!(seqs(&listener.told(6).await), [5, 6, 7, 8, 9, 10]);
        let kept = publisher.replay("c", Some(Since::Seq(1))).await;
        assert_eq!((&kept["reset"], &kept["events"][0]["seq"]), (&json!(true), &json!(5)));
        let ahead = Client::new(app);
        let joined = ahead.subscribe(&["c"], &[], Some(Since::Seq(99))).await;
        assert_eq!(joined["channels"][0]["reset"], true);
        publisher.publish("c", "t", "10").await;
        assert_eq!(seqs(&ahead.told(1).await), [11]);
        let stranger = Client::new(app);
        let joined = stranger.subscribe(&["c"], &[], Some(Since::Cursor("e.1:1".to_owned()))).await;
        assert_eq!(joined["channels"][0]["reason"], "the cursor is of another database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_too_much_gets_the_newest() {
    let app = start("sqlite::memory:", &["--replay-limit", "5"]).await;
    let (publisher, listener) = (Client::new(&app), Client::new(&app));
    for number in 0..20 {
        publisher.publish("c", "t", &number.to_string()).await;
    }
    let joined = listener.subscribe(&["c"], &[], Some(Since::Seq(1))).await;
    assert_eq!(joined["channels"][0]["reset"], true);
    assert_eq!(seqs(&listener.told(5).await), [16, 17, 18, 19, 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_channels_or_none() {
    let app = start("sqlite::memory:", &["--max-rooms", "2"]).await;
    let client = Client::new(&app);
    let refused = client.subscribe(&["a", "b", "c"], &[], None).await;
    assert_eq!(refused["code"], "validation_failed");
    assert_eq!(app.hub().feed_count(), 0);
    let refused = client
        .subscribe(&["a", "b"], &[], Some(Since::Seq(1)))
        .await;
    assert_eq!(refused["field"], "since");
    let types: Vec<_> = (0..16)
        .map(|number| format!("{number}{}", "x".repeat(60)))
        .collect();
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    assert_eq!(
        client.subscribe(&["a", "b"], &types, None).await["ok"],
        true
    );
    assert_eq!(app.hub().feed_count(), 2);
}
