//! Channels that are no projects': publishing, subscribing, going on, on both databases, without any transport.

mod going_on;
mod publishing;
mod unused;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use boardcast::cli::Cli;
use boardcast::contract::{
    Arguments, EventName, EventStyle, Limits, Publication, ReadRequest, Reply, Request, Since,
    Subscribe,
};
use boardcast::domain::{Actor, ChannelName, ConnectionId, Event, Identity, PrivateId, Signal};
use boardcast::hub::{Offer, Subscriber, Wake};
use boardcast::session::{Delivery, Outcome, Session};
use boardcast::state::AppState;
use boardcast::writer::Caller;
use clap::Parser;
use serde_json::{Value, json};

use crate::support::postgres::Postgres;

/// Runs a test on both databases.
macro_rules! both_databases {
    (async fn $name:ident($app:ident: &AppState) $body:block) => {
        mod $name {
            use super::*;

            async fn run($app: &AppState) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                run(&start("sqlite::memory:", &[]).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let url = Postgres::shared().create_database().await;
                run(&start(&url, &[]).await).await;
            }
        }
    };
}
use both_databases;

async fn start(url: &str, arguments: &[&str]) -> AppState {
    let all = ["boardcast", "--database-url", url];
    let all = all.iter().chain(arguments);
    AppState::start(Cli::try_parse_from(all).unwrap().config)
        .await
        .unwrap()
}

/// A client without a transport: what it was told, in order.
#[derive(Debug)]
struct Client {
    session: Session,
    told: Mutex<Vec<Told>>,
}

/// An event as a client is told.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    subject: String,
    seq: i64,
    event_type: String,
    payload: String,
    cursor: String,
}

impl Subscriber for Client {
    fn offer(&self, event: &Event) -> Offer {
        if self.session.apply_membership(event) {
            return Offer::Gone;
        }
        let mut cursor = String::new();
        match self.session.rooms.deliver(event, true, &mut cursor) {
            Delivery::Told => {
                self.told.lock().unwrap().push(Told {
                    subject: event.subject().to_string(),
                    seq: event.seq,
                    event_type: event.event_type.to_string(),
                    payload: event.payload.get().to_owned(),
                    cursor,
                });
                Offer::Taken
            }
            Delivery::Skipped => Offer::Taken,
            Delivery::Wait => Offer::Full,
            Delivery::Revoked | Delivery::Gone => Offer::Gone,
        }
    }

    fn signal(&self, _: &ChannelName, _: &Signal) -> Offer {
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        0
    }

    fn wake_when_writable(&self, wake: &Wake) {
        // What is held is tried again soon enough: woken at once, its feed would do nothing else.
        if !self.session.rooms.is_holding() {
            wake.notify_one();
        }
    }

    fn close(&self, _: &'static str) {}
}

impl Client {
    fn new(app: &AppState) -> Arc<Self> {
        Self::known_as(app, None)
    }

    fn known_as(app: &AppState, identity: Option<Identity>) -> Arc<Self> {
        let client = PrivateId::generate().client();
        let name = identity.as_ref().map(|identity| identity.actor.clone());
        let caller = Caller::new(
            ConnectionId::generate(),
            client,
            name.as_ref().map(Actor::as_str),
        );
        Arc::new(Self {
            session: Session::new(app.clone(), caller, EventStyle::Colon, identity),
            told: Mutex::default(),
        })
    }

    fn subscriber(self: &Arc<Self>) -> Arc<dyn Subscriber> {
        Arc::clone(self) as Arc<dyn Subscriber>
    }

    async fn ask(self: &Arc<Self>, request: Request) -> Value {
        let outcome = self.session.run(request, &self.subscriber()).await;
        let reply: Reply = match outcome {
            Outcome::Done(reply) => reply,
            Outcome::Pending(mut pending) => pending.answer().await,
            Outcome::Refreshed(_) => panic!("nothing was shown"),
        };
        serde_json::from_str(reply.to_raw().get()).unwrap()
    }

    async fn subscribe(
        self: &Arc<Self>,
        channels: &[&str],
        types: &[&str],
        since: Option<Since>,
    ) -> Value {
        let wish = Subscribe::new(channels.iter().copied(), types.iter().copied(), since);
        let answer = self.ask(Request::Subscribe(wish.unwrap())).await;
        self.session.rooms.release_all();
        answer
    }

    async fn publish(self: &Arc<Self>, channel: &str, event_type: &str, data: &str) -> Value {
        let text = format!(r#"{{"channel":"{channel}","type":"{event_type}","data":{data}}}"#);
        let publication = Publication::read(&text, &Limits::default()).unwrap();
        self.ask(Request::Publish(publication)).await
    }

    async fn replay(self: &Arc<Self>, channel: &str, since: Option<Since>) -> Value {
        let channel = ChannelName::parse(channel).unwrap();
        let limit = 100;
        let read = ReadRequest::Replay {
            channel,
            since,
            limit,
        };
        self.ask(Request::Read(read)).await
    }

    /// Waits until it was told so many events.
    async fn told(&self, count: usize) -> Vec<Told> {
        let waiting = async {
            loop {
                let told = self.told.lock().unwrap().clone();
                if told.len() >= count {
                    return told;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let told = told.unwrap_or_else(|_| panic!("{count} events in time, not {:?}", self.told));
        assert_eq!(told.len(), count, "{told:?}");
        told
    }
}

/// The request of an event with one argument.
fn request(event: &str, argument: &Value) -> Request {
    let event = EventName::find(event).unwrap();
    let argument = argument.to_string();
    Request::read(event, Arguments::One(&argument), &Limits::default()).unwrap()
}

fn seqs(told: &[Told]) -> Vec<i64> {
    told.iter().map(|told| told.seq).collect()
}
