//! How long a client waits until its change is durable, and how many changes fit.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::table::Table;
use super::{Ground, Peer};
use crate::Outcome;
use crate::client::Client;
use crate::server::Server;
use crate::stats::{float, percentile, rate};
use crate::subscribers::connect;

const PROJECTS: usize = 10;
/// Tasks of each client that are changed in turn.
const TASKS: usize = 20;
const WARM_UP: Duration = Duration::from_millis(500);
/// Commands per second of all clients together, while latency is measured.
const PACE: f64 = 1000.0;
const PACED_CLIENTS: usize = 50;

/// Measures one peer.
pub(super) async fn measure(ground: &Ground, peer: Peer, table: &mut Table) -> Outcome<()> {
    let server = ground.start(peer).await?;
    let (commands, elapsed, _) = flat_out(&server, 50, 4, ground.duration).await?;
    table.more_is_better(
        "durable acks per second, 50 clients with 4 under way",
        peer,
        rate(commands, elapsed),
    );
    let (commands, elapsed, cpu) = flat_out(&server, 500, 1, ground.duration).await?;
    table.more_is_better(
        "durable acks per second, 500 clients with 1 under way",
        peer,
        rate(commands, elapsed),
    );
    table.less_is_better(
        "µs of server CPU per command, flat out",
        peer,
        per_command(cpu, commands),
    );
    let (mut waits, cpu) = paced(&server, ground.duration).await?;
    waits.sort_unstable();
    let millis =
        |share| Duration::from_micros(percentile(&waits, share).unsigned_abs()).as_secs_f64() * 1e3;
    table.less_is_better("ms to the ack at 1,000/s, p50", peer, millis(0.5));
    table.less_is_better("ms to the ack at 1,000/s, p99", peer, millis(0.99));
    table.less_is_better(
        "µs of server CPU per command at 1,000/s",
        peer,
        per_command(cpu, waits.len() as u64),
    );
    Ok(())
}

fn per_command(cpu: Duration, commands: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / float(commands)
}

/// Each client keeps so many commands under way. The commands that were acknowledged after a warm-up, in what time, and
/// the CPU that they took.
async fn flat_out(
    server: &Server,
    clients: usize,
    window: usize,
    duration: Duration,
) -> Outcome<(u64, Duration, Duration)> {
    let began = Instant::now() + WARM_UP;
    let end = began + duration;
    let mut running = JoinSet::new();
    for (number, client) in connect(&server.address, clients)
        .await?
        .into_iter()
        .enumerate()
    {
        running.spawn(keep_under_way(client, number, window, began, end));
    }
    tokio::time::sleep_until(began.into()).await;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    tokio::time::sleep_until(end.into()).await;
    let (elapsed, cpu) = (started.elapsed(), server.cpu()?.saturating_sub(cpu));
    let mut commands = 0;
    while let Some(acked) = running.join_next().await {
        commands += acked??;
    }
    Ok((commands, elapsed, cpu))
}

/// Sends until `end`; the acks that came after `began`.
async fn keep_under_way(
    mut client: Client,
    number: usize,
    window: usize,
    began: Instant,
    end: Instant,
) -> Outcome<u64> {
    let (mut sent, mut counted, mut room) = (0, 0, window);
    while Instant::now() < end {
        let commands: Vec<_> = (0..room).map(|more| command(number, sent + more)).collect();
        sent += room;
        room = 0;
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        client.send(&commands).await?;
        while room == 0 {
            room = acks(&mut client).await?;
        }
        if (began..end).contains(&Instant::now()) {
            counted += room as u64;
        }
    }
    Ok(counted)
}

/// Commands at a pace. The microseconds from when each was due to its ack, and the CPU that they took.
async fn paced(server: &Server, duration: Duration) -> Outcome<(Vec<i64>, Duration)> {
    let began = Instant::now() + WARM_UP;
    let every = Duration::from_secs_f64(float(PACED_CLIENTS as u64) / PACE);
    let clients = connect(&server.address, PACED_CLIENTS).await?;
    let mut running = JoinSet::new();
    for (number, client) in (0_u32..).zip(clients) {
        let first = began + every * number / u32::try_from(PACED_CLIENTS)?;
        running.spawn(keep_pace(client, number as usize, first, every, duration));
    }
    tokio::time::sleep_until(began.into()).await;
    let cpu = server.cpu()?;
    let mut waits = Vec::new();
    while let Some(waited) = running.join_next().await {
        waits.extend(waited??);
    }
    Ok((waits, server.cpu()?.saturating_sub(cpu)))
}

/// Sends one command each time it is due, and waits for the acks of all. The nth ack is taken for that of the nth command:
/// Node may swap two, which leaves the median as it is.
async fn keep_pace(
    mut client: Client,
    number: usize,
    first: Instant,
    every: Duration,
    duration: Duration,
) -> Outcome<Vec<i64>> {
    let mut pace = tokio::time::interval_at(first.into(), every);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut due, mut waits) = (Vec::new(), Vec::new());
    while first + duration > Instant::now() || waits.len() < due.len() {
        tokio::select! {
            at = pace.tick(), if first + duration > Instant::now() => {
                client.send(&[&command(number, due.len())]).await?;
                due.push(at.into_std());
            }
            acked = acks(&mut client) => {
                for _ in 0..acked? {
                    let waited = due[waits.len()].elapsed();
                    waits.push(i64::try_from(waited.as_micros())?);
                }
            }
        }
    }
    Ok(waits)
}

fn command(client: usize, number: usize) -> String {
    format!(
        r#"42{number}["task:update",{{"projectId":"p{}","taskId":"c{client}-{}","n":{number},"title":"Water the tomatoes","status":"in-progress","assignee":"ada"}}]"#,
        client % PROJECTS,
        number % TASKS
    )
}

/// Waits for acks; how many came.
async fn acks(client: &mut Client) -> Outcome<usize> {
    let (mut count, mut refused) = (0, None);
    client
        .read(|message| {
            if message.starts_with(b"43") {
                count += 1;
                if !message.windows(9).any(|bytes| bytes == br#""ok":true"#) {
                    refused = Some(String::from_utf8_lossy(message).into_owned());
                }
            }
        })
        .await?;
    match refused {
        Some(message) => Err(format!("a command was refused: {message}").into()),
        None => Ok(count),
    }
}
