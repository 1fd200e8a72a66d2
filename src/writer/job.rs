//! Work that waits for its transaction: a command, a publication, a step of a cascade; and its caller.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Caller;
use crate::contract::{Publication, Reply};
use crate::domain::{CascadeKey, ChannelName, Command, Identity, Kind, ProjectId};

/// The key under which the answer to a step says how many tasks are left.
pub(super) const LEFT: &str = "left";

/// What is to be committed.
#[derive(Debug)]
pub(super) enum Work {
    /// A change of a project.
    Command {
        command: Box<Command>,
        /// The scoped idempotency key and the command's fingerprint.
        key: Option<StoredKey>,
    },
    /// What is published on a channel: all of it, or nothing.
    Publish {
        channel: ChannelName,
        /// Each perhaps with its scoped key.
        publications: Vec<(Publication, Option<StoredKey>)>,
    },
    /// The next tasks of a cascade.
    Step(CascadeKey),
}

impl Work {
    /// The channel whose log it goes to.
    pub(super) fn channel(&self) -> ChannelName {
        match self {
            Self::Command { command, .. } => command.project.channel(),
            Self::Publish { channel, .. } => channel.clone(),
            Self::Step(key) => key.project.channel(),
        }
    }

    /// The other channel to which its events may go as well.
    pub(super) fn other_channel(&self) -> Option<ChannelName> {
        match self {
            Self::Command { command, .. } => {
                let (kind, _) = command.subject();
                let is_listed = matches!(kind, Kind::Project | Kind::Member);
                is_listed.then(ChannelName::list_of_projects)
            }
            Self::Publish { channel, .. } => channel.of_all(),
            Self::Step(_) => None,
        }
    }

    /// Whether something must be loaded for it alone.
    pub(super) fn needs_more(&self) -> bool {
        match self {
            Self::Command { command, .. } => command.needs_more(),
            Self::Publish { .. } => false,
            Self::Step(_) => true,
        }
    }

    /// What it is called in the log.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Command { command, .. } => command.name(),
            Self::Publish { .. } => "publish".to_owned(),
            Self::Step(key) => format!("step of {}", key.reference.field()),
        }
    }

    /// The keys under which it may have been done before.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let (key, publications): (_, &[_]) = match self {
            Self::Command { key, .. } => (key.as_ref(), &[]),
            Self::Publish { publications, .. } => (None, publications),
            Self::Step(_) => (None, &[]),
        };
        let keys = publications.iter().filter_map(|(_, key)| key.as_ref());
        key.into_iter().chain(keys).map(|(key, _)| key.as_str())
    }
}

/// A scoped idempotency key, and what tells the same request from another one under it.
pub(super) type StoredKey = (String, i64);

/// Work on its way to the store.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    /// The channel whose log it goes to.
    pub(super) channel: ChannelName,
    /// The other channel to which its events may go as well.
    pub(super) other_channel: Option<ChannelName>,
    /// Whether something must be loaded for it alone.
    pub(super) needs_more: bool,
    pub(super) caller: Caller,
    /// Whose rights it is judged by; without one everything is allowed.
    pub(super) identity: Option<Arc<Identity>>,
    /// The size of its packet, and its share of what may wait at all.
    pub(super) bytes: usize,
    pub(super) _share: OwnedSemaphorePermit,
    pub(super) reply: oneshot::Sender<Reply>,
}

impl Job {
    /// The project whose entities it touches.
    pub(super) fn project(&self) -> Option<ProjectId> {
        match &self.work {
            Work::Command { command, .. } => Some(command.project.clone()),
            Work::Publish { channel, .. } => channel.project(),
            Work::Step(_) => None,
        }
    }

    /// Sends the answer to who has asked.
    pub(super) fn answer(self, reply: Reply) {
        let Self {
            channel,
            reply: sender,
            ..
        } = self;
        if sender.send(reply).is_err() {
            tracing::debug!(%channel, "the asker has gone; its command is done all the same");
        }
    }
}
