//! Rules for how clients join and leave, and for who they are.

use super::super::listens::Listens;
use super::super::shape::Shape;
use super::super::words::{has, split};
use super::draft::Draft;
use super::emits::{Emit, presence_fields};
use super::names::{Hearing, Purpose, fit, hearing};
use super::needs::{self, NAMES_PROJECT, is_id};
use super::value::Toml;

/// The project of a frontend that names none.
const MAIN: &str = "main";
/// Sorts of rooms that are projects, those first that are so most likely.
const SORTS: [&str; 4] = ["project", "board", "room", "workspace"];

/// Adds the rules.
pub(super) fn add(draft: &mut Draft, emits: &[Emit], listens: &Listens) {
    let sort_of = |emit: &Emit| match &emit.purpose {
        Purpose::Join(sort) => Some(sort.clone()),
        _ => None,
    };
    let mut sorts: Vec<String> = emits.iter().filter_map(sort_of).collect();
    sorts.sort_by_key(|sort| {
        SORTS
            .iter()
            .position(|known| known == sort)
            .unwrap_or(SORTS.len())
    });
    sorts.dedup();
    let first = sorts.first().cloned();
    let needs_room = |emit: &&Emit| {
        matches!(
            emit.purpose,
            Purpose::Command(_) | Purpose::Tell | Purpose::Attend
        ) && !names_project(emit.sent())
    };
    if first.is_none() && (!listens.events.is_empty() || emits.iter().any(|emit| needs_room(&emit)))
    {
        let names_it = emits.iter().any(|emit| names_project(emit.sent()));
        if !names_it {
            draft.room = Some((MAIN.to_owned(), true));
        } else if !emits.iter().all(|emit| names_project(emit.sent())) {
            draft.room = Some((MAIN.to_owned(), false));
        }
    }
    for emit in emits {
        match &emit.purpose {
            Purpose::Join(sort) | Purpose::Leave(sort) => {
                let is_join = matches!(emit.purpose, Purpose::Join(_));
                change_room(
                    draft,
                    emit,
                    (sort, first.as_ref() == Some(sort) || first.is_none()),
                    is_join,
                );
            }
            Purpose::Identify => identify(draft, emit),
            _ => {}
        }
    }
    draft.has_user_room = emits.iter().any(|emit| emit.purpose == Purpose::Identify)
        || draft.auth.iter().any(|key| has(key, &["user", "token"]))
        || listens.events.iter().any(|listen| {
            hearing(&listen.event) == Hearing::Other
                && !emits
                    .iter()
                    .any(|emit| fit(&listen.event, &emit.name).is_some())
        });
}

fn names_project(sent: Option<&Shape>) -> bool {
    sent.is_some_and(|sent| NAMES_PROJECT.iter().any(|key| sent.get(key).is_some()))
}

fn change_room(draft: &mut Draft, emit: &Emit, (sort, is_first): (&str, bool), is_join: bool) {
    let with = match room_id(emit.sent(), sort) {
        Some(id) if is_first || !is_joined_elsewhere(draft, sort) => Toml::text(id),
        Some(id) => Toml::text(format!("{sort}-${{{}}}", id.trim_start_matches('$'))),
        None => {
            let main = draft.room.get_or_insert((MAIN.to_owned(), false));
            Toml::text(main.0.clone())
        }
    };
    let present = presence_fields(emit.sent());
    let rule = draft.on(&emit.name);
    rule.is = Some(
        if is_join {
            "join:project"
        } else {
            "leave:project"
        }
        .to_owned(),
    );
    rule.with = Some(with);
    if is_join {
        rule.present = present;
    }
    if !is_first {
        rule.notes.push(format!(
            "a room of the sort {sort} is a project of its own; is that what is meant?"
        ));
    }
}

/// Whether rooms of other sorts could have the same ids.
fn is_joined_elsewhere(draft: &Draft, _sort: &str) -> bool {
    draft
        .on
        .values()
        .any(|rule| rule.is.as_deref() == Some("join:project"))
        || !draft.on.is_empty()
        || draft.room.is_none()
}

/// Where the room's id stands.
fn room_id(sent: Option<&Shape>, sort: &str) -> Option<String> {
    match sent? {
        Shape::String | Shape::Number | Shape::Any => Some("$data".to_owned()),
        Shape::Object(_) => {
            let sent = sent?;
            let own = [format!("{sort}Id"), format!("{sort}_id"), sort.to_owned()];
            let usual = NAMES_PROJECT.map(str::to_owned);
            let rest = ["room", "board", "workspaceId", "channel", "id", "_id"].map(str::to_owned);
            let mut known = own.iter().chain(&usual).chain(&rest);
            let is_scalar =
                |shape: &Shape| matches!(shape, Shape::String | Shape::Number | Shape::Any);
            let found = known
                .find(|key| sent.get(key).is_some_and(is_scalar))
                .cloned();
            let found = found.or_else(|| {
                let mut keys = sent.keys();
                let of_other = keys.find(|(key, shape)| {
                    is_id(key) && is_scalar(shape) && !has(key, &["user", "socket"])
                });
                of_other.map(|(key, _)| key.to_owned())
            });
            found.map(|key| format!("$data.{key}"))
        }
        _ => None,
    }
}

/// Somebody says who it is: it hears what backends tell that user.
fn identify(draft: &mut Draft, emit: &Emit) {
    let id = match emit.sent() {
        Some(Shape::String | Shape::Number | Shape::Any) => Some("data".to_owned()),
        Some(sent @ Shape::Object(_)) => {
            let mut keys = sent.keys().map(|(key, _)| key);
            let found = keys.find(|key| {
                needs::special(key) == Some("$user.id") || matches!(*key, "id" | "_id")
            });
            found.map(|key| format!("data.{key}"))
        }
        _ => None,
    };
    let rule = draft.on(&emit.name);
    if let Some(id) = id {
        rule.is = Some("subscribe".to_owned());
        rule.with = Some(Toml::text(format!("user:${{{id}}}")));
    } else {
        rule.present = Some(Toml::table([("online", Toml::Flag(true))]));
    }
    rule.notes.push(
        "who connects with a token is that user already, and needs no event to say so".to_owned(),
    );
}

/// Whether an event is the answer to a join or a leave: `project:joined` after `join:project`.
pub(super) fn answers(listen: &str, emit: &Emit) -> bool {
    let verb = match &emit.purpose {
        Purpose::Join(_) => ["join", "enter", "subscribe"],
        Purpose::Leave(_) => ["leave", "exit", "unsubscribe"],
        _ => return false,
    };
    has(listen, &verb) && !has(listen, &super::names::PEOPLE) && {
        let sort = split(&emit.name);
        split(listen).iter().all(|word| {
            super::super::words::is_one_of(word, &verb)
                || super::super::words::is_one_of(word, &["room", "success", "confirm"])
                || sort
                    .iter()
                    .any(|own| super::super::words::stem(own) == super::super::words::stem(word))
        })
    }
}
