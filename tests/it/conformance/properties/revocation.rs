//! A member who is removed is told so in place of the event, and hears nothing afterwards.

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::message::{NoticeKind, Said};
use crate::conformance::scene::{SESSION, create, make_event_as, required};
use crate::membership::{enter, found, give, remove};
use crate::support::tokens::of;

pub(crate) async fn removed_member_is_told_and_hears_nothing_more(door: Door) {
    let server = required(&[]).await;
    let address = &server.address;
    let ann = enter(address, "ann").await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    let channel = format!("project:{project}");
    let options = Options::to(&[&channel, SESSION]).token(of("bob"));
    let mut bob = Client::connect(door, address, &options).await;
    let change = async || {
        let (name, payload) = create(&json!(project));
        let made = ann.call(&name, payload).await;
        made["seq"].as_i64().unwrap_or_else(|| panic!("{made}"))
    };
    let seen = change().await;
    assert_eq!(bob.event().await.seq, seen);

    remove(&ann, &project, "bob").await;
    let told = bob.next_of_a_channel().await;
    let Said::Notice(told) = told else {
        panic!("{door:?} hears of its own removal: {told:?}");
    };
    assert_eq!(told.kind, NoticeKind::AccessRevoked, "{told:?}");
    let without = bob.cursor();
    // What is heard next is of the other channel.
    change().await;
    make_event_as(address, &of("ann")).await;
    let heard = bob.event().await;
    assert_eq!(heard.channel, SESSION, "{door:?}");

    drop(bob);
    let options = Options::to(&[SESSION]).token(of("bob")).cursor(&without);
    let mut bob = Client::connect(door, address, &options).await;
    change().await;
    make_event_as(address, &of("ann")).await;
    for _ in 0..2 {
        let told = bob.next_of_a_channel().await;
        let Said::Event(heard) = told else {
            panic!("{door:?} is told again: {told:?}");
        };
        assert_eq!(heard.channel, SESSION, "{door:?}");
    }
}
