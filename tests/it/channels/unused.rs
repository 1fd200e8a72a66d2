//! Channels without events: nothing is written for them, and those who subscribe to them miss nothing.

use super::*;

async fn has_row(app: &AppState, channel: &str) -> bool {
    let name = ChannelName::parse(channel).unwrap();
    app.store().channel_get(&name).await.unwrap().is_some()
}

async fn command(app: &AppState, name: &str, fields: Value) -> Value {
    Client::new(app).ask(request(name, &fields)).await
}

both_databases! {
    async fn read_or_subscription_of_an_unused_name_writes_nothing(app: &AppState) {
        let client = Client::new(app);
        let names = ["session:s", "agent:*", "user:ann", "c", "project:p"];
        for name in names {
            let read = client.replay(name, None).await;
            assert_eq!((&read["ok"], &read["seq"], &read["hasMore"]), (&json!(true), &json!(0), &json!(false)), "{read}");
            let again = client.replay(name, Some(Since::Cursor(read["cursor"].as_str().unwrap().to_owned()))).await;
            assert_eq!((&again["cursor"], &again["reset"]), (&read["cursor"], &Value::Null), "{again}");
        }
        let joined = client.subscribe(&names, &[], None).await;
        assert_eq!(joined["channels"][0]["seq"], 0, "{joined}");
        let back = Client::new(app);
        let cursor = client.session.rooms.cursor();
        let resumed = back.session.resume(&cursor, &back.subscriber()).await.unwrap();
        assert_eq!((resumed.channels.len(), resumed.resets.len()), (5, 0), "{resumed:?}");
        let since = Some(Since::Cursor(cursor));
        Client::new(app).subscribe(&names, &[], since).await;
        for name in names {
            assert!(!has_row(app, name).await, "{name}");
        }
    }
}

both_databases! {
    async fn refused_command_writes_nothing(app: &AppState) {
        for name in ["a", "b", "c"] {
            let fields = json!({"projectId": name, "id": "none", "idempotencyKey": "k"});
            let refused = command(app, "task:restore", fields).await;
            assert_eq!(refused["ok"], false, "{refused}");
            assert!(!has_row(app, &format!("project:{name}")).await, "{name}");
        }
        // In one batch with others, which are accepted.
        let both = (0..40).map(|number| async move {
            let (name, id) = if number % 2 == 0 { ("task:create", "made") } else { ("task:restore", "not-made") };
            command(app, name, json!({"projectId": format!("{id}-{number}"), "id": "t"})).await
        });
        futures_util::future::join_all(both).await;
        for number in 0..40 {
            let id = if number % 2 == 0 { "made" } else { "not-made" };
            let is_there = has_row(app, &format!("project:{id}-{number}")).await;
            assert_eq!(is_there, number % 2 == 0, "{number}");
        }
    }
}

both_databases! {
    async fn subscription_before_the_first_event_survives_a_reconnect(app: &AppState) {
        let (first, publisher) = (Client::new(app), Client::new(app));
        first.subscribe(&["session:s", "c"], &["wanted"], None).await;
        first.subscribe(&["project:p"], &[], None).await;
        let cursor = first.session.rooms.cursor();
        publisher.publish("session:s", "wanted", "1").await;
        assert_eq!(seqs(&first.told(1).await), [1]);
        let later = first.session.rooms.cursor();
        assert_ne!(later, cursor);
        first.session.rooms.close();
        publisher.publish("session:s", "unwanted", "2").await;
        publisher.publish("session:s", "wanted", "3").await;
        publisher.publish("c", "wanted", "4").await;
        command(app, "task:create", json!({"projectId": "p", "id": "t"})).await;
        for (cursor, expected) in [(&cursor, ["1", "3", "4"].as_slice()), (&later, &["3", "4"])] {
            let back = Client::new(app);
            let resumed = back.session.resume(cursor, &back.subscriber()).await.unwrap();
            assert_eq!((resumed.channels.len(), resumed.resets.len()), (3, 0), "{resumed:?}");
            let told = back.told(expected.len() + 1).await;
            let mut payloads: Vec<_> = told.iter().map(|told| &*told.payload).collect();
            payloads.sort_unstable();
            assert_eq!(&payloads[..expected.len()], expected);
            // Now that there are events, the cursor is one of numbers.
            assert!(!back.session.rooms.cursor().contains('@'), "{}", back.session.rooms.cursor());
        }
        // Named in a subscription, the old cursor means the same.
        let since = || Some(Since::Cursor(cursor.clone()));
        let again = Client::new(app);
        again.subscribe(&["session:s"], &[], since()).await;
        assert_eq!(seqs(&again.told(3).await), [1, 2, 3]);
        let read = publisher.replay("session:s", since()).await;
        assert_eq!((read["events"].as_array().unwrap().len(), &read["reset"]), (3, &Value::Null), "{read}");
    }
}

both_databases! {
    async fn number_that_was_not_handed_out_resumes_nothing(app: &AppState) {
        let (victim, attacker) = (Client::new(app), Client::new(app));
        victim.publish("session:secret", "t", "1").await;
        attacker.publish("session:mine", "t", "1").await;
        attacker.subscribe(&["session:mine"], &[], Some(Since::Seq(0))).await;
        let cursor = attacker.session.rooms.cursor();
        let (head, position) = cursor.split_once('.').unwrap();
        let (own, _) = position.split_once(':').unwrap();
        let mut reasons = Vec::new();
        let guesses = (0..50).map(|no| format!("{no}:0")).filter(|guess| !guess.starts_with(&format!("{own}:")));
        let all = guesses.clone().collect::<Vec<_>>().join(",");
        let beside = [format!("1:0,{position}"), format!("{position},49:0")];
        for positions in guesses.chain([all]).chain(beside) {
            if positions == *position {
                continue;
            }
            let eve = Client::new(app);
            let resumed = eve.session.resume(&format!("{head}.{positions}"), &eve.subscriber()).await.unwrap();
            assert!(resumed.channels.is_empty(), "{positions}: {resumed:?}");
            reasons.push(format!("{:?}", resumed.resets));
        }
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        // The seq is the client's own affair.
        let eve = Client::new(app);
        let resumed = eve.session.resume(&format!("{head}.{own}:0"), &eve.subscriber()).await.unwrap();
        assert_eq!((resumed.channels.len(), resumed.resets.len()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_cursor_are_bounded() {
    let app = start("sqlite::memory:", &[]).await;
    let client = Client::new(&app);
    let name = |number: usize| format!("session:{number:0>90}");
    let mut held = 0;
    loop {
        let names = [name(2 * held), name(2 * held + 1)];
        let answer = client.subscribe(&[&names[0], &names[1]], &[], None).await;
        if answer["ok"] == false {
            assert_eq!(
                (&answer["code"], &answer["field"]),
                (&json!("validation_failed"), &json!("channels"))
            );
            assert!(
                !client
                    .session
                    .rooms
                    .contains(&ChannelName::parse(&names[0]).unwrap()),
                "all or none"
            );
            break;
        }
        held += 1;
        assert!(held < 128, "there is no bound");
    }
    let cursor = client.session.rooms.cursor();
    assert!(cursor.len() < 9 * 1024, "{}", cursor.len());
    let back = Client::new(&app);
    let resumed = back
        .session
        .resume(&cursor, &back.subscriber())
        .await
        .unwrap();
    assert_eq!(
        (resumed.channels.len(), resumed.resets.len()),
        (2 * held, 0)
    );
    // What has events needs no room.
    Client::new(&app).publish("session:used", "t", "1").await;
    assert_eq!(
        client.subscribe(&["session:used"], &[], None).await["ok"],
        true
    );
}
