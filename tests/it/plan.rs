//! A random plan: people join, edit, leave, stop reading, lose their connection and come back with what they
//! saw last, by joining again or by the recovery of their session, while the server is killed now and then. In the end everybody has seen every event once and in
//! order, everybody's board equals the database, and what was acked is in the log.
//!
//! A plan is made from a seed, which a failure shows; `IT_SEED=<seed>` replays it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{KINDS, Server};

const MEMBERS: usize = 8;
const STEPS: usize = 600;
const PROJECTS: [&str; 3] = ["a", "b", "c"];

#[tokio::test(flavor = "multi_thread")]
async fn plan_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    run(Server::start_with(&url, &[KINDS]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_on_postgres() {
    let postgres = Postgres::start();
    run(Server::start_with(&postgres.create_database().await, &[KINDS]).await).await;
}

async fn run(server: Server) {
    let chance = Chance::from_seed();
    let mut plan = Plan {
        server,
        chance,
        members: (0..MEMBERS).map(|_| Member::default()).collect(),
        acked: BTreeMap::new(),
        marks: 0,
    };
    for _ in 0..STEPS {
        plan.step().await;
    }
    plan.finish().await;
}

/// Somebody at a board.
#[derive(Default)]
struct Member {
    client: Option<Client>,
    joined: BTreeSet<&'static str>,
    /// What it comes back with to the session that it had, and so to its rooms.
    recovery: Option<Value>,
    /// The last seq that was seen of each project.
    seen: BTreeMap<String, i64>,
    /// What is known of each task, comment and subtask: the last payload about it.
    board: BTreeMap<(String, String), Value>,
    /// Every mark with the project and seq at which it was seen.
    log: BTreeMap<(String, i64), Value>,
}

impl Member {
    async fn connect(&mut self, address: &str) -> &Client {
        if self.client.is_none() {
            let recovery = self.recovery.take();
            let auth = recovery.clone().unwrap_or_else(|| json!({}));
            let client = Client::connect_with(address, &auth).await;
            let client = client.expect("the server lets everyone in");
            assert_eq!(client.recovered(), recovery.is_some(), "{auth}");
            self.client = Some(client);
        }
        self.client.as_ref().unwrap()
    }

    async fn join(&mut self, address: &str, project: &'static str) {
        let since = self.seen.get(project).copied().unwrap_or(0);
        // Who is here already asks for nothing again: what it has not read yet is on its way.
        let request = if self.joined.contains(project) {
            json!(project)
        } else {
            json!({"projectId": project, "since": since})
        };
        let client = self.connect(address).await;
        let joined = client.call("join:project", request).await;
        assert_eq!(joined["ok"], true, "{joined}");
        assert_eq!(joined["reset"], Value::Null, "{joined}");
        self.joined.insert(project);
    }

    /// Loses the connection; what was on its way is seen or not. Next time it comes back to its session, or has
    /// forgotten it.
    async fn disconnect(&mut self, keeps_session: bool) {
        let Some(client) = &self.client else {
            return;
        };
        client.cut().await;
        self.read().await;
        let recovery = self.client.take().map(|client| client.recovery());
        // Without an offset, that is before the first join, there is nothing to come back to.
        self.recovery = recovery.filter(|said| keeps_session && said["offset"].is_string());
        if self.recovery.is_none() {
            self.joined.clear();
        }
    }

    /// Takes what has arrived.
    async fn read(&mut self) {
        while let Some(client) = &self.client
            && let Some(event) = client.try_next(Duration::from_millis(1)).await
        {
            if event.name == "error" {
                continue;
            }
            let payload = &event.args[0];
            let project = payload["projectId"].as_str().unwrap().to_owned();
            let seen = self.seen.entry(project.clone()).or_insert(0);
            assert_eq!(event.seq(), *seen + 1, "a gap or a repeat in {project}");
            *seen = event.seq();
            let task = payload["id"].as_str().unwrap().to_owned();
            self.log
                .insert((project.clone(), event.seq()), payload["mark"].clone());
            self.board.insert((project, task), payload.clone());
        }
    }
}

struct Plan {
    server: Server,
    chance: Chance,
    members: Vec<Member>,
    /// The marks of acked commands, by project and seq.
    acked: BTreeMap<(String, i64), i64>,
    marks: i64,
}

impl Plan {
    async fn step(&mut self) {
        let who = self.chance.below(self.members.len());
        let project = PROJECTS[self.chance.below(PROJECTS.len())];
        let address = self.server.address.clone();
        match self.chance.below(100) {
            0..60 => self.edit(who, project).await,
            60..72 => {
                self.set_reading(who, true);
                self.members[who].join(&address, project).await;
            }
            72..78 => self.leave(who, project).await,
            78..85 => self.disconnect(who).await,
            85..90 => self.set_reading(who, false),
            90..99 => {
                self.set_reading(who, true);
                self.members[who].read().await;
            }
            _ => self.crash().await,
        }
    }

    async fn edit(&mut self, who: usize, project: &str) {
        self.marks += 1;
        let mark = self.marks;
        let kind = ["task", "task", "comment", "subtask"][self.chance.below(4)];
        let number = self.chance.below(12);
        let verb = if kind == "task" {
            [
                "create", "update", "update", "status", "delete", "restore", "move", "toggle",
            ][self.chance.below(8)]
        } else {
            ["create", "update", "delete", "restore", "toggle"][self.chance.below(5)]
        };
        let status = ["todo", "doing", "done"][self.chance.below(3)];
        let position = self.chance.below(4);
        let mut payload = json!({
            "projectId": project, "taskId": format!("task{}", self.chance.below(12)), "status": status,
            "mark": mark, "position": if verb == "move" { json!(position) } else { Value::Null },
        });
        payload[format!("{kind}Id")] = json!(format!("{kind}{number}"));
        let wait = self.chance.below(3) == 0;
        let address = self.server.address.clone();
        let client = self.members[who].connect(&address).await;
        let answer = client.ask(&format!("{kind}:{verb}"), &[payload]);
        let stored = ["create", "update", "move"].contains(&verb);
        if !wait || !stored {
            return;
        }
        // A client that does not read gets no answer either.
        if let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_millis(500), answer).await
            && answer["ok"] == true
            && answer["noop"] != true
        {
            let seq = answer["seq"].as_i64().unwrap();
            let before = self.acked.insert((project.to_owned(), seq), mark);
            assert_eq!(
                before, None,
                "two commands were acked with seq {seq}: {answer}"
            );
        }
    }

    async fn leave(&mut self, who: usize, project: &'static str) {
        self.set_reading(who, true);
        let member = &mut self.members[who];
        if let Some(client) = &member.client
            && member.joined.remove(project)
        {
            assert_eq!(
                client.call("leave:project", json!(project)).await["ok"],
                true
            );
            // Everything that was published before is here, so the next join goes on from there.
            member.read().await;
        }
    }

    fn set_reading(&self, who: usize, reading: bool) {
        if let Some(client) = &self.members[who].client {
            client.set_reading(reading);
        }
    }

    async fn disconnect(&mut self, who: usize) {
        let keeps_session = self.chance.below(2) == 0;
        self.members[who].disconnect(keeps_session).await;
    }

    async fn crash(&mut self) {
        self.server.kill().await;
        for who in 0..self.members.len() {
            self.disconnect(who).await;
        }
        self.server.restart().await;
    }

    async fn finish(&mut self) {
        let address = self.server.address.clone();
        for who in 0..self.members.len() {
            self.set_reading(who, true);
            self.disconnect(who).await;
            let member = &mut self.members[who];
            for project in PROJECTS {
                member.join(&address, project).await;
            }
        }
        for project in PROJECTS {
            let observer = Client::connect(&address).await;
            let snapshot = observer.call("project:snapshot", json!(project)).await;
            for member in &mut self.members {
                settle(member, project, &snapshot).await;
            }
        }
        for ((project, seq), mark) in &self.acked {
            for member in &self.members {
                let seen = &member.log[&(project.clone(), *seq)];
                assert_eq!(
                    seen, mark,
                    "an acked command is not in the log of {project} at {seq}"
                );
            }
        }
    }
}

/// Reads until the head of a project and compares the member's board with the database.
async fn settle(member: &mut Member, project: &str, snapshot: &Value) {
    let head = snapshot["seq"].as_i64().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while member.seen.get(project).copied().unwrap_or(0) < head {
        assert!(
            tokio::time::Instant::now() < deadline,
            "events are missing in {project}"
        );
        member.read().await;
    }
    let lists = ["tasks", "comments", "subtasks"].map(|list| snapshot[list].as_array().unwrap());
    let listed: Vec<_> = lists.into_iter().flatten().collect();
    for entity in &listed {
        let key = (
            project.to_owned(),
            entity["id"].as_str().unwrap().to_owned(),
        );
        let told = &member.board[&key];
        for field in ["version", "rank", "completed", "updatedAt", "updatedBy"] {
            assert_eq!(told[field], entity[field], "{field} of {key:?}");
        }
    }
    let live = member
        .board
        .iter()
        .filter(|((of, _), told)| of == project && told["deletedAt"].is_null());
    assert_eq!(live.count(), listed.len());
}
