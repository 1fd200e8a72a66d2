//! A real Redis for tests, with its own port, which can be killed, paused and started again.
//!
//! It keeps nothing. It ends with the test process, however that ends: a small shell waits for the other end
//! of a pipe to close, then kills the server.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Starts `"$@"`, says its pid and waits for the end of its input.
const WATCHDOG: &str = r#"
log=$1; shift
"$@" >"$log" 2>&1 &
pid=$!
echo $pid
read -r line
kill -KILL $pid 2>/dev/null
wait
"#;
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running server; dropped, it is killed and its folder removed.
#[derive(Debug)]
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    port_flag: &'static str,
    flags: Vec<String>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    watchdog: Child,
    pid: String,
}

impl Redis {
    /// A server that lets everyone in. Returns when it accepts connections.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with more flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::launch_on_free_port("--port", flags)
    }

    /// A server that speaks TLS only.
    pub(crate) fn start_tls(flags: &[&str]) -> Self {
        let without_plain = [&["--port", "0", "--tls-auth-clients", "no"], flags].concat();
        Self::launch_on_free_port("--tls-port", &without_plain)
    }

    fn launch_on_free_port(port_flag: &'static str, flags: &[&str]) -> Self {
        let mut redis = Self {
            folder: tempfile::tempdir().unwrap(),
            port: 0,
            port_flag,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            running: Mutex::default(),
        };
        for _ in 0..5 {
            redis.port = free_port();
            if let Some(running) = redis.launch() {
                redis.running = Mutex::new(Some(running));
                return redis;
            }
        }
        panic!("redis does not start: {}", redis.log());
    }

    /// Its address without user, password and database.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL with which everyone is let in.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Ends the server as a power cut would.
    pub(crate) fn kill9(&self) {
        let running = self.running.lock().unwrap().take();
        running.expect("it is running").end();
    }

    /// Starts the server again after [`Redis::kill9`], on the same port.
    pub(crate) fn restart(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut running = self.running.lock().unwrap();
        while running.is_none() {
            assert!(
                Instant::now() < deadline,
                "redis does not restart: {}",
                self.log()
            );
            *running = self.launch();
        }
    }

    /// Stops the server in its tracks: connections stay open and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let running = self.running.lock().unwrap();
        let pid = &running.as_ref().expect("it is running").pid;
        let status = Command::new("kill")
            .args([&format!("-{name}"), pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// `None`: the port is taken.
    fn launch(&self) -> Option<Running> {
        let log = self.log_path();
        fs::write(&log, "").unwrap();
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&log)
            .args(["redis-server", self.port_flag, &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut pid = String::new();
        let said = watchdog.stdout.take().expect("its output is piped");
        BufReader::new(said).read_line(&mut pid).unwrap();
        let pid = pid.trim().to_owned();
        let running = Running { watchdog, pid };
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline && !self.log().contains("Failed listening") {
            if self.log().contains("Ready to accept connections") {
                return Some(running);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        running.end();
        None
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.end();
        }
    }
}

impl Running {
    fn end(mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().unwrap();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
