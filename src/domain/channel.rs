//! The names of channels, and what they say about a channel.

use std::fmt;
use std::sync::Arc;

use super::id::MAX_ID_BYTES;
use super::{Id, IdError, ProjectId};

/// Longest name of a channel other than a project's, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// What ends the name of the channel that tells of a whole family.
const ALL: &str = "*";
/// The list of projects.
const PROJECTS: &str = "projects";
/// Every plain connection.
const BROADCAST: &str = "broadcast";

/// Names a channel: `project:<id>`, `session:<id>`, `ai:jobs:status`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

/// What kind of channel a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family<'a> {
    /// `project:<id>`
    Project(&'a str),
    /// `projects`: the list of them.
    Projects,
    /// `user:<id>`
    User(&'a str),
    /// `session:<id>`
    Session(&'a str),
    /// `agent:<id>`
    Agent(&'a str),
    /// `workflow:<id>`
    Workflow(&'a str),
    /// `client:<id>`: the connections of one client.
    Client(&'a str),
    /// `broadcast`: all connections that hear broadcasts.
    Broadcast,
    /// Any other name.
    Free,
}

/// Why a text names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// The empty text, or nothing behind the colon.
    #[error("must not be empty")]
    Empty,
    /// More bytes than a name may have.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// A space, a comma, or the like.
    #[error("must not contain spaces, commas or control characters")]
    Character,
    /// A pattern of which there is no channel.
    #[error("must not contain *, except agent:* and workflow:*")]
    Pattern,
}

impl ChannelName {
    /// One whose text was checked, or made, before.
    #[must_use]
    pub fn restore(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// A name as clients write it.
    ///
    /// # Errors
    ///
    /// See [`ChannelNameError`].
    pub fn parse(text: &str) -> Result<Self, ChannelNameError> {
        let name = Self::restore(text);
        match name.family() {
            // Whatever is an id names a project, commas and all.
            Family::Project(id) => match Id::from_text(id) {
                Ok(_) if id.contains('\0') => return Err(ChannelNameError::Character),
                Ok(_) => return Ok(name),
                Err(IdError::TooLong) => {
                    return Err(ChannelNameError::TooLong("project:".len() + MAX_ID_BYTES));
                }
                Err(IdError::Star) => return Err(ChannelNameError::Pattern),
                Err(_) => return Err(ChannelNameError::Empty),
            },
            Family::Agent(ALL) | Family::Workflow(ALL) => return Ok(name),
            Family::User("")
            | Family::Session("")
            | Family::Agent("")
            | Family::Workflow("")
            | Family::Client("") => return Err(ChannelNameError::Empty),
            _ if text.is_empty() => return Err(ChannelNameError::Empty),
            // A user's id may be as long as any.
            Family::User(id) if id.len() <= MAX_ID_BYTES => {}
            _ if text.len() > MAX_NAME_BYTES => {
                return Err(ChannelNameError::TooLong(MAX_NAME_BYTES));
            }
            _ => {}
        }
        if text.contains(ALL) {
            return Err(ChannelNameError::Pattern);
        }
        let is_bad = |char: char| char.is_whitespace() || char.is_control() || char == ',';
        if text.contains(is_bad) {
            return Err(ChannelNameError::Character);
        }
        Ok(name)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What kind of channel it is.
    #[must_use]
    pub fn family(&self) -> Family<'_> {
        let Some((family, id)) = self.0.split_once(':') else {
            return match &*self.0 {
                PROJECTS => Family::Projects,
                BROADCAST => Family::Broadcast,
                _ => Family::Free,
            };
        };
        match family {
            "project" => Family::Project(id),
            "user" => Family::User(id),
            "session" => Family::Session(id),
            "agent" => Family::Agent(id),
            "workflow" => Family::Workflow(id),
            "client" => Family::Client(id),
            _ => Family::Free,
        }
    }

    /// The list of projects: every change of a project, and of who belongs to it, is told there once more.
    #[must_use]
    pub fn list_of_projects() -> Self {
        Self::restore(PROJECTS)
    }

    /// Whether it is the list of projects.
    #[must_use]
    pub fn is_list_of_projects(&self) -> bool {
        self.family() == Family::Projects
    }

    /// Whether what is published on it goes to clients that are connected now, and is not logged.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        matches!(self.family(), Family::Client(_) | Family::Broadcast)
    }

    /// Whether it is a project's.
    #[must_use]
    pub fn is_project(&self) -> bool {
        matches!(self.family(), Family::Project(_))
    }

    /// The project that it is of. Whether clients write its id as a number is not known from here.
    #[must_use]
    pub fn project(&self) -> Option<ProjectId> {
        match self.family() {
            Family::Project(id) => Some(ProjectId(Id::restore(id, false))),
            _ => None,
        }
    }

    /// The channel that tells of all channels of the family, if the family has one.
    #[must_use]
    pub fn of_all(&self) -> Option<Self> {
        match self.family() {
            Family::Agent(ALL) | Family::Workflow(ALL) => None,
            Family::Agent(_) => Some(Self::restore("agent:*")),
            Family::Workflow(_) => Some(Self::restore("workflow:*")),
            _ => None,
        }
    }

    /// Whether it tells of a whole family, and nobody can publish on it.
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        matches!(
            self.family(),
            Family::Agent(ALL) | Family::Workflow(ALL) | Family::Projects
        )
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A channel, and the project that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The channel.
    pub channel: ChannelName,
    /// The project, as its clients write it.
    pub project: Option<ProjectId>,
}

impl Target {
    /// A project's channel.
    #[must_use]
    pub fn project(project: &ProjectId) -> Self {
        Self {
            channel: project.channel(),
            project: Some(project.clone()),
        }
    }
}

impl From<ChannelName> for Target {
    fn from(channel: ChannelName) -> Self {
        Self {
            project: channel.project(),
            channel,
        }
    }
}

impl ProjectId {
    /// The project's channel, which is its Socket.IO room as well.
    #[must_use]
    pub fn channel(&self) -> ChannelName {
        ChannelName::restore(format!("project:{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_written_in_a_list() {
        for good in [
            "project:a, b*",
            "session:s",
            "ai:jobs:status",
            "ui",
            "agent:*",
            "workflow:*",
            "user:ann@example.org",
        ] {
            assert_eq!(ChannelName::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", ChannelNameError::Empty),
            ("project:", ChannelNameError::Empty),
            ("session:", ChannelNameError::Empty),
            ("client:", ChannelNameError::Empty),
            ("a b", ChannelNameError::Character),
            ("a,b", ChannelNameError::Character),
            ("a\u{7f}", ChannelNameError::Character),
            ("project:\0", ChannelNameError::Character),
            ("user:*", ChannelNameError::Pattern),
            ("*", ChannelNameError::Pattern),
            ("agent:a*", ChannelNameError::Pattern),
        ] {
            assert_eq!(ChannelName::parse(bad), Err(why), "{bad:?}");
        }
        let id = "é".repeat(127);
        for family in ["project", "user"] {
            assert!(ChannelName::parse(&format!("{family}:{id}a")).is_ok());
        }
        for (bad, max) in [
            ("é".repeat(65), 128),
            (format!("project:{id}é"), 263),
            (format!("user:{id}é"), 128),
        ] {
            assert_eq!(
                ChannelName::parse(&bad),
                Err(ChannelNameError::TooLong(max))
            );
        }
    }

    #[test]
    fn families_are_told_by_their_first_word() {
        let name = |text| ChannelName::parse(text).unwrap();
        assert_eq!(name("project:a:b").family(), Family::Project("a:b"));
        assert_eq!(name("projects:a").family(), Family::Free);
        assert!(name("projects").is_list_of_projects() && name("projects").is_of_all());
        assert_eq!(name("agent:a").of_all(), Some(name("agent:*")));
        assert_eq!(name("agent:*").of_all(), None);
        assert!(name("workflow:*").is_of_all() && !name("workflow:w").is_of_all());
        assert_eq!(name("session:a").of_all(), None);
        assert_eq!(name("client:c").family(), Family::Client("c"));
        assert!(name("client:c").is_direct() && name("broadcast").is_direct());
        assert!(!name("broadcasts").is_direct() && !name("broadcast:a").is_direct());
        assert_eq!(name("project:7").project().unwrap().as_str(), "7");
    }
}
