//! The one who does too much: a flood of commands over one connection, and connections that knock.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Outcome;
use crate::client::{Client, frame, frames};

/// Not the address of those who behave.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How often a handful of commands is sent.
const HANDFULS: u32 = 200;
/// How long a refused connection waits before it knocks again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Commands.
    pub(super) sent: u64,
    /// Commands that were refused as too many.
    pub(super) limited: u64,
    /// Connections.
    pub(super) let_in: u64,
    /// Connections that were refused.
    pub(super) turned_away: u64,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    limited: AtomicU64,
    let_in: AtomicU64,
    turned_away: AtomicU64,
}

/// See the module. It has a thread of its own: what it costs to make the noise is no concern of those who wait.
pub(super) struct Abuser {
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    counts: Arc<Counts>,
}

impl Abuser {
    /// Begins, until it is stopped.
    pub(super) fn start(address: &str, flood: u32, knocks: u32, spread: Duration) -> Outcome<Self> {
        let counts = Arc::<Counts>::default();
        let (stop, stopped) = oneshot::channel();
        let (address, counted) = (address.to_owned(), Arc::clone(&counts));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = abuse(&address, flood, (knocks, spread), &counted) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            stop,
            thread,
            counts,
        })
    }

    /// Ends it.
    pub(super) fn stop(self) -> Done {
        drop(self.stop);
        self.thread.join().expect("it does not panic");
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Done {
            sent: count(&self.counts.sent),
            limited: count(&self.counts.limited),
            let_in: count(&self.counts.let_in),
            turned_away: count(&self.counts.turned_away),
        }
    }
}

/// Goes on until it is dropped.
async fn abuse(address: &str, flood: u32, (knocks, spread): (u32, Duration), counts: &Arc<Counts>) {
    // Those who were here before may still be counted.
    let client = loop {
        match Client::connect_from(HOME, address).await {
            Ok(client) => break client,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    };
    let (reader, writer) = client.into_stream().into_split();
    let mut tasks = JoinSet::new();
    tasks.spawn(read(reader, Arc::clone(counts)));
    tasks.spawn(write(writer, flood, Arc::clone(counts)));
    for number in 0..knocks {
        let offset = spread * number / knocks;
        tasks.spawn(knock(address.to_owned(), offset, Arc::clone(counts)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn write(mut writer: OwnedWriteHalf, flood: u32, counts: Arc<Counts>) {
    let mut pace = interval(Duration::from_secs(1) / HANDFULS);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        pace.tick().await;
        let commands: Vec<_> = (0..flood.div_ceil(HANDFULS))
            .map(|_| {
                let number = counts.sent.fetch_add(1, Ordering::Relaxed);
                format!(
                    r#"42{number}["task:update",{{"projectId":"abuse","taskId":"t","updates":{{"step":{number}}}}}]"#
                )
            })
            .collect();
        let mut messages: Vec<_> = commands.iter().map(String::as_str).collect();
        // A pong now and then, so that it is not ended for being silent.
        messages.push("3");
        let Ok(bytes) = frames(&messages) else { return };
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(mut reader: OwnedReadHalf, counts: Arc<Counts>) {
    let mut received = Vec::new();
    while let Ok(1..) = reader.read_buf(&mut received).await {
        let mut rest = received.as_slice();
        while let Ok(Some((message, after))) = frame(rest) {
            let limited = message.windows(12).any(|text| text == b"rate_limited");
            counts
                .limited
                .fetch_add(u64::from(limited), Ordering::Relaxed);
            rest = after;
        }
        let taken = received.len() - rest.len();
        received.drain(..taken);
    }
}

/// Who is let in, stays.
async fn knock(address: String, offset: Duration, counts: Arc<Counts>) {
    tokio::time::sleep(offset).await;
    loop {
        if let Ok(mut client) = Client::connect_from(HOME, &address).await {
            counts.let_in.fetch_add(1, Ordering::Relaxed);
            while client.read(|_| {}).await.is_ok() {}
        } else {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
