//! A client who changes a project all the time and is not cut off. If its server dies, it sends what was not
//! answered once more, under the same keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::number_after;
use crate::Outcome;
use crate::client::Client;

/// Tasks that are changed in turn.
const TASKS: u64 = 50;
/// How long its server may be away.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Publisher {
    pub(super) address: String,
    pub(super) project: String,
    /// The seq of the project's last event that was acked.
    pub(super) head: Arc<AtomicI64>,
    sent: u64,
    /// Commands by their numbers.
    unanswered: BTreeMap<i64, String>,
}

impl Publisher {
    pub(super) fn new(address: &str, project: &str, head: Arc<AtomicI64>) -> Self {
        Self {
            address: address.to_owned(),
            project: project.to_owned(),
            head,
            sent: 0,
            unanswered: BTreeMap::new(),
        }
    }

    /// Publishes until it is stopped and everything is answered.
    pub(super) async fn publish(
        mut self,
        every: Duration,
        stop: watch::Receiver<bool>,
    ) -> Outcome<()> {
        let mut pace = tokio::time::interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut deadline = Instant::now() + PATIENCE;
        while !(*stop.borrow() && self.unanswered.is_empty()) {
            if let Err(error) = self.connected(&mut pace, &stop, &mut deadline).await {
                if Instant::now() > deadline {
                    return Err(format!("a publisher gives up: {error}").into());
                }
                tokio::time::sleep(RETRY).await;
            }
        }
        Ok(())
    }

    /// Publishes as long as the connection lasts.
    async fn connected(
        &mut self,
        pace: &mut tokio::time::Interval,
        stop: &watch::Receiver<bool>,
        deadline: &mut Instant,
    ) -> Outcome<()> {
        let mut client = Client::connect(&self.address).await?;
        for message in self.unanswered.values() {
            client.send(&[message]).await?;
        }
        while !(*stop.borrow() && self.unanswered.is_empty()) {
            tokio::select! {
                _ = pace.tick() => if !*stop.borrow() {
                    client.send(&[&self.next()]).await?;
                },
                read = read_acks(&mut client, &mut self.unanswered, &self.head) => read?,
            }
            *deadline = Instant::now() + PATIENCE;
        }
        Ok(())
    }

    fn next(&mut self) -> String {
        self.sent += 1;
        let (number, project) = (self.sent, &self.project);
        let message = format!(
            r#"42{number}["task:update",{{"projectId":"{project}","taskId":"t{}","n":{number},"title":"Water the tomatoes","assignee":"ada","idempotencyKey":"{project} {number}"}}]"#,
            number % TASKS
        );
        self.unanswered
            .insert(i64::try_from(number).unwrap_or(i64::MAX), message.clone());
        message
    }
}

/// Takes acks. A command that was refused is to be sent again.
async fn read_acks(
    client: &mut Client,
    unanswered: &mut BTreeMap<i64, String>,
    head: &AtomicI64,
) -> Outcome<()> {
    let mut refused = None;
    let read = client.read(|message| {
        let Some(number) = number_after(message, b"43") else {
            return;
        };
        match number_after(message, br#""seq":"#) {
            Some(seq) => {
                unanswered.remove(&number);
                head.fetch_max(seq, Ordering::Relaxed);
            }
            None => refused = Some(String::from_utf8_lossy(message).into_owned()),
        }
    });
    read.await?;
    refused.map_or(Ok(()), |refused| Err(refused.into()))
}
