//! Deliveries: one big room and many small ones, paced and flat out; and from one instance to another.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::table::Table;
use super::{Ground, Peer};
use crate::Outcome;
use crate::publisher::Publisher;
use crate::server::Server;
use crate::stats::{float, percentile, rate};
use crate::subscribers::Subscribers;

const ROOMS: u64 = 100;
/// Events per second in each of the small rooms.
const SMALL_PACE: f64 = 30.0;
const SMALL_ROOM: usize = 10;
const BIG_PACE: f64 = 30.0;
/// Events that may be on their way while it goes flat out, counted to the slowest subscriber.
const WINDOW: u64 = 64;
/// Subscribers on the other instance, and events per second.
const OTHERS: usize = 22;
const OTHERS_PACE: f64 = 500.0;

/// Measures one peer.
pub(super) async fn measure(
    ground: &Ground,
    peer: Peer,
    subscribers: usize,
    table: &mut Table,
) -> Outcome<()> {
    let server = ground.start(peer).await?;
    let mut room = [Subscribers::join(&server.address, "big", subscribers).await?];
    let mut publisher = Publisher::connect(&server.address, "big").await?;
    publisher.publish_one(&mut room).await?;

    let watch = Watch::start(&[&server], publisher.sent())?;
    publisher
        .paced(BIG_PACE, ground.duration, &mut room)
        .await?;
    let (events, _, cpu) = watch.stop(&[&server], publisher.sent())?;
    let subscribers = subscribers as u64;
    table.more_is_better(
        "deliveries per CPU second, 1 room, 30 events/s",
        peer,
        float(events * subscribers) / cpu.as_secs_f64(),
    );

    let watch = Watch::start(&[&server], publisher.sent())?;
    publisher
        .flat_out(WINDOW, ground.duration, &mut room)
        .await?;
    let (events, elapsed, cpu) = watch.stop(&[&server], publisher.sent())?;
    table.more_is_better(
        "deliveries per second, 1 room, flat out, 64 events under way",
        peer,
        rate(events * subscribers, elapsed),
    );
    table.more_is_better(
        "deliveries per CPU second, the same",
        peer,
        float(events * subscribers) / cpu.as_secs_f64(),
    );
    drop((room, publisher));
    small(ground, &server, peer, table).await
}

/// Many small rooms, with a publisher each.
async fn small(ground: &Ground, server: &Server, peer: Peer, table: &mut Table) -> Outcome<()> {
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let project = format!("small{number}");
        let mut room = Subscribers::join(&server.address, &project, SMALL_ROOM).await?;
        let mut publisher = Publisher::connect(&server.address, &project).await?;
        publisher
            .publish_one(std::slice::from_mut(&mut room))
            .await?;
        rooms.push((room, publisher));
    }
    let sent = rooms.iter().map(|(_, publisher)| publisher.sent()).sum();
    let watch = Watch::start(&[server], sent)?;
    let mut running = JoinSet::new();
    let duration = ground.duration;
    for (mut room, mut publisher) in rooms {
        running.spawn(async move {
            let everybody = std::slice::from_mut(&mut room);
            publisher.paced(SMALL_PACE, duration, everybody).await?;
            Outcome::Ok(publisher.sent())
        });
    }
    let mut sent = 0;
    while let Some(published) = running.join_next().await {
        sent += published??;
    }
    let (events, _, cpu) = watch.stop(&[server], sent)?;
    table.more_is_better(
        "deliveries per CPU second, 100 rooms, 3,000 events/s",
        peer,
        float(events * SMALL_ROOM as u64) / cpu.as_secs_f64(),
    );
    Ok(())
}

/// Publishes on one instance, and listens on the other.
pub(super) async fn measure_two(ground: &Ground, peer: Peer, table: &mut Table) -> Outcome<()> {
    let [here, there] = ground.start_two(peer).await?;
    let mut room = [Subscribers::join(&there.address, "p", OTHERS).await?];
    let mut publisher = Publisher::connect(&here.address, "p").await?;
    publisher.publish_one(&mut room).await?;
    room[0].set_sampling(true);
    let watch = Watch::start(&[&here, &there], publisher.sent())?;
    publisher
        .paced(OTHERS_PACE, ground.duration, &mut room)
        .await?;
    let (events, _, cpu) = watch.stop(&[&here, &there], publisher.sent())?;
    let arrivals = room[0].arrivals();
    let mut waits = publisher.until_arrival(&arrivals);
    waits.sort_unstable();
    let wait = Duration::from_micros(percentile(&waits, 0.5).unsigned_abs());
    table.less_is_better(
        "ms from one instance to the other at 500 events/s, p50",
        peer,
        wait.as_secs_f64() * 1e3,
    );
    table.more_is_better(
        "deliveries per CPU second of both instances, the same",
        peer,
        float(events * OTHERS as u64) / cpu.as_secs_f64(),
    );
    Ok(())
}

/// What the servers had done when a load began.
struct Watch {
    started: Instant,
    cpu: Duration,
    events: u64,
}

impl Watch {
    fn start(servers: &[&Server], events: u64) -> Outcome<Self> {
        Ok(Self {
            started: Instant::now(),
            cpu: cpu(servers)?,
            events,
        })
    }

    /// The events since, in what time, and the CPU that they took.
    fn stop(self, servers: &[&Server], events: u64) -> Outcome<(u64, Duration, Duration)> {
        Ok((
            events - self.events,
            self.started.elapsed(),
            cpu(servers)?.saturating_sub(self.cpu),
        ))
    }
}

fn cpu(servers: &[&Server]) -> Outcome<Duration> {
    servers.iter().map(|server| server.cpu()).sum()
}
