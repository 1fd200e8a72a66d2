//! What one project costs more as it grows, and how long everybody else waits for it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::Client;
use crate::postgres::Postgres;
use crate::server::Server;
use crate::stats::percentile;

/// Pause of the bystander between two commands.
const PAUSE: Duration = Duration::from_millis(2);
/// Tasks of an import.
const IMPORTED: usize = 5000;
/// Tasks of the sprint that is completed, and of the epic that is deleted.
const SPRINT: usize = 2000;
const EPIC: usize = 10_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Numbers of tasks.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,50000")]
    tasks: Vec<usize>,
    /// Times that each thing is done.
    #[arg(long, default_value_t = 30)]
    times: usize,
    /// Only on this database: sqlite or postgres.
    #[arg(long)]
    only: Option<String>,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let is_wanted = |name| options.only.as_deref().is_none_or(|only| only == name);
    if is_wanted("sqlite") {
        let folder = tempfile::tempdir()?;
        grow(
            &Server::on_file(folder.path(), "growth.db")?,
            "SQLite",
            options,
        )
        .await?;
    }
    if is_wanted("postgres") {
        let postgres = Postgres::start();
        let url = postgres.create_database().await;
        let server = Server::start(&[("DATABASE_URL", &url)])?;
        grow(&server, "Postgres", options).await?;
    }
    Ok(())
}

async fn grow(server: &Server, name: &str, options: &Options) -> Outcome<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\n{name}: milliseconds, p50 / p95; in another project meanwhile p50 / p99 / max"
    )?;
    let mut client = Client::connect(&server.address).await?;
    let mut made = 0;
    for &tasks in &options.tasks {
        while made < tasks {
            let next = (made + IMPORTED).min(tasks);
            import(server, made..next).await?;
            made = next;
        }
        let idle = server.memory_kib()?;
        writeln!(out, "{made} tasks; the server has {} MiB", idle / 1024)?;
        let mut figures = Figures::new(server);
        changes(&mut figures, &mut client, made, options.times).await?;
        reads(&mut figures, &mut client, options.times).await?;
        out.write_all(figures.text.as_bytes())?;
    }
    if made >= SPRINT.max(EPIC) {
        let mut figures = Figures::new(server);
        cascades(&mut figures, &mut client).await?;
        out.write_all(figures.text.as_bytes())?;
    }
    Ok(())
}

/// Commands that change one of so many tasks.
async fn changes(
    figures: &mut Figures<'_>,
    client: &mut Client,
    made: usize,
    times: usize,
) -> Outcome<()> {
    let place = |number: usize, step: usize| format!("t{}", number * step % made);
    let update = |number| {
        (
            "task:update",
            json!({"projectId": "big", "taskId": place(number, 7919), "n": number}),
        )
    };
    figures.commands("update", times, client, update).await?;
    let index = |number| {
        let task = place(number, 104_729);
        (
            "task:move",
            json!({"projectId": "big", "taskId": task, "status": "doing", "position": 5 + number}),
        )
    };
    figures
        .commands("move to a position", times, client, index)
        .await?;
    let before = |number| {
        let (task, other) = (place(number, 15_485_863), place(number + 3, 31));
        (
            "task:move",
            json!({"projectId": "big", "taskId": task, "beforeId": other}),
        )
    };
    figures
        .commands("move before a card", times, client, before)
        .await?;
    Ok(())
}

async fn reads(figures: &mut Figures<'_>, client: &mut Client, times: usize) -> Outcome<()> {
    let page = |_| ("project:snapshot", json!("big"));
    figures
        .commands("state, on a socket", 5, client, page)
        .await?;
    for (what, times, path) in [
        ("state, over REST", 5, "snapshot"),
        ("list", times, "tasks?limit=100&status=done"),
        ("search", 5, "tasks?limit=100&q=number%20t77"),
        ("search in vain", 5, "tasks?limit=100&q=nowhere%20at%20all"),
    ] {
        figures.reads(what, times, path).await?;
    }
    Ok(())
}

/// What goes on after the answer, task by task.
async fn cascades(figures: &mut Figures<'_>, client: &mut Client) -> Outcome<()> {
    for (kind, key, tasks) in [("sprint", "sprintId", SPRINT), ("epic", "epicId", EPIC)] {
        let made = json!({"projectId": "big", "id": "x", "title": "X"}).to_string();
        client.ask(&format!("{kind}:create"), &made).await?;
        for number in 0..tasks {
            let put = json!({"projectId": "big", "taskId": format!("t{number}"), "status": "todo", key: "x"});
            client.ask("task:update", &put.to_string()).await?;
        }
    }
    figures
        .cascade(
            "sprint of 2,000 completed",
            client,
            "sprint:complete",
            "sprintId",
        )
        .await?;
    figures
        .cascade("epic of 10,000 deleted", client, "epic:delete", "epicId")
        .await?;
    Ok(())
}

async fn import(server: &Server, tasks: std::ops::Range<usize>) -> Outcome<()> {
    let mut body = String::new();
    for number in tasks {
        let status = ["todo", "doing", "done"][number % 3];
        let task = json!({
            "kind": "task", "id": format!("t{number}"), "title": format!("Task number t{number}"), "status": status,
            "description": "Some text that describes what is to be done here. ".repeat(4),
            "assignee": format!("u{}", number % 50), "labels": ["a", "b"], "storyPoints": 3,
        });
        writeln!(body, "{task}")?;
    }
    let answer = http(server, "POST", "import", &body).await?;
    if answer.windows(11).any(|text| text == b"\"refused\":0") {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer).into_owned().into())
    }
}

async fn http(server: &Server, method: &str, path: &str, body: &str) -> Outcome<Vec<u8>> {
    let mut stream = TcpStream::connect(&server.address).await?;
    let head = format!(
        "{method} /api/projects/big/{path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// What was measured, as lines.
struct Figures<'a> {
    server: &'a Server,
    text: String,
}

impl<'a> Figures<'a> {
    fn new(server: &'a Server) -> Self {
        let text = String::new();
        Self { server, text }
    }

    async fn commands(
        &mut self,
        what: &str,
        times: usize,
        client: &mut Client,
        command: impl Fn(usize) -> (&'static str, Value),
    ) -> Outcome<()> {
        let watch = Watch::start(self.server).await?;
        let mut took = Vec::new();
        for number in 1..=times {
            let (event, argument) = command(number);
            let started = Instant::now();
            client.ask(event, &argument.to_string()).await?;
            took.push(micros(started.elapsed()));
        }
        self.line(what, took, &watch.stop().await?)
    }

    async fn reads(&mut self, what: &str, times: usize, path: &str) -> Outcome<()> {
        let watch = Watch::start(self.server).await?;
        let mut took = Vec::new();
        for _ in 0..times {
            let started = Instant::now();
            http(self.server, "GET", path, "").await?;
            took.push(micros(started.elapsed()));
        }
        self.line(what, took, &watch.stop().await?)
    }

    /// From the command to the end of all that follows from it.
    async fn cascade(
        &mut self,
        what: &str,
        client: &mut Client,
        event: &str,
        key: &str,
    ) -> Outcome<()> {
        let watch = Watch::start(self.server).await?;
        let started = Instant::now();
        let command = json!({"projectId": "big", key: "x"}).to_string();
        client.ask(event, &command).await?;
        // One task of it after the other is freed, the last one at last.
        loop {
            let path = format!("tasks?limit=1&{key}=x");
            let left = http(self.server, "GET", &path, "").await?;
            if left.windows(10).any(|text| text == b"\"items\":[]") {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.line(what, vec![micros(started.elapsed())], &watch.stop().await?)
    }

    fn line(&mut self, what: &str, mut took: Vec<i64>, seen: &Seen) -> Outcome<()> {
        took.sort_unstable();
        let at = |share| millis(percentile(&took, share));
        let other = |share| millis(percentile(&seen.waits, share));
        let (first, last) = (at(0.5), at(0.95));
        let (p50, p99, max) = (other(0.5), other(0.99), other(1.0));
        let memory = seen.most_kib.saturating_sub(seen.idle_kib) / 1024;
        writeln!(
            self.text,
            "  {what:<26} {first:>8.1} /{last:>8.1}   others {p50:>7.1} /{p99:>7.1} /{max:>7.1}   memory +{memory} MiB"
        )?;
        Ok(())
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of minutes")]
fn millis(micros: i64) -> f64 {
    micros as f64 / 1000.0
}

/// Somebody in another project, and the server's memory, while something else happens.
struct Watch {
    ended: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    idle_kib: u64,
    bystander: JoinSet<Outcome<Vec<i64>>>,
    memory: std::thread::JoinHandle<()>,
}

struct Seen {
    waits: Vec<i64>,
    idle_kib: u64,
    most_kib: u64,
}

impl Watch {
    async fn start(server: &Server) -> Outcome<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut client = Client::connect(&server.address).await?;
        let command = json!({"projectId": "other", "taskId": "x", "title": "X"}).to_string();
        client.ask("task:update", &command).await?;
        let is_over = Arc::clone(&ended);
        let mut bystander = JoinSet::new();
        bystander.spawn(async move {
            let mut waits = Vec::new();
            while !is_over.load(Ordering::Relaxed) || waits.is_empty() {
                let started = Instant::now();
                client.ask("task:update", &command).await?;
                waits.push(micros(started.elapsed()));
                tokio::time::sleep(PAUSE).await;
            }
            Ok(waits)
        });
        let (is_over, most) = (Arc::clone(&ended), Arc::new(AtomicU64::new(0)));
        let (pid, seen) = (server.pid(), Arc::clone(&most));
        let memory = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                seen.fetch_max(Server::memory_of(pid).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Self {
            idle_kib: server.memory_kib()?,
            ended,
            most,
            bystander,
            memory,
        })
    }

    async fn stop(mut self) -> Outcome<Seen> {
        self.ended.store(true, Ordering::Relaxed);
        let waited = self.bystander.join_next().await;
        let mut waits = waited.ok_or("nobody waited")???;
        waits.sort_unstable();
        self.memory
            .join()
            .map_err(|_| "the memory is not watched any more")?;
        Ok(Seen {
            waits,
            idle_kib: self.idle_kib,
            most_kib: self.most.load(Ordering::Relaxed),
        })
    }
}
