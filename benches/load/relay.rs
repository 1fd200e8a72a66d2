//! From one instance to another: how many events per second come through Redis, and how much later they come.

use std::io::Write as _;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::Outcome;
use crate::commits::prepare;
use crate::postgres::Postgres;
use crate::publisher::Publisher;
use crate::redis::Redis;
use crate::server::Server;
use crate::stats::{grouped, median, percentile, rate};
use crate::subscribers::Subscribers;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Projects that are changed at the same time, each by one client.
    #[arg(long, default_value_t = 4)]
    projects: usize,
    /// Clients that have joined each project.
    #[arg(long, default_value_t = 10)]
    subscribers: usize,
    /// Events per second while latency is measured.
    #[arg(long, default_value_t = 200.0)]
    pace: f64,
    /// Events of each project that may be on their way while it goes flat out, counted to the slowest subscriber.
    #[arg(long, default_value_t = 128)]
    window: u64,
    /// How long each part of a round takes.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds of everything, in turns; the tables show their medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Show every round.
    #[arg(long)]
    all: bool,
}

impl Options {
    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let (postgres, redis) = (Postgres::start(), Redis::start()?);
    let title = prepare(&postgres).await?;
    let servers = Servers::start(&postgres, &redis).await?;
    let (alone, a, b) = (&servers.alone, &servers.a, &servers.b);
    let mut ways = [
        Way::open("alone, without Redis", alone, alone, options).await?,
        Way::open("A to A", a, a, options).await?,
        Way::open("A to B", a, b, options).await?,
    ];
    let mut fork = Fork::open(a, b, options).await?;
    for _ in 0..options.rounds {
        for way in &mut ways {
            way.round(options, &servers).await?;
        }
        fork.round(options).await?;
    }
    writeln!(std::io::stdout(), "\n{title}; Redis without a disk")?;
    show_ways(options, &ways)?;
    fork.show(options)
}

/// One server by itself, and two that share database and Redis.
struct Servers {
    alone: Server,
    a: Server,
    b: Server,
}

impl Servers {
    async fn start(postgres: &Postgres, redis: &Redis) -> Outcome<Self> {
        let (own, shared) = (
            postgres.create_database().await,
            postgres.create_database().await,
        );
        let redis = redis.url();
        let together = [
            ("DATABASE_URL", shared.as_str()),
            ("REDIS_URL", redis.as_str()),
        ];
        Ok(Self {
            alone: Server::start(&[("DATABASE_URL", &own)])?,
            a: Server::start(&together)?,
            b: Server::start(&together)?,
        })
    }

    /// CPU time that they have used so far. Who is not measured is idle.
    fn cpu(&self) -> Outcome<Duration> {
        Ok(self.alone.cpu()? + self.a.cpu()? + self.b.cpu()?)
    }
}

/// A project, who changes it, and who listens.
struct Lane {
    publisher: Publisher,
    subscribers: Subscribers,
}

impl Lane {
    async fn open(from: &Server, to: &Server, project: &str, count: usize) -> Outcome<Self> {
        let mut lane = Self {
            publisher: Publisher::connect(&from.address, project).await?,
            subscribers: Subscribers::join(&to.address, project, count).await?,
        };
        let everybody = std::slice::from_mut(&mut lane.subscribers);
        lane.publisher.publish_one(everybody).await?;
        Ok(lane)
    }

    /// Events until everybody has seen the last of them.
    async fn flat_out(&mut self, options: &Options) -> Outcome<u64> {
        let before = self.publisher.sent();
        let everybody = std::slice::from_mut(&mut self.subscribers);
        self.publisher
            .flat_out(options.window, options.duration(), everybody)
            .await?;
        Ok(self.publisher.sent() - before)
    }
}

/// From publishers on one server to subscribers on one server, flat out.
struct Way {
    name: &'static str,
    lanes: Vec<Lane>,
    rates: Vec<f64>,
    cpu: Vec<f64>,
}

impl Way {
    async fn open(
        name: &'static str,
        from: &Server,
        to: &Server,
        options: &Options,
    ) -> Outcome<Self> {
        let mut lanes = Vec::new();
        for number in 0..options.projects {
            let project = format!("{name} {number}");
            lanes.push(Lane::open(from, to, &project, options.subscribers).await?);
        }
        Ok(Self {
            name,
            lanes,
            rates: Vec::new(),
            cpu: Vec::new(),
        })
    }

    async fn round(&mut self, options: &Options, servers: &Servers) -> Outcome<()> {
        let (started, cpu) = (Instant::now(), servers.cpu()?);
        let lanes = self.lanes.iter_mut().map(|lane| lane.flat_out(options));
        let events = try_join_all(lanes).await?.into_iter().sum();
        let elapsed = started.elapsed();
        let cpu = servers.cpu()?.saturating_sub(cpu);
        self.rates.push(rate(events, elapsed));
        self.cpu.push(cpu.as_secs_f64() / elapsed.as_secs_f64());
        Ok(())
    }
}

fn show_ways(options: &Options, ways: &[Way]) -> Outcome<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nflat out, {} projects with a publisher and {} subscribers each\n{:>22} {:>10} {:>12} {:>12}",
        options.projects, options.subscribers, "", "events/s", "to A to A", "servers' CPU"
    )?;
    let base = median(&ways[1].rates);
    for way in ways {
        writeln!(
            out,
            "{:>22} {:>10} {:>11.2}× {:>11.0}%",
            way.name,
            grouped(median(&way.rates)),
            median(&way.rates) / base,
            median(&way.cpu) * 100.0
        )?;
        if options.all {
            let rounds: Vec<_> = way.rates.iter().map(|&rate| grouped(rate)).collect();
            writeln!(out, "{:>22} rounds: {}", "", rounds.join(", "))?;
        }
    }
    Ok(())
}

/// One project with subscribers on both instances: they hear of the same events.
struct Fork {
    publisher: Publisher,
    /// On A and on B.
    subscribers: [Subscribers; 2],
    ack: Latency,
    arrival: [Latency; 2],
    added: Latency,
}

/// Milliseconds, one value per round.
#[derive(Default)]
struct Latency {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Latency {
    fn note(&mut self, mut micros: Vec<i64>) -> [f64; 2] {
        micros.sort_unstable();
        self.note_both([0.5, 0.99].map(|share| {
            let micros = i32::try_from(percentile(&micros, share)).unwrap_or(i32::MAX);
            f64::from(micros) / 1e3
        }))
    }

    fn note_both(&mut self, [p50, p99]: [f64; 2]) -> [f64; 2] {
        self.p50.push(p50);
        self.p99.push(p99);
        [p50, p99]
    }
}

impl Fork {
    async fn open(a: &Server, b: &Server, options: &Options) -> Outcome<Self> {
        let (project, count) = ("fork", options.subscribers);
        let mut fork = Self {
            publisher: Publisher::connect(&a.address, project).await?,
            subscribers: [
                Subscribers::join(&a.address, project, count).await?,
                Subscribers::join(&b.address, project, count).await?,
            ],
            ack: Latency::default(),
            arrival: Default::default(),
            added: Latency::default(),
        };
        fork.publisher.publish_one(&mut fork.subscribers).await?;
        for subscribers in &fork.subscribers {
            subscribers.set_sampling(true);
        }
        Ok(fork)
    }

    async fn round(&mut self, options: &Options) -> Outcome<()> {
        self.publisher
            .paced(options.pace, options.duration(), &mut self.subscribers)
            .await?;
        let arrivals = self.subscribers.each_mut().map(Subscribers::arrivals);
        self.ack.note(self.publisher.until_ack(&arrivals[0]));
        let [near, far] = [0, 1].map(|side| {
            let micros = self.publisher.until_arrival(&arrivals[side]);
            self.arrival[side].note(micros)
        });
        self.added.note_both([far[0] - near[0], far[1] - near[1]]);
        Ok(())
    }

    fn show(&self, options: &Options) -> Outcome<()> {
        let mut out = std::io::stdout();
        writeln!(
            out,
            "\nlatency at {} events/s to {} subscribers on each, in ms\n{:>31} {:>8} {:>8}",
            options.pace, options.subscribers, "", "p50", "p99"
        )?;
        for (name, latency) in [
            ("from command to ack", &self.ack),
            ("from command to arrival on A", &self.arrival[0]),
            ("from command to arrival on B", &self.arrival[1]),
            ("added by the way to B", &self.added),
        ] {
            let (p50, p99) = (median(&latency.p50), median(&latency.p99));
            writeln!(out, "{name:>31} {p50:>8.2} {p99:>8.2}")?;
        }
        Ok(())
    }
}
