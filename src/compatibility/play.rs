//! The order of a play: a page that listens, a page that acts, the backend, and what provokes refusals.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::arguments::{Ids, creates, id_in, noun, payload_with, replace};
use super::client::{Answer, Client, is_token};
use super::facts::{Audience, Connect, Emit, Facts, Listen, Source};
use super::hearing::{Heard, Hearing, Page};
use super::refusal::{before, concerns, is_refusal, refusal_in_ack, refusal_in_event, variants};
use super::report::{BackendResult, EmitResult, ListenResult, Outcome, Report, Sums, outcome};
use super::server::{Server, ServerError, name_of};
use super::socket::SocketError;
use super::{backend, rooms};

/// How long a play may take in all.
const PLAY_TIME: Duration = Duration::from_mins(3);
/// For how long nothing must be heard after a message before the next is sent…
const QUIET: Duration = Duration::from_millis(40);
/// … and for how long that is waited for at most.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// How long the last of what is listened for may take. Signals that come in a row are held back for 250 ms.
const HEAR_TIME: Duration = Duration::from_secs(2);
/// How long the id of what was created may take.
const ID_TIME: Duration = Duration::from_secs(1);
/// Why a play cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The server cannot be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A page cannot connect, or loses its connection.
    #[error("page {page} of the frontend cannot go on")]
    Page {
        /// Which of the two.
        page: char,
        /// What is wrong.
        source: SocketError,
    },
    /// It takes too long.
    #[error("the play is not over after {} s", PLAY_TIME.as_secs())]
    Late,
}

/// Plays it.
pub(super) async fn play(dialect: &str, facts: &Facts) -> Result<Report, PlayError> {
    let style = facts.settings.event_style.as_deref();
    let verifies = shows_token(&facts.connect);
    let server = Server::start(dialect, style, verifies).await?;
    let played = timeout(PLAY_TIME, Play::new(facts, &server).run(verifies)).await;
    server.stop().await;
    played.map_err(|_| PlayError::Late)?
}

fn shows_token(connect: &Connect) -> bool {
    let mut shown = connect.auth.iter().chain(&connect.query);
    shown.any(|(name, value)| is_token(name, value))
}

struct Play<'a> {
    facts: &'a Facts,
    server: &'a Server,
    hearing: Arc<Hearing>,
    /// Of A and of B.
    users: [String; 2],
    ids: Ids,
    emits: Vec<EmitResult>,
    calls: Vec<BackendResult>,
    /// From where on events may be due to what provokes refusals.
    provoked: Option<usize>,
}

impl<'a> Play<'a> {
    fn new(facts: &'a Facts, server: &'a Server) -> Self {
        Self {
            facts,
            server,
            hearing: Arc::new(Hearing::new()),
            users: facts.users(),
            ids: Ids::default(),
            emits: Vec::new(),
            calls: Vec::new(),
            provoked: None,
        }
    }

    async fn run(mut self, verifies: bool) -> Result<Report, PlayError> {
        let failed = |page| move |source| PlayError::Page { page, source };
        let mut b = self.connect(Page::B).await.map_err(failed('B'))?;
        self.enter(&mut b).await.map_err(failed('B'))?;
        let mut a = self.connect(Page::A).await.map_err(failed('A'))?;
        self.act(&mut a).await;
        self.tell_as_backend().await;
        // The others are told of who left.
        drop(a);
        self.hear(HEAR_TIME).await;
        self.publish_what_is_missing().await;
        self.provoke(&mut b).await.map_err(failed('B'))?;
        let listens = self.listens();
        Ok(Report {
            frontend: self.facts.frontend.clone(),
            how: self.how(verifies),
            sums: Sums::of(&self.emits, &listens),
            emits: self.emits,
            backend: self.calls,
            listens,
        })
    }

    async fn connect(&self, page: Page) -> Result<Client, SocketError> {
        let user = match page {
            Page::A => &self.users[0],
            Page::B => &self.users[1],
        };
        let client = Client::connect(page, self.facts, user, self.server, &self.hearing).await?;
        self.settle().await;
        Ok(client)
    }

    /// B enters the rooms, as itself.
    async fn enter(&self, b: &mut Client) -> Result<(), SocketError> {
        for emit in rooms::entering(self.facts) {
            let args: Vec<_> = emit.args.iter().map(|arg| self.as_b(arg)).collect();
            b.send(&emit, &args).await?;
            self.settle().await;
        }
        Ok(())
    }

    /// Arguments of A as B sends them.
    fn as_b(&self, value: &Value) -> Value {
        let [a, b] = &self.users;
        replace(&replace(value, a, b), name_of(a), name_of(b))
    }

    /// A enters the rooms, unless that is among what it sends, and sends all.
    async fn act(&mut self, a: &mut Client) {
        for join in rooms::only_joins(self.facts) {
            let result = self.send(a, &join).await;
            if !result.understood {
                self.emits.push(result);
            }
        }
        for emit in &self.facts.emits {
            let result = self.send(a, emit).await;
            self.emits.push(result);
        }
    }

    /// Sends a message of A and looks what became of it.
    async fn send(&mut self, a: &mut Client, emit: &Emit) -> EmitResult {
        let from = self.hearing.len();
        let (args, id) = self.ids.apply(&emit.event, &emit.args);
        let sent = a.send(emit, &args).await;
        self.settle().await;
        let refusal = match &sent {
            Err(error) => Some((None, error.to_string())),
            Ok(Answer::Ack(ack)) => refusal_in_ack(ack),
            Ok(Answer::Sent) => None,
        };
        let refusals = self.hearing.since(from, |heard| {
            heard.page == Page::A && is_refusal(&heard.event)
        });
        let refusal = refusal.or_else(|| refusals.first().map(refusal_in_event));
        if let (None, Ok(answer)) = (&refusal, &sent) {
            self.note_id(emit, answer, from).await;
        }
        let (code, why) = refusal.clone().unzip();
        EmitResult {
            heard_itself: self.heard_itself(emit, from),
            event: emit.event.clone(),
            used: emit.used_by_ui,
            understood: refusal.is_none(),
            code: code.flatten(),
            why,
            id,
        }
    }

    /// The event that A heard of a message of its own, if its own server told that to the others only.
    fn heard_itself(&self, emit: &Emit, from: usize) -> Option<String> {
        let relays = |heard: &Heard| {
            let mut listens = self.facts.listens.iter();
            let relayed = |listen: &Listen| listen.source == Source::Relay;
            listens.any(|listen| relayed(listen) && listen.event == heard.event)
        };
        let heard = self.hearing.since(from, |heard| {
            emit.is_for_others() && heard.page == Page::A && relays(heard)
        });
        heard.first().map(|heard| heard.event.clone())
    }

    /// Notes the id of what a message created without naming one.
    async fn note_id(&mut self, emit: &Emit, answer: &Answer, from: usize) {
        let Some(noun) = noun(&emit.event).filter(|_| creates(&emit.event)) else {
            return;
        };
        if emit.args.iter().any(|arg| id_in(arg, &noun).is_some()) {
            return;
        }
        let acked = match answer {
            Answer::Ack(ack) => id_in(ack, &noun),
            Answer::Sent => None,
        };
        let (hearing, emitted) = (&self.hearing, &emit.event);
        let heard = || {
            let told = hearing.since(from, |heard| {
                heard.page == Page::A && creates(&heard.event) && concerns(&heard.event, emitted)
            });
            told.iter().find_map(|heard| id_in(heard.payload(), &noun))
        };
        if acked.is_none() {
            hearing.becomes(|| heard().is_some(), ID_TIME).await;
        }
        if let Some(id) = acked.or_else(heard) {
            self.ids.created(&emit.event, id);
        }
    }

    /// The backend does what the facts say.
    async fn tell_as_backend(&mut self) {
        for event in &self.facts.backend_events {
            // What other clients cause, or the server, must come without a backend's help.
            let mut listens = self.facts.listens.iter();
            if listens.any(|listen| listen.event == event.name && !listen.source.is_backend()) {
                continue;
            }
            let (project, data) = (self.room(), &event.data);
            if event.to == Audience::Room && backend::is_command(&event.name) {
                let done = backend::command(self.server.address(), &project, &event.name, data);
                let done = done.await;
                let call = format!("command {} in project {project}", event.name);
                self.called(call, done);
            } else {
                let channel = self.channel(event.to);
                self.publish(&channel, &event.name, data).await;
            }
        }
    }

    /// The backend publishes what is listened for and was not heard.
    async fn publish_what_is_missing(&mut self) {
        for listen in &self.facts.listens {
            let to = match listen.source {
                Source::Backend => Audience::Room,
                Source::BackendUser => Audience::User,
                _ => continue,
            };
            let mut events = self.facts.backend_events.iter();
            let told = events.any(|event| event.name == listen.event);
            if !told && self.outcome(listen).result == Outcome::NotHeard {
                let channel = self.channel(to);
                self.publish(&channel, &listen.event, &payload_with(&listen.needs))
                    .await;
            }
        }
        self.hear(HEAR_TIME).await;
    }

    async fn publish(&mut self, channel: &str, name: &str, data: &Value) {
        let done = backend::publish(self.server.address(), channel, name, data).await;
        self.called(format!("publish {name} on {channel}"), done);
    }

    fn called(&mut self, call: String, done: Result<(), String>) {
        self.calls.push(BackendResult {
            call,
            ok: done.is_ok(),
            why: done.err(),
        });
    }

    /// The channel on which a backend tells something.
    fn channel(&self, to: Audience) -> String {
        match to {
            Audience::Room => format!("project:{}", self.room()),
            Audience::User => format!("user:{}", self.users[1]),
        }
    }

    fn room(&self) -> String {
        rooms::of_backend(self.facts, self.server.default_room())
    }

    /// B sends what is refused, if the frontend listens for refusals.
    async fn provoke(&mut self, b: &mut Client) -> Result<(), SocketError> {
        self.provoked = Some(self.hearing.len());
        let listens = self.facts.listens.iter();
        let wanted = |listen: &&Listen| listen.source != Source::Dead && is_refusal(&listen.event);
        let listens: Vec<_> = listens.filter(wanted).collect();
        if listens.is_empty() {
            return Ok(());
        }
        // A comes back and changes the same before B does.
        let mut a = self.connect(Page::A).await?;
        for join in rooms::entering(self.facts) {
            a.send(&join, &join.args).await?;
        }
        for listen in listens {
            let emits = self.facts.emits.iter();
            let emits = emits.filter(|emit| concerns(&listen.event, &emit.event));
            for emit in emits.filter(|emit| !creates(&emit.event)) {
                if self.outcome(listen).result == Outcome::Ok {
                    break;
                }
                let args = self.ids.apply(&emit.event, &emit.args).0;
                a.send(emit, &before(&emit.event, &args)).await?;
                for args in variants(&emit.event, &args) {
                    b.send(emit, &args).await?;
                    self.settle().await;
                }
            }
        }
        Ok(())
    }

    /// Waits until all is heard, at most for so long.
    async fn hear(&self, time: Duration) {
        let all = || {
            let counts = |result: &ListenResult| !is_refusal(&result.event);
            let results = self.listens();
            let mut results = results.iter().filter(|result| counts(result));
            results.all(|result| matches!(result.result, Outcome::Ok | Outcome::Dead))
        };
        self.hearing.becomes(all, time).await;
    }

    async fn settle(&self) {
        self.hearing.quiet(QUIET, SETTLE_TIME).await;
    }

    fn listens(&self) -> Vec<ListenResult> {
        let listens = self.facts.listens.iter();
        listens.map(|listen| self.outcome(listen)).collect()
    }

    fn outcome(&self, listen: &Listen) -> ListenResult {
        let to = match self.provoked {
            Some(to) if !is_refusal(&listen.event) => to,
            _ => usize::MAX,
        };
        outcome(listen, &self.hearing, to)
    }

    /// Says how it was played.
    fn how(&self, verifies: bool) -> Vec<String> {
        let [a, b] = &self.users;
        let identity = if verifies {
            format!(
                "Tokens are verified; page A shows one of the user {a} ({}), page B one of {b} ({}).",
                name_of(a),
                name_of(b)
            )
        } else if self.facts.connect.auth.is_empty() && self.facts.connect.query.is_empty() {
            "Tokens are not verified, and the pages do not say who they are when they connect."
                .to_owned()
        } else {
            format!("Tokens are not verified; page A says that it is {a}, page B that it is {b}.")
        };
        let backend = format!(
            "The backend tells the project {} and the user {b}.",
            self.room()
        );
        vec![identity, backend]
    }
}
