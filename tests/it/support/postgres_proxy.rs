//! A proxy in front of Postgres that counts the round trips of the connections on which commits are made, and can hold back
//! what they send or are answered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a connection sends first if commits are made on it.
const COMMITS: &[u8] = b"SET lock_timeout";
/// The code of a request for TLS, which comes before the first message.
const TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// What passes on connections for commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passes {
    Everything,
    /// What is sent stays in the proxy until everything passes.
    NoRequests,
    /// What is answered is thrown away.
    NoAnswers,
}

/// See the module. It ends with the test's runtime.
pub(crate) struct PostgresProxy {
    port: u16,
    passes: watch::Sender<Passes>,
    trips: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl PostgresProxy {
    /// Starts a proxy in front of the server of this URL.
    pub(crate) async fn start(url: &str) -> Self {
        let (_, rest) = url.rsplit_once(':').unwrap();
        let (server, _) = rest.split_once('/').unwrap();
        let server: u16 = server.parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            passes: watch::Sender::new(Passes::Everything),
            trips: Arc::default(),
            held: Arc::default(),
        };
        let connection = Connection {
            passes: proxy.passes.subscribe(),
            trips: Arc::clone(&proxy.trips),
            held: Arc::clone(&proxy.held),
        };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(connection.clone().run(client, server));
            }
        });
        proxy
    }

    /// The same URL through the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        let (host, rest) = url.rsplit_once(':').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        format!("{host}:{}/{database}", self.port)
    }

    /// The round trips until now.
    pub(crate) fn trips(&self) -> usize {
        self.trips.load(Ordering::SeqCst)
    }

    /// The messages that were held back, or answers that were thrown away.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    pub(crate) fn let_pass(&self, passes: Passes) {
        self.passes.send_replace(passes);
    }
}

#[derive(Clone)]
struct Connection {
    passes: watch::Receiver<Passes>,
    trips: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Connection {
    async fn run(self, client: TcpStream, server: u16) {
        client.set_nodelay(true).unwrap();
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
            return;
        };
        server.set_nodelay(true).unwrap();
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        let (commits, is_commits) = watch::channel(false);
        let answers = self.clone().answer(from_server, to_client, is_commits);
        // Whichever ends first ends the other: both sockets are closed.
        tokio::select! {
            _ = self.send(from_client, to_server, commits) => {}
            _ = answers => {}
        }
    }

    async fn send(
        mut self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        commits: watch::Sender<bool>,
    ) -> io::Result<()> {
        let mut has_started = false;
        loop {
            let kind = if has_started {
                Some(from.read_u8().await?)
            } else {
                None
            };
            let length = from.read_u32().await?;
            let mut body = vec![0; length as usize - 4];
            from.read_exact(&mut body).await?;
            has_started |= body != TLS;
            if kind == Some(b'Q') && body.starts_with(COMMITS) {
                commits.send_replace(true);
            }
            if *commits.borrow() {
                if matches!(kind, Some(b'S' | b'Q')) {
                    self.trips.fetch_add(1, Ordering::SeqCst);
                }
                if *self.passes.borrow() == Passes::NoRequests {
                    self.held.fetch_add(1, Ordering::SeqCst);
                    let passes = |passes: &Passes| *passes == Passes::Everything;
                    self.passes
                        .wait_for(passes)
                        .await
                        .map_err(io::Error::other)?;
                }
            }
            if let Some(kind) = kind {
                to.write_u8(kind).await?;
            }
            to.write_u32(length).await?;
            to.write_all(&body).await?;
        }
    }

    async fn answer(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        is_commits: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut some = [0; 16 * 1024];
        loop {
            let bytes = from.read(&mut some).await?;
            if bytes == 0 {
                return Ok(());
            }
            if *is_commits.borrow() && *self.passes.borrow() == Passes::NoAnswers {
                self.held.fetch_add(1, Ordering::SeqCst);
            } else {
                to.write_all(&some[..bytes]).await?;
            }
        }
    }
}
