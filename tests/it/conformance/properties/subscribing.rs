//! A subscription to several channels takes a while. A cursor that came meanwhile would not cover all of them, and a client
//! that was cut off then would not hear what it missed of the others.

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::message::Said;
use crate::conformance::scene::{PROJECT, make_event, open};

const CHANNELS: usize = 60;
const MISSED: i64 = 20;

pub(crate) async fn subscription_is_answered_before_its_events_come(door: Door) {
    let server = open(&[]).await;
    let mut names: Vec<_> = (0..CHANNELS).map(|number| format!("c{number}")).collect();
    PROJECT.clone_into(&mut names[0]);
    let channels: Vec<_> = names.iter().map(String::as_str).collect();
    let mut client = Client::connect(door, &server.address, &Options::to(&channels)).await;
    make_event(&server.address, channels[CHANNELS - 1]).await;
    client.event().await;
    let cursor = client.cursor();
    drop(client);
    for _ in 0..MISSED {
        make_event(&server.address, channels[0]).await;
    }
    let mut client = Client::connect(door, &server.address, &Options::default()).await;
    let wish = json!({"channels": channels, "since": cursor});
    let asked = client.ask("subscribe", wish).await;
    loop {
        let message = client.next().await.expect("the connection goes on");
        match message.said {
            Said::Event(event) => panic!("{door:?}: {event:?} comes before the answer"),
            Said::Answer(number, _) if number == asked => break,
            _ => {}
        }
    }
    for seq in 1..=MISSED {
        assert_eq!(client.event().await.seq, seq, "{door:?}");
    }
}
