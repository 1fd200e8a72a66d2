//! The payload of a command about an entity: where frontends put its id, its project, its version and its
//! fields.
//!
//! Fields are flat, or in a wrapper: `{taskId, updates: {…}}`, `{projectId, task: {…}}`. Ids may stand
//! beside the wrapper or in it; what stands beside it counts first. Beside fields that entities usually have, the name of a
//! wrapper is a field like any other: `{title, data: {…}}`.

use serde_json::Value;

use super::Reply;
use super::control::is_wrapper;
use super::field::{self, PROJECT_ID, first, id_keys};
use crate::domain::{EntityId, Fields, Id, Kind, ProjectId, Wrapper};

const VERSION: [&str; 1] = ["version"];
const EXPECTED_VERSION: [&str; 4] = [
    "expectedVersion",
    "expected_version",
    "baseVersion",
    "base_version",
];
/// The version of the data that a client has, or of the client itself.
const CLIENT_VERSION: [&str; 2] = ["clientVersion", "client_version"];
/// The version of a document in the frontend's own database, or ours under that name.
pub(super) const OWN_VERSION: &str = "__v";
const PROJECT: &str = "project";
const PROJECT_DOT_ID: &str = "project.id";
/// Wrappers of a change, those first that are meant first.
const PREFERRED: [&str; 3] = ["updates", "patch", "changes"];

/// Under which keys a command may carry its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrappers {
    /// What is made.
    Create,
    /// What changes.
    Change,
    /// What moves: where it is may stand beside any wrapper.
    Move,
    /// None is needed: ids are looked for in it, its type does not matter.
    Ignored,
}

/// A payload, seen as a message about an entity of some kind.
#[derive(Debug)]
pub(super) struct Body<'a> {
    kind: Kind,
    bare: Option<&'a Value>,
    top: &'a Fields,
    wrappers: Wrappers,
    wrapper: Option<(&'a str, &'a Fields)>,
    /// What stands under the kind's own name, if that is no field.
    named: Option<&'a Fields>,
}

impl<'a> Body<'a> {
    pub(super) fn read(
        kind: Kind,
        bare: Option<&'a Value>,
        top: &'a Fields,
        wrappers: Wrappers,
    ) -> Result<Self, Reply> {
        let keys = top.keys().map(String::as_str);
        let mut called: Vec<&str> = keys.filter(|key| is_wrapper(kind, key)).collect();
        let own = kind.as_str();
        called.sort_by_key(
            |name| match PREFERRED.iter().position(|preferred| preferred == name) {
                _ if *name == own && wrappers == Wrappers::Create => 0,
                _ if *name == own => PREFERRED.len() + 2,
                Some(place) => place + 1,
                None => PREFERRED.len() + 1,
            },
        );
        let has_id = |fields: &Fields| first(fields, &id_keys(kind)).is_some();
        let is_sole_id = wrappers != Wrappers::Create && bare.is_none() && !has_id(top);
        let is_field = |name: &str, value: &Fields| {
            let with_places = wrappers != Wrappers::Move && name != own;
            let is_identity = name == own && is_sole_id && has_id(value);
            let usual = |key: &str| {
                field::is_usual(key)
                    && field::is_field(kind, key)
                    && (with_places || !field::is_place(key))
            };
            !is_identity
                && wrappers != Wrappers::Ignored
                && top
                    .keys()
                    .any(|key| !called.contains(&key.as_str()) && usual(key))
        };
        let objects = called
            .iter()
            .filter_map(|name| Some((*name, top.get(*name)?.as_object()?)));
        let mut objects = objects.filter(|(name, value)| !is_field(name, value));
        let wrapper = objects.next();
        let mut named = top.get(own).and_then(Value::as_object);
        named = named.filter(|value| !is_field(own, value));
        let body = Self {
            kind,
            bare,
            top,
            wrappers,
            wrapper,
            named,
        };
        body.check_wrappers(&called)?;
        Ok(body)
    }

    /// Refuses a wrapper with nothing in it that could be meant.
    fn check_wrappers(&self, names: &[&str]) -> Result<(), Reply> {
        let is_empty = |value: &Value| !matches!(value, Value::Object(_) | Value::Null);
        if self.wrappers == Wrappers::Ignored || self.wrapper.is_some() {
            return Ok(());
        }
        let found = names.iter().find(|name| {
            // `project: "p1"` is not a wrapper but the id.
            let is_id = **name == PROJECT
                && self.top[**name].as_array().is_none()
                && !self.top[**name].is_boolean();
            // `comment: "Looks good"` is what it says.
            let is_text = self.kind.is_beside()
                && **name == self.kind.as_str()
                && self.top[**name].is_string();
            is_empty(&self.top[**name]) && !is_id && !is_text
        });
        let mut others = self
            .top
            .keys()
            .filter(|key| field::is_field(self.kind, key));
        match found {
            Some(name) if others.all(|key| names.contains(&key.as_str())) => {
                Err(Reply::invalid(name, "must be an object"))
            }
            _ => Ok(()),
        }
    }

    /// The payload's levels on which ids, versions and words of control are looked for.
    pub(super) fn levels(&self) -> impl Iterator<Item = &'a Fields> {
        let wrapper = self.wrapper.map(|(_, fields)| fields);
        [Some(self.top), self.named, wrapper].into_iter().flatten()
    }

    /// The objects that hold the entity's fields: the payload itself, and its wrapper.
    pub(super) fn said(&self) -> impl Iterator<Item = &'a Fields> {
        let wrapper = self.wrapper.map(|(_, fields)| fields);
        [Some(self.top), wrapper].into_iter().flatten()
    }

    /// The first of these keys, beside the wrapper or in it.
    pub(super) fn find(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        self.said().find_map(|level| first(level, keys))
    }

    /// The entity's own id, if it is sent.
    pub(super) fn id(&self) -> Result<Option<EntityId>, Reply> {
        let found = self
            .bare
            .filter(|_| !self.bare_is_project())
            .map(|value| (self.kind.id_key(), value))
            .or_else(|| {
                self.levels()
                    .find_map(|level| first(level, &id_keys(self.kind)))
            })
            .or_else(|| self.project_name().filter(|_| self.kind == Kind::Project));
        read_id(found).map(|id| id.map(EntityId))
    }

    /// The entity's own id.
    pub(super) fn require_id(&self) -> Result<EntityId, Reply> {
        self.id()?
            .ok_or_else(|| Reply::invalid(self.kind.id_key(), "is missing"))
    }

    /// The project's id, if it is sent.
    pub(super) fn project(&self) -> Result<Option<ProjectId>, Reply> {
        if self.kind == Kind::Project {
            return Ok(self.id()?.map(|id| ProjectId(id.0)));
        }
        let found = self.project_found().or_else(|| {
            let bare = self.bare.filter(|_| self.bare_is_project())?;
            Some((PROJECT_ID[0], bare))
        });
        read_id(found).map(|id| id.map(ProjectId))
    }

    /// What is new has no id yet: `(projectId, task)`.
    fn bare_is_project(&self) -> bool {
        self.wrappers == Wrappers::Create && self.kind != Kind::Project
    }

    fn project_found(&self) -> Option<(&'static str, &'a Value)> {
        self.levels().find_map(project_in)
    }

    /// `project: "p1"`
    fn project_name(&self) -> Option<(&'static str, &'a Value)> {
        first(self.top, &[PROJECT]).filter(|(_, value)| !value.is_object())
    }

    /// The version that the sender had before its eyes.
    pub(super) fn expected_version(&self) -> Result<Option<i64>, Reply> {
        if let Some((key, value)) = self
            .levels()
            .find_map(|level| first(level, &EXPECTED_VERSION))
        {
            let version = value.as_i64();
            return version
                .map(Some)
                .ok_or_else(|| Reply::invalid(key, "must be an integer"));
        }
        let version = |keys| {
            let found = self.levels().find_map(|level| first(level, keys));
            found.and_then(|(_, value)| value.as_i64())
        };
        Ok(version(&CLIENT_VERSION).or_else(|| version(&VERSION)))
    }

    /// The fields that are sent.
    pub(super) fn fields(&self) -> Fields {
        let is_id = matches!(self.project_found(), Some((PROJECT | PROJECT_DOT_ID, _)));
        let is_no_field =
            |key: &str, value: &Value| (is_id && key == PROJECT) || is_version(key, value);
        let Some((_, wrapper)) = self.wrapper else {
            return self.beside();
        };
        let mut fields = field::fields_in(self.kind, wrapper, is_no_field);
        fields.extend(self.beside());
        fields
    }

    /// The fields that stand beside a wrapper; all of them if there is none.
    fn beside(&self) -> Fields {
        let wrapper = self.wrapper.map(|(name, _)| name);
        // Else the project's id is elsewhere, and this is some field.
        let is_id = match self.kind {
            Kind::Project => self.project_name().is_some(),
            _ => matches!(project_in(self.top), Some((PROJECT | PROJECT_DOT_ID, _))),
        };
        field::fields_in(self.kind, self.top, |key, value| {
            Some(key) == wrapper
                || (wrapper.is_some() && field::is_envelope(key))
                || (self.named.is_some() && key == self.kind.as_str())
                || (is_id && key == PROJECT)
                || is_version(key, value)
        })
    }

    /// Values of the fields under other spellings.
    pub(super) fn spellings(&self) -> Fields {
        self.said().fold(Fields::new(), |mut all, level| {
            for (name, value) in field::spellings_in(level) {
                all.entry(name).or_insert(value);
            }
            all
        })
    }

    /// The wrapper, which is a field after all if the entity has one of that name.
    pub(super) fn wrapper(&self) -> Option<Wrapper> {
        let (name, _) = self
            .wrapper
            .filter(|(name, _)| *name != self.kind.as_str())?;
        Some(Wrapper {
            name: name.to_owned(),
            beside: self.beside(),
        })
    }

    /// The keys whose values are no wishes: the server's own word, what says who sends a wrapper, and when, and what else
    /// has no effect.
    pub(super) fn unread(&self) -> Vec<String> {
        let is_version = |key: &str, value: &Value| key == VERSION[0] && value.is_i64();
        let of_level = |level: &'a Fields, is_beside: bool| {
            level.iter().filter(move |(key, value)| {
                let is_sender = is_beside
                    && field::is_envelope(key)
                    && !id_keys(self.kind).contains(&key.as_str());
                let is_counter =
                    field::IDEMPOTENCY_KEYS.contains(&key.as_str()) && value.is_number();
                is_counter || is_sender || (field::is_servers(key) && !is_version(key, value))
            })
        };
        let beside = of_level(self.top, self.wrapper.is_some());
        let inside = self
            .wrapper
            .into_iter()
            .flat_map(|(_, wrapper)| of_level(wrapper, false));
        let mut keys: Vec<String> = beside.chain(inside).map(|(key, _)| key.clone()).collect();
        let own = self.kind.as_str();
        if self
            .named
            .is_some_and(|named| named.keys().any(|key| field::is_field(self.kind, key)))
            && self.wrapper.is_some_and(|(name, _)| name != own)
        {
            keys.push(own.to_owned());
        }
        keys
    }
}

/// Whether a key names the version that the sender had before its eyes. A client's version may be one of the program.
fn is_version(key: &str, value: &Value) -> bool {
    EXPECTED_VERSION.contains(&key) || (CLIENT_VERSION.contains(&key) && value.is_i64())
}

/// The project's id on one level: `projectId`, `project_id`, `project.id`, `project`.
fn project_in(level: &Fields) -> Option<(&'static str, &Value)> {
    first(level, &PROJECT_ID).or_else(|| match first(level, &[PROJECT])? {
        (_, Value::Object(project)) => {
            let (_, id) = first(project, &id_keys(Kind::Project))?;
            Some((PROJECT_DOT_ID, id))
        }
        found => Some(found),
    })
}

pub(super) fn read_id(found: Option<(&str, &Value)>) -> Result<Option<Id>, Reply> {
    let Some((key, value)) = found else {
        return Ok(None);
    };
    Id::from_json(value)
        .map(Some)
        .map_err(|error| Reply::invalid(key, error))
}
