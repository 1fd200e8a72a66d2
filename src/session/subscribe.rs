//! Subscribing to channels of any kind, and publishing on them.

use std::sync::Arc;

use super::access::{Standing, not_heard};
use super::join::{JoinError, closing, too_many_unused};
use super::looking::wish_in;
use super::read::seq_of;
use super::rooms::UNCERTAIN;
use super::{DIRECT_QUEUE, Pending, Session, unavailable};
use crate::clock::Clock;
use crate::contract::schema::answer::{Done, UnsubscribeAnswer};
use crate::contract::schema::event::ChannelReset;
use crate::contract::schema::types::True;
use crate::contract::{
    Cursor, DirectMessage, ErrorCode, JsonObject, Publication, Reply, Since, Subscribe, Types,
};
use crate::domain::{ChannelName, Holder, ProjectId, Role, Seq, Target};
use crate::hub::{From, Joined, OutOfRange, SubscribeError, Subscriber};
use crate::store::StoreError;

/// What there is for those who have missed what cannot be had.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// The oldest events that are kept, or the newest that may be replayed.
    Kept,
    /// Nothing but what comes.
    None,
}

/// Where a subscriber of several channels wants to go on.
enum Start {
    Now,
    Seq(Seq),
    Cursor(Cursor),
    /// Nobody knows where that is.
    Lost(&'static str),
}

impl Session {
    /// Subscribes to all of the channels, or to none.
    pub async fn subscribe_all(&self, wish: Subscribe, subscriber: &Arc<dyn Subscriber>) -> Reply {
        let reply = self.try_subscribe_all(wish, subscriber).await;
        reply.unwrap_or_else(|error| unavailable(&error))
    }

    async fn try_subscribe_all(
        &self,
        wish: Subscribe,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<Reply, StoreError> {
        // The message itself has paid for one of them.
        self.charge_channels(wish.channels.len().saturating_sub(1));
        let targets: Vec<_> = wish.channels.iter().cloned().map(Target::from).collect();
        let standings = self.standings(&targets).await?;
        if let Some(refusal) = self.refusal_of(&wish, &targets, &standings) {
            return Ok(refusal);
        }
        let start = self.start(wish.since.as_ref());
        let mut listed = Vec::with_capacity(targets.len());
        let mut new = Vec::new();
        for (target, standing) in targets.iter().zip(standings) {
            let was_there = self.rooms.contains(&target.channel);
            let wanted = (target, wish.types.as_ref());
            // Boxed, because it is large, and most requests are commands.
            let begin = Box::pin(self.subscribe_one(wanted, standing, &start, subscriber));
            let outcome = begin.await;
            new.extend((!was_there).then_some(&target.channel));
            match outcome {
                Ok(document) => {
                    let named = wish_in(wish.types.as_ref());
                    self.look(&target.channel, wish.presence.or(named));
                    listed.push(document);
                }
                Err(error) => {
                    for channel in new {
                        self.leave_channel(channel).await;
                    }
                    return match error {
                        JoinError::Unseen => Ok(not_heard(target, None)),
                        JoinError::TooManyUnused => Ok(too_many_unused("channels")),
                        JoinError::Subscribe(SubscribeError::Store(error)) => Err(error),
                        JoinError::Subscribe(_) => Ok(closing()),
                    };
                }
            }
        }
        let mut answer = JsonObject::default();
        answer.insert_list("channels", listed);
        Ok(Reply::done(answer))
    }

    /// Why the wish cannot be granted, as far as that is known before anything is done.
    fn refusal_of(
        &self,
        wish: &Subscribe,
        targets: &[Target],
        standings: &[Standing],
    ) -> Option<Reply> {
        let mut places = targets.iter().zip(standings);
        if let Some((target, _)) = places.find(|(_, standing)| !standing.sees()) {
            return Some(not_heard(target, self.rights().as_deref()));
        }
        if !self.rooms.has_place_for(&wish.channels) {
            return Some(self.too_many_rooms());
        }
        if wish.channels.len() > 1 && matches!(wish.since, Some(Since::Seq(_))) {
            let what = "must be a cursor if there are several channels";
            return Some(Reply::invalid("since", what));
        }
        if let Some(types) = &wish.types
            && !self.rooms.has_place_for_types(&wish.channels, types)
        {
            let what = "are too many on one connection";
            return Some(Reply::invalid("types", what));
        }
        None
    }

    fn start(&self, since: Option<&Since>) -> Start {
        match since {
            None => Start::Now,
            Some(Since::Seq(seq)) => Start::Seq(*seq),
            Some(Since::Cursor(text)) => match Cursor::parse(text, self.app.epoch()) {
                Err(error) => Start::Lost(error.reason()),
                Ok(cursor) => Start::Cursor(cursor),
            },
        }
    }

    async fn subscribe_one(
        &self,
        (target, types): (&Target, Option<&Types>),
        standing: Standing,
        start: &Start,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<JsonObject, JoinError> {
        let (joined, told) = if let Some(project) = &target.project {
            let begin = self.begin_project(project, types, standing, start, subscriber);
            begin.await?
        } else {
            let begin = self.begin_channel(target, types, standing, start, subscriber);
            begin.await?
        };
        let mut document = told.unwrap_or_default();
        document.insert("channel", target.channel.as_str());
        document.insert("seq", joined.head);
        let cursor = self.cursor_at(&target.channel, joined.channel_no, joined.head);
        document.insert("cursor", cursor);
        Ok(document)
    }

    /// From where on a channel is heard, unless that is lost.
    async fn position_in(
        &self,
        channel: &ChannelName,
        start: &Start,
    ) -> Result<From, SubscribeError> {
        Ok(match start {
            Start::Now | Start::Lost(_) => From::Now,
            Start::Seq(seq) => From::Seen(*seq),
            Start::Cursor(cursor) => {
                let seq = self.position_of(cursor, channel).await;
                let seq = seq.map_err(SubscribeError::Store)?;
                seq.map_or(From::Now, From::Seen)
            }
        })
    }

    async fn begin_project(
        &self,
        project: &ProjectId,
        types: Option<&Types>,
        standing: Standing,
        start: &Start,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<(Joined, Option<JsonObject>), JoinError> {
        let (from, lost) = if let Start::Lost(reason) = start {
            let state = self.reset(project, reason).await;
            let state = state.map_err(SubscribeError::Store)?;
            (From::After(seq_of(&state)), Some(state))
        } else {
            (self.position_in(&project.channel(), start).await?, None)
        };
        let followed = self.follow(project, types, subscriber, from, standing);
        let followed = followed.await?;
        Ok((followed.joined, followed.reset.or(lost)))
    }

    async fn begin_channel(
        &self,
        target: &Target,
        types: Option<&Types>,
        standing: Standing,
        start: &Start,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<(Joined, Option<JsonObject>), JoinError> {
        let (joined, continued) = if let Start::Lost(reason) = start {
            let lost = (Rest::Kept, (*reason).to_owned());
            self.follow_the_rest(target, types, subscriber, standing, lost)
                .await?
        } else {
            let from = self.position_in(&target.channel, start).await?;
            self.follow_channel(target, types, subscriber, from, standing)
                .await?
        };
        let told = continued.map(|reset| JsonObject::of(&reset));
        Ok((joined, told))
    }

    /// Subscribes to a channel that is no project's, from a position or else from what is kept.
    pub(super) async fn follow_channel(
        &self,
        target: &Target,
        types: Option<&Types>,
        subscriber: &Arc<dyn Subscriber>,
        from: From,
        standing: Standing,
    ) -> Result<(Joined, Option<ChannelReset>), JoinError> {
        let begun = self.subscribe(target, types, subscriber, from, standing);
        let reason = match begun.await {
            Err(JoinError::Subscribe(SubscribeError::OutOfRange(reason))) => reason,
            joined => return joined.map(|joined| (joined, None)),
        };
        // What was to follow an uncertain position is all that is kept: the client was cut off before it got any of it.
        let is_uncertain = matches!(from, From::Now | From::Seen(UNCERTAIN));
        let rest = match reason {
            OutOfRange::Ahead if !is_uncertain => Rest::None,
            OutOfRange::Ahead | OutOfRange::Pruned | OutOfRange::TooMany => Rest::Kept,
        };
        let reason = reason.to_string();
        self.follow_the_rest(target, types, subscriber, standing, (rest, reason))
            .await
    }

    /// Subscribes to what is left of a channel, and says why to no more.
    async fn follow_the_rest(
        &self,
        target: &Target,
        types: Option<&Types>,
        subscriber: &Arc<dyn Subscriber>,
        standing: Standing,
        (rest, reason): (Rest, String),
    ) -> Result<(Joined, Option<ChannelReset>), JoinError> {
        let mut continued = ChannelReset {
            channel: target.channel.to_string(),
            reset: True,
            reason,
            seq: 0,
        };
        let limit = self.app.config().replay_limit;
        let limit = Seq::try_from(limit).unwrap_or(Seq::MAX);
        loop {
            let found = self.app.store().channel_get(&target.channel).await;
            let found = found.map_err(SubscribeError::Store)?;
            continued.seq = found.map_or(0, |found| match rest {
                Rest::Kept => found.pruned_seq.max(found.seq.saturating_sub(limit)),
                Rest::None => found.seq,
            });
            let from = From::After(continued.seq);
            let begun = self.subscribe(target, types, subscriber, from, standing);
            match begun.await {
                // More was removed meanwhile.
                Err(JoinError::Subscribe(SubscribeError::OutOfRange(_))) => {}
                joined => return joined.map(|joined| (joined, Some(continued))),
            }
        }
    }

    /// Ends subscriptions.
    pub async fn unsubscribe_all(&self, channels: &[ChannelName]) -> Reply {
        let mut left = Vec::new();
        for channel in channels {
            if self.leave_channel(channel).await {
                left.push(channel.to_string());
            }
        }
        Reply::done(JsonObject::of(&UnsubscribeAnswer {
            done: Done::default(),
            noop: left.is_empty().then_some(True),
            channels: left,
        }))
    }

    /// Hands a publication to the writer.
    ///
    /// # Errors
    ///
    /// The refusal of a publication that the writer is not asked about.
    pub async fn publish(&self, publication: Publication) -> Result<Pending, Reply> {
        self.may_name(&publication).await?;
        self.publish_as_member(publication).await
    }

    /// Turns away who may not speak in the server's words on a project's channel: backends and admins may.
    async fn may_name(&self, publication: &Publication) -> Result<(), Reply> {
        let Some(project) = publication.channel.project() else {
            return Ok(());
        };
        if !publication.event_type.sounds_like_ours() {
            return Ok(());
        }
        let is_user = self
            .rights()
            .is_some_and(|identity| matches!(identity.holder, Holder::User { .. }));
        if !is_user {
            return Ok(());
        }
        let standing = self.standing(&project).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        if standing.has(Role::Admin) || !standing.sees() {
            return Ok(());
        }
        let message = "an event of this name takes an API key, or the role admin in the project";
        Err(Reply::refused(ErrorCode::Forbidden, message).with_field("type"))
    }

    /// Sends a message to clients that are connected now.
    fn send(&self, publication: Publication) -> Result<Pending, Reply> {
        publication.check_key()?;
        let (actor, origin) = (self.caller.actor.clone(), self.caller.connection);
        let bytes = publication.bytes();
        let message = DirectMessage::new(publication, actor, Some(origin), Clock.now());
        Ok(Pending {
            queue: DIRECT_QUEUE,
            bytes,
            answer: self.app.direct().send(message)?,
        })
    }

    /// Hands a client's message to the writer that is for the worker. Every client that is served may send one: the operator has
    /// named the channel, and the server says in the message who sent it.
    ///
    /// # Errors
    ///
    /// The refusal of the writer, whose queue is full.
    pub fn publish_to_worker(&self, publication: Publication) -> Result<Pending, Reply> {
        let (channel, writer) = (publication.channel.clone(), self.app.writer());
        Ok(Pending {
            queue: writer.queue_of(&channel),
            bytes: publication.bytes(),
            answer: writer.publish(channel, vec![publication], &self.caller, None)?,
        })
    }

    pub(super) async fn publish_as_member(
        &self,
        publication: Publication,
    ) -> Result<Pending, Reply> {
        let channel = publication.channel.clone();
        self.may_publish(&channel).await?;
        if channel.is_direct() {
            return self.send(publication);
        }
        let writer = self.app.writer();
        Ok(Pending {
            queue: writer.queue_of(&channel),
            bytes: publication.bytes(),
            answer: writer.publish(channel, vec![publication], &self.caller, self.rights())?,
        })
    }
}
