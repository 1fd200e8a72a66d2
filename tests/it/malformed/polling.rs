//! Over long-polling, where many packets are in one body, of versions 3 and 4 of Engine.IO.

use std::time::Duration;

use serde_json::Value;

use super::{
    CREATE, MALFORMED, NO_PACKETS, TOO_LARGE, answers, assert_refused, assert_survived, strange,
};
use crate::support::http;
use crate::support::server::Server;

/// A session of one of the versions.
struct Session {
    address: String,
    path: String,
    version: u8,
}

impl Session {
    /// Begins a session and enters the namespace.
    async fn enter(server: &Server, version: u8) -> Self {
        let path = format!("/socket.io/?EIO={version}&transport=polling");
        let (_, opened) = http::get(&server.address, &path).await;
        let (_, sid) = opened.split_once("\"sid\":\"").expect("an open packet");
        let (sid, _) = sid.split_once('"').expect("a session id");
        let session = Self {
            address: server.address.clone(),
            path: format!("{path}&sid={sid}"),
            version,
        };
        if version == 4 {
            session.post(&["40"]).await;
        }
        while !session
            .poll()
            .await
            .iter()
            .any(|packet| packet.starts_with("40"))
        {}
        session
    }

    async fn post(&self, packets: &[&str]) {
        let body = match self.version {
            3 => {
                let packet = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
                packets.iter().map(packet).collect()
            }
            _ => packets.join("\u{1e}"),
        };
        let (status, answer) = http::post(&self.address, &self.path, &body).await;
        assert_eq!(status, 200, "{answer} for {body}");
    }

    /// The packets of one poll.
    async fn poll(&self) -> Vec<String> {
        let (status, body) = http::get(&self.address, &self.path).await;
        assert_eq!(status, 200, "{body}");
        if self.version == 4 {
            return body.split('\u{1e}').map(str::to_owned).collect();
        }
        let (mut packets, mut rest) = (Vec::new(), &*body);
        while let Some((length, after)) = rest.split_once(':') {
            // There is nothing but ASCII in the answers to these tests.
            let (packet, more) = after.split_at(length.parse().expect("a length"));
            packets.push(packet.to_owned());
            rest = more;
        }
        packets
    }

    /// Polls until there are so many acks and errors.
    async fn answers(&self, count: usize) -> Vec<(Option<u64>, Value)> {
        let mut found = Vec::new();
        let polling = async {
            while found.len() < count {
                let packets = self.poll().await;
                if packets.iter().any(|packet| packet == "2") {
                    self.post(&["3"]).await;
                }
                found.extend(answers(packets.iter().map(String::as_str)));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), polling)
            .await
            .expect("answers in time");
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_in_a_body_are_refused_and_their_neighbours_acked() {
    let server = Server::start("sqlite::memory:").await;
    for version in [3, 4] {
        let session = Session::enter(&server, version).await;
        let mut packets = Vec::new();
        for (number, (packet, _)) in MALFORMED.iter().enumerate() {
            packets.push(format!("42{}{packet}", 2 * number));
            packets.push(format!("42{}{CREATE}", 2 * number + 1));
        }
        packets.push(format!("42{TOO_LARGE}{CREATE}"));
        packets.push(format!("42{}[21,{{}}]", 2 * MALFORMED.len()));
        session
            .post(&packets.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        let answers = session.answers(packets.len()).await;
        let ids: Vec<_> = answers.iter().map(|(id, _)| *id).collect();
        let mut expected: Vec<_> = (0..2 * MALFORMED.len() as u64).map(Some).collect();
        expected.extend([None, Some(2 * MALFORMED.len() as u64)]);
        assert_eq!(ids, expected, "version {version}");
        for (pair, (packet, field)) in answers.chunks(2).zip(MALFORMED) {
            assert_refused(&pair[0].1, field, packet);
            assert_eq!(pair[1].1["ok"], true, "{}", pair[1].1);
        }
        let [.., (_, too_large), (_, unknown)] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert_refused(too_large, "ack", TOO_LARGE);
        assert_eq!(unknown["code"], "unknown_event");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_in_a_body_takes_its_attachments_with_it() {
    let server = Server::start("sqlite::memory:").await;
    for (version, attachment) in [(3, "b4AQID"), (4, "bAQID")] {
        let session = Session::enter(&server, version).await;
        let create = format!("422{CREATE}");
        session
            .post(&["451-1[\"task:create\",{\"file\":NaN}]", attachment, &create])
            .await;
        let answers = session.answers(2).await;
        assert_refused(&answers[0].1, "payload", "45");
        assert_eq!(
            (answers[1].0, &answers[1].1["ok"]),
            (Some(2), &Value::Bool(true))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_without_a_meaning_in_a_body_end_nothing() {
    let server = Server::start("sqlite::memory:").await;
    for version in [3, 4] {
        let session = Session::enter(&server, version).await;
        let strange = strange();
        let mut packets: Vec<_> = strange.iter().map(String::as_str).collect();
        if version == 4 {
            packets.insert(3, "");
        }
        session.post(&packets).await;
        let answers = session.answers(NO_PACKETS.len() + 2).await;
        assert_survived(&answers);
        // Outside of the namespace, and in it again. socketioxide ignores a CONNECT while it still ends the old stay, so one
        // may be needed for each poll.
        let create = format!("423{CREATE}");
        session.post(&["41", &create]).await;
        let mut said = Vec::new();
        while !said.iter().any(|packet: &String| packet.starts_with("40")) {
            session.post(&["40"]).await;
            let poll = tokio::time::timeout(Duration::from_secs(1), session.poll());
            said.extend(poll.await.unwrap_or_default());
        }
        session.post(&[&create]).await;
        let answers = session.answers(1).await;
        let created = 2 * (version - 2);
        assert_eq!(answers[0].1["seq"], created, "{answers:?}");
    }
}
