//! The payload of a command about an entity: where frontends put its id, its project, its version and its
//! fields.
//!
//! Fields are flat, or in a wrapper: `{taskId, updates: {…}}`, `{projectId, task: {…}}`. Ids may stand
//! beside the wrapper or in it; what stands beside it counts first.

use serde_json::Value;

use super::Reply;
use super::field::{self, PROJECT_ID, first, id_keys};
use crate::domain::{EntityId, Fields, Id, Kind, ProjectId};

const VERSION: [&str; 1] = ["version"];
const EXPECTED_VERSION: [&str; 2] = ["expectedVersion", "expected_version"];
const PROJECT: &str = "project";
const PROJECT_DOT_ID: &str = "project.id";

/// Under which keys a command may carry its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrappers {
    /// What is made.
    Create,
    /// What changes.
    Change,
    /// None is needed: ids are looked for in it, its type does not matter.
    Ignored,
}

impl Wrappers {
    fn keys(self, kind: Kind) -> Vec<&'static str> {
        match self {
            Self::Create => vec![kind.as_str(), "data"],
            Self::Change | Self::Ignored => {
                vec!["updates", "patch", "changes", "data", kind.as_str()]
            }
        }
    }
}

/// A payload, seen as a message about an entity of some kind.
#[derive(Debug)]
pub(super) struct Body<'a> {
    kind: Kind,
    bare: Option<&'a Value>,
    top: &'a Fields,
    wrappers: Wrappers,
    wrapper: Option<&'a Fields>,
}

impl<'a> Body<'a> {
    pub(super) fn read(
        kind: Kind,
        bare: Option<&'a Value>,
        top: &'a Fields,
        wrappers: Wrappers,
    ) -> Result<Self, Reply> {
        let wrapper = wrappers
            .keys(kind)
            .into_iter()
            .find_map(|key| match top.get(key)? {
                Value::Object(wrapper) => Some(Ok(wrapper)),
                Value::Null => None,
                // `project: "p1"` is not a wrapper but the id.
                Value::String(_) | Value::Number(_) if key == PROJECT => None,
                _ if wrappers == Wrappers::Ignored => None,
                _ => Some(Err(Reply::invalid(key, "must be an object"))),
            });
        Ok(Self {
            kind,
            bare,
            top,
            wrappers,
            wrapper: wrapper.transpose()?,
        })
    }

    /// The payload's levels on which ids and versions are looked for.
    fn levels(&self) -> impl Iterator<Item = &'a Fields> {
        let named = self.top.get(self.kind.as_str()).and_then(Value::as_object);
        [Some(self.top), named, self.wrapper].into_iter().flatten()
    }

    /// The first of these keys, beside the wrapper or in it.
    pub(super) fn find(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        [Some(self.top), self.wrapper]
            .into_iter()
            .flatten()
            .find_map(|level| first(level, keys))
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
        let version = self.levels().find_map(|level| first(level, &VERSION));
        Ok(version.and_then(|(_, value)| value.as_i64()))
    }

    /// The fields that are sent.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = field::fields_in(self.kind, self.wrapper.unwrap_or(self.top));
        if self.wrapper.is_none() {
            // What is left under a wrapper's name is null, or a project's id.
            for key in self.wrappers.keys(self.kind) {
                fields.remove(key);
            }
        }
        // Else the project's id is elsewhere, and this is some field.
        if let Some((PROJECT | PROJECT_DOT_ID, _)) = self.project_found() {
            fields.remove(PROJECT);
        }
        fields
    }

    /// Values of the fields under other spellings.
    pub(super) fn spellings(&self) -> Fields {
        field::spellings_in(self.wrapper.unwrap_or(self.top))
    }

    /// Whether the fields are in a wrapper.
    pub(super) fn is_wrapped(&self) -> bool {
        self.wrapper.is_some()
    }

    /// What stands beside the wrapper.
    pub(super) fn top(&self) -> &'a Fields {
        self.top
    }
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
