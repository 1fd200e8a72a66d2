//! How somebody is turned out of a project.
//!
//! Nobody has to be told of it: the event by which somebody is removed stands in the project's own log, is delivered in
//! order on every instance, and is the first one that they do not hear.

use serde::Deserialize;
use serde_json::Value;

use super::Session;
use crate::contract::JsonObject;
use crate::contract::schema::event::{AccessRevoked, ChannelRevoked, RevokedReason};
use crate::domain::{ChannelName, Event, EventType, Identity, Membership, Seq, Target, policy};

impl Session {
    /// Closes the room if the event turns the client out, before it can be told so. Whether the room is closed now.
    #[must_use]
    pub fn apply_membership(&self, event: &Event) -> bool {
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
    pub fn revoked(
        target: &Target,
        why: RevokedReason,
        seq: Option<Seq>,
    ) -> (EventType, JsonObject) {
        let name = target.channel.to_string();
        let Some(project) = &target.project else {
            let said = ChannelRevoked {
                channel: name,
                reason: why,
                seq,
            };
            let event_type = EventType::known("channel.access_revoked");
            return (event_type, JsonObject::of(&said));
        };
        let said = AccessRevoked {
            project_id: project.to_json(),
            room: name,
            reason: why,
            seq,
        };
        let event_type = EventType::known("project.access_revoked");
        (event_type, JsonObject::of(&said))
    }

    /// Leaves the room of a project that cannot be seen any more.
    pub fn expel(&self, channel: &ChannelName, why: RevokedReason) {
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
pub(super) fn membership_in(event: &Event, identity: &Identity) -> Option<Membership> {
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
