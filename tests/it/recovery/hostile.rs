//! Whatever a client says when it comes back: it is let in, told where it stands, and harms nobody.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;

struct Scene {
    server: Server,
    /// Of somebody who has gone.
    pid: String,
    /// Cursor in `p`, at 2 of 3 events.
    cursor: String,
    /// Somebody else, who is not to notice anything.
    bystander: Client,
    changes: i64,
}

impl Scene {
    async fn set() -> Self {
        let server = Server::start("sqlite::memory:").await;
        let bystander = Client::connect(&server.address).await;
        bystander.join("p").await;
        let writer = Client::connect(&server.address).await;
        let pid = writer.recovery()["pid"].as_str().unwrap().to_owned();
        let mut scene = Self {
            server,
            pid,
            cursor: String::new(),
            bystander,
            changes: 0,
        };
        for _ in 0..3 {
            scene.change(&writer).await;
        }
        let events = scene.bystander.take(3).await;
        let cursor = events[1].args[1].as_str().unwrap();
        cursor.clone_into(&mut scene.cursor);
        scene
    }

    /// Changes something; the seq of its event.
    async fn change(&mut self, client: &Client) -> i64 {
        self.changes += 1;
        let change = json!({"projectId": "p", "taskId": "t", "number": self.changes});
        let done = client.call("task:update", change).await;
        done["seq"].as_i64().unwrap_or_else(|| panic!("{done}"))
    }

    /// A cursor of this database with other positions.
    fn cursor_of(&self, positions: &str) -> String {
        let (epoch, _) = self.cursor.split_once('.').unwrap();
        format!("{epoch}.{positions}")
    }

    /// The number of `p`.
    fn channel(&self) -> &str {
        let (_, position) = self.cursor.split_once('.').unwrap();
        position.split_once(':').unwrap().0
    }

    async fn enter(&self, auth: &Value) -> Client {
        let client = Client::try_connect(&self.server.address, auth).await;
        client.unwrap_or_else(|| panic!("{} is not let in", short(auth)))
    }

    /// A client that was let in can do everything, can come back, and the bystander is still there.
    async fn goes_on(&mut self, client: Client, auth: &Value) {
        client.join("p").await;
        let seq = self.change(&client).await;
        assert_eq!(last(&client, seq).await, seq, "{}", short(auth));
        assert_eq!(self.bystander.next().await.seq(), seq);
        client.cut().await;
        let back = self.enter(&client.recovery()).await;
        assert!(back.recovered(), "after {}", short(auth));
        let seq = self.change(&back).await;
        assert_eq!(back.next().await.seq(), seq, "{}", short(auth));
        assert_eq!(self.bystander.next().await.seq(), seq);
    }
}

/// Takes events until this one; earlier ones are missed ones.
async fn last(client: &Client, seq: i64) -> i64 {
    loop {
        let event = client.next().await;
        if event.seq() >= seq {
            return event.seq();
        }
    }
}

fn short(auth: &Value) -> String {
    auth.to_string().chars().take(200).collect()
}

/// No cursor, another database's, or one of rooms that nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_means_nothing_is_reset() {
    let mut scene = Scene::set().await;
    let channel = scene.channel().to_owned();
    let many: Vec<_> = (900_001..=900_256).map(|no| format!("{no}:1")).collect();
    let too_many: Vec<_> = (900_001..=900_257).map(|no| format!("{no}:1")).collect();
    let far = format!("9{}", i64::MAX);
    for offset in [
        "x".to_owned(),
        "-".repeat(12 * 1024),
        "9".repeat(200_000),
        "\u{1f4a5}\u{0}\n\"'".to_owned(),
        "0".repeat(32) + "." + &format!("{channel}:1"),
        scene.cursor_of(&many.join(",")),
        scene.cursor_of(&too_many.join(",")),
        scene.cursor_of(&format!("{}:1", i64::MAX)),
        scene.cursor_of(&format!("0:0,{channel}:1")),
        scene.cursor_of(&format!("{channel}:{far}")),
        scene.cursor_of(&format!("{channel}:-1")),
        scene.cursor_of(&format!("{channel}:1,{channel}:1")),
    ] {
        let auth = json!({"pid": scene.pid, "offset": offset});
        let client = scene.enter(&auth).await;
        assert!(!client.recovered(), "{}", short(&auth));
        let reset = client.try_signal("session:reset", super::SOON).await;
        let reset = reset.unwrap_or_else(|| panic!("{} is not reset", short(&auth)));
        assert_eq!(reset.args[0]["reset"], true, "{reset:?}");
        assert!(reset.args[0]["reason"].is_string(), "{reset:?}");
        assert!(reset.args[1].is_string(), "{reset:?}");
        scene.goes_on(client, &auth).await;
    }
}

/// A seq that the log has not reached is no place to go on from.
#[tokio::test(flavor = "multi_thread")]
async fn a_seq_ahead_of_the_log_is_reset() {
    let mut scene = Scene::set().await;
    let channel = scene.channel().to_owned();
    for seq in [1_000_000, i64::MAX - 1, i64::MAX] {
        let auth =
            json!({"pid": scene.pid, "offset": scene.cursor_of(&format!("{channel}:{seq}"))});
        let client = scene.enter(&auth).await;
        assert!(!client.recovered(), "{auth}");
        let reset = client.next().await;
        assert_eq!(reset.name, "project:reset");
        let told = &reset.args[0];
        assert_eq!(told["projectId"], "p", "{told}");
        assert_eq!(told["snapshot"]["seq"], told["seq"], "{told}");
        assert_eq!(reset.args[1], told["cursor"], "{told}");
        // It is in the room.
        let seq = scene.change(&client).await;
        assert_eq!(
            (told["seq"].as_i64().unwrap() + 1, client.next().await.seq()),
            (seq, seq)
        );
        scene.bystander.next().await;
        scene.goes_on(client, &auth).await;
    }
}

/// A pid that is none of ours is not given back, but what was missed is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_strange_pid_is_replaced() {
    let mut scene = Scene::set().await;
    for pid in [
        json!("a\"b"),
        json!("\",\"sid\":\"x"),
        json!("0".repeat(32)),
        json!(scene.pid.to_uppercase() + "0"),
        json!(format!("{} ", scene.pid)),
        json!(&scene.pid[1..]),
        json!("x".repeat(100_000)),
        json!(""),
        json!(7),
        json!(null),
        json!({"a": 1}),
        json!([scene.pid]),
    ] {
        let auth = json!({"pid": pid, "offset": scene.cursor});
        let client = scene.enter(&auth).await;
        assert!(!client.recovered(), "{}", short(&auth));
        assert_eq!(client.next().await.seq(), 3, "{}", short(&auth));
        scene.goes_on(client, &auth).await;
    }
}

/// What is no string is no offset, and the next name is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_is_no_string_is_none() {
    let mut scene = Scene::set().await;
    for offset in [
        json!(7),
        json!(null),
        json!({}),
        json!([scene.cursor]),
        json!(""),
        json!(true),
    ] {
        let auth = json!({"pid": scene.pid, "offset": offset});
        let client = scene.enter(&auth).await;
        scene.goes_on(client, &auth).await;
        let auth = json!({"offset": offset, "cursor": scene.cursor});
        let client = scene.enter(&auth).await;
        assert_eq!(client.next().await.seq(), 3, "{auth}");
        scene.goes_on(client, &auth).await;
    }
}
