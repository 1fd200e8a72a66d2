//! Somebody who changes tasks, one after the other, and repeats a command with its key until it is acked: after
//! a refusal that says `retryable`, and when the ack was lost with its instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::chance::Chance;
use crate::support::client::Client;

/// Pause before what was refused is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// How long a command may be refused before that counts as wrong.
const ACKED_WITHIN: Duration = Duration::from_secs(40);

/// What all publishers share.
pub(super) struct Traffic {
    pub(super) addresses: Arc<[String]>,
    pub(super) projects: Vec<String>,
    /// Commands that may still be sent.
    pub(super) budget: AtomicUsize,
    /// Pause of each publisher after an ack.
    pub(super) pause: Duration,
}

impl Traffic {
    fn take_one(&self) -> bool {
        let taken = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.is_ok()
    }

    /// No more commands are begun.
    pub(super) fn stop(&self) {
        self.budget.store(0, Ordering::Relaxed);
    }
}

/// A command that was acked.
#[derive(Debug)]
pub(super) struct Acked {
    pub(super) project: String,
    pub(super) mark: u64,
    pub(super) seq: i64,
    /// The instance that acked it.
    pub(super) instance: usize,
    pub(super) at: Instant,
    /// How long its sender waited, repeats included.
    pub(super) took: Duration,
}

/// What a publisher has to tell in the end.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) acked: Vec<Acked>,
    /// Answers `unavailable`.
    pub(super) refused: usize,
    /// Answers that were lost with their connection.
    pub(super) lost: usize,
}

/// See the module.
pub(super) struct Publisher {
    pub(super) number: u64,
    pub(super) chance: Chance,
    /// Where it is connected, or was last.
    pub(super) instance: usize,
    pub(super) traffic: Arc<Traffic>,
}

impl Publisher {
    /// Sends until the budget is spent.
    pub(super) async fn publish(mut self) -> Sent {
        let mut sent = Sent::default();
        let mut client = None;
        for step in 0.. {
            if !self.traffic.take_one() {
                break;
            }
            let mark = self.number * 1_000_000 + step;
            let project = self.chance.pick(&self.traffic.projects).clone();
            let task = format!("t{}", self.chance.below(20));
            let command = json!({
                "projectId": project, "taskId": task, "updates": {"mark": mark},
                "idempotencyKey": format!("key-{mark}"),
            });
            let begun = Instant::now();
            let answer = self.until_acked(&command, &mut client, &mut sent).await;
            let now = Instant::now();
            sent.acked.push(Acked {
                project,
                mark,
                seq: answer["seq"].as_i64().expect("an ack has a seq"),
                instance: self.instance,
                at: now,
                took: now - begun,
            });
            tokio::time::sleep(self.traffic.pause).await;
        }
        sent
    }

    async fn until_acked(
        &mut self,
        command: &Value,
        client: &mut Option<Client>,
        sent: &mut Sent,
    ) -> Value {
        let begun = Instant::now();
        loop {
            let connected = match client {
                Some(connected) => connected,
                None => client.insert(self.connect().await),
            };
            match connected.try_call("task:update", command.clone()).await {
                Some(answer) if answer["ok"] == true => return answer,
                Some(refused) => {
                    assert_eq!(refused["code"], "unavailable", "{refused}");
                    assert_eq!(refused["retryable"], true, "{refused}");
                    assert!(begun.elapsed() < ACKED_WITHIN, "{refused}");
                    sent.refused += 1;
                    tokio::time::sleep(RETRY).await;
                }
                None => {
                    sent.lost += 1;
                    *client = None;
                    self.instance = self.chance.below(self.traffic.addresses.len());
                }
            }
        }
    }

    async fn connect(&mut self) -> Client {
        let begun = Instant::now();
        loop {
            let address = &self.traffic.addresses[self.instance];
            if let Some(client) = Client::try_connect(address, &json!({})).await {
                return client;
            }
            assert!(begun.elapsed() < ACKED_WITHIN, "no instance can be reached");
            tokio::time::sleep(RETRY).await;
            self.instance = self.chance.below(self.traffic.addresses.len());
        }
    }
}
