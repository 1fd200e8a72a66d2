//! What a client missed comes once and in order.

use std::collections::BTreeMap;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::scene::{BOTH, make_event, open};

/// Events of each channel while the client is there, and while it is away.
const PRESENT: i64 = 3;
const AWAY: i64 = 25;
/// After how many events the client that comes back is cut off again, each time.
const CUTS: [usize; 3] = [1, 7, 16];

/// The seqs that a client has heard, by channel.
type Heard = BTreeMap<String, Vec<i64>>;

/// Hears at least so many events, and all that came with them.
async fn hear(client: &mut Client, count: usize, heard: &mut Heard) {
    let mut left = count;
    while left > 0 || !client.has_taken_all() {
        let event = client.event().await;
        heard.entry(event.channel).or_default().push(event.seq);
        left = left.saturating_sub(1);
    }
}

fn count(heard: &Heard) -> usize {
    heard.values().map(Vec::len).sum()
}

pub(crate) async fn missed_events_come_once_in_order(door: Door) {
    let server = open(&[]).await;
    let mut client = Client::connect(door, &server.address, &Options::to(&BOTH)).await;
    let make = async |count: i64| {
        for _ in 0..count {
            for channel in BOTH {
                make_event(&server.address, channel).await;
            }
        }
    };
    let mut heard = Heard::new();
    make(PRESENT).await;
    hear(&mut client, 2 * 3, &mut heard).await;
    let mut cursor = client.cursor();
    drop(client);
    make(AWAY).await;
    for cut in CUTS {
        let options = Options::to(&BOTH).cursor(&cursor);
        let mut client = Client::connect(door, &server.address, &options).await;
        let left = 2 * 28 - count(&heard);
        hear(&mut client, cut.min(left), &mut heard).await;
        cursor = client.cursor();
    }
    let options = Options::to(&BOTH).cursor(&cursor);
    let mut client = Client::connect(door, &server.address, &options).await;
    // What happens now follows what was missed.
    make(1).await;
    while count(&heard) < 2 * 29 {
        hear(&mut client, 1, &mut heard).await;
    }
    let all: Vec<_> = (1..=PRESENT + AWAY + 1).collect();
    for channel in BOTH {
        assert_eq!(heard[channel], all, "{door:?}: {channel}");
    }
}
