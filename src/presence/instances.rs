//! Which other instances are alive: those that were heard of lately, while they could be heard.
//!
//! Pure: it is told the time, and whether the broker is up. Nobody is taken for dead over a silence that may be our
//! own: after the broker was down, or this process stood still, everybody gets the full time again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::InstanceId;

/// How often an instance says that it is alive.
pub(crate) const BEAT: Duration = Duration::from_millis(500);
/// Who is not heard of for so long is dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// A look that comes so long after the last one shows that this process stood still.
const STANDSTILL: Duration = Duration::from_secs(2);
/// Instances that one knows; more are ignored.
const MAX_INSTANCES: usize = 1024;

/// The instances of a deployment, as one of them sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cluster {
    /// How many are alive, this one included.
    pub instances: usize,
    /// The clients that are connected to them.
    pub connections: usize,
}

#[derive(Debug)]
struct Member {
    heard: Instant,
    connections: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Members {
    others: HashMap<InstanceId, Member>,
    /// When they were last looked at while the broker was up.
    looked: Option<Instant>,
}

impl Members {
    /// Notes a sign of life. Whether its sender is one of the members.
    pub(crate) fn hear(&mut self, from: &InstanceId, now: Instant) -> bool {
        if let Some(member) = self.others.get_mut(from) {
            member.heard = now;
            return true;
        }
        let has_place = self.others.len() < MAX_INSTANCES;
        if has_place {
            tracing::info!(instance.id = %from, "met another instance");
            let member = Member {
                heard: now,
                connections: 0,
            };
            self.others.insert(from.clone(), member);
        }
        has_place
    }

    /// Notes how many clients a member has.
    pub(crate) fn count(&mut self, member: &InstanceId, connections: usize) {
        if let Some(member) = self.others.get_mut(member) {
            member.connections = connections;
        }
    }

    /// Removes those who are dead. To be called at every beat, and when the broker comes or goes.
    pub(crate) fn look(&mut self, now: Instant, up: bool) -> Vec<InstanceId> {
        let last = self.looked.take();
        self.looked = up.then_some(now);
        let listening = last.is_some_and(|last| now.duration_since(last) < STANDSTILL);
        if !up || !listening {
            for member in self.others.values_mut() {
                member.heard = now;
            }
            return Vec::new();
        }
        let is_dead = |_: &InstanceId, member: &mut Member| {
            now.saturating_duration_since(member.heard) >= PATIENCE
        };
        let dead: Vec<_> = self.others.extract_if(is_dead).map(|(id, _)| id).collect();
        for instance in &dead {
            tracing::warn!(instance.id = %instance, "an instance is not heard of any more");
        }
        dead
    }

    /// The others that are alive.
    pub(crate) fn others(&self) -> Vec<InstanceId> {
        self.others.keys().cloned().collect()
    }

    /// What is known of all, this one with so many clients included.
    pub(crate) fn cluster(&self, own_connections: usize) -> Cluster {
        let others = self.others.values().map(|member| member.connections);
        Cluster {
            instances: self.others.len() + 1,
            connections: own_connections.saturating_add(others.fold(0, usize::saturating_add)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at every beat for so long; who was found dead.
    fn watch(members: &mut Members, now: &mut Instant, time: Duration, up: bool) -> usize {
        let end = *now + time;
        let mut dead = 0;
        while *now < end {
            *now += BEAT;
            dead += members.look(*now, up).len();
        }
        dead
    }

    #[test]
    fn silence_counts_only_while_others_could_be_heard() {
        let (mut members, mut now) = (Members::default(), Instant::now());
        members.look(now, true);
        assert!(members.hear(&InstanceId::restore("b"), now));
        members.count(&InstanceId::restore("b"), 4);
        assert_eq!(watch(&mut members, &mut now, PATIENCE / 2, true), 0);
        assert_eq!(watch(&mut members, &mut now, 4 * PATIENCE, false), 0);
        assert_eq!(watch(&mut members, &mut now, PATIENCE, true), 0);
        let both = Cluster {
            instances: 2,
            connections: 7,
        };
        assert_eq!(members.cluster(3), both);
        now += 4 * PATIENCE; // This process stands still.
        assert_eq!(watch(&mut members, &mut now, PATIENCE, true), 0);
        assert_eq!(watch(&mut members, &mut now, BEAT, true), 1);
        assert_eq!(members.cluster(3).instances, 1);
    }
}
