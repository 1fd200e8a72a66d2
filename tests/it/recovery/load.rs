//! Writers who never stop: what was not answered because the server died is sent again, under the same key.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::follower::come_back;
use crate::support::client::Client;
use crate::support::eventually;

/// Commands of one writer that may be on their way.
const WINDOW: usize = 50;
/// Tasks that a writer changes in turn.
const TASKS: u64 = 7;
/// Pause before what was refused is sent again.
const RETRY: Duration = Duration::from_millis(50);

/// One writer per project.
pub(super) struct Load {
    heads: Arc<Mutex<BTreeMap<String, i64>>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts writers who send a command at these intervals, if the server is that fast.
    pub(super) fn start(address: &str, projects: &[String], every: Duration) -> Self {
        let heads = projects
            .iter()
            .map(|project| (project.clone(), 0))
            .collect();
        let (heads, stop) = (Arc::new(Mutex::new(heads)), Arc::<AtomicBool>::default());
        let writers = projects.iter().map(|project| {
            let writer = Writer {
                address: address.to_owned(),
                project: project.clone(),
                heads: Arc::clone(&heads),
                stop: Arc::clone(&stop),
                sent: 0,
                unanswered: VecDeque::new(),
            };
            tokio::spawn(writer.write(every))
        });
        Self {
            writers: writers.collect(),
            heads,
            stop,
        }
    }

    /// How far each project's log is known to reach.
    pub(super) fn heads(&self) -> BTreeMap<String, i64> {
        self.heads.lock().unwrap().clone()
    }

    /// Waits for so many more events in each project.
    pub(super) async fn flows(&self, events: i64) {
        let before = self.heads();
        eventually("more events", async || {
            let now = self.heads();
            before
                .iter()
                .all(|(project, head)| now[project] >= head + events)
        })
        .await;
    }

    /// Ends the writing when everything is answered. How far each project's log reaches.
    pub(super) async fn stop(mut self) -> BTreeMap<String, i64> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in std::mem::take(&mut self.writers) {
            writer.await.unwrap();
        }
        self.heads()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for writer in &self.writers {
            writer.abort();
        }
    }
}

struct Writer {
    address: String,
    project: String,
    heads: Arc<Mutex<BTreeMap<String, i64>>>,
    stop: Arc<AtomicBool>,
    sent: u64,
    unanswered: VecDeque<(u64, oneshot::Receiver<Value>)>,
}

impl Writer {
    async fn write(mut self, every: Duration) {
        let mut pace = tokio::time::interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            let client = come_back(&self.address, &json!({})).await;
            let again: Vec<_> = self.unanswered.iter().map(|&(number, _)| number).collect();
            self.unanswered.clear();
            for number in again {
                self.send(&client, number);
            }
            while self.take_answers().await.is_ok() {
                if self.stop.load(Ordering::Relaxed) {
                    if self.unanswered.is_empty() {
                        return;
                    }
                    tokio::task::yield_now().await;
                    continue;
                }
                pace.tick().await;
                self.sent += 1;
                self.send(&client, self.sent);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn send(&mut self, client: &Client, number: u64) {
        let project = &self.project;
        let change = json!({
            "projectId": project, "taskId": format!("t{}", number % TASKS), "number": number,
            "idempotencyKey": format!("{project}-{number}"),
        });
        let answer = client.ask("task:update", &[change]);
        self.unanswered.push_back((number, answer));
    }

    /// Takes the answers that have come, and waits for one if there is no room for more. An error if the connection
    /// has ended, or a command is to be sent again.
    async fn take_answers(&mut self) -> Result<(), ()> {
        loop {
            let full = self.unanswered.len() >= WINDOW;
            let Some((_, answer)) = self.unanswered.front_mut() else {
                return Ok(());
            };
            let answer = match answer.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Closed) => return Err(()),
                Err(TryRecvError::Empty) if !full => return Ok(()),
                Err(TryRecvError::Empty) => answer.await.map_err(drop)?,
            };
            if answer["ok"] != true {
                assert_eq!(answer["code"], "unavailable", "{answer}");
                return Err(());
            }
            self.unanswered.pop_front();
            let seq = answer["seq"].as_i64().unwrap();
            let mut heads = self.heads.lock().unwrap();
            let head = heads.get_mut(&self.project).expect("it is known");
            *head = seq.max(*head);
        }
    }
}
