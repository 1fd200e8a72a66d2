//! One who does too much of everything, and how long those wait who do not.

mod abuser;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::Outcome;
use crate::client::Client;
use crate::server::Server;
use crate::stats::{float, grouped, median, percentile, rate};

use abuser::{AGAIN, Abuser, Done};

/// Limits as a server on the open internet may have them.
const LIMITS: [(&str, &str); 9] = [
    ("COMMAND_RATE", "200/2000"),
    ("READ_RATE", "50/500"),
    ("SIGNAL_RATE", "50/500"),
    ("USER_COMMAND_RATE", "1000/10000"),
    ("USER_READ_RATE", "250/2500"),
    ("USER_SIGNAL_RATE", "250/2500"),
    ("MAX_CONNECTIONS", "5000"),
    ("MAX_CONNECTIONS_PER_IP", "100"),
    ("CONNECT_RATE_PER_IP", "20/100"),
];
/// An ack that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until the abuser has used up what everybody may do at once.
const WARM_UP: Duration = Duration::from_secs(1);
const PROJECTS: u64 = 5;
static NUMBER: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Clients who behave.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,
    /// Commands per second of each of them.
    #[arg(long, default_value_t = 10.0)]
    pace: f64,
    /// Commands per second of the one who does not.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    flood: u32,
    /// Connections that knock, again a second after they were refused.
    #[arg(long, default_value_t = 1000)]
    knocks: u32,
    /// Let all of them knock at the same moment, and not one after the other.
    #[arg(long)]
    together: bool,
    /// How many seconds each phase takes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds of both phases, in turns; the last line shows their medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Let the abuser do as it likes, to see what the limits are good for.
    #[arg(long)]
    unlimited: bool,
}

/// How long acks took in a phase, in microseconds, sorted.
struct Phase(Vec<i64>);

impl Phase {
    fn p99(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
        let micros = percentile(&self.0, 0.99) as f64;
        micros / 1000.0
    }
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("abuse.db").display());
    let mut settings = vec![("DATABASE_URL", url.as_str())];
    if !options.unlimited {
        settings.extend(LIMITS);
    }
    let server = Server::start(&settings)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\n{} clients who behave, {} commands/s each; the server on SQLite in {}",
        options.clients,
        options.pace,
        folder.path().display()
    )?;
    writeln!(
        out,
        "{:>7} {:>12} {:>12} {:>7} {:>12} {:>12} {:>12} {:>12} {:>8}",
        "",
        "quiet p99",
        "abused p99",
        "ratio",
        "sent/s",
        "limited/s",
        "let in",
        "turned away",
        "CPU"
    )?;
    let (mut quiet, mut abused) = (Vec::new(), Vec::new());
    behave(&server, options, WARM_UP).await?;
    let phase = Duration::from_secs_f64(options.seconds);
    for round in 1..=options.rounds {
        quiet.push(behave(&server, options, phase).await?.p99());
        let cpu = server.cpu()?;
        let spread = if options.together {
            Duration::ZERO
        } else {
            AGAIN
        };
        let noise = Abuser::start(&server.address, options.flood, options.knocks, spread)?;
        tokio::time::sleep(WARM_UP).await;
        let p99 = behave(&server, options, phase).await?.p99();
        abused.push(p99);
        let done = noise.stop();
        let cpu = server.cpu()?.saturating_sub(cpu).as_secs_f64() / (phase + WARM_UP).as_secs_f64();
        let before = quiet.last().copied().unwrap_or(f64::NAN);
        show(round, before, p99, &done, phase + WARM_UP, cpu)?;
    }
    let (quiet, abused) = (median(&quiet), median(&abused));
    writeln!(
        out,
        "median: quiet p99 {quiet:.2} ms, abused p99 {abused:.2} ms, ratio {:.2}",
        abused / quiet
    )?;
    writeln!(out, "limits: {}", server.health().await?["limits"])?;
    Ok(())
}

fn show(
    round: u32,
    quiet: f64,
    abused: f64,
    done: &Done,
    elapsed: Duration,
    cpu: f64,
) -> Outcome<()> {
    writeln!(
        std::io::stdout(),
        "{:>7} {quiet:>9.2} ms {abused:>9.2} ms {:>7.2} {:>12} {:>12} {:>12} {:>12} {:>7.0}%",
        format!("round {round}"),
        abused / quiet,
        grouped(rate(done.sent, elapsed)),
        grouped(rate(done.limited, elapsed)),
        grouped(float(done.let_in)),
        grouped(float(done.turned_away)),
        cpu * 100.0
    )?;
    Ok(())
}

/// Everybody who behaves, for so long. That one of their commands is refused ends the program.
async fn behave(server: &Server, options: &Options, duration: Duration) -> Outcome<Phase> {
    let mut clients = JoinSet::new();
    let period = Duration::from_secs_f64(1.0 / options.pace);
    for number in 0..options.clients {
        let address = server.address.clone();
        // Not all at the same moment.
        let offset = period.mul_f64(float(number) / float(options.clients));
        clients.spawn(async move { one(&address, number, (period, offset), duration).await });
    }
    let mut all = Vec::new();
    while let Some(samples) = clients.join_next().await {
        all.extend(samples??);
    }
    all.sort_unstable();
    Ok(Phase(all))
}

async fn one(
    address: &str,
    number: u64,
    (period, offset): (Duration, Duration),
    duration: Duration,
) -> Outcome<Vec<i64>> {
    let mut client = Client::connect(address).await?;
    let project = format!("p{}", number % PROJECTS);
    client.join(&project).await?;
    tokio::time::sleep(offset).await;
    let mut pace = interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, mut samples) = (Instant::now(), Vec::new());
    while begun.elapsed() < duration {
        let sent = Instant::now();
        // Never the same again: what changes nothing is not written.
        let step = NUMBER.fetch_add(1, Ordering::Relaxed);
        let command = format!(
            r#"421["task:update",{{"projectId":"{project}","taskId":"t{number}","updates":{{"step":{step}}}}}]"#
        );
        client.send(&[&command]).await?;
        let mut acked = None;
        while acked.is_none() {
            let read = client.read(|message| {
                if message.starts_with(b"431[") {
                    acked = Some(message.starts_with(br#"431[{"ok":true"#));
                }
            });
            timeout_at(sent + PATIENCE, read).await??;
        }
        if acked == Some(false) {
            return Err("somebody who behaves was refused".into());
        }
        samples.push(i64::try_from(sent.elapsed().as_micros())?);
        // Events of others come meanwhile, and are to be read.
        loop {
            tokio::select! {
                _ = pace.tick() => break,
                read = client.read(|_| {}) => read?,
            }
        }
    }
    Ok(samples)
}
