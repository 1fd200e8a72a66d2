//! The memory of connections on which nothing happens.

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
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
}

/// Measures on a server of its own.
pub(crate) async fn measure(folder: &Path, count: usize) -> Outcome<Idle> {
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
    Ok(Idle {
        connected: per_connection(connected),
        joined: per_connection(joined),
    })
}
