//! Who may do what: every command and read, by everybody, over every transport, against a table of its own.

mod callers;
mod founding;
mod leaks;
mod outsiders;
mod rest;
mod table;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;

use boardcast::contract::schema::client_events;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::{KINDS, Server};
use crate::support::tokens;
use callers::Caller;
use table::{Rank, Row, Verdict, rows};
use wire::{Transport, Wire};

/// Whom tokens are meant for.
const AUDIENCE: &str = "boardcast";
const FOUNDER: &str = "founder";
/// The limits of what somebody may do at once are not what is tested here.
const UNLIMITED: [&str; 7] = [
    "COMMAND_RATE",
    "READ_RATE",
    "SIGNAL_RATE",
    "USER_COMMAND_RATE",
    "USER_READ_RATE",
    "USER_SIGNAL_RATE",
    "CONNECT_RATE_PER_IP",
];

/// A server that wants to know who everybody is, and its database.
struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    /// Somebody who may make projects under any id.
    founder: Client,
}

impl Scene {
    async fn set() -> Self {
        Self::set_with(&[]).await
    }

    async fn set_with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = tokens::REQUIRED.to_vec();
        settings.push(("AUTH_AUDIENCE", AUDIENCE));
        settings.push(KINDS);
        settings.extend(UNLIMITED.map(|limit| (limit, "none")));
        settings.extend_from_slice(more);
        let server = Server::start_with(&database(folder.path()), &settings).await;
        let token = token(FOUNDER, json!({"*": "owner"}));
        let founder = Client::connect_with(&server.address, &json!({"token": token})).await;
        Self {
            founder: founder.expect("a good token"),
            server,
            folder,
        }
    }

    async fn enter(&self, transport: Transport, credential: &str) -> Wire {
        let auth = json!({"token": credential});
        let entered = Wire::enter(transport, &self.server.address, &auth).await;
        entered.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// Has the founder do something.
    async fn found(&self, event: &str, payload: Value) -> Value {
        let answer = self.founder.call(event, payload.clone()).await;
        assert_eq!(answer["ok"], true, "{event} {payload}: {answer}");
        answer
    }

    /// A project with all that the table's rows name in it.
    async fn project(&self, project: &str) {
        self.found(
            "project:create",
            json!({"projectId": project, "title": "x"}),
        )
        .await;
        for task in ["t", "t2", "t3"] {
            let payload = json!({"projectId": project, "taskId": task, "title": task});
            self.found("task:create", payload).await;
        }
        let buried = json!({"projectId": project, "taskId": "t3"});
        self.found("task:delete", buried).await;
        for (kind, ids) in [
            ("epic", ["e", "e2", "e3"]),
            ("sprint", ["s", "s2", "s3"]),
            ("comment", ["c", "c2", "c3"]),
            ("subtask", ["b", "b2", "b3"]),
            ("note", ["n", "n2", "n3"]),
        ] {
            for id in ids {
                let mut payload = json!({"projectId": project, "title": id});
                payload[format!("{kind}Id")] = json!(id);
                self.found(&format!("{kind}:create"), payload.clone()).await;
                if id.ends_with('3') {
                    self.found(&format!("{kind}:delete"), payload).await;
                }
            }
        }
        for (user, role) in [
            ("other", "viewer"),
            ("leaver", "viewer"),
            ("co", "owner"),
            ("co2", "owner"),
        ] {
            self.add(project, user, role).await;
        }
    }

    async fn add(&self, project: &str, user: &str, role: &str) {
        let payload = json!({"projectId": project, "userId": user, "role": role});
        self.found("member:add", payload).await;
    }

    async fn seq(&self, project: &str) -> Value {
        let snapshot = self.found("project:snapshot", json!(project)).await;
        snapshot["seq"].clone()
    }
}

fn database(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("it.db").display())
}

/// A user's token with roles by project.
fn token(user: &str, roles: Value) -> String {
    let mut claims = json!({"aud": AUDIENCE});
    claims["projects"] = roles;
    tokens::with(user, claims)
}

/// The object in a message `43…[{…}]` or `42["error",{…}]`.
fn object_in(message: &str) -> Value {
    let list = message.find('[').expect("it is a list");
    let list: Vec<Value> = serde_json::from_str(&message[list..]).expect("it is JSON");
    list.into_iter().find(Value::is_object).unwrap_or_default()
}

/// Does everything in the table as one caller in a project of its own; what came out otherwise than it should.
async fn surprises(scene: &Scene, caller: &Caller, transport: Transport) -> Vec<String> {
    let project = caller.project(transport);
    scene.project(&project).await;
    if let Some((user, role)) = &caller.membership {
        scene.add(&project, user, role.name()).await;
    }
    let mut wire = scene.enter(transport, &caller.credential).await;
    let mut surprises = Vec::new();
    for row in rows(&project, &caller.credential) {
        let answer = object_in(&wire.ask(&row.packet()).await);
        let expected = row.verdict(caller.role);
        if !expected.is(&answer) {
            let Row { label, .. } = row;
            surprises.push(format!(
                "{caller} over {transport:?}: {label} should be {expected:?}: {answer}"
            ));
        }
    }
    surprises
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_table_says() {
    let scene = Scene::set().await;
    let mut all = Vec::new();
    for caller in callers::all(&scene).await {
        for transport in Transport::ALL {
            all.extend(surprises(&scene, &caller, transport).await);
        }
    }
    assert!(
        all.is_empty(),
        "{} surprises:\n{}",
        all.len(),
        all.join("\n")
    );
}

/// Everybody may leave a project, whatever they are in it; but somebody must stay who owns it.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_remove_themselves() {
    let scene = Scene::set().await;
    for role in Rank::ALL {
        let (project, user) = (format!("left-by-{role:?}"), format!("u-{role:?}"));
        scene.project(&project).await;
        scene.add(&project, &user, role.name()).await;
        let mut wire = scene
            .enter(Transport::WebSocket, &token(&user, json!({})))
            .await;
        let packet = json!(["member:remove", {"projectId": project, "userId": user}]);
        let answer = object_in(&wire.ask(&packet.to_string()).await);
        assert!(Verdict::Done.is(&answer), "{role:?}: {answer}");
        let answer = object_in(
            &wire
                .ask(&json!(["project:snapshot", project]).to_string())
                .await,
        );
        assert!(Verdict::NotFound.is(&answer), "{role:?}: {answer}");
    }
}

/// Whoever adds a command says here who may use it.
#[test]
fn no_event_is_missing_in_the_table() {
    let known: BTreeSet<_> = client_events().map(|event| event.name.to_owned()).collect();
    let rows = rows("p", "token");
    let tested = rows.iter().map(|row| row.event.to_owned());
    let is_declared = |event: &str| event.starts_with("subtask:") || event.starts_with("note:");
    let tested: BTreeSet<String> = tested.filter(|event| !is_declared(event)).collect();
    assert!(known.len() > 30, "{known:?}");
    assert_eq!(known, tested);
}
