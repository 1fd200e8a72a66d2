//! From a command to everybody's screen: paced, to see how long it takes, and flat out, to see how much fits.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::publisher::Publisher;
use crate::server::Server;
use crate::stats::{float, grouped, percentile, rate};
use crate::subscribers::Subscribers;
use crate::{Outcome, idle};

const PROJECT: &str = "p";

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
            "\nmemory per connection, {} idle ones: {:.1} KiB connected, {:.1} KiB joined to a project; \
             plain WebSocket: {:.1} KiB connected, {:.1} KiB subscribed to a project",
            options.idle,
            idle.connected,
            idle.joined,
            idle.plain,
            idle.subscribed
        )?;
    }
    Ok(())
}

async fn delivery(options: &Options, folder: &Path) -> Outcome<()> {
    let mut out = std::io::stdout();
    let server = Server::on_file(folder, "deliver.db")?;
    let mut subscribers = Subscribers::join(&server.address, PROJECT, options.subscribers).await?;
    let everybody = std::slice::from_mut(&mut subscribers);
    let mut publisher = Publisher::connect(&server.address, PROJECT).await?;
    publisher.publish_one(everybody).await?;
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
    let duration = Duration::from_secs_f64(options.seconds);
    everybody[0].set_sampling(true);
    let watch = Watch::start(&server, publisher.sent())?;
    publisher.paced(options.pace, duration, everybody).await?;
    show(options, "paced", &watch.stop(&server, publisher.sent())?)?;
    everybody[0].set_sampling(false);
    let watch = Watch::start(&server, publisher.sent())?;
    publisher
        .flat_out(options.window, duration, everybody)
        .await?;
    show(options, "flat out", &watch.stop(&server, publisher.sent())?)?;
    writeln!(out, "\nlatency, paced, in ms {:>10} {:>8}", "p50", "p99")?;
    show_latency(&publisher, &mut subscribers)?;
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

fn show_latency(publisher: &Publisher, subscribers: &mut Subscribers) -> Outcome<()> {
    let arrivals = subscribers.arrivals();
    line("from command to ack", publisher.until_ack(&arrivals))?;
    line(
        "from command to arrival",
        publisher.until_arrival(&arrivals),
    )?;
    line(
        "from ack to arrival",
        publisher.between_ack_and_arrival(&arrivals),
    )
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

/// What the server had done when a phase began.
struct Watch {
    started: Instant,
    cpu: Duration,
    events: u64,
}

impl Watch {
    fn start(server: &Server, events: u64) -> Outcome<Self> {
        Ok(Self {
            started: Instant::now(),
            cpu: server.cpu()?,
            events,
        })
    }

    fn stop(self, server: &Server, events: u64) -> Outcome<Phase> {
        Ok(Phase {
            events: events - self.events,
            elapsed: self.started.elapsed(),
            cpu: server.cpu()?.saturating_sub(self.cpu),
        })
    }
}
