//! What a session's client may see and do, by what it has shown.
//!
//! Whether it may see a project is looked up when it asks, together with the seq as of which that is so; what changes
//! later comes through the project's own log. Commands are judged by the writer, in the transaction.

use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;

use super::read::seq_of;
use super::{Session, unavailable};
use crate::auth::AuthError;
use crate::contract::schema::answer::{Done, RefreshAnswer};
use crate::contract::schema::event::RevokedReason;
use crate::contract::schema::types::{Nullable, Time};
use crate::contract::{CommandRequest, ErrorCode, JsonObject, Reply};
use crate::domain::{
    ChannelName, Fields, Grants, Holder, Identity, ProjectId, Role, Seq, Target, World, policy,
};
use crate::store::StoreError;

/// What a client has shown, and whether it counts.
#[derive(Debug)]
pub(super) struct Access {
    required: bool,
    /// Guards who the client is; a newer token takes the place of an older one.
    identity: Mutex<Option<Arc<Identity>>>,
}

impl Access {
    pub(super) fn new(required: bool, identity: Option<Identity>) -> Self {
        Self {
            required,
            identity: Mutex::new(identity.map(Arc::new)),
        }
    }
}

/// What somebody is in a project.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    role: Option<Role>,
    was_member: bool,
    /// Events after this seq may say otherwise.
    pub(super) as_of: Seq,
}

impl Standing {
    /// Of those who may do everything, and for ever.
    const OPEN: Self = Self {
        role: Some(Role::Owner),
        was_member: false,
        as_of: Seq::MAX,
    };

    /// Of those who may not.
    const CLOSED: Self = Self {
        role: None,
        ..Self::OPEN
    };

    /// Whether the project can be seen.
    pub(super) fn sees(self) -> bool {
        self.role >= Some(policy::TO_SEE)
    }

    /// Whether it is at least this.
    pub(super) fn has(self, role: Role) -> bool {
        self.role >= Some(role)
    }

    /// Whether it could be seen once, so that it is no news that there is such a project.
    pub(super) fn was_member(self) -> bool {
        self.was_member
    }
}

/// A token in the place of an older one.
#[derive(Debug)]
pub struct Refreshed {
    /// The answer.
    pub reply: Reply,
    /// Channels that cannot be heard with the new one.
    pub lost: Vec<Target>,
}

impl Session {
    /// Who the client has shown to be, if it has.
    #[must_use]
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.access.identity.lock().clone()
    }

    /// By whose rights the client is judged; without any it may do everything.
    pub(super) fn rights(&self) -> Option<Arc<Identity>> {
        self.access.required.then(|| {
            let nobody = || Identity {
                actor: self.caller.actor.clone(),
                holder: Holder::Service { key: String::new() },
                grants: Grants::default(),
                expires_at: None,
            };
            self.identity().unwrap_or_else(|| Arc::new(nobody()))
        })
    }

    pub(super) async fn standing(&self, project: &ProjectId) -> Result<Standing, StoreError> {
        self.standing_at(&Target::project(project)).await
    }

    pub(super) async fn standing_at(&self, target: &Target) -> Result<Standing, StoreError> {
        let standings = self.standings(std::slice::from_ref(target)).await?;
        Ok(standings.into_iter().next().unwrap_or(Standing::CLOSED))
    }

    /// What the client is in these channels' projects. Of other channels it is known for ever whether it may hear them.
    pub(super) async fn standings(&self, targets: &[Target]) -> Result<Vec<Standing>, StoreError> {
        match self.rights() {
            None => Ok(vec![Standing::OPEN; targets.len()]),
            Some(identity) => self.standings_of(&identity, targets).await,
        }
    }

    async fn standings_of(
        &self,
        identity: &Identity,
        targets: &[Target],
    ) -> Result<Vec<Standing>, StoreError> {
        let projects = targets.iter().filter_map(|target| target.project.clone());
        let projects: Vec<_> = projects.collect();
        let mut found = self.standings_in(identity, &projects).await?.into_iter();
        let standings = targets.iter().map(|target| match target.project {
            Some(_) => found.next().unwrap_or(Standing::CLOSED),
            None if policy::hear(identity, &target.channel).is_ok() => Standing::OPEN,
            None => Standing::CLOSED,
        });
        Ok(standings.collect())
    }

    async fn standings_in(
        &self,
        identity: &Identity,
        projects: &[ProjectId],
    ) -> Result<Vec<Standing>, StoreError> {
        let standing = |project, membership, as_of| Standing {
            role: identity.role(project, membership),
            was_member: membership.is_some(),
            as_of,
        };
        if matches!(identity.holder, Holder::Service { .. }) {
            let standings = projects.iter();
            return Ok(standings
                .map(|project| standing(project, None, Seq::MAX))
                .collect());
        }
        let me = policy::member_id(identity);
        let questions: Vec<_> = projects
            .iter()
            .map(|project| (me.clone(), project.clone()))
            .collect();
        // Boxed, because it is large, and most commands do not need it.
        let found = Box::pin(self.app.store().standings(&questions)).await?;
        let standings = projects.iter().zip(found);
        Ok(standings
            .map(|(project, found)| standing(project, found.membership, found.seq))
            .collect())
    }

    /// Serves a read of a channel that can be heard, before and after it was read.
    pub(super) async fn reading(
        &self,
        target: &Target,
        read: Pin<Box<impl Future<Output = Result<JsonObject, StoreError>>>>,
    ) -> Result<Reply, StoreError> {
        let standing = self.standing_at(target).await?;
        if !standing.sees() {
            return Ok(not_heard(target, self.rights().as_deref()));
        }
        let document = read.await?;
        let is_newer = seq_of(&document) > standing.as_of;
        if is_newer && !self.standing_at(target).await?.sees() {
            return Ok(not_heard(target, self.rights().as_deref()));
        }
        Ok(Reply::done(document))
    }

    /// Turns away who may not publish on a channel, before it costs anything. Of a project's the last word is the writer's.
    pub(super) async fn may_publish(&self, channel: &ChannelName) -> Result<(), Reply> {
        let Some(identity) = self.rights() else {
            return Ok(());
        };
        let Some(project) = channel.project() else {
            return policy::publish(Some(&identity), channel, None)
                .map_err(|refusal| Reply::from_refusal(&refusal));
        };
        let standing = self.standing(&project).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        standing.sees().then_some(()).ok_or_else(unseen)
    }

    /// Turns away who may not import into a project, before it costs anything.
    ///
    /// # Errors
    ///
    /// The refusal, `not_found`, `forbidden` or `unavailable`.
    pub async fn may_import(&self, project: &ProjectId) -> Result<(), Reply> {
        let standing = self.standing(project).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        policy::may_import(standing.role).map_err(|refusal| Reply::from_refusal(&refusal))
    }

    /// Turns away who has no business in a project, before it costs anything. The last word is the writer's.
    pub(super) async fn may_ask(
        &self,
        command: &CommandRequest,
        project: &ProjectId,
    ) -> Result<(), Reply> {
        let Some(identity) = self.rights() else {
            return Ok(());
        };
        if self.rooms.contains(&project.channel()) {
            return Ok(());
        }
        let nothing = World::new(project.clone(), 0);
        let free_id = command.made_id || self.app.config().auth.client_project_ids;
        let Err(refusal) = policy::check(&identity, &nothing, &command.action, free_id) else {
            return Ok(());
        };
        // Boxed, because few commands need it.
        let standing = Box::pin(self.standing(project)).await;
        let standing = standing.map_err(|error| unavailable(&error))?;
        // Who was removed may repeat a command and get its answer once more.
        if standing.sees() || standing.was_member() {
            return Ok(());
        }
        Err(Reply::from_refusal(&refusal))
    }

    /// Goes on with a new token, or API key, of the same user.
    pub async fn refresh(&self, token: &str) -> Refreshed {
        let refused = |reply| Refreshed {
            reply,
            lost: Vec::new(),
        };
        let auth = self.app.auth();
        if !auth.is_required() && !auth.verifies_tokens() {
            let mut noop = Fields::new();
            noop.insert("noop".to_owned(), true.into());
            return refused(Reply::done(noop));
        }
        let fresh = match auth.identify(token).await {
            Ok(fresh) => fresh,
            Err(error) => return refused(refusal(&error)),
        };
        if self.caller.actor != fresh.actor {
            let message = "the token is another user's; connect anew with it";
            return refused(Reply::refused(ErrorCode::Forbidden, message));
        }
        match self.go_on_as(fresh).await {
            Ok(refreshed) => refreshed,
            Err(error) => refused(unavailable(&error)),
        }
    }

    async fn go_on_as(&self, fresh: Identity) -> Result<Refreshed, StoreError> {
        let mut lost = Vec::new();
        if self.access.required {
            let targets = self.rooms.targets();
            let standings = self.standings_of(&fresh, &targets).await?;
            let rooms = targets.into_iter().zip(standings);
            lost.extend(rooms.filter_map(|(target, standing)| {
                let sees = standing.sees();
                (!sees).then_some(target)
            }));
        }
        let answer = JsonObject::of(&RefreshAnswer {
            done: Done::default(),
            user_id: fresh.actor.as_str().to_owned(),
            expires_at: Nullable(fresh.expires_at.map(Time)),
        });
        *self.access.identity.lock() = Some(Arc::new(fresh));
        for target in &lost {
            self.expel(&target.channel, RevokedReason::Token);
        }
        Ok(Refreshed {
            reply: Reply::done(answer),
            lost,
        })
    }
}

/// The answer about a project that cannot be seen, whether it exists or not.
#[must_use]
pub fn unseen() -> Reply {
    Reply::from_refusal(&policy::UNSEEN)
}

/// The answer about a channel that somebody may not hear.
pub(super) fn not_heard(target: &Target, identity: Option<&Identity>) -> Reply {
    let refused = identity.filter(|_| target.project.is_none());
    let refused = refused.and_then(|identity| policy::hear(identity, &target.channel).err());
    let reply = Reply::from_refusal(&refused.unwrap_or(policy::UNSEEN));
    match &target.project {
        Some(_) => reply,
        None => reply.with_field("channel"),
    }
}

fn refusal(error: &AuthError) -> Reply {
    match error {
        AuthError::Unauthenticated(_) => {
            Reply::refused(ErrorCode::Unauthenticated, "the token is not valid")
        }
        AuthError::Unavailable(error) => unavailable(error),
        AuthError::NoKeysYet => {
            let message = "tokens cannot be verified now; try again in a moment";
            Reply::refused(ErrorCode::Unavailable, message)
        }
    }
}
