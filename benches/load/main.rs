//! How much the server can take: a program for people, not a test. It is built with the release profile
//! and brings its own databases, on temporary files (`TMPDIR` says where; a disk that is none, such as
//! tmpfs, makes commits look free).
//!
//! ```sh
//! cargo bench --bench load -- commits   # durable commands per second, in batches and one by one
//! cargo bench --bench load -- deliver   # from the commit to the subscribers, and memory per connection
//! cargo bench --bench load -- relay     # from one instance to another, through Redis
//! cargo bench --bench load -- storm     # everybody loses the connection and comes back at once
//! cargo bench --bench load -- abuse     # how long others wait while one client does too much of everything
//! cargo bench --bench load -- growth    # what one project costs more as it grows, and how long others wait for it
//! cargo bench --bench load -- compare   # beside Node with socket.io and pg, in turns, with ratios
//! cargo bench --bench load -- --help
//! ```
//!
//! Machines are noisy: what is compared is measured in turns, the median of the rounds is shown, and ratios
//! say more than figures.

#![expect(
    clippy::unwrap_used,
    reason = "a program to be run by hand may end with a panic"
)]

mod abuse;
mod client;
mod commits;
mod compare;
mod deliver;
mod growth;
mod idle;
#[path = "../../tests/it/support/postgres.rs"]
#[expect(dead_code, reason = "only tests kill and pause it")]
mod postgres;
mod publisher;
mod redis;
mod relay;
mod server;
mod stats;
mod storm;
mod subscribers;

use std::error::Error;

use clap::{CommandFactory as _, Parser, Subcommand};

/// What goes wrong ends the program.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures how much the server can take.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench load --", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Durable commands per second through the writer, for one project and for many: in batches against
    /// one transaction per command, on SQLite (synchronous=FULL) and on a Postgres of its own (fsync on).
    Commits(commits::Options),
    /// One project of a real server process with many subscribers over real `WebSocket`s: deliveries per
    /// second, CPU per delivery, latency; then the memory of idle connections.
    Deliver(deliver::Options),
    /// Two instances on a Postgres and a Redis of their own, everybody who publishes on one of them: events
    /// per second to subscribers on the same instance, on the other one, and of a server that has no other;
    /// then the latency that the way through Redis adds.
    Relay(relay::Options),
    /// Thousands of clients of a real server process, on a Postgres of its own, are cut off at the same moment
    /// and come back at once as socket.io-client does, while events go on: who recovered, how long it took, and
    /// what it cost. That somebody misses an event or sees one twice ends the program.
    Storm(storm::Options),
    /// Clients who behave, of a real server process on `SQLite`, and how long they wait for their acks: while nobody
    /// else is there, and while one client from another address sends thousands of commands per second and a thousand
    /// connections from there knock again and again. In turns, in one run.
    Abuse(abuse::Options),
    /// One project of a real server process as it grows, on `SQLite` and on a Postgres of its own: how long changes, lists,
    /// searches and its state take, how long a command in another project takes meanwhile, and the server's memory. Then a
    /// sprint of 2,000 tasks is completed and an epic of 10,000 deleted.
    Growth(growth::Options),
    /// The same load for this server and for one that a team would write with socket.io and pg (`benches/peers/node`; needs
    /// node and npm), on Postgres and Redis of their own, in turns: acks, deliveries, connections. Prints a table with
    /// ratios.
    Compare(compare::Options),
}

#[tokio::main]
async fn main() -> Outcome<()> {
    // Cargo adds `--bench` to what it was told to hand on.
    let arguments = std::env::args().filter(|argument| argument != "--bench");
    match Cli::parse_from(arguments).what {
        Some(What::Commits(options)) => commits::run(&options).await,
        Some(What::Deliver(options)) => deliver::run(&options).await,
        Some(What::Relay(options)) => relay::run(&options).await,
        Some(What::Storm(options)) => storm::run(&options).await,
        Some(What::Abuse(options)) => abuse::run(&options).await,
        Some(What::Growth(options)) => growth::run(&options).await,
        Some(What::Compare(options)) => compare::run(&options).await,
        None => Ok(Cli::command().print_help()?),
    }
}
