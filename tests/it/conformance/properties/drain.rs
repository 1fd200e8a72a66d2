//! A shutdown answers what was sent, lets clients take what waits for them, and ends connections in the door's way.

use crate::conformance::client::{Client, Options};
use crate::conformance::door::{Cause, Door};
use crate::conformance::message::Said;
use crate::conformance::scene::{PROJECT, make_event, open, update};

const COMMANDS: usize = 40;
const EVENTS: usize = 20;

pub(crate) async fn shutdown_answers_and_delivers_before_the_end(door: Door) {
    let mut server = open(&[]).await;
    let options = Options::to(&[PROJECT]);
    let mut client = Client::connect(door, &server.address, &options).await;
    let mut watcher = Client::connect(Door::WebSocketFlat, &server.address, &options).await;
    let commands = if door.takes_commands() { COMMANDS } else { 0 };
    for number in 0..commands {
        let (name, change) = update(number);
        client.ask(&name, change).await;
    }
    for _ in 0..EVENTS {
        make_event(&server.address, PROJECT).await;
    }
    // All of it has come about, and the client has read none of it.
    for _ in 0..commands + EVENTS {
        watcher.event().await;
    }
    server.signal("TERM");
    let told = client.rest().await;
    let answers = told.iter().filter(|said| match said {
        Said::Answer(_, answer) => answer["ok"] == true,
        _ => false,
    });
    assert_eq!(answers.count(), commands, "{door:?}");
    let events = told.iter().filter(|said| matches!(said, Said::Event(_)));
    assert_eq!(events.count(), commands + EVENTS, "{door:?}");
    door.assert_ended(&client.end(), Cause::Shutdown);
    drop(watcher);
    assert_eq!(server.ended().await, Some(0), "{door:?}");
}
