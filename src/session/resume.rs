//! Going on where a client was when its connection ended.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Session;
use super::join::seq_of;
use crate::contract::{Cursor, Document};
use crate::domain::{ChannelName, ProjectId, Seq};
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
    Session(Document),
    /// What it missed of a project cannot be had.
    Project {
        /// The project.
        project: ProjectId,
        /// Why.
        reason: OutOfRange,
    },
}

impl Resumed {
    fn lost(&mut self, reason: &str) {
        let mut said = Document::default();
        said.insert("reset", true);
        said.insert("reason", reason);
        self.resets.insert(0, Reset::Session(said));
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
        let Ok(cursor) = Cursor::parse(cursor) else {
            resumed.lost("the cursor is malformed");
            return Ok(resumed);
        };
        if cursor.epoch() != self.app.epoch() {
            resumed.lost("the cursor is of another database");
            return Ok(resumed);
        }
        let numbers: Vec<_> = cursor.positions().iter().map(|(no, _)| *no).collect();
        let projects = self.app.channels().projects(&numbers).await;
        let projects = projects.map_err(SubscribeError::Store)?;
        let rooms = cursor.positions().iter();
        let rooms: Vec<_> = rooms
            .filter_map(|(no, seq)| Some((projects.get(no)?, *seq)))
            .collect();
        if rooms.len() < numbers.len() {
            resumed.lost("the cursor is of channels that do not exist");
        }
        let joins = rooms
            .iter()
            .map(|(project, seq)| self.resume_project(project, *seq, subscriber));
        for (channel, reset) in try_join_all(joins).await? {
            resumed.channels.push(channel);
            resumed.resets.extend(reset);
        }
        Ok(resumed)
    }

    async fn resume_project(
        &self,
        project: &ProjectId,
        seq: Seq,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<(ChannelName, Option<Reset>), SubscribeError> {
        let reset = match self.subscribe(project, subscriber, From::Seen(seq)).await {
            Ok(_) => None,
            Err(SubscribeError::OutOfRange(reason)) => {
                // It is there already, for others to see. From where on it is told is not known yet.
                self.subscribe(project, subscriber, From::Now).await?;
                let project = project.clone();
                Some(Reset::Project { project, reason })
            }
            Err(error) => return Err(error),
        };
        Ok((project.channel(), reset))
    }

    /// What a client is told of a reset: of a project its state now, after which events follow. It is not read before it
    /// is its turn, because the state of all rooms of a client may be more than fits into memory.
    ///
    /// # Errors
    ///
    /// Fails when the state cannot be read. The session is of no use then.
    pub async fn start_over(
        &self,
        reset: &Reset,
        subscriber: &Arc<dyn Subscriber>,
    ) -> Result<Document, SubscribeError> {
        let (project, reason) = match reset {
            Reset::Session(said) => return Ok(said.clone()),
            Reset::Project { project, reason } => (project, reason.to_string()),
        };
        let state = self.reset(project, &reason).await;
        let state = state.map_err(SubscribeError::Store)?;
        let from = From::After(seq_of(&state));
        let followed = self.follow(project, subscriber, from).await?;
        // Nothing at all is told before the resets are.
        self.rooms.release(&project.channel());
        let mut state = followed.reset.unwrap_or(state);
        state.insert("room", project.channel().as_str());
        Ok(state)
    }
}
