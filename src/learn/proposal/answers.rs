//! What the server says of its own accord, as a page reads it: who is there, greetings, refusals, states.

use super::super::listens::Need;
use super::super::shape::Shape;
use super::super::words::{has, is_one_of, plural, singular, split};
use super::names::PEOPLE;
use super::needs::{Filled, by_key, fill, holds, somebody, special};
use super::relayed::{from_scalar, from_sent};
use super::value::Toml;

/// What a page reads of who came, went or is there.
pub(super) fn present(needs: &[Need], is_gone: bool, tells_one: bool) -> Filled {
    if needs.contains(&Need::List) {
        let data = Some(Toml::text("$presence.users"));
        return Filled {
            data,
            missing: Vec::new(),
        };
    }
    let mut keys = by_key(needs);
    if keys.is_empty() {
        return Filled {
            data: Some(if tells_one {
                Toml::table([
                    ("userId", Toml::text("$user.id")),
                    ("userName", Toml::text("$user.name ?? $user.id")),
                    ("socketId", Toml::text("$socket.id")),
                ])
            } else {
                Toml::table([
                    ("users", Toml::text("$presence.users")),
                    ("count", Toml::text("$presence.count")),
                ])
            }),
            missing: Vec::new(),
        };
    }
    if tells_one {
        // What a handler reads is seldom all that it passes on.
        for key in ["userId", "userName", "socketId"] {
            keys.entry(key.to_owned()).or_default();
        }
    }
    fill(&keys, None, |key, rest| {
        let words = split(key);
        let last = words.last()?.as_str();
        let is_list =
            singular(last) != last || matches!(last, "list" | "presence" | "people" | "online");
        Some(match last {
            "count" | "total" | "size" => Toml::text("$presence.count"),
            "status" if is_gone => Toml::text("offline"),
            "status" => Toml::text("online"),
            "online" | "connected" if rest.is_empty() && tells_one => Toml::Flag(!is_gone),
            "status_" => return None,
            "id" if words.len() == 1 => Toml::text("$user.id"),
            "name" if words.len() == 1 => Toml::text("$user.name ?? $user.id"),
            _ if is_list && !has(key, &["status"]) => Toml::text("$presence.users"),
            _ if rest.is_empty() => Toml::text(special(key)?),
            _ => somebody(rest),
        })
    })
}

/// Whether what is read of somebody's coming is about that one, and not about all.
pub(super) fn tells_one(needs: &[Need], name: &str) -> bool {
    if needs.contains(&Need::List) {
        return false;
    }
    let keys = by_key(needs);
    if keys.is_empty() {
        return !has(name, &["count", "list", "active"])
            && !split(name)
                .iter()
                .any(|word| plural(word) == *word && is_one_of(word, &PEOPLE));
    }
    keys.keys().any(|key| {
        special(key).is_some_and(|value| value.starts_with("$user") || value.starts_with("$socket"))
    })
}

/// What a page reads of one that is present, in a list of all.
pub(super) fn person(needs: &[Need]) -> Vec<(String, Toml)> {
    let keys = needs.iter().filter_map(|need| match need {
        Need::Path(path) => {
            let at = path.iter().position(|key| key.parse::<usize>().is_ok())?;
            path.get(at + 1)
        }
        _ => None,
    });
    keys.map(|key| (key.clone(), Toml::text(of_person(key))))
        .collect()
}

/// A key of somebody who is present.
pub(super) fn of_person(key: &str) -> String {
    match special(key) {
        Some("$socket.id") => "$it.connectionId".to_owned(),
        Some("$user.id") => "$it.userId".to_owned(),
        Some("$user.image") => format!("$it.{key} ?? $it.image"),
        _ if matches!(key, "id" | "_id") => "$it.userId".to_owned(),
        Some(_) => format!("$it.{key} ?? $it.name ?? $it.userId"),
        None => format!("$it.{key}"),
    }
}

/// What a page reads of a greeting, or of the answer to one.
pub(super) fn greeting(needs: &[Need], sent: Option<&Shape>) -> Filled {
    let keys = by_key(needs);
    if keys.is_empty() {
        return Filled {
            data: Some(Toml::table([
                ("userId", Toml::text("$user.id")),
                ("socketId", Toml::text("$socket.id")),
                ("timestamp", Toml::text("$now")),
            ])),
            missing: Vec::new(),
        };
    }
    fill(&keys, None, |key, rest| {
        if let Some(sent) = sent.filter(|sent| holds(sent, key, rest) && **sent != Shape::Any) {
            return sent.get(key).map(|_| Toml::text(format!("$data.{key}")));
        }
        Some(match split(key).last()?.as_str() {
            _ if has(key, &["uptime"]) => Toml::text("$server.uptime"),
            "users" | "clients" | "connections" | "count" | "online" if key != "online" => {
                Toml::text("$server.connections")
            }
            "time" | "at" | "date" if has(key, &["start"]) => Toml::text("$server.startedAt"),
            "online" | "connected" | "ok" | "success" | "authenticated" => Toml::Flag(true),
            "status" | "message" | "state" => Toml::text("connected"),
            "id" if key == "id" => Toml::text("$socket.id"),
            _ if !rest.is_empty() => somebody(rest),
            _ => Toml::text(special(key)?),
        })
    })
}

/// What a page reads of a refusal.
pub(super) fn refusal(needs: &[Need], name: &str, sent: Option<&Shape>) -> Filled {
    let base = Toml::table([
        ("message", Toml::text("$error.message ?? $error.error")),
        ("code", Toml::text("$error.code")),
    ]);
    if needs.contains(&Need::Text) {
        return Filled {
            data: Some(Toml::text("$error.message ?? $error.error")),
            missing: Vec::new(),
        };
    }
    let keys = by_key(needs);
    let mut filled = fill(&keys, Some(base.clone()), |key, rest| {
        Some(match key {
            "error" if !rest.is_empty() => base.clone(),
            "error" | "message" | "reason" | "msg" => Toml::text("$error.message ?? $error.error"),
            "code" | "type" => Toml::text("$error.code"),
            "field" => Toml::text("$error.field"),
            key => match sent {
                Some(sent @ Shape::Object(_)) if !holds(sent, key, rest) => {
                    from_sent(key, rest, sent)?
                }
                Some(Shape::Object(_)) => Toml::text(format!("$data.{key}")),
                _ => from_scalar(key, rest, (name, sent))?,
            },
        })
    });
    filled.data = filled.data.or(Some(base));
    filled
}

/// What a page reads of a state.
pub(super) fn state(needs: &[Need], name: &str, kinds: &[String]) -> Filled {
    let own = || split(name).iter().find_map(|word| of_state(word, kinds));
    if needs.contains(&Need::List) {
        return Filled {
            data: Some(own().unwrap_or(Toml::text("$state.tasks"))),
            missing: Vec::new(),
        };
    }
    let keys = by_key(needs);
    if keys.is_empty() {
        return Filled {
            data: Some(Toml::table([
                ("project", Toml::text("$state.project")),
                ("tasks", Toml::text("$state.tasks")),
            ])),
            missing: Vec::new(),
        };
    }
    let mut filled = fill(&keys, None, |key, _| {
        of_state(key, kinds).or_else(|| special(key).map(Toml::text))
    });
    for key in &filled.missing {
        // A page that goes through a list needs one.
        let data = filled.data.take().unwrap_or(Toml::Table(Vec::new()));
        filled.data = Some(data.with(key, Toml::List(Vec::new())));
    }
    filled
}

/// A part of a project's state.
fn of_state(key: &str, kinds: &[String]) -> Option<Toml> {
    let words = split(key);
    let word = words.last()?;
    let one = singular(word);
    let is_list = one != word;
    if kinds.iter().any(|kind| kind == one) {
        return Some(Toml::text(format!("$state.{}", plural(one))));
    }
    Some(match one {
        "project" | "board" if is_list => Toml::List(vec![Toml::text("$state.project")]),
        "project" | "board" | "room" => Toml::text("$state.project"),
        "task" | "card" | "issue" | "ticket" | "story" | "todo" | "item" => {
            Toml::text("$state.tasks")
        }
        "epic" | "sprint" => Toml::text(format!("$state.{one}s")),
        "column" | "list" | "lane" => Toml::text("$state.project.columns ?? []"),
        "online" | "presence" => Toml::text("$presence.users"),
        _ if is_one_of(one, &PEOPLE) => {
            let own = kinds.iter().find(|kind| is_one_of(kind, &PEOPLE));
            let list = own.map_or_else(|| "members".to_owned(), |kind| plural(kind));
            Toml::text(format!("$state.{list}"))
        }
        _ => return None,
    })
}
