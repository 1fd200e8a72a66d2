//! Subscribing to channels, in either spelling.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Pump;
use crate::clock::Clock;
use crate::contract::{ErrorCode, Reply, Request, ServerWord, Since, Subscribe};
use crate::domain::ChannelName;
use crate::hub::Subscriber;
use crate::session::Outcome;
use crate::transport::outlet::Kind;
use crate::transport::websocket::connection::Packet;
use crate::transport::websocket::members::{Members, quoted};
use crate::transport::websocket::message::Message;
use crate::transport::websocket::schemas;
use crate::transport::websocket::seat::Seat;
use crate::transport::websocket::spelling::Spelling;
use crate::transport::websocket::subscriptions::Subscription;

/// What a message names.
struct Wanted {
    /// The session, if the message names one by its id.
    session: Option<String>,
    channels: Vec<String>,
    types: Vec<String>,
    since: Option<Since>,
}

impl Wanted {
    fn read(message: &Message) -> Result<Self, Reply> {
        let data = Members::read(message.data.get());
        let data = data.ok_or_else(|| Reply::invalid("data", "must be an object"))?;
        let list = |keys: &[&'static str]| {
            let found = keys.iter().find_map(|key| Some((*key, data.get(key)?)));
            let found = found.filter(|(_, raw)| raw.get() != "null");
            found.map_or(Ok(Vec::new()), |(key, raw)| {
                serde_json::from_str(raw.get())
                    .map_err(|_| Reply::invalid(key, "must be a list of texts"))
            })
        };
        let session = message.session.clone().or_else(|| data.id("sessionId"));
        let mut channels: Vec<String> = session.iter().map(|id| format!("session:{id}")).collect();
        channels.extend(data.id("userId").map(|id| format!("user:{id}")));
        let named = ["channel", "resource"]
            .into_iter()
            .find_map(|key| data.text(key));
        channels.extend(named.or_else(|| message.resource.clone()));
        channels.extend(list(&["channels"])?);
        let mut types = list(&["types", "events", "eventTypes"])?;
        if types.iter().any(|name| name == "*") {
            types = Vec::new();
        }
        Ok(Self {
            session,
            channels,
            types,
            since: since(&data)?,
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(String::as_str)
    }
}

fn since(data: &Members<'_>) -> Result<Option<Since>, Reply> {
    let found = ["cursor", "since"]
        .into_iter()
        .find_map(|key| Some((key, data.get(key)?)));
    match found.filter(|(_, raw)| raw.get() != "null") {
        None => Ok(None),
        Some((key, raw)) => {
            let cursor = serde_json::from_str(raw.get()).map(Since::Cursor);
            let since = cursor.or_else(|_| serde_json::from_str(raw.get()).map(Since::Seq));
            match since {
                Ok(Since::Seq(..0)) | Err(_) => {
                    Err(Reply::invalid(key, "must be a cursor or a seq"))
                }
                Ok(since) => Ok(Some(since)),
            }
        }
    }
}

impl Pump {
    pub(super) async fn subscribe(&mut self, seat: &Arc<Seat>, message: &Message) {
        seat.hold();
        let subscribed = match self.connection.spelling {
            Spelling::Flat => self.subscribe_flat(seat, message).await,
            Spelling::Envelope => self.subscribe_envelope(seat, message).await,
        };
        self.go_on(seat, message, subscribed).await;
    }

    pub(super) async fn unsubscribe(&mut self, seat: &Arc<Seat>, message: &Message) {
        seat.hold();
        let unsubscribed = match self.connection.spelling {
            Spelling::Flat => self.unsubscribe_flat(seat, message).await,
            Spelling::Envelope => self.unsubscribe_envelope(seat, message).await,
        };
        self.go_on(seat, message, unsubscribed).await;
    }

    /// Lets events follow the answer, or the refusal.
    async fn go_on(&self, seat: &Arc<Seat>, message: &Message, done: Result<(), Reply>) {
        if let Err(refusal) = done {
            self.refuse(&message.name, message.id.as_deref(), &refusal)
                .await;
        }
        seat.welcome();
    }

    async fn subscribe_flat(&mut self, seat: &Arc<Seat>, message: &Message) -> Result<(), Reply> {
        self.bounded(message)?;
        let wanted = Wanted::read(message)?;
        let types = wanted.types.iter().map(String::as_str);
        let wish = Subscribe::new(wanted.names(), types, wanted.since.clone())?;
        let channels = wish.channels.clone();
        let reply = self.ask(seat, Request::Subscribe(wish)).await?;
        if wanted.session.is_some() {
            self.connection.set_session_id(wanted.session.clone());
        }
        let said = Members::read(reply.get())
            .and_then(|reply| reply.get("channels").map(RawValue::get).map(str::to_owned));
        self.say_flat(
            seat,
            (ServerWord::Subscribed, message),
            &wanted,
            said.as_deref(),
        )
        .await;
        self.release_all(seat, &channels).await;
        Ok(())
    }

    async fn unsubscribe_flat(&mut self, seat: &Arc<Seat>, message: &Message) -> Result<(), Reply> {
        self.bounded(message)?;
        let mut wanted = Wanted::read(message)?;
        if wanted.channels.is_empty() {
            // The session that it is in.
            wanted.session = self.connection.session_id();
            let session = wanted.session.iter().map(|id| format!("session:{id}"));
            wanted.channels.extend(session);
        }
        let Subscribe { channels, .. } = Subscribe::new(wanted.names(), [], None)?;
        self.ask(seat, Request::Unsubscribe { channels }).await?;
        if self.connection.session_id() == wanted.session {
            self.connection.set_session_id(None);
        }
        self.say_flat(seat, (ServerWord::Unsubscribed, message), &wanted, None)
            .await;
        Ok(())
    }

    async fn say_flat(
        &self,
        seat: &Arc<Seat>,
        (word, message): (ServerWord, &Message),
        wanted: &Wanted,
        channels: Option<&str>,
    ) {
        let mut members = Vec::new();
        if let Some(session) = &wanted.session {
            members.push(("sessionId", quoted(session)));
        }
        if let [channel] = wanted.channels.as_slice() {
            members.push(("channel", quoted(channel)));
        }
        if let Some(channels) = channels {
            members.push(("channels", channels.to_owned()));
        }
        self.say_with_cursor(seat, word, message.id.as_deref(), members)
            .await;
    }

    async fn subscribe_envelope(
        &mut self,
        seat: &Arc<Seat>,
        message: &Message,
    ) -> Result<(), Reply> {
        self.bounded(message)?;
        schemas::check(&message.name, &message.data)?;
        let Wanted {
            channels,
            types,
            since,
            ..
        } = Wanted::read(message)?;
        let [name] = channels.as_slice() else {
            return Err(Reply::invalid(
                "data.resource",
                "must be one; subscribe to others by messages of their own",
            ));
        };
        let channel =
            ChannelName::parse(name).map_err(|error| Reply::invalid("data.resource", error))?;
        if !self.kept.subscriptions.has_place() {
            return Err(Reply::refused(
                ErrorCode::ValidationFailed,
                "there are too many subscriptions",
            ));
        }
        // Checked by themselves: together with others they may mean something else.
        Subscribe::new([channel.as_str()], types.iter().map(String::as_str), None)?;
        if !seat.session.has_joined(&channel) {
            // It was left, or the client was turned out: nothing is heard by those that are left.
            self.kept
                .subscriptions
                .remove(|known| known.channel == channel);
        }
        let before = self.kept.subscriptions.wanted(&channel, None);
        let wanted = self.kept.subscriptions.wanted(&channel, Some(&types));
        let place = if before.is_some() && before == wanted && since.is_none() {
            None
        } else {
            let since = since.or_else(|| {
                before
                    .is_some()
                    .then(|| Since::Cursor(seat.session.cursor()))
            });
            Some(
                self.follow(seat, &channel, wanted.unwrap_or_default(), since)
                    .await?,
            )
        };
        let subscription = self.kept.subscriptions.add(channel.clone(), types);
        let place = place.as_deref().map(RawValue::get).and_then(Members::read);
        self.say_update(seat, message, &subscription, "active", place.as_ref())
            .await;
        self.release_all(seat, &[channel]).await;
        Ok(())
    }

    async fn unsubscribe_envelope(
        &mut self,
        seat: &Arc<Seat>,
        message: &Message,
    ) -> Result<(), Reply> {
        self.bounded(message)?;
        schemas::check(&message.name, &message.data)?;
        let data = Members::read(message.data.get());
        let text = |key: &str| data.as_ref()?.text(key);
        let id = text("subscriptionId");
        let channel = text("resource").or_else(|| text("channel"));
        let is_meant = |known: &Subscription| match &id {
            Some(id) => known.id == *id,
            None => Some(known.channel.as_str()) == channel.as_deref(),
        };
        let mut ended = self.kept.subscriptions.remove(is_meant);
        if ended.is_empty() {
            ended.extend(heard_otherwise(seat, channel.as_deref()));
        }
        let Some(Subscription { channel, .. }) = ended.first().cloned() else {
            let message = "there is no such subscription";
            return Err(
                Reply::refused(ErrorCode::NotFound, message).with_field("data.subscriptionId")
            );
        };
        let left = self.kept.subscriptions.wanted(&channel, None);
        match left.filter(|_| seat.session.has_joined(&channel)) {
            None => {
                let channels = vec![channel];
                self.ask(seat, Request::Unsubscribe { channels }).await?;
            }
            Some(left) => {
                let since = Since::Cursor(seat.session.cursor());
                self.follow(seat, &channel, left, Some(since)).await?;
                self.release_all(seat, &[channel]).await;
            }
        }
        for subscription in &ended {
            self.say_update(seat, message, subscription, "ended", None)
                .await;
        }
        Ok(())
    }

    /// Subscribes to a channel, or goes on with other types; what is said of it.
    async fn follow(
        &mut self,
        seat: &Arc<Seat>,
        channel: &ChannelName,
        types: Vec<String>,
        since: Option<Since>,
    ) -> Result<Box<RawValue>, Reply> {
        let names = types.iter().map(String::as_str);
        let wish = Subscribe::new([channel.as_str()], names, since)?;
        let reply = self.ask(seat, Request::Subscribe(wish)).await?;
        let listed = Members::read(reply.get()).and_then(|reply| reply.get("channels"));
        let listed =
            listed.and_then(|raw| serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()).ok());
        let first = listed.and_then(|listed| listed.into_iter().next());
        first.ok_or_else(super::lost)
    }

    /// Runs a request that is answered at once; the answer as text, if it is no refusal.
    async fn ask(&mut self, seat: &Arc<Seat>, request: Request) -> Result<Box<RawValue>, Reply> {
        let subscriber = Arc::clone(seat) as Arc<dyn Subscriber>;
        match seat.session.run(request, &subscriber).await {
            Outcome::Done(reply) if reply.is_ok() => Ok(reply.to_raw()),
            Outcome::Done(reply) => Err(reply),
            Outcome::Refreshed(_) | Outcome::Pending { .. } => Err(super::lost()),
        }
    }

    async fn say_update(
        &self,
        seat: &Arc<Seat>,
        message: &Message,
        subscription: &Subscription,
        status: &str,
        place: Option<&Members<'_>>,
    ) {
        let types: Vec<_> = subscription.types.iter().map(|name| quoted(name)).collect();
        let mut members = vec![
            ("subscriptionId", quoted(&subscription.id)),
            ("resource", quoted(subscription.channel.as_str())),
            ("events", format!("[{}]", types.join(","))),
            ("status", quoted(status)),
        ];
        for key in ["seq", "reset", "reason", "snapshot"] {
            let found = place.and_then(|place| place.get(key));
            members.extend(found.map(|raw| (key, raw.get().to_owned())));
        }
        let id = message.id.as_deref();
        self.say_with_cursor(seat, ServerWord::SubscriptionUpdate, id, members)
            .await;
    }

    /// Says something with the cursor as of the moment at which it goes out.
    pub(super) async fn say_with_cursor(
        &self,
        seat: &Arc<Seat>,
        word: ServerWord,
        answers: Option<&RawValue>,
        mut members: Vec<(&str, String)>,
    ) {
        let spelling = self.connection.spelling;
        let make = || {
            members.push(("cursor", quoted(&seat.session.cursor())));
            Packet::other(spelling.say(word, Clock.now(), answers, &members))
        };
        self.connection.outlet.push(Kind::Answer, make).await;
    }

    /// Lets events follow what was said of the state of channels.
    pub(super) async fn release_all(&self, seat: &Arc<Seat>, channels: &[ChannelName]) {
        let mut was_held = false;
        for channel in channels {
            was_held |= seat.release(channel);
        }
        if was_held {
            seat.tell_cursor().await;
        }
    }

    /// What is too large is not looked at closely.
    pub(super) fn bounded(&self, message: &Message) -> Result<(), Reply> {
        // Whatever the name: it is held to the same rules as every payload.
        let packet = format!("[0,{}]", message.data);
        crate::contract::check(&packet, &self.limits())
    }
}

/// A channel that is heard without a subscription of a name: by the address, or the cursor that was come back with.
fn heard_otherwise(seat: &Seat, channel: Option<&str>) -> Option<Subscription> {
    let channel = ChannelName::parse(channel?).ok()?;
    let is_heard = seat.session.has_joined(&channel);
    is_heard.then(|| Subscription {
        id: channel.to_string(),
        channel,
        types: Vec::new(),
    })
}
