//! The list of projects, a channel on which every change of a project, and of who belongs to it, is told once more: a client
//! hears of the projects that it can see.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use super::Session;
use super::access::Standing;
use super::revoke::membership_in;
use crate::contract::Reply;
use crate::domain::{
    ChannelName, EntityId, Event, Holder, Identity, Membership, ProjectId, Seq, Target, policy,
};
use crate::store::StoreError;
use crate::telemetry::causes;

/// How long to wait before a membership that could not be looked up is looked up again.
const RETRY: Duration = Duration::from_millis(500);
/// The number of events that a command leads to that makes a project: the project's and its owner's.
const FOUNDING_EVENTS: u8 = 2;
const CREATED: &str = "project.created";

/// What is being looked up for the next event of the list.
#[derive(Debug, Default, Clone)]
pub(super) struct Lookup(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// The event's seq; 0 if nothing was asked.
    seq: Seq,
    answer: Answer,
}

#[derive(Debug, Default, Clone, Copy)]
enum Answer {
    #[default]
    Awaited,
    /// What the project's list of members says.
    Known(Option<Membership>),
}

/// Whether a client hears an event.
enum Hears {
    Certainly(bool),
    /// If it can see the project, which takes a look at the members.
    IfSeen(ProjectId),
}

impl Session {
    /// Whether the client is told an event. Of those of the list it is told what is about projects that it can see, and what it
    /// does not hear on the project's own channel. `None` while that is looked up; what `done` gives is called afterwards.
    pub fn hears(
        &self,
        event: &Event,
        done: impl FnOnce() -> Box<dyn FnOnce() + Send>,
    ) -> Option<bool> {
        if !event.channel.is_list_of_projects() {
            return Some(true);
        }
        let rights = self.rights();
        match (self.hears_listed(event, rights.as_deref()), rights) {
            (Hears::Certainly(hears), _) => Some(hears),
            (Hears::IfSeen(project), Some(rights)) => {
                let mut asked = self.lookup.0.lock();
                match *asked {
                    Asked { seq, answer } if seq == event.seq => match answer {
                        Answer::Known(membership) => {
                            Some(rights.role(&project, membership) >= Some(policy::TO_SEE))
                        }
                        Answer::Awaited => None,
                    },
                    _ => {
                        *asked = Asked {
                            seq: event.seq,
                            answer: Answer::Awaited,
                        };
                        self.look_up(policy::member_id(&rights), project, event.seq, done());
                        None
                    }
                }
            }
            (Hears::IfSeen(_), None) => Some(true),
        }
    }

    fn look_up(
        &self,
        user: EntityId,
        project: ProjectId,
        seq: Seq,
        done: Box<dyn FnOnce() + Send>,
    ) {
        let (app, asked) = (self.app.clone(), self.lookup.clone());
        self.app.lifecycle().spawn_service(async move {
            let membership = loop {
                match app.memberships().get(user.clone(), project.clone()).await {
                    Ok(membership) => break membership,
                    // Nobody waits any more once the session has gone.
                    Err(_) if Arc::strong_count(&asked.0) == 1 => return,
                    Err(error) => {
                        tracing::warn!(error = %causes(&error), "cannot look up a membership");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            };
            *asked.0.lock() = Asked {
                seq,
                answer: Answer::Known(membership),
            };
            done();
        });
    }

    /// Whether an event waits for a membership.
    #[must_use]
    pub fn is_looking_up(&self) -> bool {
        let asked = self.lookup.0.lock();
        asked.seq > 0 && matches!(asked.answer, Answer::Awaited)
    }

    fn hears_listed(&self, event: &Event, rights: Option<&Identity>) -> Hears {
        let Some(project) = event.source.as_ref().and_then(ChannelName::project) else {
            return Hears::Certainly(false);
        };
        if self
            .rooms
            .tells(event.subject(), &event.event_type, seq_in_project(event))
        {
            return Hears::Certainly(false);
        }
        let is_about_members = event.event_type.is_about_members();
        let Some(rights) = rights else {
            return Hears::Certainly(!is_about_members);
        };
        if is_about_members {
            // Somebody's own: from then on they can see the project, or not any more.
            return Hears::Certainly(membership_in(event, rights).is_some());
        }
        let is_new = event.event_type.as_str() == CREATED;
        match rights.holder {
            Holder::Service { .. } => {
                Hears::Certainly(rights.role(&project, None) >= Some(policy::TO_SEE))
            }
            // It had no members but its founder.
            Holder::User { .. } if is_new && rights.grants.role(&project).is_none() => {
                Hears::Certainly(event.actor == rights.actor)
            }
            Holder::User { .. } => Hears::IfSeen(project),
        }
    }

    /// Those of the list's events that the client hears.
    pub(super) async fn heard_of(
        &self,
        events: &[Arc<Event>],
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let rights = self.rights();
        let hears = events
            .iter()
            .map(|event| self.hears_listed(event, rights.as_deref()));
        let hears: Vec<_> = hears.collect();
        let targets = hears.iter().filter_map(|hears| match hears {
            Hears::IfSeen(project) => Some(Target::project(project)),
            Hears::Certainly(_) => None,
        });
        let targets: Vec<_> = targets.collect();
        let mut standings = self.standings(&targets).await?.into_iter();
        let told = events.iter().zip(hears).filter(|(_, hears)| match hears {
            Hears::Certainly(hears) => *hears,
            Hears::IfSeen(_) => standings.next().is_some_and(Standing::sees),
        });
        Ok(told.map(|(event, _)| Arc::clone(event)).collect())
    }

    /// The event by which a command has made a project, for its sender, who may not be in the new project's room.
    pub async fn founding(&self, project: &ProjectId, reply: &Reply) -> Option<Arc<Event>> {
        let is_first = |key| reply.get(key).is_none();
        if !(reply.is_ok() && is_first("noop") && is_first("duplicate")) {
            return None;
        }
        let channel = project.channel();
        let hears = |channel| self.rooms.contains(channel);
        if hears(&channel) || hears(&ChannelName::list_of_projects()) {
            return None;
        }
        let after = reply.get("seq")?.as_i64()? - Seq::from(FOUNDING_EVENTS);
        let events = self.events_after(&channel, after.max(0), FOUNDING_EVENTS.into());
        let events = events.await.ok()?.ok()?.events;
        let mut events = events.into_iter();
        events.rfind(|event| event.event_type.as_str() == CREATED)
    }
}

/// The place of an event of the list in its project's log.
fn seq_in_project(event: &Event) -> Seq {
    #[derive(Deserialize)]
    struct Placed {
        seq: Seq,
    }
    let placed = serde_json::from_str(event.payload.get());
    placed.map_or(Seq::MAX, |Placed { seq }| seq)
}
