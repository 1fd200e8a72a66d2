//! Subscribers that come back with a cursor.

use super::*;
use boardcast::domain::Timestamp;
use boardcast::store::PruneLimits;

/// Removes a channel's oldest events.
async fn prune(app: &AppState, channel: &str, events: i64) {
    let name = ChannelName::parse(channel).unwrap();
    let channel = app.store().channel_get(&name).await.unwrap().unwrap();
    let limits = PruneLimits {
        events,
        bytes: 1 << 20,
    };
    let pruned = app
        .store()
        .events_prune(channel.no, Timestamp::from_millis(i64::MAX), limits);
    pruned.await.unwrap();
}

both_databases! {
    async fn a_cursor_brings_back_channels_and_filters(app: &AppState) {
        let (first, publisher) = (Client::new(app), Client::new(app));
        first.subscribe(&["user:ann", "session:s"], &["wanted", "task:updated"], None).await;
        first.subscribe(&["c"], &[], None).await;
        publisher.publish("session:s", "wanted", "1").await;
        publisher.publish("session:s", "unwanted", "2").await;
        publisher.publish("c", "unwanted", "3").await;
        let told = first.told(2).await;
        let cursor = first.session.rooms.cursor();
        assert!(told.iter().all(|told| told.payload != "2"));
        first.session.rooms.close();
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
        assert!(second.session.rooms.cursor().contains("=wanted|task:updated"));
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
    async fn what_is_gone_is_said_and_what_is_kept_is_told(app: &AppState) {
        let (publisher, listener) = (Client::new(app), Client::new(app));
        for number in 0..10 {
            publisher.publish("c", "t", &number.to_string()).await;
        }
        prune(app, "c", 4).await;
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
        assert_eq!(seqs(&stranger.told(7).await), (5..=11).collect::<Vec<_>>());
    }
}

both_databases! {
    async fn filters_outlive_a_reset(app: &AppState) {
        let (publisher, listener) = (Client::new(app), Client::new(app));
        let change = json!({"projectId": "p", "taskId": "t", "number": 1});
        let change = || request("task:update", &change);
        publisher.ask(change()).await;
        let channels = ["c", "project:p"];
        listener.subscribe(&channels, &["wanted"], None).await;
        let cursor = listener.session.rooms.cursor();
        listener.session.rooms.close();
        for name in channels {
            for number in 0..6 {
                publisher.publish(name, "wanted", &number.to_string()).await;
            }
            prune(app, name, 4).await;
        }
        let back = Client::new(app);
        let resumed = back.session.resume(&cursor, &back.subscriber()).await.unwrap();
        assert_eq!((resumed.channels.len(), resumed.resets.len()), (2, 2));
        for reset in &resumed.resets {
            back.session.start_over(reset, &back.subscriber()).await.unwrap();
        }
        let again = Client::new(app);
        let joined = again.subscribe(&channels, &["wanted"], Some(Since::Cursor(cursor))).await;
        assert_eq!((&joined["channels"][0]["reset"], &joined["channels"][1]["reset"]), (&json!(true), &json!(true)));
        for name in channels {
            publisher.publish(name, "unwanted", "7").await;
            publisher.publish(name, "wanted", "8").await;
        }
        for client in [back, again] {
            // Of the channel what is kept and what is new, of the project what is new.
            let told = client.told(4).await;
            assert!(told.iter().all(|told| told.event_type == "wanted"), "{told:?}");
            assert_eq!(client.session.rooms.cursor().matches("=wanted").count(), 2);
        }
    }
}

both_databases! {
    async fn who_is_cut_off_before_a_reset_is_told_gets_what_is_kept(app: &AppState) {
        let (publisher, listener) = (Client::new(app), Client::new(app));
        for number in 0..10 {
            publisher.publish("c", "t", &number.to_string()).await;
        }
        prune(app, "c", 4).await;
        let wish = Subscribe::new(["c"], [], Some(Since::Seq(1))).unwrap();
        let joined = listener.ask(Request::Subscribe(wish)).await;
        assert_eq!(joined["channels"][0]["reset"], true);
        // It goes out before the answer.
        let cursor = listener.session.rooms.cursor();
        listener.session.rooms.close();
        let back = Client::new(app);
        let resumed = back.session.resume(&cursor, &back.subscriber()).await.unwrap();
        for reset in &resumed.resets {
            back.session.start_over(reset, &back.subscriber()).await.unwrap();
        }
        assert_eq!(seqs(&back.told(6).await), [5, 6, 7, 8, 9, 10]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_filters_may_be_asked_for_again() {
    let app = start("sqlite::memory:", &[]).await;
    let client = Client::new(&app);
    let types: Vec<_> = (10..26)
        .map(|number| format!("{number}{}", "x".repeat(62)))
        .collect();
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let joined = client.subscribe(&["a", "b", "c"], &types, None).await;
        assert_eq!(joined["ok"], true, "{joined}");
    }
    let refused = client.subscribe(&["d"], &types, None).await;
    assert_eq!(refused["field"], "types");
    assert_eq!(app.hub().feed_count(), 3);
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

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_hear_of_nothing_that_happens_gets_a_cursor_now_and_then() {
    let app = start("sqlite::memory:", &[]).await;
    let (publisher, listener) = (Client::new(&app), Client::new(&app));
    listener.subscribe(&["c"], &["wanted"], None).await;
    let text = r#"{"channel":"c","type":"unwanted"}"#;
    let unwanted = Publication::read(text, &Limits::default()).unwrap();
    for (count, is_overdue) in [(999, false), (1, true), (999, false)] {
        let channel = ChannelName::parse("c").unwrap();
        let group = vec![unwanted.clone(); count];
        let caller = &publisher.session.caller;
        let answer = app.writer().publish(channel, group, caller, None).unwrap();
        assert!(answer.await.unwrap().is_ok());
        app.hub().settle().await;
        let cursor = listener.session.rooms.overdue_cursor();
        assert_eq!(cursor.is_some(), is_overdue, "{cursor:?}");
    }
    publisher.publish("c", "wanted", "1").await;
    listener.told(1).await;
    assert_eq!(listener.session.rooms.overdue_cursor(), None);
}
