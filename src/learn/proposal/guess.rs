//! What pages may listen to, guessed from what they send, when nobody says.

use super::super::listens::{Listen, Listens};
use super::super::words::{is_past, past, split};
use super::emits::Emit;
use super::names::{Purpose, is_passing};

/// The listens that most frontends have that send these events.
pub(super) fn listens(emits: &[Emit]) -> Listens {
    let mut names: Vec<String> = Vec::new();
    for emit in emits {
        match &emit.purpose {
            Purpose::Heartbeat => names.push("pong".to_owned()),
            Purpose::Join(_) | Purpose::Leave(_) | Purpose::Request => {
                names.extend(in_the_past(&emit.name));
            }
            Purpose::Identify | Purpose::Attend | Purpose::Ours => {}
            Purpose::Command(_) => names.extend(in_the_past(&emit.name)),
            Purpose::Tell => {
                names.push(emit.name.clone());
                if !is_passing(&emit.name) || split(&emit.name).len() > 1 {
                    names.extend(in_the_past(&emit.name));
                }
            }
        }
    }
    names.push("connected".to_owned());
    names.sort_unstable();
    names.dedup();
    let events = names.into_iter().map(|event| Listen {
        event,
        ..Listen::default()
    });
    Listens {
        events: events.collect(),
        ..Listens::default()
    }
}

/// The name with its verb in the past tense, spelled as it is: `card:move` and `card:moved`, `createTask` and `taskCreated`.
fn in_the_past(name: &str) -> Option<String> {
    const VERBS: [&str; 40] = [
        "create", "update", "delete", "restore", "move", "change", "start", "stop", "complete",
        "add", "remove", "edit", "toggle", "assign", "archive", "reorder", "new", "insert",
        "unassign", "join", "leave", "list", "send", "rename", "copy", "clone", "pin", "close",
        "open", "resolve", "react", "read", "invite", "accept", "decline", "save", "upload", "end",
        "begin", "load",
    ];
    let words = split(name);
    let at = words
        .iter()
        .position(|word| VERBS.contains(&word.as_str()) && !is_past(word))?;
    let verb = &words[at];
    let start = name.to_lowercase().find(verb.as_str())?;
    let end = start + verb.len();
    let (before, own, after) = (name.get(..start)?, name.get(start..end)?, name.get(end..)?);
    let is_capital = own.starts_with(char::is_uppercase);
    let told = past(verb);
    if before.is_empty() && !after.is_empty() {
        // A verb that stands first goes to the end.
        let separator = after.chars().next().filter(|char| !char.is_alphanumeric());
        if let Some(separator) = separator {
            let noun = after.trim_start_matches(separator);
            return Some(format!("{noun}{separator}{told}"));
        }
        let mut rest = after.chars();
        let first = rest.next()?.to_lowercase();
        return Some(format!("{first}{}{}", rest.as_str(), capital(&told)));
    }
    Some(format!(
        "{before}{}{after}",
        if is_capital { capital(&told) } else { told }
    ))
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_into_the_past_as_they_are_spelled() {
        for (name, expected) in [
            ("card:move", "card:moved"),
            ("task:status_change", "task:status_changed"),
            ("comment:new", "comment:added"),
            ("createTask", "taskCreated"),
            ("delete-task", "task-deleted"),
            ("taskUpdate", "taskUpdated"),
            ("join:project", "project:joined"),
            ("typing:stop", "typing:stopped"),
        ] {
            assert_eq!(in_the_past(name).as_deref(), Some(expected));
        }
        assert_eq!(in_the_past("task-created"), None);
        assert_eq!(in_the_past("chat"), None);
    }
}
