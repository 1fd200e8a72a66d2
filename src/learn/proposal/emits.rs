//! Rules for what clients send.

use super::super::shape::Shape;
use super::super::words::{has, is_one_of, split};
use super::draft::{Draft, Relay};
use super::names::{Purpose, is_passing, purpose};
use super::needs::{NAMES_PROJECT, is_id, special};
use super::relayed::WRAPPERS;
use super::value::Toml;

/// An event that clients send.
#[derive(Debug, Clone)]
pub(super) struct Emit {
    pub(super) name: String,
    pub(super) args: Vec<Shape>,
    pub(super) purpose: Purpose,
}

impl Emit {
    pub(super) fn new(name: String, args: Vec<Shape>) -> Self {
        Self {
            purpose: purpose(&name),
            name,
            args,
        }
    }

    /// The first argument.
    pub(super) fn sent(&self) -> Option<&Shape> {
        self.args.first()
    }
}

/// Adds the rules of events that have none yet and that would not be understood.
pub(super) fn add(draft: &mut Draft, emits: &[Emit], is_guessed: bool) {
    for emit in emits {
        let has_rule = draft
            .on
            .get(&emit.name)
            .is_some_and(super::draft::OnRule::is_needed);
        match &emit.purpose {
            Purpose::Heartbeat => {
                let data = Toml::table([("timestamp", Toml::text("$now.ms"))]);
                draft.on(&emit.name).add_reply("pong", Some(data));
            }
            Purpose::Attend => attend(draft, emit),
            Purpose::Command(known) => {
                // By the page's own word for the kind, so that `cardId` is understood.
                let is = match known.alias {
                    Some(_) if known.is_spelled => emit.name.clone(),
                    _ => known.command.clone(),
                };
                let is_in_room = draft.room.as_ref().is_some_and(|(_, is_joined)| *is_joined);
                let with = argument(emit, &known.kind, false).filter(|_| !is_in_room);
                let rule = draft.on(&emit.name);
                let is_needed = !known.is_spelled
                    || with.is_some()
                    || rule.is_needed()
                    || rule.refused.is_some();
                if is_needed {
                    rule.is = Some(is);
                    rule.with = with;
                }
            }
            Purpose::Join(_) | Purpose::Leave(_) | Purpose::Identify | Purpose::Ours => {}
            Purpose::Request | Purpose::Tell if has_rule => {}
            Purpose::Request | Purpose::Tell => pass_on(draft, emit, is_guessed),
        }
    }
}

/// The argument of a command that is not as it was sent: with the room as its project if it names none, and of kinds of the
/// frontend's own without a wrapper.
pub(super) fn argument(emit: &Emit, kind: &str, is_own_kind: bool) -> Option<Toml> {
    let sent = emit.sent()?;
    if !matches!(sent, Shape::Object(_)) {
        let with = Toml::table([("projectId", Toml::text("$room"))]);
        return is_own_kind.then(|| with.with(&format!("{kind}Id"), Toml::text("$data")));
    }
    let mut with = Toml::text("$data");
    let named = NAMES_PROJECT.iter().find(|key| sent.get(key).is_some());
    let wrapper = wrapper(sent, kind).filter(|_| is_own_kind);
    if let Some((wrapper, _)) = wrapper {
        with = Toml::text(format!("$data.{wrapper}"));
        let is_its = |key: &str| is_id(key) && (key == "id" || has(key, &[kind]));
        if let Some((id, _)) = sent.keys().find(|(key, _)| is_its(key)) {
            with = with.with(&format!("{kind}Id"), Toml::text(format!("$data.{id}")));
        }
    }
    match named {
        Some(_) if wrapper.is_none() => None,
        Some(key) => Some(with.with("projectId", Toml::text(format!("$data.{key}")))),
        None => Some(with.with("projectId", Toml::text("$room"))),
    }
}

/// What wraps the fields of an entity.
pub(super) fn wrapper<'a>(sent: &'a Shape, kind: &str) -> Option<(&'a str, &'a Shape)> {
    sent.keys().find(|(key, shape)| {
        let words = split(key);
        let is_wrapper = words
            .iter()
            .all(|word| is_one_of(word, &[kind]) || WRAPPERS.contains(&word.as_str()));
        is_wrapper && matches!(shape, Shape::Object(_))
    })
}

/// What somebody says who is there.
fn attend(draft: &mut Draft, emit: &Emit) {
    let present = presence_fields(emit.sent());
    let rule = draft.on(&emit.name);
    rule.is = Some("presence:update".to_owned());
    rule.present = present;
}

/// What others may see of somebody, of what was sent.
pub(super) fn presence_fields(sent: Option<&Shape>) -> Option<Toml> {
    let keys = sent?.keys().filter(|(key, _)| {
        special(key).is_some_and(|value| {
            value.starts_with("$user.name") || value.starts_with("$user.image")
        }) || has(key, &["color", "status"])
    });
    let entries: Vec<_> = keys
        .map(|(key, _)| (key.to_owned(), Toml::text(format!("$data.{key}"))))
        .collect();
    (!entries.is_empty()).then_some(Toml::Table(entries))
}

/// Passes on what nobody is known to listen to.
fn pass_on(draft: &mut Draft, emit: &Emit, is_guessed: bool) {
    let relay = Relay {
        event: emit.name.clone(),
        data: None,
        user: None,
        is_kept: !is_passing(&emit.name),
    };
    let rule = draft.on(&emit.name);
    rule.relay.push(relay);
    if !is_guessed {
        rule.notes.push(
            "no page was seen to listen to this; under which name do others hear of it?".to_owned(),
        );
    }
}
