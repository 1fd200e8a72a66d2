//! The real program removes what is past its time, and tells those who needed it.

use super::*;
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::server::Server;

/// Makes all events older by a day.
const AGE: &str = "UPDATE events SET created_at = created_at - 86400000";

async fn work(client: &Client, titles: &[&str]) {
    for title in titles {
        let task = json!({"projectId": "p", "id": title, "title": title});
        assert_eq!(client.call("task:create", task).await["ok"], true);
    }
}

fn titles(snapshot: &Value) -> Vec<&str> {
    let tasks = snapshot["tasks"].as_array().unwrap().iter();
    tasks.map(|task| task["title"].as_str().unwrap()).collect()
}

both_databases! {
    async fn an_old_cursor_is_answered_with_the_state(db: &Database) {
        let agent = append(&db.store, &ChannelName::restore("agent:x"), &["1", "2"]).await;
        db.store.close().await;
        let settings = [("EVENT_RETENTION", "1m"), ("CHANNEL_RETENTION", "forever")];
        let mut server = Server::start_with(&db.url, &settings).await;
        let client = Client::connect(&server.address).await;
        client.join("p").await;
        work(&client, &["a", "b", "c"]).await;
        let old = client.take(3).await.pop().unwrap().args[1].clone();
        work(&client, &["d"]).await;
        server.kill().await;
        db.execute(AGE).await;
        server.restart().await;
        let log = "SELECT CAST(count(*) AS text) FROM events WHERE channel_no <> ";
        let log = format!("{log}{}", agent.no.0);
        eventually("the log is empty", async || {
            db.texts(&log).await == [Some("0".to_owned())]
        }).await;

        let auth = json!({"cursor": old});
        let client = Client::connect_with(&server.address, &auth).await.unwrap();
        let reset = client.next().await;
        assert_eq!((reset.name.as_str(), reset.seq()), ("project:reset", 4));
        assert_eq!(titles(&reset.args[0]["snapshot"]), ["a", "b", "c", "d"]);
        for (event, payload) in [
            ("join:project", json!({"projectId": "p", "since": old})),
            ("project:sync", json!({"projectId": "p", "since": old})),
            ("project:sync", json!({"projectId": "p"})),
        ] {
            let answer = client.call(event, payload).await;
            assert_eq!((&answer["ok"], &answer["reset"]), (&json!(true), &json!(true)), "{answer}");
            assert_eq!(answer["reason"], "the events after this position are not kept any more");
            assert_eq!((&answer["seq"], &answer["snapshot"]["seq"]), (&json!(4), &json!(4)));
            assert_eq!(titles(&answer["snapshot"]), ["a", "b", "c", "d"]);
            let again = json!({"projectId": "p", "since": answer["cursor"]});
            let again = client.call("project:sync", again).await;
            assert_eq!((&again["reset"], &again["events"]), (&Value::Null, &json!([])), "{again}");
        }
        work(&client, &["e"]).await;
        assert_eq!(client.next().await.seq(), 5, "the numbers go on");
        let channels = "SELECT CAST(count(*) AS text) FROM events WHERE channel_no = ";
        let kept = db.texts(&format!("{channels}{}", agent.no.0)).await;
        assert_eq!(kept, [Some("2".to_owned())], "those are kept for ever");
        assert!(server.health().await["log_reads"].is_u64());
    }
}
