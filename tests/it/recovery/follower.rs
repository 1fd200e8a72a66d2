//! Somebody who joins once and never again, whatever happens to the connection.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::support::client::{Client, Received};

/// How long a client tries to come back.
const RETURN: Duration = Duration::from_secs(30);
/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Follower {
    pub(super) client: Client,
    /// The last seq that was seen of each project.
    pub(super) seen: BTreeMap<String, i64>,
}

impl Follower {
    /// Joins projects, from now on.
    pub(super) async fn join(address: &str, projects: &[String]) -> Self {
        let client = Client::connect(address).await;
        let mut seen = BTreeMap::new();
        for project in projects {
            let joined = client.join(project).await;
            seen.insert(project.clone(), joined["seq"].as_i64().unwrap());
        }
        Self { client, seen }
    }

    /// Notes an event, which must be the next one of its project.
    pub(super) fn note(&mut self, event: &Received) {
        let project = event.args[0]["projectId"].as_str().unwrap();
        let seen = self.seen.get_mut(project);
        let seen = seen.unwrap_or_else(|| panic!("nobody is in {project} here"));
        assert_eq!(event.seq(), *seen + 1, "a gap or a repeat in {project}");
        *seen += 1;
    }

    /// Takes so many events.
    pub(super) async fn take(&mut self, events: usize) {
        for event in self.client.take(events).await {
            self.note(&event);
        }
    }

    /// Takes events until all of these were seen.
    pub(super) async fn reach(&mut self, heads: &BTreeMap<String, i64>) {
        while self
            .seen
            .iter()
            .any(|(project, seen)| *seen < heads[project])
        {
            let event = self.client.next().await;
            self.note(&event);
        }
    }

    /// Takes what is on its way; nothing may follow the end of the log.
    pub(super) async fn ends_at(&mut self, heads: &BTreeMap<String, i64>) {
        self.reach(heads).await;
        for project in self.seen.keys() {
            let left = self.client.call("leave:project", project.as_str().into());
            assert_eq!(left.await["ok"], true);
        }
        let more = self.client.try_next(Duration::ZERO).await;
        assert!(more.is_none(), "after the end of the log: {more:?}");
    }

    /// Loses the connection.
    pub(super) async fn cut(&mut self) {
        self.client.cut().await;
        self.take_arrived().await;
    }

    /// Takes what has arrived on a connection that brings no more.
    pub(super) async fn take_arrived(&mut self) {
        while let Some(event) = self.client.try_next(RETURN).await {
            self.note(&event);
        }
    }

    /// Comes back after a cut, as often as it takes to be answered. The session must go on.
    pub(super) async fn come_back(&mut self, address: &str) {
        let recovery = self.client.recovery();
        self.client = come_back(address, &recovery).await;
        let (recovered, signal) = (self.client.recovered(), self.reset().await);
        assert!(recovered, "{recovery} was not recovered: {signal:?}");
    }

    /// Why the session was reset, if it was.
    async fn reset(&self) -> Option<Value> {
        if self.client.recovered() {
            return None;
        }
        let reset = self.client.try_signal("session:reset", RETRY).await?;
        Some(reset.args[0].clone())
    }
}

/// Connects until somebody answers.
pub(super) async fn come_back(address: &str, auth: &Value) -> Client {
    let deadline = Instant::now() + RETURN;
    loop {
        if let Some(client) = Client::try_connect(address, auth).await {
            return client;
        }
        assert!(Instant::now() < deadline, "nobody lets {auth} in");
        tokio::time::sleep(RETRY).await;
    }
}
