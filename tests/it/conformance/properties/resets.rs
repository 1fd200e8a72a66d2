//! A client that missed too much is told so, and no cursor leaves before the last reset that it covers.

use std::collections::BTreeMap;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::message::{Message, NoticeKind, Said};
use crate::conformance::scene::{BOTH, PROJECT, make_event, open};

/// Events that a client may have missed and still gets one by one.
const REPLAY_LIMIT: &str = "3";
/// Events that are too many.
const MISSED: usize = 5;
/// More messages than there are in the beginning of a connection.
const MESSAGES: usize = 30;

/// How far a client has been told of a channel.
#[derive(Debug, Default)]
struct Place {
    seq: i64,
    /// Whether it was told of a reset, after which what is kept follows.
    may_jump: bool,
    has_state: bool,
}

/// What a client was told, on one connection after the other.
#[derive(Debug)]
struct Told {
    about: String,
    places: BTreeMap<&'static str, Place>,
}

impl Told {
    /// Both channels have had one event.
    fn new(about: String) -> Self {
        let place = || Place {
            seq: 1,
            ..Place::default()
        };
        Self {
            about,
            places: BOTH.into_iter().map(|channel| (channel, place())).collect(),
        }
    }

    fn note(&mut self, message: &Message) {
        let about = &self.about;
        match &message.said {
            Said::Event(event) => {
                let place = self.places.get_mut(&*event.channel).expect("it is heard");
                let follows = event.seq <= place.seq + 1 || place.may_jump;
                let (channel, before) = (&event.channel, place.seq);
                assert!(
                    follows,
                    "{about}: {channel} goes on with {} after {before}, and no reset was told",
                    event.seq
                );
                place.seq = event.seq;
                place.may_jump = false;
            }
            Said::Notice(notice) if notice.kind == NoticeKind::Reset => {
                let channel = notice.channel.as_deref().expect("a reset is of a channel");
                let place = self.places.get_mut(channel).expect("it is heard");
                if let Some(state) = notice.body["snapshot"].as_object() {
                    place.seq = state["seq"].as_i64().expect("a state has a seq");
                    place.has_state = true;
                } else {
                    place.may_jump = true;
                }
            }
            _ => {}
        }
    }

    fn is_at(&self, heads: &[i64; 2]) -> bool {
        let mut places = BOTH.iter().zip(heads);
        places.all(|(&channel, &head)| self.places[channel].seq >= head)
    }

    /// Hears until it has been told all.
    async fn hear_all(&mut self, client: &mut Client, heads: &[i64; 2]) {
        while !self.is_at(heads) {
            let message = client.next().await;
            let about = &self.about;
            self.note(&message.unwrap_or_else(|| panic!("{about}: it ends")));
        }
    }
}

pub(crate) async fn reset_is_told_before_a_cursor_covers_it(door: Door) {
    let server = open(&[("REPLAY_LIMIT", REPLAY_LIMIT)]).await;
    let make = async || {
        let mut seqs = [0; 2];
        for (seq, channel) in seqs.iter_mut().zip(BOTH) {
            *seq = make_event(&server.address, channel).await;
        }
        seqs
    };
    let mut client = Client::connect(door, &server.address, &Options::to(&BOTH)).await;
    assert_eq!(make().await, [1, 1]);
    for _ in BOTH {
        client.event().await;
    }
    let stale = client.cursor();
    drop(client);
    let mut heads = [0; 2];
    for _ in 0..MISSED {
        heads = make().await;
    }
    let connect = async |cursor: &str| {
        let options = Options::to(&BOTH).cursor(cursor);
        Client::connect(door, &server.address, &options).await
    };
    for prefix in 0..MESSAGES {
        let mut told = Told::new(format!("{door:?}, cut off after {prefix} messages"));
        let mut client = connect(&stale).await;
        for _ in 0..prefix {
            if !told.is_at(&heads) {
                told.note(&client.next().await.expect("it goes on"));
            }
        }
        let was_told_all = told.is_at(&heads);
        let cursor = client.cursor();
        drop(client);
        heads = make().await;
        told.hear_all(&mut connect(&cursor).await, &heads).await;
        assert!(told.places[PROJECT].has_state, "{told:?}");
        if was_told_all {
            return;
        }
    }
    panic!("{door:?} is told of no end");
}
