//! What a dialect's rules ask of a session: where a message goes that names no room, what others see of the client, the
//! state in a frontend's own shapes, and what is passed on to the room.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::access::unseen;
use super::{Pending, Session, unavailable};
use crate::contract::dialect::{Dialect, Wanted};
use crate::contract::{ErrorCode, PresenceWish, Publication, Reply, payload};
use crate::domain::{
    Actor, ChannelName, EventType, Fields, Kind, ProjectId, Role, Seq, Signal, policy,
};
use crate::presence::{Presence, UpdateError};
use crate::store::Gather;

/// Bytes of entities in `$state`. In memory they take up many times as much.
const STATE_BYTES: usize = 2 * 1024 * 1024;

/// The most entities of a list that is asked for by itself.
const LIST_ITEMS: usize = 1000;
/// What one of them counts like, in bytes that were read.
const READ_BYTES: usize = 512;

/// What a session knows of its client's dialect.
#[derive(Debug, Default)]
pub(super) struct Speaking {
    /// Nothing for the common one.
    dialect: Option<Arc<Dialect>>,
    /// What others see of the client in every room.
    profile: Fields,
    /// What others see of it besides, in the room that it joins next.
    joining: parking_lot::Mutex<Option<(ProjectId, Fields)>>,
    /// Projects that the client has joined without being seen in them.
    unseen: parking_lot::Mutex<Vec<ProjectId>>,
}

impl Session {
    /// A session whose client speaks a dialect, and is seen by others with these fields.
    #[must_use]
    pub fn speaking(mut self, dialect: &Arc<Dialect>, profile: Fields) -> Self {
        self.speaking.dialect = Some(Arc::clone(dialect));
        self.speaking.profile = profile;
        self
    }

    /// The client's dialect, if it is not the common one.
    pub(super) fn dialect(&self) -> Option<&Dialect> {
        self.speaking.dialect.as_deref()
    }

    /// What others see of the client in every room.
    #[must_use]
    pub fn profile(&self) -> &Fields {
        &self.speaking.profile
    }

    /// Notes whether others are to see the client in a project that it joins.
    pub(super) fn set_unseen(&self, project: &ProjectId, is_unseen: bool) {
        let mut unseen = self.speaking.unseen.lock();
        unseen.retain(|known| known != project && self.rooms.contains(&known.channel()));
        if is_unseen {
            unseen.push(project.clone());
        }
    }

    /// The same for a client that comes back: nobody knows any more by which rule it had joined. Where a rule hides clients it is
    /// seen again once it joins again.
    pub(super) fn set_unseen_on_return(&self, project: &ProjectId) {
        let dialect = self.speaking.dialect.as_ref();
        if dialect
            .is_some_and(|dialect| dialect.hides_clients() && !dialect.is_default_room(project))
        {
            self.speaking.unseen.lock().push(project.clone());
        }
    }

    /// Whether others do not see the client in a project that it joins.
    pub(super) fn is_unseen(&self, project: &ProjectId) -> bool {
        self.speaking.unseen.lock().contains(project)
    }

    fn default_room(&self) -> Option<&ProjectId> {
        let dialect = self.speaking.dialect.as_ref()?;
        dialect.default_room.as_ref()
    }

    /// The projects that the client has joined; the one in which everybody is only if it is the only one.
    pub(super) fn joined_projects(&self) -> Vec<ProjectId> {
        let mut joined = self.rooms.projects();
        if let Some(default) = self.default_room() {
            joined.retain(|project| project != default);
            if joined.is_empty() {
                joined.push(default.clone());
            }
        }
        joined
    }

    /// Whether what is made may lack its project: a frontend with a dialect is in one room at a time.
    pub(super) fn makes_in_joined(&self) -> bool {
        self.speaking.dialect.is_some()
    }

    /// The project that is meant where a message names none, if it can only be one.
    #[must_use]
    pub fn meant_room(&self) -> Option<ProjectId> {
        match self.joined_projects().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Notes what others see of the client in a room: at once, or from the moment that it joins.
    ///
    /// # Errors
    ///
    /// The refusal of what is too large.
    pub fn present(&self, project: &ProjectId, fields: Fields) -> Result<(), Reply> {
        let channel = project.channel();
        if !self.rooms.contains(&channel) {
            *self.speaking.joining.lock() = Some((project.clone(), fields));
            return Ok(());
        }
        self.look(&channel, Some(PresenceWish::Implied));
        let (presence, caller) = (self.app.presence(), &self.caller);
        let before = presence.person(project, &caller.actor);
        let mut seen = self.seen_in(before);
        seen.extend(fields);
        match presence.update(project, &caller.actor, caller.connection, seen) {
            Ok(()) | Err(UpdateError::Absent) => Ok(()),
            Err(error @ UpdateError::TooLarge) => Err(Reply::refused(
                ErrorCode::PayloadTooLarge,
                error.to_string(),
            )),
        }
    }

    /// Whether a rule has said what others are to see of the client in a room that it enters.
    pub(super) fn is_introduced(&self, project: &ProjectId) -> bool {
        let joining = self.speaking.joining.lock();
        joining.as_ref().is_some_and(|(of, _)| of == project)
    }

    /// What others see of the client in a room that it enters.
    pub(super) fn seen_on_entering(&self, project: &ProjectId) -> Fields {
        let mut joining = self.speaking.joining.lock();
        let fields = joining.take_if(|(of, _)| of == project);
        drop(joining);
        self.seen_in(fields.map(|(_, fields)| fields))
    }

    fn seen_in(&self, fields: Option<Fields>) -> Fields {
        let mut seen = self.speaking.profile.clone();
        seen.extend(fields.unwrap_or_default());
        seen
    }

    /// Who is in a project, as dialects say it: `users` and `count`.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not see the project.
    pub async fn people(&self, project: &ProjectId, dialect: &Dialect) -> Result<Value, Reply> {
        if !self.rooms.contains(&project.channel()) {
            self.must_see(project).await?;
        }
        let (presence, me) = (self.app.presence(), &self.caller.actor);
        Ok(people(presence, project, me, dialect))
    }

    /// As of which seq it is certain that the client may see a project.
    async fn must_see(&self, project: &ProjectId) -> Result<Seq, Reply> {
        let standing = self.standing(project).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        if standing.sees() {
            Ok(standing.as_of)
        } else {
            Err(unseen())
        }
    }

    /// A project's state, as dialects say it: `project`, and a list for each kind by its plural. As of which seq it is.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not see it, and of what cannot be read now.
    pub async fn state(
        &self,
        project: &ProjectId,
        dialect: &Dialect,
    ) -> Result<(Value, Seq), Reply> {
        let as_of = self.must_see(project).await?;
        let _turn = self.app.large_reads().acquire().await;
        let gather = Gather {
            make: |entity| {
                let kind = entity.kind;
                let text = payload::text(&entity);
                ((kind, text.clone()), text.get().len())
            },
            max_bytes: STATE_BYTES,
        };
        let found = self.app.store().snapshot(project, &gather).await;
        let found = found.map_err(|error| unavailable(&error))?;
        let seq = found.channel.as_ref().map_or(0, |channel| channel.seq);
        if as_of < seq {
            self.must_see(project).await?;
        }
        if !found.is_whole {
            tracing::warn!(project = %project.as_str(), "a dialect's $state is not whole: the project is too large");
        }
        let mut state = Map::new();
        for kind in Kind::all()
            .into_iter()
            .filter(|kind| *kind != Kind::Project)
        {
            state.insert(kind.plural().to_owned(), Value::Array(Vec::new()));
        }
        let mut bytes = 0;
        for (kind, text) in found.entities {
            let text: Box<RawValue> = text;
            bytes += text.get().len();
            let Ok(entity) = serde_json::from_str::<Value>(text.get()) else {
                continue;
            };
            let entity = dialect.shaped(kind, entity);
            if kind == Kind::Project {
                state.insert("project".to_owned(), entity);
                continue;
            }
            let list = state.entry(kind.plural()).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(entity);
            }
        }
        state
            .entry("project")
            .or_insert_with(|| json!({ "id": project.to_json() }));
        self.charge_read(bytes);
        Ok((state.into(), seq))
    }

    /// A list of a project's state by itself, of which the state has only the newest, as dialects say it; as of which seq. Nothing if
    /// the dialect has no word of ours for what is wanted.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not see the project, and of what cannot be read now.
    pub async fn wanted_list(
        &self,
        project: &ProjectId,
        dialect: &Dialect,
        wanted: &Wanted,
    ) -> Result<Option<(Vec<Value>, Seq)>, Reply> {
        let Some((kind, filters)) = dialect.filters(wanted) else {
            return Ok(None);
        };
        let _turn = self.app.large_reads().acquire().await;
        let (items, seq) = self
            .entities_where(project, kind, &filters, LIST_ITEMS)
            .await?;
        let items: Vec<_> = items
            .into_iter()
            .map(|item| dialect.shaped(kind, item))
            .collect();
        self.charge_read(items.len() * READ_BYTES);
        Ok(Some((items, seq)))
    }

    /// Passes something on to those who are in a room.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not see the project.
    pub async fn relay_signal(
        &self,
        channel: ChannelName,
        name: &str,
        payload: Arc<RawValue>,
        to_all: bool,
    ) -> Result<(), Reply> {
        if let Some(project) = channel.project().filter(|_| !self.rooms.contains(&channel)) {
            self.must_see(&project).await?;
        }
        let signal = Signal {
            signal_type: EventType::restore(name.to_owned()),
            payload,
            origin: (!to_all).then_some(self.caller.connection),
            lasting: None,
        };
        self.app.hub().signal(&channel, &Arc::new(signal));
        Ok(())
    }

    /// Publishes in a room.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not.
    pub async fn relay(&self, publication: Publication) -> Result<Pending, Reply> {
        self.publish_as_member(publication).await
    }

    /// Publishes for a user, out of a room.
    ///
    /// # Errors
    ///
    /// The refusal: the sender must be a member of the project, and the user must be able to see it.
    pub async fn relay_to_user(
        &self,
        room: &ProjectId,
        user: &Actor,
        publication: Publication,
    ) -> Result<Pending, Reply> {
        self.may_tell(room, user).await?;
        let (channel, writer) = (publication.channel.clone(), self.app.writer());
        Ok(Pending {
            queue: writer.queue_of(&channel),
            bytes: publication.bytes(),
            answer: writer.publish(channel, vec![publication], &self.caller, None)?,
        })
    }

    /// Turns away who wants to tell a user of a room something that this user may not hear.
    ///
    /// # Errors
    ///
    /// The refusal: the sender must be a member of the project, and the user must be able to see it.
    pub async fn may_tell(&self, project: &ProjectId, user: &Actor) -> Result<(), Reply> {
        let Some(_) = self.rights() else {
            return Ok(());
        };
        let standing = self.standing(project).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        if !standing.sees() {
            return Err(unseen());
        }
        if !standing.has(Role::Member) {
            let message = "this takes the role member in the project";
            return Err(Reply::refused(ErrorCode::Forbidden, message));
        }
        let id = policy::user_id(user);
        let questions = [(id, project.clone())];
        let found = self.app.store().standings(&questions).await;
        let found = found.map_err(|error| unavailable(&error))?;
        let membership = found.first().and_then(|found| found.membership);
        match membership.and_then(|membership| membership.role) {
            Some(role) if role >= policy::TO_SEE => Ok(()),
            _ => Err(Reply::refused(
                ErrorCode::NotFound,
                "the project has no such member",
            )),
        }
    }
}

/// Who is in a project, as dialects say it: `users` and `count`.
#[must_use]
pub fn people(presence: &Presence, project: &ProjectId, asker: &Actor, dialect: &Dialect) -> Value {
    let roster = presence.roster(project, asker);
    let people = roster.people.iter();
    let people = people.filter_map(|person| serde_json::from_str(person.get()).ok());
    let users = people.map(|person| dialect.person(person));
    json!({ "users": users.collect::<Vec<_>>(), "count": roster.count })
}
