//! What a connection costs: a burst of them, each joined to a room, and the memory that they hold afterwards.

use std::time::{Duration, Instant};

use super::table::Table;
use super::{Ground, Peer};
use crate::Outcome;
use crate::stats::{float, rate};
use crate::subscribers::connect;

const ROOMS: usize = 100;
/// Until the server has put everything away that belongs to the handshakes.
const SETTLE: Duration = Duration::from_secs(1);
/// Clients that connect before the measurement: what the first ones cost once is not theirs.
const FIRST: usize = 100;

/// Measures one peer.
pub(super) async fn measure(
    ground: &Ground,
    peer: Peer,
    count: usize,
    table: &mut Table,
) -> Outcome<()> {
    let server = ground.start(peer).await?;
    let mut first = connect(&server.address, FIRST).await?;
    for (number, client) in first.iter_mut().enumerate() {
        client.join(&format!("p{}", number % ROOMS)).await?;
    }
    drop(first);
    tokio::time::sleep(SETTLE).await;
    let (memory, cpu, started) = (server.memory_kib()?, server.cpu()?, Instant::now());
    let mut clients = connect(&server.address, count).await?;
    for (number, client) in clients.iter_mut().enumerate() {
        client.join(&format!("p{}", number % ROOMS)).await?;
    }
    let (elapsed, cpu) = (started.elapsed(), server.cpu()?.saturating_sub(cpu));
    tokio::time::sleep(SETTLE).await;
    let grown = server.memory_kib()?.saturating_sub(memory);
    let count = count as u64;
    table.more_is_better(
        "connects with a join per second",
        peer,
        rate(count, elapsed),
    );
    table.more_is_better(
        "connects with a join per CPU second of the server",
        peer,
        float(count) / cpu.as_secs_f64(),
    );
    table.less_is_better(
        "KiB per joined idle connection",
        peer,
        float(grown) / float(count),
    );
    Ok(())
}
