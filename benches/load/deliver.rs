//! From a command to everybody's screen: paced, to see how long it takes, and flat out, to see how much fits.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::client::Client;
use crate::server::Server;
use crate::stats::{float, grouped, percentile, rate};
use crate::subscribers::Subscribers;
use crate::{Outcome, idle};

const PROJECT: &str = "p";
/// Tasks that are changed in turn.
const TASKS: usize = 50;
/// How often a publisher that has to wait looks again.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Clients that have joined the project.
    #[arg(long, default_value_t = 200)]
    subscribers: usize,
    /// Events per second while latency is measured.
    #[arg(long, default_value_t = 100.0)]
    pace: f64,
    /// Events that may be on their way while it goes flat out, counted to the slowest subscriber.
    #[arg(long, default_value_t = 128)]
    window: u64,
    /// How long each of the two takes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Idle connections whose memory is measured at the end; 0 leaves this out.
    #[arg(long, default_value_t = 1000)]
    idle: usize,
}

/// What one phase has shown.
struct Phase {
    events: u64,
    elapsed: Duration,
    cpu: Duration,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    delivery(options, folder.path()).await?;
    if options.idle > 0 {
        let idle = idle::measure(folder.path(), options.idle).await?;
        writeln!(
            std::io::stdout(),
            "\nmemory per connection, {} idle ones: {:.1} KiB connected, {:.1} KiB joined to a project",
            options.idle,
            idle.connected,
            idle.joined
        )?;
    }
    Ok(())
}

async fn delivery(options: &Options, folder: &Path) -> Outcome<()> {
    let mut out = std::io::stdout();
    let server = Server::start(folder, "deliver.db")?;
    let mut subscribers = Subscribers::join(&server.address, PROJECT, options.subscribers).await?;
    let mut publisher = Publisher::new(Client::connect(&server.address).await?);
    publisher.publish_one(&mut subscribers).await?;
    writeln!(
        out,
        "\none project, {} subscribers over WebSocket, one publisher; the server on SQLite in {}",
        options.subscribers,
        folder.display()
    )?;
    writeln!(
        out,
        "{:>9} {:>10} {:>14} {:>22} {:>9}",
        "", "events/s", "deliveries/s", "CPU s per M deliveries", "CPU"
    )?;
    subscribers.set_sampling(true);
    let paced = publisher.paced(options, &server, &mut subscribers).await?;
    subscribers.set_sampling(false);
    show(options, "paced", &paced)?;
    let flat_out = publisher
        .flat_out(options, &server, &mut subscribers)
        .await?;
    show(options, "flat out", &flat_out)?;
    writeln!(out, "\nlatency, paced, in ms {:>10} {:>8}", "p50", "p99")?;
    publisher.show_latency(&mut subscribers)?;
    writeln!(
        out,
        "\nmemory after the load: {:.1} MiB",
        float(server.memory_kib()?) / 1024.0
    )?;
    Ok(())
}

fn show(options: &Options, name: &str, phase: &Phase) -> Outcome<()> {
    let deliveries = phase.events * options.subscribers as u64;
    writeln!(
        std::io::stdout(),
        "{name:>9} {:>10} {:>14} {:>22.2} {:>8.0}%",
        grouped(rate(phase.events, phase.elapsed)),
        grouped(rate(deliveries, phase.elapsed)),
        phase.cpu.as_secs_f64() / float(deliveries) * 1e6,
        phase.cpu.as_secs_f64() / phase.elapsed.as_secs_f64() * 100.0
    )?;
    Ok(())
}

/// The client who changes things. Acks come in the order in which it sent.
struct Publisher {
    client: Client,
    sent: Vec<Instant>,
    acked: Vec<Instant>,
}

impl Publisher {
    fn new(client: Client) -> Self {
        Self {
            client,
            sent: Vec::new(),
            acked: Vec::new(),
        }
    }

    /// The first command makes things that are made once.
    async fn publish_one(&mut self, subscribers: &mut Subscribers) -> Outcome<()> {
        self.send(1).await?;
        self.wait(subscribers).await
    }

    async fn paced(
        &mut self,
        options: &Options,
        server: &Server,
        subscribers: &mut Subscribers,
    ) -> Outcome<Phase> {
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / options.pace));
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let watch = Watch::start(server, self.sent.len())?;
        while watch.started.elapsed().as_secs_f64() < options.seconds {
            tokio::select! {
                _ = pace.tick() => self.send(1).await?,
                read = read_acks(&mut self.client, &mut self.acked) => read?,
            }
        }
        self.wait(subscribers).await?;
        watch.stop(server, self.sent.len())
    }

    async fn flat_out(
        &mut self,
        options: &Options,
        server: &Server,
        subscribers: &mut Subscribers,
    ) -> Outcome<Phase> {
        let watch = Watch::start(server, self.sent.len())?;
        while watch.started.elapsed().as_secs_f64() < options.seconds {
            let under_way = self.sent.len() as u64 - subscribers.seen_by_all();
            self.send(options.window.saturating_sub(under_way)).await?;
            tokio::select! {
                read = read_acks(&mut self.client, &mut self.acked) => read?,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        self.wait(subscribers).await?;
        watch.stop(server, self.sent.len())
    }

    /// Sends commands; each makes one event.
    async fn send(&mut self, count: u64) -> Outcome<()> {
        let mut messages = Vec::new();
        for _ in 0..count {
            let number = self.sent.len();
            messages.push(format!(
                r#"42{number}["task:update",{{"projectId":"{PROJECT}","taskId":"t{}","n":{number},"title":"Water the tomatoes","assignee":"ada"}}]"#,
                number % TASKS
            ));
            self.sent.push(Instant::now());
        }
        let messages: Vec<_> = messages.iter().map(String::as_str).collect();
        self.client.send(&messages).await
    }

    /// Waits until everything was answered and seen.
    async fn wait(&mut self, subscribers: &mut Subscribers) -> Outcome<()> {
        while self.acked.len() < self.sent.len() {
            read_acks(&mut self.client, &mut self.acked).await?;
        }
        subscribers.wait(self.sent.len() as u64).await
    }

    fn show_latency(&self, subscribers: &mut Subscribers) -> Outcome<()> {
        let arrivals = subscribers.arrivals();
        let paced = 1..=arrivals
            .iter()
            .map(|arrival| arrival.number)
            .max()
            .unwrap_or_default();
        let acks = paced.map(|number| micros(self.sent[number], self.acked[number]));
        line("from command to ack", acks.collect())?;
        let since = |instants: &[Instant]| -> Vec<i64> {
            let arrivals = arrivals.iter();
            arrivals
                .map(|arrival| micros(instants[arrival.number], arrival.at))
                .collect()
        };
        line("from command to arrival", since(&self.sent))?;
        line("from ack to arrival", since(&self.acked))
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

fn line(name: &str, mut micros: Vec<i64>) -> Outcome<()> {
    micros.sort_unstable();
    let millis = |share| {
        Duration::from_micros(percentile(&micros, share).unsigned_abs()).as_secs_f64() * 1e3
    };
    let sign = |share| {
        if percentile(&micros, share) < 0 {
            "-"
        } else {
            ""
        }
    };
    writeln!(
        std::io::stdout(),
        "{name:>24} {:>7} {:>8}",
        format!("{}{:.2}", sign(0.5), millis(0.5)),
        format!("{}{:.2}", sign(0.99), millis(0.99))
    )?;
    Ok(())
}

/// From one moment to another, which may be the earlier one.
fn micros(from: Instant, to: Instant) -> i64 {
    let between = |from: Instant, to: Instant| {
        i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i64::MAX)
    };
    between(from, to) - between(to, from)
}

/// What the server had done when a phase began.
struct Watch {
    started: Instant,
    cpu: Duration,
    events: usize,
}

impl Watch {
    fn start(server: &Server, events: usize) -> Outcome<Self> {
        Ok(Self {
            started: Instant::now(),
            cpu: server.cpu()?,
            events,
        })
    }

    fn stop(self, server: &Server, events: usize) -> Outcome<Phase> {
        Ok(Phase {
            events: (events - self.events) as u64,
            elapsed: self.started.elapsed(),
            cpu: server.cpu()?.saturating_sub(self.cpu),
        })
    }
}
