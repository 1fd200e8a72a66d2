//! A client who changes things, at a pace or as fast as everybody who listens can see it.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::Outcome;
use crate::client::Client;
use crate::subscribers::{Arrival, Subscribers};

/// Tasks that are changed in turn.
const TASKS: usize = 50;
/// How often a publisher that has to wait looks again.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// See the module. Acks come in the order in which it sent.
pub(crate) struct Publisher {
    client: Client,
    project: String,
    sent: Vec<Instant>,
    acked: Vec<Instant>,
}

impl Publisher {
    pub(crate) async fn connect(address: &str, project: &str) -> Outcome<Self> {
        Ok(Self {
            client: Client::connect(address).await?,
            project: project.to_owned(),
            sent: Vec::new(),
            acked: Vec::new(),
        })
    }

    /// Commands that it has sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.len() as u64
    }

    /// The first command makes things that are made once.
    pub(crate) async fn publish_one(&mut self, everybody: &mut [Subscribers]) -> Outcome<()> {
        self.send(1).await?;
        self.wait(everybody).await
    }

    /// Sends so many commands per second, and waits until everybody has seen them.
    pub(crate) async fn paced(
        &mut self,
        pace: f64,
        duration: Duration,
        everybody: &mut [Subscribers],
    ) -> Outcome<()> {
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / pace));
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let started = Instant::now();
        while started.elapsed() < duration {
            tokio::select! {
                _ = pace.tick() => self.send(1).await?,
                read = read_acks(&mut self.client, &mut self.acked) => read?,
            }
        }
        self.wait(everybody).await
    }

    /// Keeps so many commands on their way, counted to the slowest of everybody, and waits for the rest.
    pub(crate) async fn flat_out(
        &mut self,
        window: u64,
        duration: Duration,
        everybody: &mut [Subscribers],
    ) -> Outcome<()> {
        let started = Instant::now();
        while started.elapsed() < duration {
            let seen = everybody.iter().map(Subscribers::seen_by_all).min();
            let under_way = self.sent() - seen.unwrap_or_default();
            self.send(window.saturating_sub(under_way)).await?;
            tokio::select! {
                read = read_acks(&mut self.client, &mut self.acked) => read?,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        self.wait(everybody).await
    }

    /// Sends commands; each makes one event.
    async fn send(&mut self, count: u64) -> Outcome<()> {
        let mut messages = Vec::new();
        for _ in 0..count {
            let (number, project) = (self.sent.len(), &self.project);
            messages.push(format!(
                r#"42{number}["task:update",{{"projectId":"{project}","taskId":"t{}","n":{number},"title":"Water the tomatoes","assignee":"ada"}}]"#,
                number % TASKS
            ));
            self.sent.push(Instant::now());
        }
        let messages: Vec<_> = messages.iter().map(String::as_str).collect();
        self.client.send(&messages).await
    }

    /// Waits until everything was answered and seen.
    async fn wait(&mut self, everybody: &mut [Subscribers]) -> Outcome<()> {
        while self.acked.len() < self.sent.len() {
            read_acks(&mut self.client, &mut self.acked).await?;
        }
        for subscribers in everybody {
            subscribers.wait(self.sent.len() as u64).await?;
        }
        Ok(())
    }

    /// Microseconds from each command that arrived to its ack.
    pub(crate) fn until_ack(&self, arrivals: &[Arrival]) -> Vec<i64> {
        let mut numbers: Vec<_> = arrivals.iter().map(|arrival| arrival.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let acks = numbers
            .into_iter()
            .map(|number| micros(self.sent[number], self.acked[number]));
        acks.collect()
    }

    /// Microseconds from the commands to these arrivals.
    pub(crate) fn until_arrival(&self, arrivals: &[Arrival]) -> Vec<i64> {
        since(&self.sent, arrivals)
    }

    /// Microseconds from the acks to these arrivals, of which some come first.
    pub(crate) fn between_ack_and_arrival(&self, arrivals: &[Arrival]) -> Vec<i64> {
        since(&self.acked, arrivals)
    }
}

async fn read_acks(client: &mut Client, acked: &mut Vec<Instant>) -> Outcome<()> {
    let mut refused = None;
    let read = client.read(|message| {
        if !message.starts_with(b"43") {
            return;
        }
        acked.push(Instant::now());
        if !message.windows(9).any(|bytes| bytes == br#""ok":true"#) {
            refused = Some(String::from_utf8_lossy(message).into_owned());
        }
    });
    read.await?;
    match refused {
        Some(message) => Err(format!("a command was refused: {message}").into()),
        None => Ok(()),
    }
}

fn since(instants: &[Instant], arrivals: &[Arrival]) -> Vec<i64> {
    arrivals
        .iter()
        .map(|arrival| micros(instants[arrival.number], arrival.at))
        .collect()
}

/// From one moment to another, which may be the earlier one.
fn micros(from: Instant, to: Instant) -> i64 {
    let between = |from: Instant, to: Instant| {
        i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i64::MAX)
    };
    between(from, to) - between(to, from)
}
