//! The memory of connections on which nothing happens.

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::client::Client;
use crate::server::Server;
use crate::stats::float;
use crate::subscribers::connect;

/// Until the server has put everything away that belongs to the handshakes.
const SETTLE: Duration = Duration::from_secs(1);

/// KiB per connection.
pub(crate) struct Idle {
    /// Connected, subscribed to nothing.
    pub(crate) connected: f64,
    /// Subscribed to one and the same project.
    pub(crate) joined: f64,
    /// On the plain WebSocket, subscribed to nothing…
    pub(crate) plain: f64,
    /// … and to the project.
    pub(crate) subscribed: f64,
}

/// Measures on servers of their own.
pub(crate) async fn measure(folder: &Path, count: usize) -> Outcome<Idle> {
    let (connected, joined) = socket_io(folder, count).await?;
    let (plain, subscribed) = plain(folder, count).await?;
    Ok(Idle {
        connected,
        joined,
        plain,
        subscribed,
    })
}

async fn socket_io(folder: &Path, count: usize) -> Outcome<(f64, f64)> {
    let server = Server::on_file(folder, "idle.db")?;
    // What the first connections cost once is not theirs.
    let mut first = connect(&server.address, 1).await?;
    first[0].join("p").await?;
    tokio::time::sleep(SETTLE).await;
    let empty = server.memory_kib()?;
    let mut clients = connect(&server.address, count).await?;
    tokio::time::sleep(SETTLE).await;
    let connected = server.memory_kib()?;
    for client in &mut clients {
        client.join("p").await?;
    }
    tokio::time::sleep(SETTLE).await;
    let joined = server.memory_kib()?;
    let per_connection = |kib: u64| float(kib.saturating_sub(empty)) / float(count as u64);
    Ok((per_connection(connected), per_connection(joined)))
}

async fn plain(folder: &Path, count: usize) -> Outcome<(f64, f64)> {
    let server = Server::on_file(folder, "plain.db")?;
    let mut first = Client::plain(&server.address).await?;
    first.subscribe("p").await?;
    tokio::time::sleep(SETTLE).await;
    let empty = server.memory_kib()?;
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(Client::plain(&server.address).await?);
    }
    tokio::time::sleep(SETTLE).await;
    let connected = server.memory_kib()?;
    for client in &mut clients {
        client.subscribe("p").await?;
    }
    tokio::time::sleep(SETTLE).await;
    let subscribed = server.memory_kib()?;
    let per_connection = |kib: u64| float(kib.saturating_sub(empty)) / float(count as u64);
    Ok((per_connection(connected), per_connection(subscribed)))
}
