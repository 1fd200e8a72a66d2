//! API keys that are taken away while somebody is connected with them.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;

use super::line::{Line, Shown, TRANSPORTS};
use super::{UNAUTHENTICATED, connect, required, token};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::rest::{Answer, Rest};
use crate::support::server::Server;

/// The database of a test, which servers and the command line share.
struct Database {
    folder: tempfile::TempDir,
}

impl Database {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn url(&self) -> String {
        let path: &Path = self.folder.path();
        format!("sqlite://{}", path.join("it.db").display())
    }

    /// Runs `boardcast apikey …`; what it prints.
    async fn apikey(&self, args: &[&str]) -> String {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_boardcast"))
            .arg("apikey")
            .args(args)
            .env_clear()
            .env("DATABASE_URL", self.url())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn create(&self, name: &str, more: &[&str]) -> String {
        let args = [&["create", "--name", name, "--scope", "*:owner"], more].concat();
        self.apikey(&args).await
    }

    async fn start(&self) -> Server {
        Server::start_with(&self.url(), &required(&[])).await
    }
}

async fn ended(client: &Client) {
    eventually("its connection ends", async || client.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_wherever_it_stands_and_a_service_has_a_name() {
    let database = Database::new();
    let server = database.start().await;
    let key = database.create("ci", &[]).await;
    for transport in TRANSPORTS {
        for (place, shown) in Shown::everywhere(&key) {
            if place == "cookie" {
                continue;
            }
            let (_, answer) = Line::enter(&server.address, transport, &shown).await;
            assert!(
                answer.starts_with("40{"),
                "{transport:?}, {place}: {answer}"
            );
        }
    }
    let client = connect(&server, &key).await;
    client.join("p").await;
    client
        .call("task:create", json!({"projectId": "p", "title": "t"}))
        .await;
    assert_eq!(client.next().await.args[0]["createdBy"], "apikey:ci");
}

/// Programs alone need no key that verifies tokens, and then nobody is a user.
#[tokio::test(flavor = "multi_thread")]
async fn api_keys_suffice_where_authentication_is_required() {
    let database = Database::new();
    let server = Server::start_with(&database.url(), &[("AUTH_REQUIRED", "true")]).await;
    let key = database.create("ci", &[]).await;
    let client = connect(&server, &key).await;
    client.join("p").await;
    let refused = [
        Shown::in_auth(json!({})),
        Shown::in_auth(json!({"userId": "ann"})),
        Shown::in_auth(json!({"token": token("ann", &json!({}))})),
    ];
    for shown in refused {
        for transport in TRANSPORTS {
            let (_, answer) = Line::enter(&server.address, transport, &shown).await;
            assert_eq!(answer, UNAUTHENTICATED);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_closes_its_connections_and_no_others() {
    let database = Database::new();
    let server = database.start().await;
    let (ci, other) = (
        database.create("ci", &[]).await,
        database.create("other", &[]).await,
    );
    let clients = [connect(&server, &ci).await, connect(&server, &ci).await];
    let others = [
        connect(&server, &other).await,
        connect(&server, &token("ann", &json!({}))).await,
    ];
    database.apikey(&["revoke", "--name", "ci"]).await;
    for client in &clients {
        ended(client).await;
    }
    server.tells("key_revoked").await;
    let shown = Shown::in_auth(json!({"apiKey": ci}));
    let (_, answer) = Line::enter(&server.address, TRANSPORTS[1], &shown).await;
    assert_eq!(answer, UNAUTHENTICATED);
    for client in &others {
        client.join("p").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_closes_its_connections() {
    let database = Database::new();
    let server = database.start().await;
    let key = database.create("ci", &["--expires-in", "4s"]).await;
    let client = connect(&server, &key).await;
    let warning = client
        .try_signal("auth:expiring", Duration::from_secs(5))
        .await;
    assert!(warning.is_some());
    ended(&client).await;
}

/// Who waits for events over HTTP has no connection that could be closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_hears_nothing_of_what_it_waited_for() {
    let database = Database::new();
    let server = database.start().await;
    let (ci, other) = (
        database.create("ci", &[]).await,
        database.create("other", &[]).await,
    );
    let [ci, other] = [ci, other].map(|key| Rest::new(&server.address).showing(&key));
    let project = json!({"id": "p"});
    other.post("/projects", &project).await.expect(201);
    let events = "/projects/p/events?since=1&wait=60";
    let mut waiting = ci.begin("GET", events, None).await;
    server
        .health_becomes("somebody waits", |health| health["feeds"] == 1)
        .await;
    database.apikey(&["revoke", "--name", "ci"]).await;
    let secret = json!({"title": "secret"});
    other.patch("/projects/p", &secret).await.expect(200);
    let mut bytes = Vec::new();
    waiting.read_to_end(&mut bytes).await.unwrap();
    Answer::read(&bytes).problem(401, "unauthenticated");
}
