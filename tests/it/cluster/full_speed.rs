//! Two instances change the same projects as fast as they can: no command fails, the database sees no deadlock,
//! and nobody on either instance ever sees what one command did half done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::log::Log;
use super::member::{Goal, Member};
use super::replay::Board;
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::server::UNLIMITED;

const DURATION: Duration = Duration::from_secs(30);
const INSTANCES: usize = 2;
const PROJECTS: [&str; 4] = ["a", "b", "c", "d"];
/// Tasks of a project: few, so that everybody wants the same.
const TASKS: usize = 40;
/// Commands that one client has in flight.
const IN_FLIGHT: usize = 16;
/// Pause between two snapshots that one client reads.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_at_full_speed() {
    let mut chance = Chance::from_seed();
    let mut cluster = Cluster::start_with(INSTANCES, &UNLIMITED).await;
    let (goal, reached) = watch::channel(None);
    let watchers = watchers(&cluster, &mut chance, &reached).await;
    let end = Instant::now() + DURATION;
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for project in PROJECTS {
        for instance in 0..INSTANCES {
            for number in 0..2 {
                let name = format!("{instance}-{number}");
                let writer = Writer::connect(&cluster, instance, project, chance.fork()).await;
                writers.push(tokio::spawn(writer.plan_sprints(name, end)));
                let writer = Writer::connect(&cluster, instance, project, chance.fork()).await;
                writers.push(tokio::spawn(writer.change_tasks(end)));
            }
            let reader = Client::connect(cluster.address(instance)).await;
            readers.push(tokio::spawn(read_snapshots(reader, project, end)));
        }
    }
    let commands: usize = join_all(writers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    let snapshots = join_all(readers).await.into_iter().flat_map(Result::unwrap);
    let mut snapshots: Vec<_> = snapshots.collect();
    snapshots.extend(last_snapshots(&cluster).await);
    let log = Log::read(&cluster.database_url).await;
    goal.send_replace(Some(Arc::new(log.heads())));
    for watcher in join_all(watchers).await {
        let watcher = watcher.unwrap();
        assert_eq!(watcher.lost, 0);
        for (project, book) in &watcher.books {
            let told = book.seen.iter().map(|seen| &seen.payload);
            assert!(told.eq(log.0[project].iter().map(|entry| &entry.payload)));
        }
    }
    let (blocks, snapshots) = is_never_half_done(&log, snapshots);
    eprintln!(
        "{commands} commands, {} events, {blocks} commands of several events, {snapshots} snapshots",
        log.len()
    );
    // Enough to have collided often, on a slow machine as well.
    assert!(commands > 1000, "{commands} commands");
    assert!(blocks > 100 && snapshots > 100, "{blocks}, {snapshots}");
    assert_eq!(deadlocks(&mut cluster).await, 0);
}

async fn watchers(
    cluster: &Cluster,
    chance: &mut Chance,
    goal: &Goal,
) -> Vec<tokio::task::JoinHandle<Member>> {
    let client = Client::connect(cluster.address(0)).await;
    let mut watchers = Vec::new();
    for project in PROJECTS {
        let created = client.call("project:create", json!({"id": project})).await;
        assert_eq!(created["ok"], true, "{created}");
        for instance in 0..INSTANCES {
            let project = [project.to_owned()];
            let addresses = cluster.addresses();
            let watcher = Member::join(chance.fork(), addresses, instance, project).await;
            watchers.push(tokio::spawn(watcher.follow(goal.clone())));
        }
    }
    watchers
}

/// Somebody who sends commands, many at a time.
struct Writer {
    client: Client,
    project: &'static str,
    chance: Chance,
    answers: Vec<oneshot::Receiver<Value>>,
    sent: usize,
}

impl Writer {
    async fn connect(
        cluster: &Cluster,
        instance: usize,
        project: &'static str,
        chance: Chance,
    ) -> Self {
        Self {
            client: Client::connect(cluster.address(instance)).await,
            project,
            chance,
            answers: Vec::new(),
            sent: 0,
        }
    }

    fn send(&mut self, name: &str, mut command: Value) {
        command["projectId"] = json!(self.project);
        self.answers.push(self.client.ask(name, &[command]));
        self.sent += 1;
    }

    /// Waits for the answers to all that was sent.
    async fn settle(&mut self) {
        for answer in self.answers.drain(..) {
            let answer = tokio::time::timeout(DURATION, answer).await;
            let answer = answer.expect("an ack in time").expect("a live connection");
            assert_eq!(answer["ok"], true, "{answer}");
        }
    }

    fn task(&mut self) -> String {
        format!("t{}", self.chance.below(TASKS))
    }

    /// Makes sprints and epics, takes tasks in, and ends them: commands with several events each.
    async fn plan_sprints(mut self, name: String, end: Instant) -> usize {
        for round in 0.. {
            if Instant::now() >= end {
                break;
            }
            let (sprint, epic) = (format!("s{name}-{round}"), format!("e{name}-{round}"));
            self.send("sprint:create", json!({"id": sprint}));
            self.send("epic:create", json!({"id": epic}));
            for _ in 0..8 {
                let updates = json!({"sprintId": sprint, "epicId": epic});
                let task = self.task();
                self.send("task:update", json!({"taskId": task, "updates": updates}));
            }
            // Half of the time others get a chance to take some of the tasks away.
            if self.chance.below(2) == 0 {
                self.settle().await;
            }
            self.send("sprint:complete", json!({"sprintId": sprint}));
            self.send("epic:delete", json!({"epicId": epic}));
            self.send("sprint:delete", json!({"sprintId": sprint}));
            self.settle().await;
        }
        self.sent
    }

    async fn change_tasks(mut self, end: Instant) -> usize {
        while Instant::now() < end {
            for _ in 0..IN_FLIGHT {
                let task = self.task();
                let status = *self.chance.pick(&["todo", "doing", "done"]);
                let mark = self.sent;
                let updates = if self.chance.below(3) == 0 {
                    json!({"status": status, "mark": mark})
                } else {
                    json!({"mark": mark})
                };
                self.send("task:update", json!({"taskId": task, "updates": updates}));
            }
            self.settle().await;
        }
        self.sent
    }
}

async fn read_snapshots(client: Client, project: &'static str, end: Instant) -> Vec<Value> {
    let mut snapshots = Vec::new();
    while Instant::now() < end {
        let snapshot = client.call("project:snapshot", json!(project)).await;
        assert_eq!(snapshot["ok"], true, "{snapshot}");
        snapshots.push(snapshot);
        tokio::time::sleep(SNAPSHOT_PAUSE).await;
    }
    snapshots
}

/// What each instance reads when all commands are answered.
async fn last_snapshots(cluster: &Cluster) -> Vec<Value> {
    let mut snapshots = Vec::new();
    for instance in 0..INSTANCES {
        let reader = Client::connect(cluster.address(instance)).await;
        for project in PROJECTS {
            snapshots.push(reader.call("project:snapshot", json!(project)).await);
        }
    }
    snapshots
}

/// Replays the log beside the snapshots, the last of which are of its end. Commands with several events, and snapshots that were compared.
fn is_never_half_done(log: &Log, mut snapshots: Vec<Value>) -> (usize, usize) {
    snapshots.sort_by_key(|snapshot| snapshot["seq"].as_u64());
    let mut blocks = 0;
    let mut compared = 0;
    for project in PROJECTS {
        let mut board = Board::default();
        let head = log.0[project].len();
        let last = |read: &&Value| read["projectId"] == project && read["seq"] == head;
        assert!(
            snapshots.iter().filter(last).count() >= INSTANCES,
            "{project}"
        );
        let mine = snapshots.iter().filter(|read| read["projectId"] == project);
        let mut mine = mine.peekable();
        for (seq, entry) in (1_u64..).zip(&log.0[project]) {
            board.take(entry);
            while let Some(snapshot) = mine.next_if(|snapshot| snapshot["seq"] == seq) {
                board.agrees(snapshot);
                compared += 1;
            }
        }
        assert!(board.is_whole(), "the log of {project} ends half done");
        assert!(
            mine.next().is_none(),
            "a snapshot of {project} ahead of its log"
        );
        blocks += board.blocks;
    }
    (blocks, compared)
}

/// Deadlocks that Postgres has counted. A connection's counts are certain to be there when it has ended.
async fn deadlocks(cluster: &mut Cluster) -> i64 {
    for server in &mut cluster.instances {
        server.signal("TERM");
        assert_eq!(server.ended().await, Some(0));
    }
    let mut connection = PgConnection::connect(&cluster.database_url).await.unwrap();
    eventually("all other connections have ended", async || {
        let others = "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let others: i64 = sqlx::query_scalar(others)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        others == 0
    })
    .await;
    let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(counted)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}
