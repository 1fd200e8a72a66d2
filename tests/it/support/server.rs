//! The real program, started on a free port with a database of its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::{eventually, http};

const START: Duration = Duration::from_secs(30);
/// Lines that are kept of a log.
const LOG_KEPT: usize = 10_000;

/// What a server has logged.
type Log = Arc<Mutex<Vec<String>>>;

/// For tests in which a client does in a moment what takes others an hour.
pub(crate) const UNLIMITED: [(&str, &str); 6] = [
    ("COMMAND_RATE", "none"),
    ("READ_RATE", "none"),
    ("SIGNAL_RATE", "none"),
    ("USER_COMMAND_RATE", "none"),
    ("USER_READ_RATE", "none"),
    ("USER_SIGNAL_RATE", "none"),
];

/// Declares the kinds `subtask`, and `note`, which its author and admins change.
pub(crate) const KINDS: (&str, &str) = (
    "DIALECTS",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kinds.toml"),
);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, as `127.0.0.1:port`.
    pub(crate) address: String,
    settings: Vec<(String, String)>,
    log: Log,
}

impl Server {
    /// Starts a server on this database.
    pub(crate) async fn start(database_url: &str) -> Self {
        Self::start_with(database_url, &[]).await
    }

    /// Starts a server on a new SQLite file in a folder.
    pub(crate) async fn on_file(folder: &Path) -> Self {
        Self::start(&on_file(folder)).await
    }

    /// As [`Server::on_file`], without limits of messages.
    pub(crate) async fn on_file_unlimited(folder: &Path) -> Self {
        Self::start_with(&on_file(folder), &UNLIMITED).await
    }

    /// Starts a server with settings by the names of their environment variables.
    pub(crate) async fn start_with(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("DATABASE_URL".to_owned(), database_url.to_owned()),
            ("PORT".to_owned(), "0".to_owned()),
        ];
        all.extend(
            settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Self::launch(all).await
    }

    async fn launch(settings: Vec<(String, String)>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_boardcast"))
            .env_clear()
            .envs(settings.clone())
            .env("HOST", "127.0.0.1")
            .env("LOG_FORMAT", "json")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program is built with the tests");
        let stdout = child.stdout.take().expect("it is piped");
        let log = Log::default();
        let address = tokio::time::timeout(START, listening(stdout, Arc::clone(&log)))
            .await
            .expect("the server starts in time")
            .expect("the server starts");
        Self {
            child,
            address,
            settings,
            log,
        }
    }

    /// The lines that it has logged since it started.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log tells something: a line reaches the pipe, and this process, later than what a client sees.
    pub(crate) async fn tells(&self, what: &str) {
        let told = async || self.logged().iter().any(|line| line.contains(what));
        eventually(&format!("the log tells of {what}"), told).await;
    }

    /// Kills the server as a power cut would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a signal by its name and does not wait.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(status.expect("kill is there").success());
    }

    /// Waits for the end of the process; its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        status
            .expect("it ends in time")
            .expect("it can be waited for")
            .code()
    }

    /// Starts it again on the same port and database.
    pub(crate) async fn restart(&mut self) {
        let port = self
            .address
            .rsplit_once(':')
            .expect("it has a port")
            .1
            .to_owned();
        let mut settings = std::mem::take(&mut self.settings);
        for (name, value) in &mut settings {
            if name == "PORT" {
                value.clone_from(&port);
            }
        }
        *self = Self::launch(settings).await;
    }

    /// What `/health` says.
    pub(crate) async fn health(&self) -> Value {
        let (status, body) = http::get(&self.address, "/health").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("health is JSON")
    }

    /// Waits until `/health` fulfils a condition.
    pub(crate) async fn health_becomes(&self, what: &str, condition: impl Fn(&Value) -> bool) {
        eventually(what, async || condition(&self.health().await)).await;
    }

    /// Files and connections that the process has open.
    pub(crate) fn open_files(&self) -> usize {
        let pid = self.child.id().expect("it runs");
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("Linux tells")
            .count()
    }

    /// Memory that the process takes up.
    pub(crate) fn memory_mb(&self) -> usize {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes
            .expect("Linux tells")
            .parse::<usize>()
            .expect("a number")
            / 1024
    }

    /// The processor time that the process has used, in hundredths of a second.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("Linux tells");
        let times = fields.split_whitespace().skip(11).take(2);
        times
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum()
    }

    /// The memory that the process holds, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("Linux tells");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number")
    }
}

fn on_file(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("it.db").display())
}

/// The address that the server logs, after which its log is read on.
async fn listening(stdout: ChildStdout, log: Log) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.ok()? {
        let logged: Value = serde_json::from_str(&line).unwrap_or_default();
        if let (Some("listening"), Some(address)) =
            (logged["message"].as_str(), logged["address"].as_str())
        {
            let address = address.to_owned();
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    keep(&log, line);
                }
            });
            return Some(address);
        }
        keep(&log, line);
    }
    None
}

/// With `IT_LOG` set, what servers log is shown.
fn keep(log: &Log, line: String) {
    if std::env::var_os("IT_LOG").is_some() {
        eprintln!("{line}");
    }
    let mut kept = log.lock().unwrap();
    if kept.len() < LOG_KEPT {
        kept.push(line);
    }
}
