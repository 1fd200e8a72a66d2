//! Several instances: it does not matter to which one a client comes back.

use super::create;
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::UNLIMITED;
use crate::support::sse::{EventStream, publish_many};

const EVENTS: usize = 600;
const PATH: &str = "/api/events?channels=a,b,project:p";

/// Published on either instance, heard on either, while Redis is away as well.
#[tokio::test(flavor = "multi_thread")]
async fn streams_go_on_wherever_they_come_back() {
    let cluster = Cluster::start_with(2, &UNLIMITED).await;
    let mut chance = Chance::from_seed();
    let addresses = cluster.addresses();
    let mut stream = EventStream::open(&addresses[0], PATH, None).await;
    let begin = stream.id_after("").await;
    let writing: Vec<_> = [("a", 0), ("b", 1)]
        .map(|(channel, instance)| {
            let addresses = addresses.clone();
            tokio::spawn(async move {
                let client = Client::connect(&addresses[instance]).await;
                for begin in (0..EVENTS).step_by(20) {
                    publish_many(&addresses[instance], channel, begin..begin + 20).await;
                    create(&client, "p", "Sow").await;
                }
            })
        })
        .into_iter()
        .collect();
    let tasks = 2 * EVENTS / 20;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (addresses, begin, mut chance) = (addresses.clone(), begin.clone(), chance.fork());
            tokio::spawn(async move {
                let (mut seen, mut last) = (Vec::new(), begin);
                while seen.len() < 2 * EVENTS + tasks {
                    let address = chance.pick(&addresses);
                    let mut stream = EventStream::open(address, PATH, Some(&last)).await;
                    stream.cut_after(chance.below(60_000));
                    while seen.len() < 2 * EVENTS + tasks
                        && let Some(message) = stream.try_next().await
                    {
                        seen.push((message.channel(), message.seq()));
                    }
                    stream.last_id().clone_into(&mut last);
                }
                seen
            })
        })
        .collect();
    tokio::task::block_in_place(|| cluster.redis.restart());
    for reader in readers {
        let seen = reader.await.unwrap();
        for (channel, count) in [("a", EVENTS), ("b", EVENTS), ("project:p", tasks)] {
            let seqs = seen.iter().filter(|(name, _)| name == channel);
            let count = i64::try_from(count).unwrap();
            assert!(seqs.map(|(_, seq)| *seq).eq(1..=count), "{channel}");
        }
    }
    for writing in writing {
        writing.await.unwrap();
    }
}
