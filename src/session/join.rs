//! Joining and leaving projects.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Session;
use super::access::{Standing, unseen};
use super::read::{Listing, seq_of};
use crate::contract::schema::answer::{Done, LeaveAnswer};
use crate::contract::schema::event::RevokedReason;
use crate::contract::schema::types::True;
use crate::contract::{ErrorCode, Join, JsonObject, PresenceWish, Reply, Types};
use crate::domain::{ChannelName, Kind, ProjectId, Seq, Target};
use crate::hub::{From, Joined, SubscribeError, Subscriber};
use crate::store::StoreError;

/// Events in the answer to a join that asks for them; what comes after is delivered.
const JOIN_EVENTS: usize = 500;

/// Why a channel cannot be subscribed to.
#[derive(Debug)]
pub(super) enum JoinError {
    /// The client cannot see it.
    Unseen,
    /// It has no events yet, and the cursor has no room for its name.
    TooManyUnused,
    /// It cannot be subscribed to.
    Subscribe(SubscribeError),
}

impl<E: Into<SubscribeError>> std::convert::From<E> for JoinError {
    fn from(error: E) -> Self {
        Self::Subscribe(error.into())
    }
}

/// A subscription that was made.
pub(super) struct Followed {
    pub(super) joined: Joined,
    /// The state from which it starts, if not from where it was to.
    pub(super) reset: Option<JsonObject>,
}

impl Session {
    pub(super) async fn join(
        &self,
        join: Join,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<Reply, StoreError> {
        let target = Target::project(&join.project);
        let channel = target.channel.clone();
        self.set_unseen(&join.project, join.is_unseen);
        let mut standing = self.standing(&join.project).await?;
        if !standing.sees() {
            return Ok(unseen());
        }
        if !self.rooms.has_place_for(std::slice::from_ref(&channel)) {
            return Ok(self.too_many_rooms());
        }
        let mut answer = JsonObject::default();
        let mut from = match &join.since {
            None => From::Now,
            Some(since) => match self.position(since, &channel).await? {
                Ok(seq) => From::Seen(seq),
                Err(reason) => {
                    answer = self.reset(&join.project, reason).await?;
                    From::After(seq_of(&answer))
                }
            },
        };
        if join.snapshot && answer.is_empty() {
            let snapshot = self.snapshot(&join.project).await?;
            if from == From::Now {
                from = From::After(seq_of(&snapshot));
            }
            if seq_of(&snapshot) > standing.as_of {
                // The client may go on from before it, which says nothing about the state itself.
                standing = self.standing(&join.project).await?;
                if !standing.sees() {
                    return Ok(unseen());
                }
            }
            answer.nest("snapshot", &snapshot);
        }
        if join.events
            && let From::Seen(after) = from
            && let Ok(stretch) = self.events_after(&channel, after, JOIN_EVENTS).await?
            && stretch.missed(after) <= self.app.config().replay_limit as u64
        {
            let events = stretch.events;
            from = From::After(events.last().map_or(after, |event| event.seq));
            answer.insert_text("events", &self.listed(&events, Listing::Brief));
        }
        let wish = self.wish_of(&join);
        let followed = self.follow(&join.project, None, subscriber, from, standing);
        match followed.await {
            Ok(followed) => Ok(self.joined(&join, (&channel, wish), followed, answer)),
            Err(JoinError::Unseen) => Ok(unseen()),
            Err(JoinError::TooManyUnused) => Ok(too_many_unused(Kind::Project.id_key())),
            Err(JoinError::Subscribe(SubscribeError::Store(error))) => Err(error),
            Err(JoinError::Subscribe(SubscribeError::Closing | SubscribeError::OutOfRange(_))) => {
                Ok(closing())
            }
        }
    }

    /// Subscribes from a position; from the state now in place of events that cannot be had.
    pub(super) async fn follow(
        &self,
        project: &ProjectId,
        types: Option<&Types>,
        subscriber: &Arc<dyn Subscriber>,
        mut from: From,
        standing: Standing,
    ) -> Result<Followed, JoinError> {
        let mut reset = None;
        let target = Target::project(project);
        loop {
            let begin = self.subscribe(&target, types, subscriber, from, standing);
            match begin.await {
                Ok(joined) => return Ok(Followed { joined, reset }),
                Err(JoinError::Subscribe(SubscribeError::OutOfRange(reason))) => {
                    let state = self.reset(project, &reason.to_string()).await?;
                    let state = reset.insert(state);
                    from = From::After(seq_of(state));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Subscribes from a position. Nothing is delivered before it is certain that the client may be there as of it.
    pub(super) async fn subscribe(
        &self,
        target: &Target,
        types: Option<&Types>,
        subscriber: &Arc<dyn Subscriber>,
        from: From,
        standing: Standing,
    ) -> Result<Joined, JoinError> {
        let channel = &target.channel;
        let old = self.rooms.take_subscription(channel);
        if let Some(old) = &old {
            // Only then is it known how far the client was told.
            old.leave().await;
        }
        let for_ever = (standing.as_of == Seq::MAX).then_some(Seq::MAX);
        self.rooms.enter(target, types, for_ever);
        let from = match from {
            // Joining again changes nothing: the client goes on from where it is.
            From::Now => self.rooms.position(channel).map_or(from, From::After),
            From::After(seq) => {
                self.rooms.hold(channel, seq);
                from
            }
            From::Seen(seq) => {
                self.rooms.restart(channel, seq);
                from
            }
        };
        let hub = self.app.hub();
        // The old one lives on until then and keeps the feed, which need not read the log's head again.
        let result = hub.subscribe(channel, Arc::clone(subscriber), from).await;
        drop(old);
        let (subscription, joined) = match result {
            Ok(both) => both,
            Err(error) => {
                self.rooms.forget(channel);
                return Err(JoinError::Subscribe(error));
            }
        };
        let settled = self.rooms.settle(channel, subscription, joined, || {
            let project = target
                .project
                .as_ref()
                .filter(|project| self.attends && !self.is_unseen(project))?;
            let (presence, caller) = (self.app.presence(), &self.caller);
            let seen = self.seen_on_entering(project);
            Some(presence.enter(project, &caller.actor, caller.connection, seen))
        });
        if !settled {
            self.let_go_of(channel);
            return Err(JoinError::TooManyUnused);
        }
        self.vet(target, joined.position, standing).await?;
        Ok(joined)
    }

    /// Lets events through from a position on, unless the client was turned out before it.
    async fn vet(
        &self,
        target: &Target,
        position: Seq,
        mut standing: Standing,
    ) -> Result<(), JoinError> {
        let channel = &target.channel;
        if standing.as_of < position {
            let newer = self.standing_at(target).await;
            if newer.is_err() {
                self.rooms.forget(channel);
            }
            standing = newer?;
        }
        if standing.sees() && self.rooms.admit(channel, standing.as_of) {
            return Ok(());
        }
        self.expel(channel, RevokedReason::Removed);
        Err(JoinError::Unseen)
    }

    /// What a join says of presence events, itself or by the rule that made it.
    fn wish_of(&self, join: &Join) -> Option<PresenceWish> {
        let is_introduced = self.is_introduced(&join.project);
        let implied = is_introduced.then_some(PresenceWish::Implied);
        join.presence.or(implied)
    }

    fn joined(
        &self,
        join: &Join,
        (channel, wish): (&ChannelName, Option<PresenceWish>),
        followed: Followed,
        answer: JsonObject,
    ) -> Reply {
        self.look(channel, wish);
        let joined = followed.joined;
        let mut answer = followed.reset.unwrap_or(answer);
        answer.insert("room", channel.as_str());
        answer.insert("projectId", join.project.to_json());
        answer.insert("seq", joined.head);
        let cursor = self.cursor_at(channel, joined.channel_no, joined.head);
        answer.insert("cursor", cursor);
        let roster = self
            .app
            .presence()
            .roster(&join.project, &self.caller.actor);
        self.rooms.list(channel, roster.as_of);
        let people: Vec<&RawValue> = roster.people.iter().map(|person| &**person).collect();
        answer.insert_text("presence", &people);
        answer.insert("presenceCount", roster.count);
        Reply::done(answer)
    }

    pub(super) async fn leave(&self, project: &ProjectId) -> Reply {
        let channel = project.channel();
        let was_there = self.leave_channel(&channel).await;
        Reply::done(JsonObject::of(&LeaveAnswer {
            done: Done::default(),
            room: channel.to_string(),
            project_id: project.to_json(),
            noop: (!was_there).then_some(True),
        }))
    }

    /// Ends a subscription after all that was published before. Whether there was one.
    pub(super) async fn leave_channel(&self, channel: &ChannelName) -> bool {
        let left = self.rooms.exit(channel);
        let was_there = left.is_some();
        if let Some((subscription, attendance)) = left {
            subscription.leave().await;
            if let Some(attendance) = attendance {
                attendance.leave();
            }
        }
        self.let_go_of(channel);
        was_there
    }

    pub(super) fn too_many_rooms(&self) -> Reply {
        let max = self.rooms.max;
        let message = format!(
            "a connection can be in {max} projects and other channels at a time; leave one, or open another connection"
        );
        Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId")
    }
}

/// A channel without events stands in the cursor by its name, for which there is a limit of bytes.
pub(super) fn too_many_unused(field: &'static str) -> Reply {
    let message = "this connection is subscribed to too many channels without events: \
                   leave one, or open another connection";
    Reply::refused(ErrorCode::ValidationFailed, message).with_field(field)
}

pub(super) fn closing() -> Reply {
    Reply::refused(
        ErrorCode::Unavailable,
        "the server is shutting down; connect again",
    )
}
