//! The beginning of a connection: who the client is, and what it hears of from the start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::value::RawValue;
use tokio::time::timeout;

use super::close;
use super::door::{Packet, WebSocketConnection, WebSocketDoor};
use super::format::Format;
use super::message::{Meaning, Message, Own, Received};
use super::params::Params;
use super::raw_object::quoted;
use crate::clock::Clock;
use crate::contract::{ErrorCode, MAX_CURSOR_CHANNELS, Reply, ServerWord, Since, Subscribe};
use crate::domain::{Holder, Identity};
use crate::hub::Offer;
use crate::telemetry::causes;
use crate::transport::admission::rate_limited;
use crate::transport::connection::Close;
use crate::transport::connection::notice::Missed;
use crate::transport::connection::subscriber::{Admitted, SessionSubscriber};
use crate::transport::credential::Credential;
use crate::transport::http_caller;
use crate::writer::Caller;

pub(super) type Subscriber = Arc<SessionSubscriber<WebSocketDoor>>;

/// What a client was subscribed to at its beginning.
#[derive(Default)]
pub(super) struct Begun {
    channels: Vec<String>,
    /// What the client is told before any event.
    pub(super) missed: Vec<Missed>,
    /// What it could not be subscribed to.
    refused: Vec<Reply>,
}

/// What was shown with the request.
pub(super) enum Shown {
    /// It was looked at, and counts.
    Verified(Option<Identity>),
    /// It is to be looked at.
    Unverified(Option<Credential>),
}

impl WebSocketConnection {
    /// Finds out who has come, by what was shown with the request, and says hello. Who has to show more has some time for
    /// it.
    pub(super) async fn greet(self: &Arc<Self>, shown: Shown) {
        let introduces_itself = self.await_handshake().await;
        let (identity, has_shown) = match shown {
            Shown::Verified(identity) => (Ok(identity), true),
            Shown::Unverified(shown) => (self.identify(shown.as_ref()).await, shown.is_some()),
        };
        match identity {
            Ok(identity) => match self.begin_session(identity).await {
                Ok((subscriber, begun)) => {
                    if !introduces_itself {
                        self.say_hello(&subscriber, &begun).await;
                    }
                    self.begin_events(&subscriber, begun).await;
                }
                Err(refusal) => self.turn_away(None, &refusal).await,
            },
            Err(reply) if reply.code() == Some(ErrorCode::Unauthenticated) => {
                self.meet_unknown(has_shown, introduces_itself, &reply)
                    .await;
            }
            Err(reply) => self.turn_away(None, &reply).await,
        }
        let held = &self.door.is_greeting_held;
        held.store(false, Ordering::Relaxed);
    }

    /// Greets a client that has to show who it is, and has shown nothing, or nothing that counts.
    async fn meet_unknown(&self, has_shown: bool, introduces_itself: bool, reply: &Reply) {
        if has_shown {
            self.registry.traffic.failed.count();
        }
        if has_shown && self.door.format == Format::Flat {
            self.note_refused("connection", reply);
            self.say_refused("connection", None, &invalid("token or API key"))
                .await;
            return self.finish(Close::Violation(close::POLICY), "Unauthorized");
        }
        if !introduces_itself {
            self.say_connected(false, None).await;
        }
        if has_shown {
            self.note_refused("connection", reply);
            self.say_refused("connection", None, reply).await;
        }
    }

    /// Whether the greeting may wait for what the client says first.
    pub(super) fn may_hold_greeting(&self, shown: &Shown) -> bool {
        let door = &self.door;
        let delay = self.app().config().greeting_delay;
        let shows_nothing = matches!(shown, Shown::Unverified(None));
        door.format == Format::Flat && shows_nothing && door.params.is_bare() && !delay.is_zero()
    }

    /// Waits for a moment for the first message if the greeting is held; whether that is a handshake.
    async fn await_handshake(&self) -> bool {
        if !self.door.is_greeting_held.load(Ordering::Relaxed) {
            return false;
        }
        let delay = self.app().config().greeting_delay;
        let is_handshake = |Received(message): &Received| {
            let message = message.as_ref();
            message.is_ok_and(|message| message.meaning == Meaning::Own(Own::Handshake))
        };
        self.first_message(delay, is_handshake).await == Some(true)
    }

    /// Tells whose a credential is. A wrong one costs the client's address; to show none costs nothing yet.
    pub(super) async fn identify(
        &self,
        shown: Option<&Credential>,
    ) -> Result<Option<Identity>, Reply> {
        let address = self.door.address.filter(|_| shown.is_some());
        http_caller::identify_at(self.app(), address, shown, self.id).await
    }

    /// Gives the client a session, in which it hears of what it heard before, and of what its address asks for.
    pub(super) async fn begin_session(
        self: &Arc<Self>,
        identity: Option<Identity>,
    ) -> Result<(Subscriber, Begun), Reply> {
        let app = self.app();
        let name = match &identity {
            Some(identity) => Some(identity.actor.as_str()),
            None => self.door.user_id.as_deref(),
        };
        let caller = Caller::new(self.id, self.client, name);
        let admitted =
            Admitted::new(app, &self.registry.users, caller, identity).map_err(rate_limited)?;
        // Closed first: what it is told until then is in its cursor.
        let before = self.subscriber().map(|before| {
            before.session.rooms.close();
            before.session.rooms.cursor()
        });
        let subscriber = self.attach(admitted);
        // By then clients have lost their own patience, and come again.
        let patience = app.config().connect_timeout / 2;
        let begun = timeout(patience, self.begin(&subscriber, before)).await;
        let begun = begun.unwrap_or_else(|_| Err(unavailable()))?;
        self.watch_credential();
        // Nothing is told before the client is.
        subscriber.session.rooms.release_all();
        Ok((subscriber, begun))
    }

    async fn begin(&self, subscriber: &Subscriber, before: Option<String>) -> Result<Begun, Reply> {
        let mut begun = Begun::default();
        // What the address asks for has been heard since, unless the client does not want to any more.
        let params = match &before {
            Some(_) => Params::default(),
            None => self.door.params.clone(),
        };
        if let Some(cursor) = before.or_else(|| params.cursor.clone()) {
            let resumed = subscriber.resume(&cursor).await.map_err(|error| {
                tracing::debug!(error = %causes(&error), "a client cannot go on now");
                unavailable()
            })?;
            let channels = resumed.channels.iter().map(ToString::to_string);
            begun.channels.extend(channels);
            begun
                .missed
                .extend(resumed.resets.into_iter().map(Missed::Reset));
        }
        let mut channels = params.all_channels();
        let identity = subscriber.session.identity();
        if let Some(identity) = identity.filter(|who| matches!(who.holder, Holder::User { .. })) {
            channels.insert(0, format!("user:{}", identity.actor.as_str()));
        }
        if channels.len() > MAX_CURSOR_CHANNELS {
            let what = format!("must not be more than {MAX_CURSOR_CHANNELS}");
            begun.refused.push(Reply::invalid("channels", what));
            channels.truncate(MAX_CURSOR_CHANNELS);
        }
        // A connection's first one is free, as is the first one of a message, which has paid for itself.
        let session = &subscriber.session;
        session.charge_channels(channels.len().saturating_sub(1));
        for name in channels {
            if begun.channels.contains(&name) {
                continue;
            }
            match self.hear(subscriber, &name, params.cursor.clone()).await {
                Ok(()) => begun.channels.push(name),
                Err(reply) if reply.code() == Some(ErrorCode::Unavailable) => return Err(reply),
                Err(reply) => begun.refused.push(reply),
            }
        }
        Ok(begun)
    }

    async fn hear(
        &self,
        subscriber: &Subscriber,
        name: &str,
        cursor: Option<String>,
    ) -> Result<(), Reply> {
        let wish = Subscribe::new([name], [], cursor.map(Since::Cursor))?;
        let reply = subscriber.subscribe(wish).await;
        if reply.is_ok() { Ok(()) } else { Err(reply) }
    }

    /// Lets events through, after what is to be told before.
    pub(super) async fn begin_events(&self, subscriber: &Subscriber, begun: Begun) {
        for refusal in &begun.refused {
            self.note_refused("subscribe", refusal);
            self.say_refused("subscribe", None, refusal).await;
        }
        if let Err(error) = subscriber.tell_missed(&begun.missed).await {
            tracing::debug!(error = %causes(&error), "a client cannot go on now");
            self.finish(Close::Refused(ErrorCode::Unavailable), "unavailable");
        }
    }

    /// The cursor goes with it unless something is still to be told that it covers.
    async fn say_hello(&self, subscriber: &Subscriber, begun: &Begun) {
        if begun.channels.is_empty() {
            return self.say_connected(true, None).await;
        }
        let mut fields = self.hello(true);
        let channels: Vec<_> = begun.channels.iter().map(|name| quoted(name)).collect();
        fields.push(("channels", format!("[{}]", channels.join(","))));
        let word = self.door.format.connected();
        self.say(subscriber, (word, None), fields, begun.missed.is_empty())
            .await;
    }

    /// Says that the connection is there, which a client may also ask.
    pub(super) async fn say_connected(&self, is_known: bool, answers: Option<&RawValue>) {
        let (format, fields) = (self.door.format, self.hello(is_known));
        let text = format.say(format.connected(), Clock.now(), answers, &fields);
        self.send(Packet::other(text)).await;
    }

    fn hello(&self, is_known: bool) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("status", quoted("connected")),
            ("clientId", quoted(&self.client.to_string())),
        ];
        if self.door.format == Format::Envelope {
            fields.push(("authenticated", is_known.to_string()));
        }
        fields
    }

    pub(super) async fn say_welcome(
        &self,
        subscriber: &Subscriber,
        answers: Option<&RawValue>,
        with_cursor: bool,
    ) {
        let user = self.user_of(subscriber);
        let identity = subscriber.session.identity();
        let expires_at = identity.and_then(|identity| identity.expires_at);
        let or_null =
            |text: Option<String>| text.map_or_else(|| "null".to_owned(), |text| quoted(&text));
        let version = quoted(env!("CARGO_PKG_VERSION"));
        let fields = vec![
            ("clientId", quoted(&self.client.to_string())),
            ("userId", or_null(user)),
            ("expiresAt", or_null(expires_at.map(|at| at.to_string()))),
            (
                "server",
                format!("{{\"name\":\"boardcast\",\"version\":{version}}}"),
            ),
        ];
        let word = self.door.format.welcome();
        self.say(subscriber, (word, answers), fields, with_cursor)
            .await;
    }

    /// Who the client is known as; nobody, if by no name of its own.
    pub(super) fn user_of(&self, subscriber: &Subscriber) -> Option<String> {
        let is_named = subscriber.session.identity().is_some() || self.door.user_id.is_some();
        is_named.then(|| subscriber.session.caller.actor.as_str().to_owned())
    }

    /// Says something of the server's own, with the cursor as of the moment at which it goes out.
    pub(super) async fn say(
        &self,
        subscriber: &Subscriber,
        (word, answers): (ServerWord, Option<&RawValue>),
        mut fields: Vec<(&str, String)>,
        with_cursor: bool,
    ) {
        let format = self.door.format;
        let sent = self.push(0, |out| {
            if with_cursor {
                fields.push(("cursor", quoted(&subscriber.session.rooms.cursor())));
            }
            out.push(Packet::other(format.say(
                word,
                Clock.now(),
                answers,
                &fields,
            )));
            Offer::Taken
        });
        sent.await;
    }

    /// Says why a client cannot stay, and ends the connection.
    pub(super) async fn turn_away(&self, asked: Option<&Message>, reply: &Reply) {
        self.registry.traffic.failed.count();
        let code = reply.code().unwrap_or(ErrorCode::Internal);
        let name = asked.map_or("connection", |message| &message.name);
        let id = asked.and_then(|message| message.id.as_deref());
        self.note_refused(name, reply);
        let format = self.door.format;
        if format == Format::Envelope && asked.is_some() {
            let word = ServerWord::AuthFailure;
            let text = format.object(word, Clock.now(), id, &reply.to_raw());
            self.send(Packet::other(text)).await;
        } else {
            self.say_refused(name, id, reply).await;
        }
        self.finish(Close::Refused(code), code.as_str());
    }
}

/// The refusal of what a client has shown.
pub(super) fn invalid(what: &str) -> Reply {
    Reply::refused(ErrorCode::Unauthenticated, format!("Invalid {what}"))
}

fn unavailable() -> Reply {
    let message = "the database cannot be reached; try again in a moment";
    Reply::refused(ErrorCode::Unavailable, message)
}
