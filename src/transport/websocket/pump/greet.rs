//! The beginning of a connection: who the client is, and what it hears of from the start.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::time::timeout;

use super::Pump;
use crate::clock::Clock;
use crate::command::Caller;
use crate::contract::{
    ErrorCode, MAX_CURSOR_CHANNELS, Reply, Request, ServerWord, Since, Subscribe,
};
use crate::domain::{Holder, Identity};
use crate::hub::Subscriber;
use crate::session::{Outcome, Reset};
use crate::telemetry::causes;
use crate::transport::credential::Credential;
use crate::transport::visitor;
use crate::transport::websocket::close;
use crate::transport::websocket::connection::Connection;
use crate::transport::websocket::members::{Members, quoted};
use crate::transport::websocket::message::Message;
use crate::transport::websocket::seat::Seat;
use crate::transport::websocket::spelling::Spelling;
use crate::transport::websocket::wishes::Wishes;

/// Where a client may put what shows who it is.
const CREDENTIALS: [&str; 3] = ["apiKey", "api_key", "token"];

/// What a client was subscribed to at its beginning.
#[derive(Default)]
struct Begun {
    channels: Vec<String>,
    resets: Vec<Reset>,
    /// What it could not be subscribed to.
    refused: Vec<Reply>,
}

impl Pump {
    /// Finds out who has come, by what was shown with the request, and says hello. Who has to show more has some time for
    /// it.
    pub(super) async fn greet(&mut self, shown: Option<Credential>) {
        let identity = self.identify(shown.as_ref()).await;
        match identity {
            Ok(identity) => match self.sit_down(identity).await {
                Ok((seat, begun)) => {
                    self.say_hello(&seat, &begun).await;
                    self.welcome(&seat, begun).await;
                }
                Err(refusal) => self.turn_away(None, &refusal).await,
            },
            Err(reply) if reply.code() == Some(ErrorCode::Unauthenticated) => {
                self.say_connected(None, None).await;
                if shown.is_some() {
                    self.refuse("connection", None, &reply).await;
                }
            }
            Err(reply) => self.turn_away(None, &reply).await,
        }
    }

    /// Tells whose a credential is. A wrong one costs the client's address; to show none costs nothing yet.
    async fn identify(&self, shown: Option<&Credential>) -> Result<Option<Identity>, Reply> {
        let Connection {
            gateway,
            address,
            id,
            ..
        } = &*self.connection;
        let address = address.filter(|_| shown.is_some());
        visitor::identify_at(&gateway.app, address, shown, *id).await
    }

    /// Takes note of who the client is, as it says after it has connected.
    pub(super) async fn introduce(&mut self, message: &Message) {
        if let Err(refusal) = self.bounded(message) {
            return self.turn_away(Some(message), &refusal).await;
        }
        let data = Members::read(message.data.get());
        let said = |key: &str| {
            let raw = data.as_ref()?.get(key)?.get();
            serde_json::from_str(raw).ok()
        };
        let mut keys = CREDENTIALS.into_iter();
        let shown = keys.find_map(|key| Credential::in_auth(|_| said(key)));
        if let (Some(seat), None) = (self.connection.seat(), &shown) {
            // Who is known need not show it again.
            return self.say_welcome(&seat, message.id.as_deref()).await;
        }
        let identity = self.identify(shown.as_ref()).await;
        let introduced = match identity {
            Ok(identity) => self.meet(message, shown.as_ref(), identity).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = introduced {
            self.turn_away(Some(message), &refusal).await;
        }
    }

    async fn meet(
        &mut self,
        message: &Message,
        shown: Option<&Credential>,
        identity: Option<Identity>,
    ) -> Result<(), Reply> {
        let id = message.id.as_deref();
        let known = self.connection.seat();
        let is_known = known
            .as_ref()
            .is_some_and(|seat| seat.session.identity().is_some());
        match (known, identity, shown) {
            // Nobody looks at what is shown.
            (Some(seat), None, _) => {
                self.say_welcome(&seat, id).await;
                Ok(())
            }
            (Some(seat), Some(_), Some(shown)) if is_known => {
                let token = shown.as_str().to_owned();
                let subscriber = Arc::clone(&seat) as Arc<dyn Subscriber>;
                let refreshed = seat
                    .session
                    .run(Request::Refresh { token }, &subscriber)
                    .await;
                let Outcome::Refreshed(refreshed) = refreshed else {
                    return Err(super::lost());
                };
                if !refreshed.reply.is_ok() {
                    return Err(refreshed.reply);
                }
                self.connection.keep_watch();
                seat.tell_lost(&refreshed.lost).await;
                self.say_welcome(&seat, id).await;
                Ok(())
            }
            (_, identity, _) => {
                let (seat, begun) = self.sit_down(identity).await?;
                self.say_welcome(&seat, id).await;
                self.welcome(&seat, begun).await;
                Ok(())
            }
        }
    }

    /// Gives the client a session, in which it hears of what it heard before, and of what it wished for.
    async fn sit_down(&mut self, identity: Option<Identity>) -> Result<(Arc<Seat>, Begun), Reply> {
        let connection = Arc::clone(&self.connection);
        let app = &connection.gateway.app;
        let name = match &identity {
            Some(identity) => Some(identity.actor.as_str()),
            None => connection.said.as_deref(),
        };
        let caller = Caller::new(connection.id, connection.client, name);
        let place = match &identity {
            Some(identity) => {
                let place = app.limits().user_connection(identity.actor.as_str());
                Some(place.map_err(|exceeded| {
                    let reply = Reply::refused(ErrorCode::RateLimited, exceeded.limit.sentence());
                    reply.with_retry_after(exceeded.retry_after)
                })?)
            }
            None => None,
        };
        // Closed first: what it is told until then is in its cursor.
        let before = connection.seat().map(|before| {
            before.session.close();
            before.session.cursor()
        });
        let seat = Seat::new(&connection, caller, identity, place);
        connection.take_seat(&seat);
        // By then clients have lost their own patience, and come again.
        let patience = app.config().connect_timeout / 2;
        let begun = timeout(patience, self.begin(&seat, before)).await;
        let begun = begun.unwrap_or_else(|_| Err(unavailable()))?;
        connection.keep_watch();
        Ok((seat, begun))
    }

    async fn begin(&mut self, seat: &Arc<Seat>, before: Option<String>) -> Result<Begun, Reply> {
        let mut begun = Begun::default();
        let subscriber = Arc::clone(seat) as Arc<dyn Subscriber>;
        let mut wishes = self.connection.wishes.clone();
        if before.is_some() {
            // What was wished for has been heard since, unless the client does not want to any more.
            wishes = Wishes::default();
        } else {
            self.connection.set_session_id(wishes.session_id.clone());
        }
        if let Some(cursor) = before.or_else(|| wishes.cursor.clone()) {
            let resumed = seat.session.resume(&cursor, &subscriber).await;
            let resumed = resumed.map_err(|error| {
                tracing::debug!(error = %causes(&error), "a client cannot go on now");
                unavailable()
            })?;
            begun
                .channels
                .extend(resumed.channels.iter().map(ToString::to_string));
            begun.resets.extend(resumed.resets);
        }
        let mut channels = wishes.all_channels();
        let identity = seat.session.identity();
        if let Some(identity) = identity.filter(|who| matches!(who.holder, Holder::User { .. })) {
            channels.insert(0, format!("user:{}", identity.actor.as_str()));
        }
        if channels.len() > MAX_CURSOR_CHANNELS {
            let what = format!("must not be more than {MAX_CURSOR_CHANNELS}");
            begun.refused.push(Reply::invalid("channels", what));
            channels.truncate(MAX_CURSOR_CHANNELS);
        }
        // A connection's first one is free, as is the first one of a message, which has paid for itself.
        seat.session
            .charge_channels(channels.len().saturating_sub(1));
        for name in channels {
            if begun.channels.contains(&name) {
                continue;
            }
            match self.hear(seat, &name, wishes.cursor.clone()).await {
                Ok(()) => begun.channels.push(name),
                Err(reply) if reply.code() == Some(ErrorCode::Unavailable) => return Err(reply),
                Err(reply) => begun.refused.push(reply),
            }
        }
        Ok(begun)
    }

    async fn hear(
        &self,
        seat: &Arc<Seat>,
        name: &str,
        cursor: Option<String>,
    ) -> Result<(), Reply> {
        let wish = Subscribe::new([name], [], cursor.map(Since::Cursor))?;
        let subscriber = Arc::clone(seat) as Arc<dyn Subscriber>;
        match seat
            .session
            .run(Request::Subscribe(wish), &subscriber)
            .await
        {
            Outcome::Done(reply) if !reply.is_ok() => Err(reply),
            _ => Ok(()),
        }
    }

    /// Lets events through, after what is to be said before.
    async fn welcome(&self, seat: &Arc<Seat>, begun: Begun) {
        let subscriber = Arc::clone(seat) as Arc<dyn Subscriber>;
        for refusal in &begun.refused {
            self.refuse("subscribe", None, refusal).await;
        }
        for reset in &begun.resets {
            match seat.session.start_over(reset, &subscriber).await {
                Ok((event_type, said)) => {
                    seat.tell(&event_type, &said).await;
                }
                Err(error) => {
                    tracing::debug!(error = %causes(&error), "a client cannot go on now");
                    return self
                        .connection
                        .end(close::refused(ErrorCode::Unavailable), "unavailable");
                }
            }
        }
        seat.session.release_all();
        seat.welcome();
        if !begun.resets.is_empty() {
            seat.tell_cursor().await;
        }
    }

    async fn say_hello(&self, seat: &Arc<Seat>, begun: &Begun) {
        if begun.channels.is_empty() {
            return self.say_connected(Some(seat), None).await;
        }
        let mut members = self.hello(Some(seat));
        let channels: Vec<_> = begun.channels.iter().map(|name| quoted(name)).collect();
        members.push(("channels", format!("[{}]", channels.join(","))));
        let name = self.connection.spelling.connected();
        self.say_with_cursor(seat, name, None, members).await;
    }

    /// Says that the connection is there, which a client may also ask.
    pub(super) async fn say_connected(&self, seat: Option<&Seat>, answers: Option<&RawValue>) {
        let members = self.hello(seat);
        let make =
            |spelling: Spelling| spelling.say(spelling.connected(), Clock.now(), answers, &members);
        self.connection.say(make).await;
    }

    fn hello(&self, seat: Option<&Seat>) -> Vec<(&'static str, String)> {
        let mut members = vec![
            ("status", quoted("connected")),
            ("clientId", quoted(&self.connection.client.to_string())),
        ];
        if self.connection.spelling == Spelling::Envelope {
            members.push(("authenticated", seat.is_some().to_string()));
        }
        members
    }

    async fn say_welcome(&self, seat: &Arc<Seat>, answers: Option<&RawValue>) {
        let user = seat.user();
        let identity = seat.session.identity();
        let expires_at = identity.and_then(|identity| identity.expires_at);
        let or_null =
            |text: Option<String>| text.map_or_else(|| "null".to_owned(), |text| quoted(&text));
        let members = vec![
            ("clientId", quoted(&self.connection.client.to_string())),
            ("userId", or_null(user)),
            ("expiresAt", or_null(expires_at.map(|at| at.to_string()))),
            (
                "server",
                format!(
                    "{{\"name\":\"boardcast\",\"version\":{}}}",
                    quoted(env!("CARGO_PKG_VERSION"))
                ),
            ),
        ];
        let name = self.connection.spelling.welcome();
        self.say_with_cursor(seat, name, answers, members).await;
    }

    /// Says why a client cannot stay, and ends the connection.
    async fn turn_away(&self, asked: Option<&Message>, reply: &Reply) {
        let code = reply.code().unwrap_or(ErrorCode::Internal);
        let id = asked.and_then(|message| message.id.as_deref());
        if self.connection.spelling == Spelling::Envelope && asked.is_some() {
            let said = reply.to_raw();
            let make = |spelling: Spelling| {
                spelling.object(ServerWord::AuthFailure, Clock.now(), id, &said)
            };
            self.connection.say(make).await;
        } else {
            let name = asked.map_or("connection", |message| &message.name);
            self.refuse(name, id, reply).await;
        }
        self.connection.end(close::refused(code), code.as_str());
    }
}

fn unavailable() -> Reply {
    let message = "the database cannot be reached; try again in a moment";
    Reply::refused(ErrorCode::Unavailable, message)
}
