//! The real program as a process of its own, so that CPU and memory are its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

/// Linux counts CPU time in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// What would be in the way of those who want to know how much fits.
const UNLIMITED: [&str; 6] = [
    "COMMAND_RATE",
    "READ_RATE",
    "SIGNAL_RATE",
    "USER_COMMAND_RATE",
    "USER_READ_RATE",
    "USER_SIGNAL_RATE",
];

/// What a server is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Boardcast,
    /// The board server on socket.io and pg in `benches/peers/node`, whose packages are installed.
    Node,
}

impl Program {
    fn command(self) -> Command {
        match self {
            Self::Boardcast => Command::new(env!("CARGO_BIN_EXE_boardcast")),
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/benches/peers/node/server.mjs"
                ));
                command
            }
        }
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    program: Program,
    /// Where it listens, as `127.0.0.1:port`.
    pub(crate) address: String,
    settings: Vec<(String, String)>,
}

impl Server {
    /// Starts a server on a new SQLite file in a folder.
    pub(crate) fn on_file(folder: &Path, name: &str) -> Outcome<Self> {
        let url = format!("sqlite://{}", folder.join(name).display());
        Self::start(&[("DATABASE_URL", &url)])
    }

    /// Starts a server with settings by the names of their environment variables.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Outcome<Self> {
        let settings = settings
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Self::launch(Program::Boardcast, "0", settings.collect())
    }

    /// Starts another program, with settings of its own.
    pub(crate) fn of(program: Program, settings: Vec<(String, String)>) -> Outcome<Self> {
        Self::launch(program, "0", settings)
    }

    fn launch(program: Program, port: &str, settings: Vec<(String, String)>) -> Outcome<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut child = program
            .command()
            .env_clear()
            .env("PATH", path)
            .envs([
                ("HOST", "127.0.0.1"),
                ("PORT", port),
                ("LOG_FORMAT", "json"),
            ])
            .envs(UNLIMITED.map(|name| (name, "none")))
            .envs(settings.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let address = loop {
            let line = log.next().ok_or("the server does not start")??;
            let logged: Value = serde_json::from_str(&line)?;
            if logged["message"] == "listening" {
                break logged["address"].as_str().ok_or("no address")?.to_owned();
            }
        };
        // What it logs later is read and dropped.
        std::thread::spawn(move || log.for_each(drop));
        Ok(Self {
            child,
            program,
            address,
            settings,
        })
    }

    /// Ends it as a power cut would, and starts it again on the same port.
    pub(crate) fn kill_and_restart(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        let (_, port) = self.address.rsplit_once(':').ok_or("no port")?;
        *self = Self::launch(self.program, port, self.settings.clone())?;
        Ok(())
    }

    /// Pages that it has read from the log so far.
    pub(crate) async fn log_reads(&self) -> Outcome<u64> {
        let health = self.health().await?;
        Ok(health["log_reads"].as_u64().ok_or("no log_reads")?)
    }

    /// What it says of itself.
    pub(crate) async fn health(&self) -> Outcome<Value> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request = "GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        Ok(serde_json::from_str(body)?)
    }

    /// CPU time that it has used so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let mut times = fields.split_whitespace().skip(11).take(2);
        let (user, system) = (times.next(), times.next());
        let ticks =
            user.ok_or("no utime")?.parse::<u32>()? + system.ok_or("no stime")?.parse::<u32>()?;
        Ok(TICK * ticks)
    }

    /// The memory that it holds, in KiB.
    pub(crate) fn memory_kib(&self) -> Outcome<u64> {
        Self::memory_of(self.pid())
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that a process holds, in KiB.
    pub(crate) fn memory_of(pid: u32) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}
