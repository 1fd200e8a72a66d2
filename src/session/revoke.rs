//! How somebody is turned out of a project.
//!
//! Nobody has to be told of it: the event by which somebody is removed stands in the project's own log, is delivered in
//! order on every instance, and is the first one that they do not hear.

use serde::Deserialize;
use serde_json::Value;

use super::Session;
use crate::contract::Document;
use crate::domain::{ChannelName, Event, EventType, Identity, Membership, Seq, Target, policy};

/// Why somebody cannot see a project any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// Removed from its members.
    Removed,
    /// A newer token does not give the role that an older one gave.
    Token,
}

impl Revoked {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Token => "token",
        }
    }
}

impl Session {
    /// Closes the room if the event turns the client out, before it can be told so. Whether the room is closed now.
    #[must_use]
    pub fn heed(&self, event: &Event) -> bool {
        if !event.event_type.is_about_members() {
            return false;
        }
        let Some(identity) = self.rights() else {
            return false;
        };
        let membership = membership_in(event, &identity);
        let project = self.rooms.project(&event.channel);
        if let (Some(membership), Some(project)) = (membership, project)
            && identity.role(&project, Some(membership)) < Some(policy::TO_SEE)
        {
            self.rooms.revoke(&event.channel, event.seq);
        }
        !self.rooms.contains(&event.channel)
    }

    /// What a client is told that was turned out of a channel, perhaps by an event of its log, and under which name.
    #[must_use]
    pub fn revoked(target: &Target, why: Revoked, seq: Option<Seq>) -> (EventType, Document) {
        let mut said = Document::default();
        let event_type = if let Some(project) = &target.project {
            said.insert("projectId", project.to_json());
            said.insert("room", target.channel.as_str());
            "project.access_revoked"
        } else {
            said.insert("channel", target.channel.as_str());
            "channel.access_revoked"
        };
        said.insert("reason", why.as_str());
        if let Some(seq) = seq {
            said.insert("seq", seq);
        }
        (EventType::known(event_type), said)
    }

    /// Leaves the room of a project that cannot be seen any more.
    pub fn expel(&self, channel: &ChannelName, why: Revoked) {
        tracing::info!(
            connection.id = %self.caller.connection,
            actor = self.caller.actor.as_str(),
            channel = %channel,
            reason = why.as_str(),
            "turned out"
        );
        self.let_go_of(channel);
    }

    /// Leaves a room for good.
    pub(super) fn let_go_of(&self, channel: &ChannelName) {
        if let Some(attendance) = self.rooms.forget(channel) {
            attendance.leave();
        }
    }
}

/// What an event of a project's log says of somebody's membership, if it is about that.
fn membership_in(event: &Event, identity: &Identity) -> Option<Membership> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        user_id: Value,
        role: Option<Value>,
    }
    let said: Said = serde_json::from_str(event.payload.get()).ok()?;
    if !policy::member_id(identity).is_named_by(&said.user_id) {
        return None;
    }
    // Of one who was removed, the role is what somebody said in passing.
    let role = said.role.filter(|_| !event.event_type.is_a_removal());
    Some(Membership {
        role: role.and_then(|role| role.as_str()?.parse().ok()),
        since: event.created_at,
    })
}
