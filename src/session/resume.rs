//! Going on where a client was when its connection ended.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Session;
use super::access::Standing;
use super::join::JoinError;
use super::looking::wish_in;
use super::read::seq_of;
use crate::contract::schema::event::{ChannelReset, RevokedReason, SessionReset};
use crate::contract::schema::types::True;
use crate::contract::{ChannelRef, Cursor, JsonObject, Position, UNKNOWN_CHANNELS};
use crate::domain::{ChannelName, EventType, ProjectId, Target};
use crate::hub::{From, OutOfRange, SubscribeError, Subscriber};

/// What became of a cursor with which a client came back.
#[derive(Debug, Default)]
pub struct Resumed {
    /// The channels that it is subscribed to again.
    pub channels: Vec<ChannelName>,
    /// What it is to be told before anything else, in place of events that it does not get.
    pub resets: Vec<Reset>,
}

/// Why a client does not get all that it missed.
#[derive(Debug)]
pub enum Reset {
    /// It is not known what it missed.
    Session(JsonObject),
    /// What it missed of a project cannot be had.
    Project {
        /// The project.
        project: ProjectId,
        /// Why.
        reason: OutOfRange,
    },
    /// Of another channel there are not all events that it missed.
    Channel {
        /// The channel.
        channel: ChannelName,
        /// What the client is told.
        said: ChannelReset,
    },
    /// The client was turned out of a project.
    Revoked(ProjectId),
}

impl Resumed {
    fn lost(&mut self, reason: &str) {
        let said = SessionReset {
            reset: True,
            reason: reason.to_owned(),
        };
        self.resets.insert(0, Reset::Session(JsonObject::of(&said)));
    }
}

impl Session {
    /// Joins everything that a cursor covers, as the client itself would, each from where the client was.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be found out now what the client missed. The session is of no use then.
    pub async fn resume(
        &self,
        cursor: &str,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<Resumed, SubscribeError> {
        let mut resumed = Resumed::default();
        let cursor = match Cursor::parse(cursor, self.app.epoch()) {
            Ok(cursor) => cursor,
            Err(error) => {
                resumed.lost(error.reason());
                return Ok(resumed);
            }
        };
        self.charge_channels(cursor.positions().len().saturating_sub(1));
        let (rooms, positions): (Vec<_>, Vec<_>) = self.places(&cursor).await?.into_iter().unzip();
        if rooms.len() > self.rooms.max {
            resumed.lost("the cursor is of more channels than a connection may be in");
            return Ok(resumed);
        }
        let standings = self.standings(&rooms).await?;
        // Of a project that the client never could see it learns nothing, not even that it is there.
        let is_known = |standing: &Standing| standing.sees() || standing.was_member();
        if standings
            .iter()
            .filter(|standing| is_known(standing))
            .count()
            < cursor.positions().len()
        {
            resumed.lost(UNKNOWN_CHANNELS);
        }
        let joins = rooms.iter().zip(positions).zip(standings);
        let joins = joins.filter(|(_, standing)| is_known(standing)).map(
            |((target, position), standing)| {
                self.resume_room(target, position, standing, subscriber)
            },
        );
        for (channel, reset) in try_join_all(joins).await? {
            resumed.channels.extend(channel);
            resumed.resets.extend(reset);
        }
        Ok(resumed)
    }

    /// The channels of a cursor that exist, or may come to exist, each once.
    async fn places<'a>(
        &self,
        cursor: &'a Cursor,
    ) -> Result<Vec<(Target, &'a Position)>, SubscribeError> {
        let (mut numbers, mut names) = (Vec::new(), Vec::new());
        for position in cursor.positions() {
            match &position.channel {
                ChannelRef::Number(no) => numbers.push(*no),
                ChannelRef::Name(name) => names.push(name.clone()),
            }
        }
        // What was without events may have some now. Whether a project's id is a number is known by its number alone.
        let born = self.app.store().channel_heads(&names).await?;
        let born: HashMap<_, _> = born
            .into_iter()
            .map(|found| (found.name, found.no))
            .collect();
        numbers.extend(born.values());
        let targets = self.app.channels().targets(&numbers).await?;
        let mut seen = HashSet::new();
        let positions = cursor.positions().iter().filter_map(|position| {
            let target = match &position.channel {
                ChannelRef::Number(no) => targets.get(no)?.clone(),
                ChannelRef::Name(name) => {
                    let known = born.get(name).and_then(|no| targets.get(no)).cloned();
                    known.unwrap_or_else(|| Target::from(name.clone()))
                }
            };
            seen.insert(target.channel.clone())
                .then_some((target, position))
        });
        Ok(positions.collect())
    }

    async fn resume_room(
        &self,
        target: &Target,
        position: &Position,
        standing: Standing,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<(Option<ChannelName>, Option<Reset>), SubscribeError> {
        let (seq, types) = (position.seq, position.types.as_ref());
        if let Some(project) = &target.project {
            self.set_unseen_on_return(project);
        }
        let from = |from| self.subscribe(target, types, subscriber, from, standing);
        let resumed = async {
            if !standing.sees() {
                return Err(JoinError::Unseen);
            }
            let Some(project) = target.project.clone() else {
                let at = From::Seen(seq);
                let (_, continued) = self
                    .follow_channel(target, types, subscriber, at, standing)
                    .await?;
                return Ok(continued.map(|said| Reset::Channel {
                    channel: target.channel.clone(),
                    said,
                }));
            };
            match from(From::Seen(seq)).await {
                Err(JoinError::Subscribe(SubscribeError::OutOfRange(reason))) => {
                    // It is there already, for others to see. From where on it is told is not known yet.
                    from(From::Now).await?;
                    Ok(Some(Reset::Project { project, reason }))
                }
                joined => joined.map(|_| None),
            }
        };
        match (resumed.await, &target.project) {
            (Ok(reset), _) => {
                self.look(&target.channel, position.presence.or(wish_in(types)));
                Ok((Some(target.channel.clone()), reset))
            }
            (Err(JoinError::Unseen), Some(project)) => {
                Ok((None, Some(Reset::Revoked(project.clone()))))
            }
            (Err(JoinError::Unseen), None) | (Err(JoinError::TooManyUnused), _) => Ok((None, None)),
            (Err(JoinError::Subscribe(error)), _) => Err(error),
        }
    }

    /// What a client is told of a reset, and in which event: of a project its state now, after which events follow. It is
    /// not read before it is its turn, because the state of all rooms of a client may be more than fits into memory.
    ///
    /// # Errors
    ///
    /// Fails when the state cannot be read. The session is of no use then.
    pub async fn start_over(
        &self,
        reset: &Reset,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<(EventType, JsonObject), SubscribeError> {
        let revoked =
            |project| Self::revoked(&Target::project(project), RevokedReason::Removed, None);
        let (project, reason) = match reset {
            Reset::Session(said) => return Ok((EventType::known("session.reset"), said.clone())),
            Reset::Revoked(project) => {
                return Ok(revoked(project));
            }
            Reset::Channel { channel, said } => {
                self.rooms.release(channel);
                return Ok((EventType::known("channel.reset"), JsonObject::of(said)));
            }
            Reset::Project { project, reason } => (project, reason.to_string()),
        };
        match self.start_project_over(project, &reason, subscriber).await {
            Ok(state) => Ok((EventType::known("project.reset"), state)),
            Err(JoinError::Unseen) => Ok(revoked(project)),
            Err(JoinError::TooManyUnused) => Err(SubscribeError::Closing),
            Err(JoinError::Subscribe(error)) => Err(error),
        }
    }

    async fn start_project_over(
        &self,
        project: &ProjectId,
        reason: &str,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<JsonObject, JoinError> {
        let standing = self.standing(project).await?;
        if !standing.sees() {
            self.expel(&project.channel(), RevokedReason::Removed);
            return Err(JoinError::Unseen);
        }
        let state = self.reset(project, reason).await?;
        let from = From::After(seq_of(&state));
        let types = self.rooms.types(&project.channel());
        let followed = self.follow(project, types.as_ref(), subscriber, from, standing);
        let followed = followed.await?;
        // Nothing at all is told before the resets are.
        self.rooms.release(&project.channel());
        let mut state = followed.reset.unwrap_or(state);
        state.insert("room", project.channel().as_str());
        Ok(state)
    }
}
