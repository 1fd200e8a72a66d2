//! Rules for what pages listen to: each listen gets what tells it.

use super::super::listens::{Listen, Listens, Need};
use super::super::words::{has, is_one_of, plural, split, stem};
use super::draft::{Draft, Relay};
use super::emits::{Emit, argument, wrapper};
use super::names::{Hearing, Known, Purpose, fit, hearing, is_passing, known_event};
use super::needs::{self, Filled};
use super::value::Toml;
use super::{answers, relayed, rooms, told};

/// What can be done with the entities of a declared kind.
const OF_KINDS: [&str; 8] = [
    "create", "add", "update", "edit", "delete", "remove", "toggle", "restore",
];
/// Kinds that a file can declare.
const MAX_KINDS: usize = 50;
/// Words that are no kinds although things are done with them.
const NO_KINDS: [&str; 12] = [
    "task", "project", "epic", "sprint", "member", "comment", "card", "board", "issue", "ticket",
    "story", "room",
];

/// Declares the kinds of the frontend's own whose entities the server must keep: it makes their ids.
pub(super) fn declare_kinds(draft: &mut Draft, emits: &[Emit], listens: &Listens) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for emit in emits.iter().filter(|emit| emit.purpose == Purpose::Tell) {
        let words = split(&emit.name);
        let [noun, verb] = words.as_slice() else {
            continue;
        };
        if !is_one_of(verb, &["create", "add"])
            || is_one_of(noun, &NO_KINDS)
            || kinds.contains(noun)
        {
            continue;
        }
        let of_noun = emits
            .iter()
            .filter(|emit| split(&emit.name).first() == Some(noun));
        let is_plain = of_noun.clone().all(|emit| {
            let words = split(&emit.name);
            words.len() == 2 && is_one_of(&words[1], &OF_KINDS)
        });
        // Names alone would make it known; the rules of other words need the kind as well.
        let heard = listens
            .events
            .iter()
            .filter(|listen| split(&listen.event).first() == Some(noun));
        let wants_id = heard.clone().any(|listen| {
            let emit = best(&listen.event, emits);
            let missing =
                emit.map(|emit| relayed::relayed(&listen.needs, &emit.name, emit.sent()).missing);
            missing.is_some_and(|missing| !missing.is_empty())
        });
        let in_state = listens.events.iter().any(|listen| {
            hearing(&listen.event) == Hearing::State
                && needs::by_key(&listen.needs).contains_key(&plural(noun))
        });
        if is_plain && (wants_id || in_state) && kinds.len() < MAX_KINDS {
            kinds.push(noun.clone());
        }
    }
    draft.kinds.clone_from(&kinds);
    kinds
}

/// Adds the rules.
pub(super) fn add(draft: &mut Draft, emits: &[Emit], listens: &Listens, kinds: &[String]) {
    note_underscores(draft, listens);
    for listen in &listens.events {
        match hearing(&listen.event) {
            Hearing::Library => {}
            Hearing::Pong => pong(draft, listen, emits),
            Hearing::Refusal => refusal(draft, listen, emits),
            heard @ (Hearing::Came | Hearing::Went | Hearing::People) => {
                if best(&listen.event, emits)
                    .is_some_and(|emit| emit.name == listen.event && emit.purpose == Purpose::Tell)
                {
                    other(draft, listen, emits, kinds);
                } else {
                    people(draft, listen, heard, emits);
                }
            }
            Hearing::Greeting => greeting(draft, listen, emits),
            Hearing::State => state(draft, listen, emits, kinds),
            Hearing::Other => other(draft, listen, emits, kinds),
        }
    }
    keep_default_names(draft, listens, emits);
}

/// The event that fits a listen best.
fn best<'a>(listen: &str, emits: &'a [Emit]) -> Option<&'a Emit> {
    let fitting = emits
        .iter()
        .filter_map(|emit| Some((fit(listen, &emit.name)?, emit)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, emit)| emit)
}

fn decide(filled: &Filled) -> Vec<String> {
    let missing = &filled.missing;
    if missing.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the page reads {} and nothing was seen that is it",
        missing.join(", ")
    )]
}

/// Kinds whose entities a page knows by `_id`.
fn note_underscores(draft: &mut Draft, listens: &Listens) {
    for listen in &listens.events {
        let has_underscore = listen
            .needs
            .iter()
            .any(|need| matches!(need, Need::Path(path) if path.iter().any(|key| key == "_id")));
        if let Some(known) = known_event(&listen.event).filter(|_| has_underscore)
            && !draft.with_underscore.contains(&known.kind)
        {
            draft.with_underscore.push(known.kind);
        }
    }
}

fn pong(draft: &mut Draft, listen: &Listen, emits: &[Emit]) {
    for emit in emits
        .iter()
        .filter(|emit| emit.purpose == Purpose::Heartbeat)
    {
        let filled = answers::greeting(&listen.needs, emit.sent());
        draft.on(&emit.name).add_reply(&listen.event, filled.data);
    }
}

/// The words of a refusal without those that say that it is one.
fn refusal(draft: &mut Draft, listen: &Listen, emits: &[Emit]) {
    let about: Vec<_> = split(&listen.event)
        .into_iter()
        .map(|word| stem(&word))
        .collect();
    for emit in emits {
        let is_about = split(&emit.name)
            .iter()
            .any(|word| about.contains(&stem(word)));
        let is_change = matches!(emit.purpose, Purpose::Command(_) | Purpose::Tell);
        if is_about && is_change {
            let filled = answers::refusal(&listen.needs, &emit.name, emit.sent());
            let rule = draft.on(&emit.name);
            rule.refused
                .get_or_insert((listen.event.clone(), filled.data));
        }
    }
}

fn people(draft: &mut Draft, listen: &Listen, heard: Hearing, emits: &[Emit]) {
    let tells_one = match heard {
        Hearing::People => answers::tells_one(&listen.needs, &listen.event),
        _ => !listen.needs.contains(&Need::List),
    };
    let event = &listen.event;
    let mut tell = |ours: &str, is_gone: bool| {
        let filled = answers::present(&listen.needs, is_gone, tells_one);
        let notes = decide(&filled);
        draft.tell(ours, event, filled.data, false, notes);
    };
    match heard {
        Hearing::Came => tell("presence:join", false),
        Hearing::Went => tell("presence:leave", true),
        _ => {
            tell("presence:join", false);
            tell("presence:leave", true);
            tell("presence:update", false);
        }
    }
    if heard == Hearing::People && !tells_one {
        let mut person = vec![("...".to_owned(), Toml::text("$it"))];
        let wanted = answers::person(&listen.needs);
        for key in ["userId", "userName", "socketId"] {
            if !wanted.iter().any(|(known, _)| known == key) {
                person.push((key.to_owned(), Toml::text(answers::of_person(key))));
            }
        }
        person.extend(wanted);
        draft.person.get_or_insert(Toml::Table(person));
        // Who comes hears who is there, and who asks.
        let data = answers::present(&listen.needs, false, false).data;
        for emit in emits {
            let is_asked = match &emit.purpose {
                Purpose::Join(_) | Purpose::Attend => true,
                Purpose::Request => fit(event, &emit.name).is_some(),
                _ => false,
            };
            if is_asked {
                draft.on(&emit.name).add_reply(event, data.clone());
            }
        }
        if !emits
            .iter()
            .any(|emit| matches!(emit.purpose, Purpose::Join(_)))
        {
            draft.greet.push((event.clone(), data));
        }
    }
    draft.names_users = true;
}

fn greeting(draft: &mut Draft, listen: &Listen, emits: &[Emit]) {
    if let Some(emit) = best(&listen.event, emits).filter(|emit| {
        matches!(
            emit.purpose,
            Purpose::Request | Purpose::Heartbeat | Purpose::Identify
        )
    }) {
        let filled = answers::greeting(&listen.needs, emit.sent());
        draft.on(&emit.name).add_reply(&listen.event, filled.data);
        return;
    }
    if emits.iter().any(|emit| rooms::answers(&listen.event, emit)) {
        return answer(draft, listen, emits);
    }
    let filled = answers::greeting(&listen.needs, None);
    draft.names_users = true;
    draft.greet.push((listen.event.clone(), filled.data));
}

/// The answer to a join or a leave.
fn answer(draft: &mut Draft, listen: &Listen, emits: &[Emit]) {
    for emit in emits
        .iter()
        .filter(|emit| rooms::answers(&listen.event, emit))
    {
        let filled = relayed::relayed(&listen.needs, &emit.name, emit.sent());
        draft.on(&emit.name).add_reply(&listen.event, filled.data);
    }
}

fn state(draft: &mut Draft, listen: &Listen, emits: &[Emit], kinds: &[String]) {
    let question = best(&listen.event, emits)
        .filter(|emit| emit.purpose != Purpose::Tell || fit(&listen.event, &emit.name) > Some(2));
    if question.is_some_and(|emit| emit.purpose == Purpose::Tell) {
        return other(draft, listen, emits, kinds);
    }
    let filled = answers::state(&listen.needs, &listen.event, kinds);
    if let Some(emit) = question.filter(|emit| emit.purpose == Purpose::Request) {
        let data = listed(listen, emit).or(filled.data);
        draft.on(&emit.name).add_reply(&listen.event, data);
        return;
    }
    let asked: Vec<_> = emits
        .iter()
        .filter(|emit| {
            let words = split(&listen.event);
            matches!(emit.purpose, Purpose::Request)
                && split(&emit.name)
                    .iter()
                    .any(|word| words.iter().any(|own| stem(own) == stem(word)))
        })
        .collect();
    for emit in &asked {
        draft
            .on(&emit.name)
            .add_reply(&listen.event, filled.data.clone());
    }
    let mut is_told = !asked.is_empty();
    let first = first_join(draft, emits);
    if let Some(join) = first {
        draft
            .on(&join)
            .add_reply(&listen.event, filled.data.clone());
        is_told = true;
    }
    if !is_told || draft.room.as_ref().is_some_and(|(_, is_joined)| *is_joined) {
        draft.greet.push((listen.event.clone(), filled.data));
    }
}

/// The join of the sort of room that is a project.
fn first_join(draft: &Draft, emits: &[Emit]) -> Option<String> {
    let joins = emits
        .iter()
        .filter(|emit| matches!(emit.purpose, Purpose::Join(_)));
    let is_first = |emit: &&Emit| {
        draft
            .on
            .get(&emit.name)
            .is_some_and(|rule| rule.notes.is_empty())
    };
    joins
        .clone()
        .find(is_first)
        .or(joins.clone().next())
        .map(|emit| emit.name.clone())
}

/// The answer to a question for what belongs to something: `comment:list` with the task's id.
fn listed(listen: &Listen, emit: &Emit) -> Option<Toml> {
    let noun = split(&emit.name)
        .into_iter()
        .find(|word| is_one_of(word, &["comment", "subtask", "attachment", "label"]))?;
    let many = plural(super::super::words::singular(&noun));
    let owner = needs::by_key(&listen.needs)
        .into_keys()
        .find(|key| needs::is_id(key))
        .unwrap_or_else(|| "taskId".to_owned());
    let id = match emit.sent()? {
        super::super::shape::Shape::Object(_) => {
            let sent = emit.sent()?;
            let key = sent
                .keys()
                .find(|(key, _)| *key == owner)
                .or(sent.keys().find(|(key, _)| needs::is_id(key)))?
                .0;
            format!("$data.{key}")
        }
        _ => "$data".to_owned(),
    };
    let list = Toml::table([
        ("$list", Toml::text(format!("$state.{many}"))),
        (
            "$where",
            Toml::Table(vec![(owner.clone(), Toml::text(&*id))]),
        ),
    ]);
    if listen.needs.contains(&Need::List) {
        return Some(list);
    }
    Some(Toml::Table(vec![(owner, Toml::text(id)), (many, list)]))
}

/// What somebody else has done.
fn other(draft: &mut Draft, listen: &Listen, emits: &[Emit], kinds: &[String]) {
    if emits.iter().any(|emit| rooms::answers(&listen.event, emit)) {
        return answer(draft, listen, emits);
    }
    let emit = best(&listen.event, emits);
    match emit.map(|emit| (&emit.purpose, emit)) {
        Some((Purpose::Command(known), emit)) if known.is_another => {
            draft.on(&emit.name).is = Some(known.command.clone());
            relay_of_command(draft, listen, emit, known);
        }
        Some((Purpose::Command(known), emit)) => tell(draft, listen, known, Some(emit)),
        Some((Purpose::Request, emit)) => {
            let data = listed(listen, emit).or_else(|| answers::greeting(&listen.needs, emit.sent()).data);
            draft.on(&emit.name).add_reply(&listen.event, data);
        }
        Some((Purpose::Tell, emit)) if own_kind(&emit.name, kinds).is_some() => tell_own_kind(draft, listen, emit),
        Some((Purpose::Tell | Purpose::Attend | Purpose::Ours, emit)) => relay(draft, listen, emit),
        _ => match known_event(&listen.event) {
            Some(known) => tell(draft, listen, &known, None),
            None => draft.notes.push(format!(
                "{:?} comes from your backend: publish it under that name, on the project's channel or on the user's",
                listen.event
            )),
        },
    }
}

/// One of our events, under the page's name and in its shape.
fn tell(draft: &mut Draft, listen: &Listen, known: &Known, emit: Option<&Emit>) {
    let mut nouns = vec![known.kind.as_str()];
    nouns.extend(known.alias);
    let filled = told::told(&listen.needs, &nouns, emit.and_then(Emit::sent));
    if let Some(alias) = known.alias.filter(|_| !known.is_spelled) {
        let aliases = draft.aliases.entry(known.kind.clone()).or_default();
        if !aliases.iter().any(|named| named == alias) {
            aliases.push(alias.to_owned());
        }
    }
    let is_same = emit.is_some_and(|emit| emit.name == listen.event);
    let mut notes = decide(&filled);
    if emit.is_none() && known.is_another {
        let note = format!(
            "this is told at every {}; a `when` can say at which ones",
            known.told
        );
        notes.push(note);
    }
    draft.tell(&known.told, &listen.event, filled.data, is_same, notes);
}

fn own_kind<'a>(name: &str, kinds: &'a [String]) -> Option<&'a String> {
    let noun = split(name).into_iter().next()?;
    kinds.iter().find(|kind| **kind == noun)
}

/// An event of a kind that the file declares.
fn tell_own_kind(draft: &mut Draft, listen: &Listen, emit: &Emit) {
    let words = split(&emit.name);
    let (kind, verb) = (words[0].clone(), words[1].as_str());
    let verb = match verb {
        "add" => "create",
        "edit" => "update",
        "remove" => "delete",
        verb => verb,
    };
    let known = Known {
        command: format!("{kind}:{verb}"),
        told: match verb {
            "toggle" => format!("{kind}:updated"),
            verb => format!("{kind}:{}", super::super::words::past(verb)),
        },
        is_another: verb == "toggle",
        kind,
        alias: None,
        is_spelled: true,
    };
    let rule = draft.on(&emit.name);
    rule.is = Some(known.command.clone());
    rule.with = argument(emit, &known.kind, true);
    if known.is_another {
        relay_of_command(draft, listen, emit, &known);
    } else {
        // The event starts from what the rule makes of what was sent.
        let unwrapped = emit.sent().and_then(|sent| wrapper(sent, &known.kind));
        let mut emit = emit.clone();
        if let Some((_, fields)) = unwrapped {
            emit.args = vec![fields.clone()];
        }
        tell(draft, listen, &known, Some(&emit));
    }
}

/// A command of which the server itself tells as of another one: the entity, to everyone, under the page's name.
fn relay_of_command(draft: &mut Draft, listen: &Listen, emit: &Emit, known: &Known) {
    let mut nouns = vec![known.kind.as_str()];
    nouns.extend(known.alias);
    let filled = told::told(&listen.needs, &nouns, None);
    let data = match filled.data {
        Some(Toml::Table(mut entries)) => {
            for (_, base) in entries.iter_mut().filter(|(key, _)| key == "...") {
                *base = Toml::text("$entity");
            }
            Toml::Table(entries)
        }
        Some(data) => data,
        None => Toml::text("$entity"),
    };
    let relay = Relay {
        event: listen.event.clone(),
        data: Some(data),
        user: None,
        is_kept: true,
    };
    draft.on(&emit.name).relay.push(relay);
}

/// What was sent, to the others, under the page's name and in its shape.
fn relay(draft: &mut Draft, listen: &Listen, emit: &Emit) {
    let filled = relayed::relayed(&listen.needs, &emit.name, emit.sent());
    let notes = decide(&filled);
    let recipient = emit.sent().and_then(|sent| {
        let mut keys = sent.keys().map(|(key, _)| key);
        keys.find(|key| {
            needs::is_id(key)
                && has(key, &["to", "recipient", "receiver", "assigned"])
                && !has(key, &["column"])
        })
        .map(|key| Toml::text(format!("$data.{key}")))
    });
    let relay = Relay {
        event: listen.event.clone(),
        data: filled.data,
        user: recipient.filter(|_| {
            has(
                &listen.event,
                &["notification", "assigned", "mention", "direct", "private"],
            )
        }),
        is_kept: !is_passing(&listen.event) && !is_passing(&emit.name),
    };
    let rule = draft.on(&emit.name);
    if !rule.relay.iter().any(|known| known.event == relay.event) {
        rule.relay.push(relay);
    }
    rule.notes.extend(notes);
}

/// Of an event of ours of which something else is told, the default name is told as well if a page listens to it; and one
/// that is told as the default would tell it needs no rule.
fn keep_default_names(draft: &mut Draft, _listens: &Listens, _emits: &[Emit]) {
    draft.tell.retain(|event, rules| {
        let is_default = |rule: &super::draft::TellRule| {
            rule.names.len() == 1
                && rule.names[0] == *event
                && rule.data.is_none()
                && !rule.to_others
                && rule.notes.is_empty()
        };
        !(rules.len() == 1 && is_default(&rules[0]))
    });
}
