//! Puts the same load on Boardcast and on a board server that a team would write with socket.io and pg, in turns, in one run.
//! Figures depend on the machine and on what else it does; the ratio of two figures of one run depends on that far less.

mod acks;
mod connections;
mod rooms;
mod table;

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::commits::prepare;
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::server::{Program, Server};
use table::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds of each kind, in turns; the table shows their median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each load lasts.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Connections of the burst, and subscribers of the big room; both ends need a file descriptor for each.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Only these loads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Load>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Load {
    Acks,
    Rooms,
    Connections,
    Instances,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Node,
    OnPostgres,
    OnSqlite,
}

impl Peer {
    const ALL: [Self; 3] = [Self::Node, Self::OnPostgres, Self::OnSqlite];

    const fn name(self) -> &'static str {
        match self {
            Self::Node => "Node, Postgres",
            Self::OnPostgres => "Boardcast, Postgres",
            Self::OnSqlite => "Boardcast, SQLite",
        }
    }
}

/// What the peers share.
struct Ground {
    folder: tempfile::TempDir,
    postgres: Postgres,
    redis: Redis,
    duration: Duration,
}

impl Ground {
    /// Starts a server on a new database.
    async fn start(&self, peer: Peer) -> Outcome<Server> {
        let url = match peer {
            Peer::Node | Peer::OnPostgres => self.postgres.create_database().await,
            Peer::OnSqlite => {
                let file = tempfile::Builder::new()
                    .suffix(".db")
                    .tempfile_in(self.folder.path())?;
                let path = file.into_temp_path();
                let url = format!("sqlite://{}", path.display());
                // The name is what was wanted.
                path.close()?;
                url
            }
        };
        server(peer, vec![("DATABASE_URL".to_owned(), url)])
    }

    /// Starts two servers on one new Postgres database that hear each other through Redis.
    async fn start_two(&self, peer: Peer) -> Outcome<[Server; 2]> {
        let settings = vec![
            (
                "DATABASE_URL".to_owned(),
                self.postgres.create_database().await,
            ),
            ("REDIS_URL".to_owned(), self.redis.url()),
        ];
        Ok([server(peer, settings.clone())?, server(peer, settings)?])
    }
}

fn server(peer: Peer, settings: Vec<(String, String)>) -> Outcome<Server> {
    let program = match peer {
        Peer::Node => Program::Node,
        Peer::OnPostgres | Peer::OnSqlite => Program::Boardcast,
    };
    Server::of(program, settings)
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    install_peer()?;
    let ground = Ground {
        folder: tempfile::tempdir()?,
        postgres: Postgres::start(),
        redis: Redis::start()?,
        duration: Duration::from_secs_f64(options.seconds),
    };
    let mut out = std::io::stdout();
    writeln!(out, "{}", prepare(&ground.postgres).await?)?;
    let wants = |load| options.only.is_empty() || options.only.contains(&load);
    let mut table = Table::default();
    for round in 1..=options.rounds {
        writeln!(out, "round {round} of {}", options.rounds)?;
        for peer in Peer::ALL {
            if wants(Load::Acks) {
                acks::measure(&ground, peer, &mut table).await?;
            }
            if wants(Load::Rooms) {
                rooms::measure(&ground, peer, options.connections, &mut table).await?;
            }
            if wants(Load::Connections) {
                connections::measure(&ground, peer, options.connections, &mut table).await?;
            }
            if wants(Load::Instances) && peer != Peer::OnSqlite {
                rooms::measure_two(&ground, peer, &mut table).await?;
            }
        }
    }
    writeln!(out, "\n{}\n\n{table}", machine())?;
    Ok(())
}

/// Installs what the Node server needs, once.
fn install_peer() -> Outcome<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/node");
    if std::path::Path::new(folder)
        .join("node_modules/pg")
        .exists()
    {
        return Ok(());
    }
    let installed = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .status()?;
    if !installed.success() {
        return Err("npm ci failed in benches/peers/node".into());
    }
    Ok(())
}

/// On what this was measured.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |model| {
        model.trim_start_matches(['\t', ' ', ':'])
    });
    let node = Command::new("node").arg("--version").output();
    let node = node.map_or_else(
        |_| "node".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{count} processors ({model}), Linux {}, Node {node}; clients, servers and databases share them",
        read("/proc/sys/kernel/osrelease").trim()
    )
}
