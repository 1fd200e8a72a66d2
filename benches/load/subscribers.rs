//! Everybody who listens to the project, and what they have seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::Client;

/// Clients that connect at the same time.
const DOORWAY: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);

/// When a client saw which message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) number: usize,
    pub(crate) at: Instant,
}

/// Connected clients that read all the time.
pub(crate) struct Subscribers {
    seen: Vec<Arc<AtomicU64>>,
    sampling: Arc<AtomicBool>,
    arrivals: mpsc::UnboundedReceiver<Vec<Arrival>>,
    readers: JoinSet<Outcome<()>>,
}

impl Subscribers {
    pub(crate) async fn join(address: &str, project: &str, count: usize) -> Outcome<Self> {
        let sampling = Arc::new(AtomicBool::new(false));
        let (samples, arrivals) = mpsc::unbounded_channel();
        let mut seen = Vec::with_capacity(count);
        let mut readers = JoinSet::new();
        for mut client in connect(address, count).await? {
            client.join(project).await?;
            let mine = Arc::new(AtomicU64::new(0));
            seen.push(Arc::clone(&mine));
            readers.spawn(read(client, mine, Arc::clone(&sampling), samples.clone()));
        }
        Ok(Self {
            seen,
            sampling,
            arrivals,
            readers,
        })
    }

    /// Events that even the last of them has seen.
    pub(crate) fn seen_by_all(&self) -> u64 {
        let seen = self.seen.iter().map(|seen| seen.load(Ordering::Relaxed));
        seen.min().unwrap_or_default()
    }

    /// Waits until everybody has seen so many events.
    pub(crate) async fn wait(&mut self, events: u64) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.seen_by_all() < events {
            if let Some(ended) = self.readers.try_join_next() {
                ended??;
            }
            if Instant::now() > deadline {
                return Err("events did not arrive".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// From now on arrivals are noted, or not.
    pub(crate) fn set_sampling(&self, sampling: bool) {
        self.sampling.store(sampling, Ordering::Relaxed);
    }

    /// What was noted.
    pub(crate) fn arrivals(&mut self) -> Vec<Arrival> {
        std::iter::from_fn(|| self.arrivals.try_recv().ok())
            .flatten()
            .collect()
    }
}

/// Connects many clients, some of them at the same time.
pub(crate) async fn connect(address: &str, count: usize) -> Outcome<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let mut connecting = JoinSet::new();
        for _ in 0..DOORWAY.min(count - clients.len()) {
            let address = address.to_owned();
            connecting.spawn(async move { Client::connect(&address).await });
        }
        while let Some(client) = connecting.join_next().await {
            clients.push(client??);
        }
    }
    Ok(clients)
}

async fn read(
    mut client: Client,
    seen: Arc<AtomicU64>,
    sampling: Arc<AtomicBool>,
    samples: mpsc::UnboundedSender<Vec<Arrival>>,
) -> Outcome<()> {
    loop {
        let mut events = 0;
        let mut noted = Vec::new();
        let sampling = sampling.load(Ordering::Relaxed);
        client
            .read(|message| {
                // Who comes and goes is no event of the project.
                if !message.starts_with(b"42[") || message.starts_with(b"42[\"presence:") {
                    return;
                }
                events += 1;
                if sampling && let Some(number) = number_in(message) {
                    noted.push(Arrival {
                        number,
                        at: Instant::now(),
                    });
                }
            })
            .await?;
        if !noted.is_empty() {
            samples.send(noted)?;
        }
        seen.fetch_add(events, Ordering::Relaxed);
    }
}

/// The number that the publisher wrote into its message.
fn number_in(message: &[u8]) -> Option<usize> {
    const KEY: &[u8] = br#""n":"#;
    let start = message.windows(KEY.len()).position(|bytes| bytes == KEY)? + KEY.len();
    let digits = message[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}
