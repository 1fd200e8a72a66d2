use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::transport::socketio::packet_check::Checked;
use crate::transport::socketio::packet_counter::{Metered, PacketCounter};

type Client = WebSocketStream<DuplexStream>;

async fn ends() -> (Client, DuplexStream, Attempt) {
    let (client, server) = duplex(64 * 1024);
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let attempt = Attempt::begin(&Arc::new(PacketCounter::default())).unwrap();
    (client, server, attempt)
}

#[tokio::test]
async fn a_probe_by_the_book_is_replayed_and_nothing_of_it_is_heard_twice() {
    let (mut client, mut server, attempt) = ends().await;
    client.send(Message::Ping("hello".into())).await.unwrap();
    client.send(Message::text("2probe")).await.unwrap();
    let changing = async {
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            Message::Pong("hello".into())
        );
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            Message::text("3probe")
        );
        client.feed(Message::text("5")).await.unwrap();
        client.send(Message::text("42[\"x\"]")).await.unwrap();
    };
    let (said, ()) = tokio::join!(wait(&mut server, &attempt), changing);
    attempt.succeed();
    let counter = Arc::new(PacketCounter::default());
    counter.namespaces.enter("/");
    let metered = Metered::after(ANSWER, server, Arc::clone(&counter));
    let mut stream = Checked::new(metered, counter, 1000);
    stream.begin_with(ASKED);
    stream.read_already(&said.unwrap());
    let mut engine = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    assert_eq!(
        engine.next().await.unwrap().unwrap(),
        Message::text("2probe")
    );
    engine.send(Message::text("3probe")).await.unwrap();
    assert_eq!(engine.next().await.unwrap().unwrap(), Message::text("5"));
    assert_eq!(
        engine.next().await.unwrap().unwrap(),
        Message::text("42[\"x\"]")
    );
    engine.send(Message::text("2")).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("2"));
}

#[tokio::test]
async fn upgrade_without_a_probe_and_packets_without_a_meaning_are_taken() {
    for packets in [&["5"][..], &["3", "6", "5"], &["2probe", "2", "6", "5"]] {
        let (mut client, mut server, attempt) = ends().await;
        for packet in packets {
            client.send(Message::text(*packet)).await.unwrap();
        }
        wait(&mut server, &attempt).await.unwrap();
    }
}

#[tokio::test]
async fn a_probe_that_goes_otherwise_fails() {
    for wrong in [
        vec![Message::text("1")],
        vec![Message::text("2probe"), Message::binary("5")],
        vec![Message::text("2probe"), Message::text("42[\"x\"]")],
        vec![Message::text("x".repeat(200))],
        vec![Message::Close(None)],
        vec![Message::text("2probe"), Message::Close(None)],
        vec![Message::Pong("x".repeat(100).into()); 50],
    ] {
        let (mut client, mut server, attempt) = ends().await;
        for message in wrong.clone() {
            client.send(message).await.unwrap();
        }
        wait(&mut server, &attempt)
            .await
            .expect_err(&format!("{wrong:?}"));
    }
}

#[tokio::test]
async fn a_probe_whose_client_goes_fails() {
    let (client, mut server, attempt) = ends().await;
    drop(client);
    wait(&mut server, &attempt).await.unwrap_err();
    let (mut client, mut server, attempt) = ends().await;
    client.send(Message::text("2probe")).await.unwrap();
    drop(client);
    wait(&mut server, &attempt).await.unwrap_err();
}
