//! A real Postgres for tests, with its own data and port, which can be killed, paused and started again.
//!
//! `initdb` runs once per target directory; a server starts from a copy of its result. The server ends
//! with the test process, however that ends: a small shell waits for the other end of a pipe to close,
//! then stops the server and removes its data.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Starts `"$@"` and waits for a line or the end of its input; without the line, nothing is kept.
const WATCHDOG: &str = r#"
data=$1; shift
"$@" >>"$data.log" 2>&1 &
read -r line
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children") 2>/dev/null
    kill -QUIT "$pid" 2>/dev/null
fi
wait
[ "$line" = keep ] || rm -rf "$data" "$data.log"
"#;
const START_TIMEOUT: Duration = Duration::from_secs(30);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running server; dropped, it is stopped and its data removed.
#[derive(Debug)]
pub(crate) struct Postgres {
    data: PathBuf,
    port: u16,
    watchdog: Mutex<Option<Child>>,
}

impl Postgres {
    /// The server that all tests of this process share. It is not to be killed or paused.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own. Returns when it accepts connections.
    pub(crate) fn start() -> Self {
        let name = format!(
            "boardcast-pg-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let data = std::env::temp_dir().join(name);
        copy(&template(), &data);
        for _ in 0..5 {
            let port = free_port();
            if let Some(watchdog) = launch(&data, port) {
                return Self {
                    data,
                    port,
                    watchdog: Mutex::new(Some(watchdog)),
                };
            }
        }
        panic!("postgres does not start: {}", log(&data));
    }

    /// The URL of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:secret@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Makes an empty database and gives its URL.
    pub(crate) async fn create_database(&self) -> String {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut conn = PgConnection::connect(&self.url("postgres")).await.unwrap();
        conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        conn.close().await.unwrap();
        self.url(&name)
    }

    /// Ends the server as a power cut would. Its data stays.
    pub(crate) fn kill9(&self) {
        self.signal("KILL");
        let mut watchdog = self.watchdog.lock().unwrap().take().expect("it is running");
        let mut input = watchdog.stdin.take().expect("its input is piped");
        input.write_all(b"keep\n").unwrap();
        watchdog.wait().unwrap();
    }

    /// Starts the server again after [`Postgres::kill9`], on the same port.
    pub(crate) fn restart(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut watchdog = self.watchdog.lock().unwrap();
        while watchdog.is_none() {
            assert!(
                Instant::now() < deadline,
                "postgres does not restart: {}",
                log(&self.data)
            );
            *watchdog = launch(&self.data, self.port);
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

    /// Sends a signal to the server and then to all of its processes.
    fn signal(&self, name: &str) {
        let postmaster = postmaster(&self.data).expect("it is running");
        let children = |pid| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let before = children(postmaster).unwrap_or_default();
        kill(name, &postmaster.to_string());
        // The list again: a process may have been started in between. A killed one has none any more.
        let after = children(postmaster).unwrap_or_default();
        for child in before.split_whitespace().chain(after.split_whitespace()) {
            kill(name, child);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.watchdog.lock().unwrap().take() {
            Some(mut watchdog) => {
                drop(watchdog.stdin.take());
                let _ended = watchdog.wait();
            }
            None => {
                let _removed = fs::remove_dir_all(&self.data);
            }
        }
    }
}

fn kill(signal: &str, pid: &str) {
    let _gone_already = Command::new("kill")
        .args([&format!("-{signal}"), pid])
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

fn launch(data: &Path, port: u16) -> Option<Child> {
    let _none_yet = fs::remove_file(data.join("postmaster.pid"));
    fs::write(data.with_extension("log"), "").unwrap();
    let port = port.to_string();
    let server = as_postgres(&program("postgres"))
        .into_iter()
        .chain(["-D".into(), data.to_str().expect("it is UTF-8").into()])
        .chain(["-p".into(), port])
        .chain(["-k".into(), data.to_str().expect("it is UTF-8").into()]);
    let mut watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(data)
        .args(server)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline && !has_failed(&log(data)) {
        let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if status
            .lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready")
        {
            return Some(watchdog);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut input = watchdog.stdin.take().expect("its input is piped");
    input.write_all(b"keep\n").unwrap();
    watchdog.wait().unwrap();
    None
}

/// Whether the port is taken, or processes of a killed server are still there. That clients come while it recovers is no
/// failure.
fn has_failed(log: &str) -> bool {
    let mut fatal = log.lines().filter(|line| line.contains("FATAL"));
    fatal.any(|line| !line.contains("the database system is "))
}

fn postmaster(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok()
}

fn log(data: &Path) -> String {
    fs::read_to_string(data.with_extension("log")).unwrap_or_default()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The data of a fresh server, made by whichever test comes first.
fn template() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = directory.join("postgres-template-1");
    let lock = File::create(directory.join("postgres-template.lock")).unwrap();
    lock.lock().unwrap();
    if template.join("PG_VERSION").exists() {
        return template;
    }
    // Where the user postgres can certainly write; the target directory may be closed to it.
    let fresh = std::env::temp_dir().join(format!("boardcast-pg-template-{}", std::process::id()));
    let initdb = as_postgres(&program("initdb"));
    let output = Command::new(&initdb[0])
        .args(&initdb[1..])
        .args([
            "--no-sync",
            "--username=postgres",
            "--auth=trust",
            "--wal-segsize=1",
        ])
        // A collation that does not sort by bytes, so that it is noticed where bytes are meant.
        .args([
            "--encoding=UTF8",
            "--locale-provider=icu",
            "--icu-locale=en",
            "--locale=C.UTF-8",
            "-D",
        ])
        .arg(&fresh)
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut settings = File::options()
        .append(true)
        .open(fresh.join("postgresql.conf"))
        .unwrap();
    writeln!(
        settings,
        "listen_addresses = '127.0.0.1'\ndynamic_shared_memory_type = mmap"
    )
    .unwrap();
    copy(&fresh, &template.with_extension("new"));
    fs::rename(template.with_extension("new"), &template).unwrap();
    fs::remove_dir_all(&fresh).unwrap();
    template
}

/// `cp` keeps the owner, who must be the user that runs the server.
fn copy(from: &Path, to: &Path) {
    let _none_yet = fs::remove_dir_all(to);
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The newest installed version's program, else the one in the PATH.
fn program(name: &str) -> PathBuf {
    let version = |path: &Path| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    installed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin").join(name).exists())
        .max_by_key(|path| version(path))
        .map_or_else(|| name.into(), |path| path.join("bin").join(name))
}

/// Postgres does not run as root. `setpriv` becomes the program, where `runuser` would stand between.
fn as_postgres(program: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt as _;

    let program = program.to_str().expect("it is UTF-8").to_owned();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return vec![program];
    }
    let prefix = [
        "setpriv",
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
    ];
    prefix
        .map(str::to_owned)
        .into_iter()
        .chain([program])
        .collect()
}
