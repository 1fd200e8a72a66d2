//! Subscribing to channels, in either format.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::door::{WebSocketConnection, WebSocketDoor};
use super::event_names;
use super::format::Format;
use super::message::Message;
use super::raw_object::{RawObject, quoted};
use super::subscriptions::Subscription;
use crate::contract::{ErrorCode, PresenceWish, Reply, ServerWord, Since, Subscribe, check_data};
use crate::domain::ChannelName;
use crate::transport::connection::send_queue::SendQueue as _;
use crate::transport::connection::subscriber::SessionSubscriber;

type Subscriber = Arc<SessionSubscriber<WebSocketDoor>>;

/// Where the id of an agent, or of a workflow, may stand.
pub(super) const AGENT_ID: [&str; 2] = ["agentId", "agent_id"];
pub(super) const WORKFLOW_ID: [&str; 2] = ["workflowId", "workflow_id"];

/// What a message names.
struct Wanted {
    /// The session, if the message names one by its id.
    session: Option<String>,
    channels: Vec<String>,
    types: Vec<String>,
    since: Option<Since>,
    /// Whether it asks for presence events, or wants none.
    presence: Option<PresenceWish>,
    /// Whether it names an agent or a workflow by its id.
    is_by_id: bool,
}

impl Wanted {
    fn read(message: &Message) -> Result<Self, Reply> {
        let data = RawObject::read(message.data.get());
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
        let before = channels.len();
        for (family, keys) in [("agent", AGENT_ID), ("workflow", WORKFLOW_ID)] {
            let id = keys.into_iter().find_map(|key| data.id(key));
            channels.extend(id.map(|id| format!("{family}:{id}")));
        }
        let is_by_id = channels.len() > before;
        channels.extend(named.or_else(|| message.resource.clone().filter(|_| !is_by_id)));
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
            presence: data
                .get("presence")
                .and_then(|raw| serde_json::from_str(raw.get()).ok())
                .and_then(|said| PresenceWish::chosen(&said))
                .map(PresenceWish::from),
            is_by_id,
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(String::as_str)
    }
}

fn since(data: &RawObject<'_>) -> Result<Option<Since>, Reply> {
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

impl WebSocketConnection {
    /// Subscribes if a subscription `begins`, and else unsubscribes. Events follow the answer, or the refusal.
    pub(super) async fn change_subscriptions(
        &self,
        subscriber: &Subscriber,
        message: &Message,
        begins: bool,
    ) {
        subscriber.hold();
        if let Err(refusal) = self.try_change(subscriber, message, begins).await {
            self.refuse(message, &refusal).await;
        }
        subscriber.open();
    }

    async fn try_change(
        &self,
        subscriber: &Subscriber,
        message: &Message,
        begins: bool,
    ) -> Result<(), Reply> {
        // Whatever the type: the data is held to the same rules as every payload.
        message.arguments().check(&self.app().payload_limits())?;
        match (self.door.format, begins) {
            (Format::Flat, true) => self.subscribe_flat(subscriber, message).await,
            (Format::Flat, false) => self.unsubscribe_flat(subscriber, message).await,
            (Format::Envelope, true) => self.subscribe_envelope(subscriber, message).await,
            (Format::Envelope, false) => self.unsubscribe_envelope(subscriber, message).await,
        }
    }

    async fn subscribe_flat(
        &self,
        subscriber: &Subscriber,
        message: &Message,
    ) -> Result<(), Reply> {
        let wanted = Wanted::read(message)?;
        let types = wanted.types.iter().map(String::as_str);
        let mut wish = Subscribe::new(wanted.names(), types, wanted.since.clone())?;
        wish.presence = wanted.presence;
        let channels = wish.channels.clone();
        let reply = self.subscribe(subscriber, wish).await?;
        if let Some(session) = &wanted.session {
            self.change_session(subscriber, session, &channels).await;
        }
        let said = RawObject::read(reply.get())
            .and_then(|reply| reply.get("channels").map(RawValue::get).map(str::to_owned));
        release(subscriber, &channels);
        let word = ServerWord::Subscribed;
        self.say_flat(subscriber, (word, message), &wanted, said.as_deref())
            .await;
        Ok(())
    }

    /// Enters a session in the place of the one that the client was in, which is not heard any more unless it was asked for
    /// just now.
    async fn change_session(&self, subscriber: &Subscriber, session: &str, wanted: &[ChannelName]) {
        let Some(before) = self.door.enter_session(session) else {
            return;
        };
        let before = ChannelName::parse(&format!("session:{before}")).ok();
        if let Some(before) = before.filter(|before| !wanted.contains(before)) {
            subscriber.session.unsubscribe_all(&[before]).await;
        }
    }

    async fn unsubscribe_flat(
        &self,
        subscriber: &Subscriber,
        message: &Message,
    ) -> Result<(), Reply> {
        let mut wanted = Wanted::read(message)?;
        if wanted.channels.is_empty() {
            // The session that it is in.
            wanted.session = self.door.session_id();
            let session = wanted.session.iter().map(|id| format!("session:{id}"));
            wanted.channels.extend(session);
        }
        // Who is in no session has left it.
        if !wanted.channels.is_empty() {
            let Subscribe { channels, .. } = Subscribe::new(wanted.names(), [], None)?;
            self.queue.room_for_answer().await;
            subscriber.session.unsubscribe_all(&channels).await;
        }
        if let Some(session) = &wanted.session {
            self.door.leave_session(session);
        }
        self.say_flat(
            subscriber,
            (ServerWord::Unsubscribed, message),
            &wanted,
            None,
        )
        .await;
        Ok(())
    }

    async fn say_flat(
        &self,
        subscriber: &Subscriber,
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
        let word = (word, message.id.as_deref());
        self.say(subscriber, word, members, true).await;
    }

    async fn subscribe_envelope(
        &self,
        subscriber: &Subscriber,
        message: &Message,
    ) -> Result<(), Reply> {
        check_data(&message.name, &message.data)?;
        let Wanted {
            channels,
            types,
            since,
            presence,
            is_by_id,
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
        let types = event_names::types(&channel, types, is_by_id)?;
        if !self.door.subscriptions.lock().has_place() {
            return Err(Reply::refused(
                ErrorCode::ValidationFailed,
                "there are too many subscriptions",
            ));
        }
        // Checked by themselves: together with others they may mean something else.
        Subscribe::new([channel.as_str()], types.iter().map(String::as_str), None)?;
        if !subscriber.session.rooms.contains(&channel) {
            // It was left, or the client was turned out: nothing is heard by those that are left.
            let is_left = |known: &Subscription| known.channel == channel;
            self.door.subscriptions.lock().remove(is_left);
        }
        let before = self.door.subscriptions.lock().wanted(&channel, None);
        let wanted = self
            .door
            .subscriptions
            .lock()
            .wanted(&channel, Some(&types));
        let place = if before.is_some() && before == wanted && since.is_none() && presence.is_none()
        {
            None
        } else {
            let since = since.or_else(|| {
                before
                    .is_some()
                    .then(|| Since::Cursor(subscriber.session.rooms.cursor()))
            });
            let (types, from) = (wanted.unwrap_or_default(), (since, presence));
            Some(self.follow(subscriber, &channel, types, from).await?)
        };
        let subscription = self.door.subscriptions.lock().add(channel.clone(), types);
        let place = place
            .as_deref()
            .map(RawValue::get)
            .and_then(RawObject::read);
        release(subscriber, &[channel]);
        self.say_update(subscriber, message, &subscription, "active", place.as_ref())
            .await;
        Ok(())
    }

    async fn unsubscribe_envelope(
        &self,
        subscriber: &Subscriber,
        message: &Message,
    ) -> Result<(), Reply> {
        check_data(&message.name, &message.data)?;
        let data = RawObject::read(message.data.get());
        let text = |key: &str| data.as_ref()?.text(key);
        let id = text("subscriptionId");
        let by_id = || Wanted::read(message).ok()?.channels.pop();
        let channel = text("resource").or_else(|| text("channel")).or_else(by_id);
        let is_meant = |known: &Subscription| match &id {
            Some(id) => known.id == *id,
            None => Some(known.channel.as_str()) == channel.as_deref(),
        };
        let mut ended = self.door.subscriptions.lock().remove(is_meant);
        if ended.is_empty() {
            ended.extend(heard_otherwise(subscriber, channel.as_deref()));
        }
        let Some(Subscription { channel, .. }) = ended.first().cloned() else {
            let message = "there is no such subscription";
            return Err(
                Reply::refused(ErrorCode::NotFound, message).with_field("data.subscriptionId")
            );
        };
        let left = self.door.subscriptions.lock().wanted(&channel, None);
        match left.filter(|_| subscriber.session.rooms.contains(&channel)) {
            None => {
                self.queue.room_for_answer().await;
                subscriber.session.unsubscribe_all(&[channel]).await;
            }
            Some(left) => {
                let since = Since::Cursor(subscriber.session.rooms.cursor());
                self.follow(subscriber, &channel, left, (Some(since), None))
                    .await?;
                release(subscriber, &[channel]);
            }
        }
        for subscription in &ended {
            self.say_update(subscriber, message, subscription, "ended", None)
                .await;
        }
        Ok(())
    }

    /// Subscribes to a channel, or goes on with other types; what is said of it.
    async fn follow(
        &self,
        subscriber: &Subscriber,
        channel: &ChannelName,
        types: Vec<String>,
        (since, presence): (Option<Since>, Option<PresenceWish>),
    ) -> Result<Box<RawValue>, Reply> {
        let names = types.iter().map(String::as_str);
        let mut wish = Subscribe::new([channel.as_str()], names, since)?;
        wish.presence = presence;
        let reply = self.subscribe(subscriber, wish).await?;
        let listed = RawObject::read(reply.get()).and_then(|reply| reply.get("channels"));
        let listed =
            listed.and_then(|raw| serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()).ok());
        let first = listed.and_then(|listed| listed.into_iter().next());
        first.ok_or_else(Reply::internal)
    }

    /// Subscribes; the answer as text, if it is no refusal.
    async fn subscribe(
        &self,
        subscriber: &Subscriber,
        wish: Subscribe,
    ) -> Result<Box<RawValue>, Reply> {
        self.queue.room_for_answer().await;
        let reply = subscriber.subscribe(wish).await;
        if !reply.is_ok() {
            return Err(reply);
        }
        subscriber.session.charge_read(reply.text_bytes());
        Ok(reply.to_raw())
    }

    async fn say_update(
        &self,
        subscriber: &Subscriber,
        message: &Message,
        subscription: &Subscription,
        status: &str,
        place: Option<&RawObject<'_>>,
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
        let word = (ServerWord::SubscriptionUpdate, message.id.as_deref());
        self.say(subscriber, word, members, true).await;
    }
}

/// Lets events follow the answer, once the session is open again: that carries the state before them, and their cursor.
fn release(subscriber: &Subscriber, channels: &[ChannelName]) {
    for channel in channels {
        subscriber.session.rooms.release(channel);
    }
}

/// A channel that is heard without a subscription of a name: by the address, or the cursor that was come back with.
fn heard_otherwise(subscriber: &Subscriber, channel: Option<&str>) -> Option<Subscription> {
    let channel = ChannelName::parse(channel?).ok()?;
    let is_heard = subscriber.session.rooms.contains(&channel);
    is_heard.then(|| Subscription {
        id: channel.to_string(),
        channel,
        types: Vec::new(),
    })
}
