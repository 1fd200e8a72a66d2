//! Durable commands per second: parsed, decided, committed and answered, as many as fit.

use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boardcast::cli::Cli;
use boardcast::contract::{Arguments, CommandRequest, EventName, Limits, Reply};
use boardcast::domain::{
    Actor, ConnectionId, Grants, Holder, Identity, PrivateId, ProjectId, Role,
};
use boardcast::state::AppState;
use boardcast::store::Channel;
use boardcast::writer::{Caller, Writer, WriterOptions};
use clap::Parser as _;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::postgres::Postgres;
use crate::stats::{float, grouped, median, rate};

/// Transactions at once where every command has its own: more than a pool usually has.
const SINGLE_WRITERS: usize = 24;
/// What is read from the log at once.
const PAGE_EVENTS: usize = 1000;
const PAGE_BYTES: usize = 4 * 1024 * 1024;
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Who sends the commands.
const BENCH: &str = "bench";
/// Bytes of heads and entities that a writer keeps.
const CACHE: usize = 32 * 1024 * 1024;
const WARM_UP: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each round submits commands.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Rounds of each kind, in turns; the table shows their median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Commands that wait for their answer at any moment, over all projects.
    #[arg(long, default_value_t = 2048)]
    in_flight: usize,
    /// The second number of projects; the first is 1.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    projects: u32,
    /// Tasks of each project that are changed in turn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// Most commands of a grouped commit [default: the database's].
    #[arg(long)]
    max_batch: Option<usize>,
    /// Grouped transactions at once [default: the database's].
    #[arg(long)]
    writers: Option<usize>,
    /// Show every round.
    #[arg(long)]
    all: bool,
    /// Only this database: sqlite or postgres.
    #[arg(long, value_parser = ["sqlite", "postgres"])]
    only: Option<String>,
}

/// Measures and prints one table per database.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let wants = |name| options.only.as_deref().is_none_or(|only| only == name);
    if wants("sqlite") {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        let title = format!("SQLite, synchronous=FULL, in {}", folder.path().display());
        table(options, &title, &url).await?;
    }
    if wants("postgres") {
        let postgres = Postgres::start();
        let title = prepare(&postgres).await?;
        table(options, &title, &postgres.create_database().await).await?;
    }
    Ok(())
}

/// Gives the server as much log as one in production has, and says what it promises.
pub(crate) async fn prepare(postgres: &Postgres) -> Outcome<String> {
    let mut conn = PgConnection::connect(&postgres.url("postgres")).await?;
    conn.execute("ALTER SYSTEM SET max_wal_size = '1GB'")
        .await?;
    conn.execute("SELECT pg_reload_conf()").await?;
    let row = conn
        .fetch_one(
            "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
             current_setting('synchronous_commit') AS sync, current_setting('data_directory') AS data",
        )
        .await?;
    let text = |column| row.try_get::<String, _>(column);
    let title = format!(
        "Postgres {}, fsync={}, synchronous_commit={}, in {}",
        text("version")?,
        text("fsync")?,
        text("sync")?,
        text("data")?
    );
    conn.close().await?;
    Ok(title)
}

/// One server with two writers, of which one commits every command by itself.
struct Bench {
    app: AppState,
    single: Writer,
    grouped: Writer,
}

impl Bench {
    async fn start(url: &str, options: &Options) -> Outcome<Self> {
        let connections = (SINGLE_WRITERS + 8).to_string();
        let arguments = [
            "boardcast",
            "--database-url",
            url,
            "--database-connections",
            &connections,
        ];
        let app = AppState::start(Cli::try_parse_from(arguments)?.config).await?;
        let grouped = WriterOptions {
            chosen_ids: false,
            queue: app.config().command_queue,
            max_batch: options.max_batch.unwrap_or_else(|| app.config().max_batch),
            writers: options.writers.unwrap_or_else(|| app.store().writers()),
            timeout: app.config().database_timeout,
            slow_commit: app.config().slow_commit,
            cache_bytes: CACHE,
        };
        let single = WriterOptions {
            max_batch: 1,
            writers: if app.store().writers() == 1 {
                1
            } else {
                SINGLE_WRITERS
            },
            ..grouped
        };
        let writer = |options| {
            Writer::start(
                app.store(),
                app.epoch(),
                app.hub(),
                app.lifecycle(),
                options,
            )
        };
        Ok(Self {
            single: writer(single),
            grouped: writer(grouped),
            app,
        })
    }
}

async fn table(options: &Options, title: &str, url: &str) -> Outcome<()> {
    let bench = Arc::new(Bench::start(url, options).await?);
    let mut out = std::io::stdout();
    writeln!(out, "\n{title}")?;
    writeln!(
        out,
        "{:>9} {:>14} {:>14} {:>7} {:>14} {:>7} {:>20}",
        "projects",
        "one by one/s",
        "grouped/s",
        "ratio",
        "judged/s",
        "ratio",
        "commands per commit"
    )?;
    for count in [1, options.projects] {
        let projects: Vec<_> = (0..count).map(|number| project(count, number)).collect();
        let line = measure(options, &bench, &projects).await?;
        writeln!(
            out,
            "{count:>9} {:>14} {:>14} {:>6.1}× {:>14} {:>6.2}× {:>20.1}",
            grouped(median(&line.single)),
            grouped(median(&line.grouped)),
            median(&line.grouped) / median(&line.single),
            grouped(median(&line.judged)),
            median(&line.judged) / median(&line.grouped),
            line.batch
        )?;
        if options.all {
            writeln!(out, "{:>9} {}", "", all(&line.single))?;
            writeln!(out, "{:>9} {}", "", all(&line.grouped))?;
            writeln!(out, "{:>9} {}", "", all(&line.judged))?;
        }
    }
    bench.app.lifecycle().stop(Duration::from_secs(1)).await;
    bench.app.store().close().await;
    Ok(())
}

fn all(rounds: &[f64]) -> String {
    let rounds: Vec<_> = rounds.iter().map(|&rate| grouped(rate)).collect();
    format!("rounds: {}", rounds.join(", "))
}

fn project(count: u32, number: u32) -> ProjectId {
    let name = serde_json::Value::from(format!("p{count}-{number}"));
    ProjectId(boardcast::domain::Id::from_json(&name).expect("it is an id"))
}

struct Line {
    single: Vec<f64>,
    grouped: Vec<f64>,
    /// Grouped, by somebody whose rights are looked up.
    judged: Vec<f64>,
    batch: f64,
}

async fn measure(options: &Options, bench: &Arc<Bench>, projects: &[ProjectId]) -> Outcome<Line> {
    let mut line = Line {
        single: Vec::new(),
        grouped: Vec::new(),
        judged: Vec::new(),
        batch: 0.0,
    };
    let load = |mode, round| drive_all(options, bench, mode, projects, round);
    load(Mode::Grouped, WARM_UP).await?;
    load(Mode::Single, WARM_UP).await?;
    let round = Duration::from_secs_f64(options.seconds);
    for _ in 0..options.rounds {
        line.single.push(load(Mode::Single, round).await?);
        let before = heads(bench, projects).await?;
        line.grouped.push(load(Mode::Grouped, round).await?);
        line.batch = commands_per_commit(bench, projects, &before).await?;
        line.judged.push(load(Mode::Judged, round).await?);
    }
    Ok(line)
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Single,
    Grouped,
    Judged,
}

/// Keeps a writer busy for so long; commands per second until the last was answered.
async fn drive_all(
    options: &Options,
    bench: &Arc<Bench>,
    mode: Mode,
    projects: &[ProjectId],
    round: Duration,
) -> Outcome<f64> {
    let started = Instant::now();
    let window = (options.in_flight / projects.len()).max(1);
    let tasks = options.tasks;
    let mut drivers = JoinSet::new();
    for project in projects {
        let (bench, project) = (Arc::clone(bench), project.clone());
        drivers.spawn(async move {
            let writer = match mode {
                Mode::Single => &bench.single,
                Mode::Grouped | Mode::Judged => &bench.grouped,
            };
            let identity = matches!(mode, Mode::Judged).then(|| Arc::new(owner()));
            let load = (window, tasks);
            drive(writer, &project, identity, load, started + round).await
        });
    }
    let mut commands = 0;
    while let Some(done) = drivers.join_next().await {
        commands += done??;
    }
    Ok(rate(commands, started.elapsed()))
}

/// One project's clients: as soon as a command is answered, the next is on its way.
async fn drive(
    writer: &Writer,
    project: &ProjectId,
    identity: Option<Arc<Identity>>,
    (window, tasks): (usize, u64),
    deadline: Instant,
) -> Outcome<u64> {
    let caller = Caller::new(
        ConnectionId::generate(),
        PrivateId::generate().client(),
        Some(BENCH),
    );
    let mut waiting = VecDeque::with_capacity(window);
    let mut sent = 0;
    while Instant::now() < deadline {
        if waiting.len() == window {
            settle(waiting.pop_front()).await?;
        }
        let request = command(project, sent % tasks);
        let answer = writer.submit(request, project.clone(), &caller, identity.clone());
        waiting.push_back(answer.map_err(|reply| refused(&reply))?);
        sent += 1;
    }
    while !waiting.is_empty() {
        settle(waiting.pop_front()).await?;
    }
    Ok(sent)
}

/// Somebody whose token gives every right, who may be a member as well.
fn owner() -> Identity {
    let mut grants = Grants::default();
    grants.insert(Grants::EVERYWHERE, Role::Owner);
    Identity {
        actor: Actor::new(BENCH),
        holder: Holder::User { granted_at: None },
        grants,
        expires_at: None,
    }
}

async fn settle(answer: Option<oneshot::Receiver<Reply>>) -> Outcome<()> {
    let Some(answer) = answer else { return Ok(()) };
    let reply = answer.await?;
    if reply.is_ok() {
        Ok(())
    } else {
        Err(refused(&reply).into())
    }
}

fn refused(reply: &Reply) -> String {
    format!("a command was refused: {}", reply.to_raw())
}

/// A change as a board sends it, from its text.
fn command(project: &ProjectId, task: u64) -> CommandRequest {
    // Never the same again: what changes nothing is not written.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let change = format!(
        r#"{{"projectId":"{}","taskId":"t{task}","updates":{{"title":"Water the tomatoes","points":{number},"assignee":"ada"}}}}"#,
        project.as_str()
    );
    let event = EventName::find("task:update").expect("it is in the table");
    let command = CommandRequest::read(event, None, Arguments::One(&change), &Limits::default());
    command.expect("it is a command")
}

async fn heads(bench: &Bench, projects: &[ProjectId]) -> Outcome<Vec<Channel>> {
    let mut heads = Vec::with_capacity(projects.len());
    for project in projects {
        let head = bench.app.store().channel_get(&project.channel()).await?;
        heads.push(head.ok_or("the project has no log")?);
    }
    Ok(heads)
}

/// From the log since then: events of one commit carry the same moment.
async fn commands_per_commit(
    bench: &Bench,
    projects: &[ProjectId],
    before: &[Channel],
) -> Outcome<f64> {
    let store = bench.app.store();
    let (mut commits, mut commands) = (HashSet::new(), 0);
    for (project, head) in projects.iter().zip(before) {
        let queue = bench.grouped.queue_of(&project.channel());
        let mut after = head.seq;
        loop {
            let page = store
                .events_page(&head.name, head.no, after, PAGE_EVENTS, PAGE_BYTES)
                .await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            commands += page.len() as u64;
            commits.extend(
                page.iter()
                    .map(|event| (queue, event.created_at.as_millis())),
            );
        }
    }
    Ok(float(commands) / float(commits.len() as u64))
}
