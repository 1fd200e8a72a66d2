//! Everybody is cut off at the same moment and comes back at the same moment, while events go on.

mod follower;
mod publisher;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Outcome;
use crate::commits::prepare;
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::server::Server;
use crate::stats::{float, grouped, percentile};

use follower::{Follower, Phase, Record, Report, Return};
use publisher::Publisher;

/// Clients that connect at the same time in the beginning.
const DOORWAY: usize = 32;
const PATIENCE: Duration = Duration::from_mins(1);
/// How often things are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Files that are open besides the clients' connections.
const OTHER_FILES: usize = 300;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Clients, each in one project.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,
    /// Projects.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    projects: u64,
    /// Events per second, in all projects together.
    #[arg(long, default_value_t = 100.0)]
    pace: f64,
    /// Instances, with a Redis between them; a client comes back to the next one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    instances: u64,
    /// How many seconds the clients are away.
    #[arg(long, default_value_t = 2.0)]
    away: f64,
    /// How many seconds everything goes on before and after.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Kill the servers, and start them again while the clients are away.
    #[arg(long)]
    restart: bool,
    /// How often.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    check_file_limit(usize::try_from(options.clients)?)?;
    let postgres = Postgres::start();
    let redis = (options.instances > 1).then(Redis::start).transpose()?;
    let title = prepare(&postgres).await?;
    writeln!(std::io::stdout(), "\n{title}")?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} clients of {} projects on {}, {} events/s, cut for {} s{}",
        grouped(float(options.clients)),
        options.projects,
        match options.instances {
            1 => "one instance".to_owned(),
            count => format!("{count} instances"),
        },
        options.pace,
        options.away,
        if options.restart {
            ", servers killed"
        } else {
            ""
        }
    )?;
    for round in 1..=options.rounds {
        let servers = start(&postgres, redis.as_ref(), options.instances).await?;
        let outcome = Storm::begin(options, servers).await?.rage(options).await?;
        outcome.show(round, options)?;
    }
    Ok(())
}

/// Each client is an open file here, and another one of the server.
fn check_file_limit(clients: usize) -> Outcome<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    let needed = clients + OTHER_FILES;
    match soft.and_then(|soft| soft.parse::<usize>().ok()) {
        Some(soft) if soft < needed => {
            Err(format!("{clients} clients need `ulimit -n {needed}`, and it is {soft}").into())
        }
        _ => Ok(()),
    }
}

async fn start(postgres: &Postgres, redis: Option<&Redis>, count: u64) -> Outcome<Vec<Server>> {
    let database = postgres.create_database().await;
    let redis = redis.map(Redis::url);
    let mut settings = vec![("DATABASE_URL", database.as_str())];
    settings.extend(redis.as_deref().map(|url| ("REDIS_URL", url)));
    (0..count).map(|_| Server::start(&settings)).collect()
}

/// Servers, those who publish and those who follow.
struct Storm {
    servers: Vec<Server>,
    /// How far the projects' logs reach.
    heads: Vec<Arc<AtomicI64>>,
    /// The project of each client, and how far it has come.
    seen: Vec<(usize, Arc<AtomicI64>)>,
    phase: watch::Sender<Phase>,
    stop: watch::Sender<bool>,
    reports: mpsc::UnboundedReceiver<Report>,
    publishers: JoinSet<Outcome<()>>,
    followers: JoinSet<Outcome<()>>,
}

impl Storm {
    async fn begin(options: &Options, servers: Vec<Server>) -> Outcome<Self> {
        let (reporting, reports) = mpsc::unbounded_channel();
        let mut storm = Self {
            servers,
            heads: Vec::new(),
            seen: Vec::new(),
            phase: watch::Sender::new(Phase::Follow),
            stop: watch::Sender::new(false),
            reports,
            publishers: JoinSet::new(),
            followers: JoinSet::new(),
        };
        let projects = usize::try_from(options.projects)?;
        let every = Duration::from_secs_f64(float(options.projects) / options.pace);
        for project in 0..projects {
            let head = Arc::new(AtomicI64::new(0));
            storm.heads.push(Arc::clone(&head));
            let publisher = Publisher::new(storm.address(project), &name(project), head);
            let stop = storm.stop.subscribe();
            storm.publishers.spawn(publisher.publish(every, stop));
            // Side by side they would all publish at the same moment.
            tokio::time::sleep(every / u32::try_from(projects)?).await;
        }
        for client in 0..usize::try_from(options.clients)? {
            storm.enter(client, client % projects, &reporting);
            if client % DOORWAY == DOORWAY - 1 {
                storm.until("everybody joins", Self::all_joined).await?;
            }
        }
        storm.until("everybody joins", Self::all_joined).await?;
        tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
        Ok(storm)
    }

    fn enter(&mut self, client: usize, project: usize, reports: &mpsc::UnboundedSender<Report>) {
        let record = Record::default();
        self.seen.push((project, Arc::clone(&record.seen)));
        let follower = Follower {
            project,
            name: name(project),
            phase: self.phase.subscribe(),
            reports: reports.clone(),
            record,
        };
        let (from, to) = (self.address(client), self.address(client + 1));
        self.followers
            .spawn(follower.follow(from.to_owned(), to.to_owned()));
    }

    /// Where a client, or a publisher, finds its server.
    fn address(&self, number: usize) -> &str {
        &self.servers[number % self.servers.len()].address
    }

    fn all_joined(&self) -> bool {
        self.seen
            .iter()
            .all(|(_, seen)| seen.load(Ordering::Relaxed) > 0)
    }

    fn all_seen(&self) -> bool {
        let behind = |(project, seen): &(usize, Arc<AtomicI64>)| {
            seen.load(Ordering::Relaxed) < self.heads[*project].load(Ordering::Relaxed)
        };
        !self.seen.iter().any(behind)
    }

    /// Waits until something is so. Whoever fails meanwhile ends the program.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if let Some(ended) = self.followers.try_join_next() {
                ended??;
            }
            if Instant::now() > deadline {
                return Err(format!("not in time: {what}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The storm itself.
    async fn rage(mut self, options: &Options) -> Outcome<Measured> {
        let memory_before = self.memory()?;
        let cut = Instant::now();
        self.phase.send_replace(Phase::Away);
        if options.restart {
            for server in &mut self.servers {
                server.kill_and_restart()?;
            }
        }
        tokio::time::sleep_until(cut + Duration::from_secs_f64(options.away)).await;
        let (reads, cpu) = (self.log_reads().await?, self.cpu()?);
        let at = Instant::now();
        let heads = self.heads.iter().map(|head| head.load(Ordering::Relaxed));
        let heads = Arc::new(heads.collect());
        self.phase.send_replace(Phase::Return { at, heads });
        let (mut reports, mut memory_peak) = (Vec::new(), self.memory()?);
        while reports.len() < self.seen.len() {
            reports.extend(std::iter::from_fn(|| self.reports.try_recv().ok()));
            memory_peak = memory_peak.max(self.memory()?);
            if let Some(ended) = self.followers.try_join_next() {
                ended??;
            }
            if at.elapsed() > PATIENCE {
                let back = reports.len();
                return Err(format!("only {back} clients have come back").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let (took, used) = (at.elapsed(), self.cpu()?.saturating_sub(cpu));
        let log_reads = self.log_reads().await? - reads;
        tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
        self.stop.send_replace(true);
        while let Some(ended) = self.publishers.join_next().await {
            ended??;
        }
        self.until("everybody has seen everything", Self::all_seen)
            .await?;
        Ok(Measured {
            reports,
            took,
            used,
            log_reads,
            memory: [memory_before, memory_peak, self.memory()?],
        })
    }

    /// KiB of all instances.
    fn memory(&self) -> Outcome<u64> {
        self.servers.iter().map(Server::memory_kib).sum()
    }

    fn cpu(&self) -> Outcome<Duration> {
        self.servers.iter().map(Server::cpu).sum()
    }

    async fn log_reads(&self) -> Outcome<u64> {
        let mut reads = 0;
        for server in &self.servers {
            reads += server.log_reads().await?;
        }
        Ok(reads)
    }
}

/// What one storm has brought.
struct Measured {
    reports: Vec<Report>,
    /// Until the last client had caught up.
    took: Duration,
    /// CPU time of all instances in it.
    used: Duration,
    log_reads: u64,
    /// KiB of all instances before, at most, and after.
    memory: [u64; 3],
}

impl Measured {
    fn show(&self, round: u32, options: &Options) -> Outcome<()> {
        let mut out = std::io::stdout();
        let count = |how| {
            self.reports
                .iter()
                .filter(|report| report.how == how)
                .count()
        };
        let missed: i64 = self.reports.iter().map(|report| report.missed).sum();
        let attempts: u32 = self.reports.iter().map(|report| report.attempts).sum();
        writeln!(
            out,
            "\nround {round}: every client has seen every event once, in order"
        )?;
        writeln!(
            out,
            "{:>16} {} recovered, {} with a new pid, {} reset; {} attempts; {} events missed and told",
            "clients",
            grouped(float(count(Return::Recovered) as u64)),
            count(Return::NewPid),
            count(Return::Reset),
            grouped(f64::from(attempts)),
            grouped(float(u64::try_from(missed)?)),
        )?;
        for (name, until) in [
            ("until answered", self.millis(|report| report.until_answer)),
            (
                "until caught up",
                self.millis(|report| report.until_caught_up),
            ),
        ] {
            writeln!(
                out,
                "{name:>16} p50 {} ms, p99 {} ms, last {} ms",
                percentile(&until, 0.5),
                percentile(&until, 0.99),
                percentile(&until, 1.0)
            )?;
        }
        writeln!(
            out,
            "{:>16} {}; one per client would be {}",
            "reads of the log",
            grouped(float(self.log_reads)),
            grouped(float(options.clients)),
        )?;
        let [before, peak, after] = self.memory.map(|kib| float(kib) / 1024.0);
        writeln!(
            out,
            "{:>16} {:.2} s of CPU in {:.2} s; {before:.0} MiB before, {peak:.0} at most, {after:.0} after",
            "servers",
            self.used.as_secs_f64(),
            self.took.as_secs_f64(),
        )?;
        Ok(())
    }

    fn millis(&self, of: impl Fn(&Report) -> Duration) -> Vec<i64> {
        let millis = self.reports.iter().map(|report| of(report).as_millis());
        let mut millis: Vec<_> = millis.filter_map(|millis| millis.try_into().ok()).collect();
        millis.sort_unstable();
        millis
    }
}

fn name(project: usize) -> String {
    format!("p{project}")
}

/// The number that follows the first place where these bytes are.
fn number_after(message: &[u8], key: &[u8]) -> Option<i64> {
    let start = message.windows(key.len()).position(|bytes| bytes == key)? + key.len();
    let digits: Vec<_> = message[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .copied()
        .collect();
    String::from_utf8(digits).ok()?.parse().ok()
}
