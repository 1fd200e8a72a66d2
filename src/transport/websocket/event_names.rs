//! The names of events in a subscription. Agents' and workflows' have short ones (`status` is `agent_status`), and what can
//! never come on a channel is refused by its name, instead of waited for.

use crate::contract::{Reply, ServerWord};
use crate::domain::{ChannelName, Family};

/// Where the names stand.
const FIELD: &str = "data.events";

/// The events of a family.
struct Events {
    /// What its channels are of.
    of: &'static str,
    /// What their types begin with.
    prefix: &'static str,
    /// Short names, and what they stand for without the prefix; the first one of each is the one that is told.
    short: &'static [(&'static str, &'static str)],
}

const AGENT: Events = Events {
    of: "an agent",
    prefix: "agent_",
    short: &[
        ("status", "status"),
        ("task_update", "task_update"),
        ("taskUpdate", "task_update"),
        ("task_updates", "task_update"),
        ("metrics", "metric"),
        ("metric", "metric"),
        ("log", "log"),
        ("logs", "log"),
        ("error", "error"),
        ("errors", "error"),
    ],
};

const WORKFLOW: Events = Events {
    of: "a workflow",
    prefix: "workflow_",
    short: &[
        ("started", "started"),
        ("step_complete", "step_complete"),
        ("stepComplete", "step_complete"),
        ("complete", "complete"),
        ("completed", "complete"),
        ("failed", "failed"),
    ],
};

impl Events {
    fn of(channel: &ChannelName) -> Option<&'static Self> {
        match channel.family() {
            Family::Agent(_) => Some(&AGENT),
            Family::Workflow(_) => Some(&WORKFLOW),
            _ => None,
        }
    }

    /// The type that is meant by a short name.
    fn find(&self, name: &str) -> Option<String> {
        let mut short = self.short.iter();
        let (_, end) = short.find(|(short, _)| *short == name)?;
        Some(format!("{}{end}", self.prefix))
    }

    /// Whether it is the whole name of one of them.
    fn has(&self, name: &str) -> bool {
        let end = name.strip_prefix(self.prefix);
        end.is_some_and(|end| self.short.iter().any(|(_, known)| *known == end))
    }

    /// The refusal of a name.
    fn refusal(&self, name: &str) -> Reply {
        let mut listed: Vec<&str> = Vec::new();
        let mut ends = Vec::new();
        for (short, end) in self.short {
            if !ends.contains(end) {
                ends.push(*end);
                listed.push(short);
            }
        }
        let what = format!(
            "has {}, which is no event of {}: there are {}",
            shown(name),
            self.of,
            listed.join(", ")
        );
        Reply::invalid(FIELD, what)
    }
}

/// The types that are meant by the names of a subscription to a channel. Where `is_by_id`, the client has named an agent
/// or a workflow and not a channel, and only the events are known that these have.
///
/// # Errors
///
/// The refusal of the first name that is unknown, or of what can never come on the channel.
pub(super) fn types(
    channel: &ChannelName,
    names: Vec<String>,
    is_by_id: bool,
) -> Result<Vec<String>, Reply> {
    if channel.is_project() || channel.is_list_of_projects() {
        return Ok(names);
    }
    let events = Events::of(channel);
    let mut types: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let found = events.and_then(|events| events.find(&name));
        let is_known = found.is_some() || events.is_some_and(|events| events.has(&name));
        let full = found.unwrap_or(name);
        match events {
            _ if is_known => {}
            Some(events) if is_by_id || others(events).has(&full) => {
                return Err(events.refusal(&full));
            }
            _ if ServerWord::is_meant(&full) => {
                let what = format!("has {}, which is never published", shown(&full));
                return Err(Reply::invalid(FIELD, what));
            }
            _ => {}
        }
        if !types.contains(&full) {
            types.push(full);
        }
    }
    Ok(types)
}

/// The family whose events never come on channels of this one.
fn others(events: &Events) -> &'static Events {
    if events.prefix == AGENT.prefix {
        &WORKFLOW
    } else {
        &AGENT
    }
}

fn shown(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(channel: &str, names: &[&str], is_by_id: bool) -> Result<Vec<String>, String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let types = types(&ChannelName::restore(channel), names, is_by_id);
        types.map_err(|reply| {
            assert_eq!(reply.field(), Some(FIELD));
            reply.message().to_owned()
        })
    }

    #[test]
    fn short_names_are_understood_and_told_once() {
        let names = [
            "status",
            "task_update",
            "metrics",
            "agent_metric",
            "log",
            "error",
        ];
        let types = [
            "agent_status",
            "agent_task_update",
            "agent_metric",
            "agent_log",
            "agent_error",
        ];
        for is_by_id in [true, false] {
            assert_eq!(of("agent:a", &names, is_by_id).unwrap(), types);
        }
        assert_eq!(of("agent:*", &["status"], false).unwrap(), types[..1]);
        let names = ["started", "step_complete", "complete", "workflow_failed"];
        let types = [
            "workflow_started",
            "workflow_step_complete",
            "workflow_complete",
            "workflow_failed",
        ];
        assert_eq!(of("workflow:w", &names, true).unwrap(), types);
        assert_eq!(of("session:s", &["status"], false).unwrap(), ["status"]);
    }

    #[test]
    fn what_can_never_come_is_refused_by_its_name() {
        for (channel, name, is_by_id) in [
            ("agent:a", "statuss", true),
            ("agent:a", "tdd_phase_change", true),
            ("agent:a", "workflow_started", true),
            ("agent:a", "workflow_started", false),
            ("agent:a", "pong", false),
            ("workflow:w", "agent_log", false),
            ("workflow:w", "status", true),
            ("session:s", "error", false),
        ] {
            let refusal = of(channel, &["log", name], is_by_id).unwrap_err();
            let is_named = refusal.contains(&format!("{name:?}"));
            // Of a workflow, what comes first is refused first.
            assert!(is_named || refusal.contains("\"log\""), "{refusal}");
        }
        let refusal = of("agent:a", &["bogus"], true).unwrap_err();
        let known = "there are status, task_update, metrics, log, error";
        assert!(refusal.ends_with(known), "{refusal}");
    }

    #[test]
    fn types_of_ones_own_may_be_subscribed_to_by_the_channel() {
        for (channel, name) in [
            ("agent:a", "agent_spawned"),
            ("agent:a", "tdd_phase_change"),
            ("ops", "system_alert"),
            ("project:p", "project:reset"),
        ] {
            assert_eq!(of(channel, &[name], false).unwrap(), [name], "{channel}");
        }
    }
}
