//! From what a page reads of an event to a template that gives it.

use std::collections::BTreeMap;

use super::super::listens::Need;
use super::super::shape::Shape;
use super::super::words::{has, is_one_of, plural, singular, split, stem};
use super::names::PEOPLE;
use super::value::Toml;

/// Words that say which of two values is meant.
const QUALIFIERS: [&str; 14] = [
    "old", "new", "from", "to", "source", "target", "prev", "previous", "current", "data",
    "updated", "next", "src", "dest",
];
/// Keys under which frontends wrap what they send.
pub(super) const WRAPPERS: [&str; 9] = [
    "data", "updates", "changes", "payload", "patch", "item", "details", "body", "fields",
];
/// Keys under which a payload names its project, which need no rule.
pub(super) const NAMES_PROJECT: [&str; 5] =
    ["projectId", "boardId", "roomId", "project_id", "project"];
/// What the payload of each event about an entity has.
const ALWAYS_TOLD: [&str; 8] = [
    "id",
    "projectId",
    "version",
    "seq",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
];

/// A template, and what it could not find.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// `None`: the payload as it is.
    pub(super) data: Option<Toml>,
    /// Keys for which nothing was found.
    pub(super) missing: Vec<String>,
}

/// The paths of the needs, by their first key.
pub(super) fn by_key(needs: &[Need]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut keys: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for need in needs {
        if let Need::Path(path) = need
            && let Some((first, rest)) = path.split_first()
        {
            let of_key = keys.entry(first.clone()).or_default();
            if !rest.is_empty() {
                of_key.push(rest.to_vec());
            }
        }
    }
    keys
}

/// The payload of an event that is passed on, from what was sent.
pub(super) fn relayed(needs: &[Need], name: &str, sent: Option<&Shape>) -> Filled {
    let keys = by_key(needs);
    if keys.is_empty() {
        return whole(needs, sent);
    }
    let Some(sent @ Shape::Object(_)) = sent else {
        return fill(&keys, None, |key, rest| {
            from_scalar(key, rest, (name, sent))
        });
    };
    let has = |base: &Shape, key: &str, rest: &[Vec<String>]| holds(base, key, rest);
    let score = |base: &Shape| {
        keys.iter()
            .filter(|(key, rest)| has(base, key, rest))
            .count()
    };
    let mut best = ("$data".to_owned(), sent, score(sent));
    for (key, inner) in sent
        .keys()
        .filter(|(_, inner)| matches!(inner, Shape::Object(_)))
    {
        if score(inner) > best.2 {
            best = (format!("$data.{key}"), inner, score(inner));
        }
    }
    let (base, shape, _) = best;
    let missing: BTreeMap<_, _> = keys
        .iter()
        .filter(|(key, rest)| !has(shape, key, rest))
        .map(|(key, rest)| (key.clone(), rest.clone()))
        .collect();
    if missing.is_empty() {
        let data = (base != "$data").then(|| Toml::text(base));
        return Filled {
            data,
            missing: Vec::new(),
        };
    }
    fill(&missing, Some(Toml::text(base)), |key, rest| {
        from_sent(key, rest, sent)
    })
}

/// The payload of one of our events, from the event and the entity.
pub(super) fn told(needs: &[Need], nouns: &[&str], sent: Option<&Shape>) -> Filled {
    if needs.contains(&Need::Text) {
        return Filled {
            data: Some(Toml::text("$entity.id ?? $data")),
            missing: Vec::new(),
        };
    }
    if needs.contains(&Need::List) {
        return Filled {
            data: Some(Toml::List(vec![Toml::text("$entity")])),
            missing: Vec::new(),
        };
    }
    let keys = by_key(needs);
    let missing: BTreeMap<_, _> = keys
        .into_iter()
        .filter(|(key, rest)| !is_told(key, rest, nouns, sent))
        .collect();
    if missing.is_empty() {
        return Filled::default();
    }
    fill(&missing, Some(Toml::text("$data")), |key, rest| {
        Some(from_entity(key, rest, nouns))
    })
}

/// Whether our event has a value as it is.
fn is_told(key: &str, rest: &[Vec<String>], nouns: &[&str], sent: Option<&Shape>) -> bool {
    let is_sent = sent.is_some_and(|sent| {
        holds(sent, key, rest)
            || (rest.is_empty() && sent.keys().any(|(_, inner)| inner.get(key).is_some()))
    });
    let is_ours = rest.is_empty()
        && (ALWAYS_TOLD.contains(&key)
            || nouns.first().is_some_and(|kind| key == format!("{kind}Id")));
    // What a backend changes has the fields that it sends.
    let is_field = sent.is_none()
        && rest.is_empty()
        && !key.ends_with("Id")
        && !key.starts_with('_')
        && !nouns.iter().any(|noun| is_one_of(key, &[noun]))
        && special(key).is_none()
        && split(key).len() == 1
        && !QUALIFIERS.contains(&key);
    let is_change = rest.is_empty() && ["oldStatus", "newStatus"].contains(&key);
    // Of the server's own word the page hears the latest.
    (is_sent || is_ours || is_field || is_change) && !(rest.is_empty() && key == "_id")
}

/// A value of our event that it has not under that key.
fn from_entity(key: &str, rest: &[Vec<String>], nouns: &[&str]) -> Toml {
    let words = split(key);
    let is_noun = |word: &String| nouns.iter().any(|noun| is_one_of(word, &[noun]));
    if !rest.is_empty() || (words.iter().any(is_noun) && !key.to_lowercase().ends_with("id")) {
        let inner: BTreeMap<_, _> =
            by_key(&rest.iter().cloned().map(Need::Path).collect::<Vec<_>>());
        if words
            .iter()
            .any(|word| is_noun(word) && singular(word) != word)
        {
            return Toml::List(vec![Toml::text("$entity")]);
        }
        let names_entity = inner
            .keys()
            .any(|key| split(key).iter().any(is_noun) && !key.to_lowercase().ends_with("id"));
        if names_entity && !words.iter().any(is_noun) {
            let entries = inner
                .iter()
                .map(|(key, rest)| (key.clone(), from_entity(key, rest, nouns)));
            return Toml::Table(entries.collect());
        }
        return wrapped(key, &inner);
    }
    if matches!(key, "_id" | "id") || words.iter().any(is_noun) {
        return Toml::text(format!("$entity.id ?? $data.{key}"));
    }
    if let Some(person) = special(key) {
        return Toml::text(format!("$data.{key} ?? $entity.{key} ?? {person}"));
    }
    if words
        .iter()
        .any(|word| is_one_of(word, &["column", "list", "lane"]))
    {
        let mut keys = vec![key];
        keys.extend(
            ["columnId", "column", "listId", "status"]
                .into_iter()
                .filter(|known| *known != key),
        );
        let keys = keys.iter().map(|key| format!("$entity.{key}"));
        let keys = keys.collect::<Vec<_>>().join(" ?? ");
        return Toml::text(format!("$data.{key} ?? {keys}"));
    }
    let qualified = words
        .iter()
        .filter(|word| !QUALIFIERS.contains(&word.as_str()));
    let plain: Vec<_> = qualified.cloned().collect();
    match plain.as_slice() {
        [] => Toml::text("$entity"),
        [plain] if words.len() > 1 => {
            Toml::text(format!("$data.{key} ?? $entity.{key} ?? $entity.{plain}"))
        }
        _ => Toml::text(format!("$data.{key} ?? $entity.{key}")),
    }
}

/// The entity with an `_id`, and with what else is read of it.
fn wrapped(key: &str, inner: &BTreeMap<String, Vec<Vec<String>>>) -> Toml {
    // What a backend publishes is as the page wants it.
    let mut entity = Toml::text(format!("$entity ?? $data.{key}"));
    for read in inner.keys() {
        if read == "_id" {
            let id = format!("$entity.id ?? $data.{key}._id");
            entity = entity.with("_id", Toml::text(id));
        } else if let Some(person) = special(read) {
            let value = format!("$entity.{read} ?? $data.{key}.{read} ?? {person}");
            entity = entity.with(read, Toml::text(value));
        }
    }
    entity
}

/// What a page reads of a payload as a whole.
fn whole(needs: &[Need], sent: Option<&Shape>) -> Filled {
    let wants = |need: &Need| needs.contains(need);
    let key = |fits: fn(&Shape) -> bool| {
        let mut keys = sent.into_iter().flat_map(Shape::keys);
        keys.find(|(key, shape)| fits(shape) && (!matches!(shape, Shape::String) || is_id(key)))
            .map(|(key, _)| Toml::text(format!("$data.{key}")))
    };
    let data = match sent {
        Some(Shape::Object(_)) if wants(&Need::Text) => {
            key(|shape| matches!(shape, Shape::String | Shape::Number))
        }
        Some(Shape::Object(_)) if wants(&Need::List) => {
            key(|shape| matches!(shape, Shape::List(_)))
        }
        _ => return Filled::default(),
    };
    Filled {
        missing: if data.is_none() {
            vec!["the payload".to_owned()]
        } else {
            Vec::new()
        },
        data,
    }
}

/// Fills keys over a base.
fn fill(
    keys: &BTreeMap<String, Vec<Vec<String>>>,
    base: Option<Toml>,
    find: impl Fn(&str, &[Vec<String>]) -> Option<Toml>,
) -> Filled {
    let mut filled = Filled {
        data: None,
        missing: Vec::new(),
    };
    let is_based = base.is_some();
    let mut data = base.unwrap_or(Toml::Table(Vec::new()));
    for (key, rest) in keys {
        match find(key, rest) {
            Some(value) => {
                data = data.with(key, value);
                filled.data = Some(data.clone());
            }
            None => filled.missing.push(key.clone()),
        }
    }
    if filled.data.is_none() && (!is_based || data != Toml::text("$data")) {
        filled.data = Some(data);
    }
    filled
}

/// Whether a shape has a key, and in it all that is read of it.
fn holds(shape: &Shape, key: &str, rest: &[Vec<String>]) -> bool {
    let inner = match shape {
        Shape::Any => return true,
        Shape::List(Some(entry)) if key.parse::<usize>().is_ok() => Some(&**entry),
        shape => shape.get(key),
    };
    inner.is_some_and(|inner| {
        rest.iter().all(|path| match path.split_first() {
            Some((first, rest)) if rest.is_empty() => holds(inner, first, &[]),
            Some((first, rest)) => holds(inner, first, &[rest.to_vec()]),
            None => true,
        })
    })
}

/// A value from what was sent as a bare value.
fn from_scalar(
    key: &str,
    rest: &[Vec<String>],
    (name, sent): (&str, Option<&Shape>),
) -> Option<Toml> {
    let is_scalar = matches!(sent, Some(Shape::String | Shape::Number | Shape::Any));
    if let Some(person) = special(key).filter(|_| !is_room(key) || !is_scalar) {
        return Some(Toml::text(person));
    }
    // The id by itself is that of what the event's name says.
    let is_its_own =
        matches!(key, "id" | "_id") || split(name).iter().any(|word| has(key, &[word]));
    (rest.is_empty() && is_scalar && is_id(key) && is_its_own).then(|| Toml::text("$data"))
}

/// A value from what was sent as an object, under another key.
fn from_sent(key: &str, rest: &[Vec<String>], sent: &Shape) -> Option<Toml> {
    if let Some(inner) = sent
        .keys()
        .find(|(_, inner)| inner.get(key).is_some() && holds(inner, key, rest))
    {
        return Some(Toml::text(format!("$data.{}.{key}", inner.0)));
    }
    if rest.is_empty()
        && let Some(found) = alike(key, sent)
    {
        return Some(Toml::text(format!("$data.{found}")));
    }
    if let Some(person) = special(key) {
        return Some(if rest.is_empty() {
            Toml::text(person)
        } else {
            somebody(rest)
        });
    }
    if rest.is_empty() && is_id(key) {
        let ids = sent
            .keys()
            .filter(|(key, shape)| is_id(key) && !is_room(key) && is_scalar(shape));
        if let Some((id, _)) = ids.min_by_key(|(id, _)| (has(id, &PEOPLE), id.len())) {
            return Some(Toml::text(format!("$data.{id}")));
        }
        return None;
    }
    // The thing itself, from what wraps it: `column` from `columnData`, `data` or `updates`.
    let objects = sent
        .keys()
        .filter(|(_, shape)| matches!(shape, Shape::Object(_)));
    let words = split(key);
    let mut objects = objects.filter(|(wrapper, _)| {
        let of_wrapper = split(wrapper);
        let names_it = of_wrapper
            .iter()
            .any(|word| words.iter().any(|own| stem(own) == stem(word)));
        names_it
            || of_wrapper
                .iter()
                .all(|word| WRAPPERS.contains(&word.as_str()))
    });
    let ids = sent.keys().filter(|(id, shape)| {
        is_id(id)
            && is_scalar(shape)
            && split(id)
                .iter()
                .any(|word| words.iter().any(|own| stem(own) == stem(word)))
    });
    let id = ids.map(|(id, _)| format!("$data.{id}")).next();
    let mut thing = objects
        .next()
        .map(|(wrapper, _)| Toml::text(format!("$data.{wrapper}")));
    if thing.is_none() && !rest.is_empty() {
        thing = Some(Toml::text("$data"));
    }
    let thing = thing?;
    let wants_id =
        |path: &Vec<String>| matches!(path.as_slice(), [only] if only == "_id" || only == "id");
    match id {
        Some(id) if rest.is_empty() || rest.iter().any(wants_id) => Some(
            thing
                .with("id", Toml::text(&*id))
                .with("_id", Toml::text(id)),
        ),
        _ => Some(thing),
    }
}

fn is_scalar(shape: &Shape) -> bool {
    matches!(shape, Shape::String | Shape::Number | Shape::Any)
}

/// A key that says the same without what qualifies it: `oldTagName` and `tagName`.
fn alike(key: &str, sent: &Shape) -> Option<String> {
    let plain = |key: &str| -> Vec<String> {
        let words = split(key).into_iter();
        words
            .filter(|word| !QUALIFIERS.contains(&word.as_str()))
            .map(|word| stem(&word))
            .collect()
    };
    let wanted = plain(key);
    let mut keys = sent
        .keys()
        .filter(|(_, shape)| !matches!(shape, Shape::Object(_)));
    let found = keys.find(|(sent, _)| !wanted.is_empty() && plain(sent) == wanted);
    found.map(|(key, _)| key.to_owned())
}

/// Whether a key names an id.
pub(super) fn is_id(key: &str) -> bool {
    split(key).last().is_some_and(|word| word == "id")
}

fn is_room(key: &str) -> bool {
    has(key, &["project", "board", "room", "workspace"])
}

/// What a key stands for that says who, where or when.
pub(super) fn special(key: &str) -> Option<&'static str> {
    let words = split(key);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let is_person = has(key, &PEOPLE)
        || has(
            key,
            &["sender", "author", "creator", "owner", "actor", "from"],
        );
    Some(match last {
        "id" if has(key, &["socket", "connection"]) => "$socket.id",
        "id" if is_person => "$user.id",
        "by" => "$user.id",
        "uid" | "userid" => "$user.id",
        "user" | "sender" | "author" if words.len() == 1 => "$user",
        "username" | "displayname" => "$user.name ?? $user.id",
        "name" if is_person || has(key, &["display"]) => "$user.name ?? $user.id",
        "avatar" | "image" | "picture" | "photo" => "$user.image",
        "timestamp" | "time" | "at" | "date" => "$now",
        "id" if words.len() > 1 && is_room(key) => "$room",
        "room" | "project" | "board" if words.len() == 1 => "$room",
        _ => return None,
    })
}

/// Somebody, by what is read of them.
fn somebody(rest: &[Vec<String>]) -> Toml {
    let mut person = Toml::table([
        ("id", Toml::text("$user.id")),
        ("name", Toml::text("$user.name ?? $user.id")),
    ]);
    for key in rest.iter().filter_map(|path| path.first()) {
        let value = match key.as_str() {
            "id" | "name" => continue,
            "_id" => "$user.id",
            key => special(key).unwrap_or("$user.id"),
        };
        person = person.with(key, Toml::text(value));
    }
    person
}

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
