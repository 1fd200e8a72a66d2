//! An item of an import: an entity as it was kept elsewhere.

use serde::Deserialize;
use serde_json::Value;

use super::field::{CREATED_AT, CREATED_BY, first};
use super::{Arguments, CommandRequest, EventName, Limits, Reply};
use crate::domain::{
    Action, Actor, EntityId, Fields, Id, Kind, ProjectId, SOURCE_STAMPS, Stamp, Timestamp,
};

/// Says what an item is.
const KIND: &str = "kind";
/// See the module.
#[derive(Debug)]
pub struct ImportItem<'a> {
    /// The project into which it goes.
    pub project: &'a ProjectId,
    /// Its JSON text.
    pub text: &'a str,
    /// Its place among the items of the import, from 1.
    pub number: u64,
    /// When and by whom it was made, unless it says so itself.
    pub now: Stamp,
}

impl ImportItem<'_> {
    /// Reads the item as the command that makes it. An item without an id gets one that is the same when the import is
    /// repeated.
    ///
    /// # Errors
    ///
    /// The refusal that names what is wrong with it.
    pub fn read(self, limits: &Limits) -> Result<CommandRequest, Reply> {
        Arguments::One(self.text).check(limits)?;
        let kind = kind(self.text)?;
        let event = importable(&kind).and_then(|kind| EventName::find(&format!("{kind}:create")));
        let event = event.ok_or_else(|| {
            let names = Kind::all().into_iter().map(Kind::as_str);
            let names = names.filter(|name| importable(name).is_some());
            let names = names.collect::<Vec<_>>().join(", ");
            Reply::invalid(KIND, format!("must be one of {names}"))
        })?;
        let mut command = CommandRequest::read(event, None, Arguments::One(self.text), limits)?;
        command.set_project(self.project)?;
        let sent = Sent::of(&command.echo, &kind);
        let imported = Stamp {
            at: sent.created_at()?.unwrap_or(self.now.at),
            by: sent.created_by()?.unwrap_or(self.now.by),
        };
        if let Action::Create { id, fields, .. } = &mut command.action {
            fields.remove(KIND);
            for source in SOURCE_STAMPS.into_iter().filter(|key| !sent.has(key)) {
                fields.remove(source);
            }
            if command.made_id {
                let place = format!(
                    "{}\n{}\n{}",
                    self.project.as_str(),
                    self.number,
                    self.text.trim()
                );
                *id = EntityId::of_key(&Actor::new("import"), &place);
            }
        }
        command.keep_fingerprint();
        command.echo.remove(KIND);
        command.imported = Some(imported);
        Ok(command)
    }
}

/// The kind with this name, if entities of it can be imported.
fn importable(name: &str) -> Option<Kind> {
    let kind: Kind = name.parse().ok()?;
    (!matches!(kind, Kind::Project | Kind::Member)).then_some(kind)
}

/// The kind that an item says, or by whose name it is wrapped.
fn kind(text: &str) -> Result<String, Reply> {
    #[derive(Deserialize)]
    struct Kinds {
        kind: Option<Value>,
        epic: Option<Value>,
        sprint: Option<Value>,
    }
    let kinds = serde_json::from_str(text)
        .ok()
        .filter(|_| text.trim_start().starts_with('{'));
    let Some(Kinds { kind, epic, sprint }) = kinds else {
        return Err(Reply::invalid("item", "must be a JSON object"));
    };
    let is_wrapper = |value: &Option<Value>| value.as_ref().is_some_and(Value::is_object);
    match kind {
        Some(Value::String(kind)) => Ok(kind.to_ascii_lowercase()),
        Some(Value::Null) | None if is_wrapper(&epic) => Ok("epic".to_owned()),
        Some(Value::Null) | None if is_wrapper(&sprint) => Ok("sprint".to_owned()),
        Some(Value::Null) | None => Ok("task".to_owned()),
        Some(_) => Err(Reply::invalid(KIND, "must be a string")),
    }
}

/// What was sent, beside a wrapper and in it.
struct Sent<'a>([Option<&'a Fields>; 2]);

impl<'a> Sent<'a> {
    fn of(echo: &'a Fields, kind: &str) -> Self {
        let wrapped = echo.get(kind).or_else(|| echo.get("data"));
        Self([Some(echo), wrapped.and_then(Value::as_object)])
    }

    fn has(&self, key: &str) -> bool {
        self.0
            .iter()
            .flatten()
            .any(|fields| fields.contains_key(key))
    }

    fn find(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        self.0
            .iter()
            .flatten()
            .find_map(|fields| first(fields, keys))
    }

    fn created_at(&self) -> Result<Option<Timestamp>, Reply> {
        let Some((key, value)) = self.find(&CREATED_AT) else {
            return Ok(None);
        };
        let at = Timestamp::from_json(value);
        let what = "must be a date as of ISO 8601, or milliseconds since 1970";
        at.map(Some).ok_or_else(|| Reply::invalid(key, what))
    }

    fn created_by(&self) -> Result<Option<Actor>, Reply> {
        let Some((key, value)) = self.find(&CREATED_BY) else {
            return Ok(None);
        };
        let by = Id::from_json(value).map_err(|error| Reply::invalid(key, error))?;
        Ok(Some(Actor::new(by.as_str())))
    }
}
