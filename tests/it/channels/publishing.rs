//! What is published, and what subscribers and readers get of it.

use super::*;

both_databases! {
    async fn what_is_published_reaches_everybody_as_it_was_sent(app: &AppState) {
        let (listener, publisher) = (Client::new(app), Client::new(app));
        let joined = listener.subscribe(&["session:s", "ai:jobs:status"], &[], None).await;
        assert_eq!(joined["channels"][0]["channel"], "session:s");
        assert_eq!(joined["channels"][1]["seq"], 0);
        let data = r#"{ "b" : 1.50, "a": [ 12345678901234567890123 ] }"#;
        let first = publisher.publish("session:s", "ai_progress", data).await;
        assert_eq!((&first["ok"], &first["seq"]), (&json!(true), &json!(1)));
        publisher.publish("ai:jobs:status", "job.done", "7").await;
        let told = listener.told(2).await;
        let from_session = told.iter().find(|told| told.subject == "session:s").unwrap();
        assert_eq!(from_session.payload, data);
        assert_eq!(from_session.event_type, "ai_progress");
        let kept = listener.replay("session:s", None).await;
        assert_eq!(kept["events"][0]["type"], "ai_progress");
        assert_eq!(kept["channel"], "session:s");
        assert_eq!(kept["hasMore"], false);
        let left = listener.ask(Request::Unsubscribe { channels: vec![ChannelName::parse("session:s").unwrap()] });
        assert_eq!(left.await["channels"], json!(["session:s"]));
        publisher.publish("session:s", "ai_complete", "{}").await;
        publisher.publish("ai:jobs:status", "job.done", "8").await;
        assert_eq!(listener.told(3).await[2].payload, "8");
    }
}

both_databases! {
    async fn a_family_has_a_channel_that_tells_of_all(app: &AppState) {
        let (listener, publisher) = (Client::new(app), Client::new(app));
        listener.subscribe(&["workflow:*"], &[], None).await;
        for (name, data) in [("workflow:a", "1"), ("workflow:b", "2"), ("workflow:a", "3")] {
            publisher.publish(name, "started", data).await;
        }
        publisher.publish("agent:a", "status", "4").await;
        let told = listener.told(3).await;
        assert_eq!(seqs(&told), [1, 2, 3]);
        let subjects: Vec<_> = told.iter().map(|told| &*told.subject).collect();
        assert_eq!(subjects, ["workflow:a", "workflow:b", "workflow:a"]);
        // Read from the log as well.
        let late = Client::new(app);
        late.subscribe(&["workflow:*"], &[], Some(Since::Seq(0))).await;
        let strip = |told: Vec<Told>| told.into_iter().map(|told| (told.subject, told.seq, told.payload)).collect::<Vec<_>>();
        assert_eq!(strip(late.told(3).await), strip(told));
        assert_eq!(publisher.replay("workflow:a", None).await["seq"], 2);
    }
}

both_databases! {
    async fn a_key_publishes_once(app: &AppState) {
        let publisher = Client::new(app);
        let publication = |data: &str, key: &str| {
            let text = format!(r#"{{"channel":"c","type":"t","data":{data},"idempotencyKey":"{key}"}}"#);
            Publication::read(&text, &Limits::default()).unwrap()
        };
        let first = publisher.ask(Request::Publish(publication("1", "a"))).await;
        let again = publisher.ask(Request::Publish(publication("1", "a"))).await;
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["id"], first["id"]);
        let other = publisher.ask(Request::Publish(publication("2", "a"))).await;
        assert_eq!(other["code"], "idempotency_key_reused");
        // Several together, of which some are known.
        let group = ["a", "b", "c"].map(|key| publication("1", key)).to_vec();
        let channel = ChannelName::parse("c").unwrap();
        let caller = &publisher.session.caller;
        let answer = app.writer().publish(channel, group, caller, None).unwrap();
        let answer: Value = serde_json::from_str(answer.await.unwrap().to_raw().get()).unwrap();
        assert_eq!((&answer["published"], &answer["duplicates"]), (&json!(2), &json!(1)));
        assert_eq!(publisher.replay("c", None).await["seq"], 3);
    }
}

both_databases! {
    async fn projects_take_what_is_published_between_their_own_events(app: &AppState) {
        let (listener, publisher) = (Client::new(app), Client::new(app));
        let unborn = publisher.publish("project:unborn", "deployment", "{}").await;
        assert_eq!(unborn["seq"], 1);
        let change = |number: i64| {
            let change = json!({"projectId": "p", "taskId": "t", "number": number});
            request("task:update", &change)
        };
        publisher.ask(change(0)).await;
        listener.subscribe(&["project:p"], &[], Some(Since::Seq(0))).await;
        let asked = (1..20).map(|number| {
            let publisher = Arc::clone(&publisher);
            async move {
                publisher.ask(change(number)).await;
                publisher.publish("project:p", "deployment", &number.to_string()).await
            }
        });
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer["ok"], true, "{answer}");
        }
        let told = listener.told(39).await;
        assert_eq!(seqs(&told), (1..=39).collect::<Vec<_>>());
        assert_eq!(told.iter().filter(|told| told.event_type == "deployment").count(), 19);
        let read = ReadRequest::Snapshot {
            project: "p".parse_id(),
            page: None,
        };
        let snapshot = publisher.ask(Request::Read(read)).await;
        assert_eq!(snapshot["seq"], 39);
    }
}

/// Makes ids of texts.
trait ParseId {
    fn parse_id(&self) -> boardcast::domain::ProjectId;
}

impl ParseId for str {
    fn parse_id(&self) -> boardcast::domain::ProjectId {
        boardcast::domain::ProjectId(boardcast::domain::Id::from_text(self).unwrap())
    }
}
