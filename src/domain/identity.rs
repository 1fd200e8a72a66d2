//! Who somebody has shown to be, and what came with the proof.

use std::collections::BTreeMap;

use super::{Actor, Entity, ProjectId, Role, Timestamp};

/// Somebody who has shown a token or an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who is written down as author: a user's id, or `apikey:<name>`.
    pub actor: Actor,
    /// Whose proof it is.
    pub holder: Holder,
    /// The roles that the proof itself gives.
    pub grants: Grants,
    /// When the proof ends, as it says itself.
    pub expires_at: Option<Timestamp>,
}

/// Who holds a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A person, who can be a member of projects.
    User {
        /// Since when what the token grants is so for certain: a change of the membership that is older counts less.
        /// Without it every change counts more.
        granted_at: Option<Timestamp>,
    },
    /// A program, which has the roles of its API key and no others.
    Service {
        /// The key's name.
        key: String,
    },
}

/// Roles by project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    everywhere: Option<Role>,
    by_project: BTreeMap<String, Role>,
}

/// What a project's list of members says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The role; `None` for a member who was removed.
    pub role: Option<Role>,
    /// Since when.
    pub since: Timestamp,
}

impl Membership {
    /// What a member's entity says.
    #[must_use]
    pub fn of(member: &Entity) -> Self {
        Self {
            role: member.role(),
            since: member.updated.at,
        }
    }
}

impl Grants {
    /// What stands for every project.
    pub const EVERYWHERE: &'static str = "*";

    /// Adds a role in a project, or in all of them.
    pub fn insert(&mut self, project: &str, role: Role) {
        if project == Self::EVERYWHERE {
            self.everywhere = Some(role);
        } else {
            self.by_project.insert(project.to_owned(), role);
        }
    }

    /// The role in a project: what is said of it counts, and only else what is said of all.
    #[must_use]
    pub fn role(&self, project: &ProjectId) -> Option<Role> {
        let named = self.by_project.get(project.as_str());
        named.copied().or(self.everywhere)
    }

    /// The role in projects of which nothing in particular is said.
    #[must_use]
    pub fn everywhere(&self) -> Option<Role> {
        self.everywhere
    }

    /// Every role with the project's id, or [`Grants::EVERYWHERE`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, Role)> {
        let everywhere = self.everywhere.map(|role| (Self::EVERYWHERE, role));
        let named = self.by_project.iter();
        everywhere
            .into_iter()
            .chain(named.map(|(project, role)| (project.as_str(), *role)))
    }
}

impl Identity {
    /// The role in a project, of whose members this is said: of what the token grants and what the list says, the newer
    /// counts. So whoever was removed stays out with the token that they have.
    #[must_use]
    pub fn role(&self, project: &ProjectId, membership: Option<Membership>) -> Option<Role> {
        let granted = self.grants.role(project);
        let Holder::User { granted_at } = self.holder else {
            return granted;
        };
        match (granted, membership) {
            (Some(role), Some(membership))
                if granted_at.is_some_and(|granted_at| granted_at > membership.since) =>
            {
                Some(role)
            }
            (_, Some(membership)) => membership.role,
            (granted, None) => granted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Id;

    const PROJECT: &str = "p";

    fn project() -> ProjectId {
        ProjectId(Id::from_text(PROJECT).unwrap())
    }

    fn user(granted: &[(&str, Role)], granted_at: Option<i64>) -> Identity {
        let mut grants = Grants::default();
        for (project, role) in granted {
            grants.insert(project, *role);
        }
        Identity {
            actor: Actor::new("ann"),
            holder: Holder::User {
                granted_at: granted_at.map(Timestamp::from_millis),
            },
            grants,
            expires_at: None,
        }
    }

    fn since(role: Option<Role>, at: i64) -> Membership {
        Membership {
            role,
            since: Timestamp::from_millis(at),
        }
    }

    #[test]
    fn the_newer_of_token_and_list_counts() {
        let granted = user(&[(PROJECT, Role::Admin)], Some(100));
        assert_eq!(granted.role(&project(), None), Some(Role::Admin));
        for (at, expected) in [(99, Some(Role::Admin)), (100, None), (101, None)] {
            assert_eq!(granted.role(&project(), Some(since(None, at))), expected);
        }
        let lowered = granted.role(&project(), Some(since(Some(Role::Viewer), 101)));
        assert_eq!(lowered, Some(Role::Viewer));
        let undated = user(&[(PROJECT, Role::Admin)], None);
        assert_eq!(undated.role(&project(), Some(since(None, 1))), None);
    }

    #[test]
    fn what_is_said_of_a_project_counts_more_than_what_is_said_of_all() {
        let granted = user(
            &[(Grants::EVERYWHERE, Role::Owner), (PROJECT, Role::Viewer)],
            None,
        );
        assert_eq!(granted.role(&project(), None), Some(Role::Viewer));
        let other = ProjectId(Id::from_text("q").unwrap());
        assert_eq!(granted.role(&other, None), Some(Role::Owner));
    }

    #[test]
    fn a_service_has_the_roles_of_its_key_alone() {
        let service = Identity {
            holder: Holder::Service {
                key: "ci".to_owned(),
            },
            ..user(&[], None)
        };
        assert_eq!(
            service.role(&project(), Some(since(Some(Role::Owner), 1))),
            None
        );
    }
}
