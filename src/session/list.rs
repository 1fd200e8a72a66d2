//! Reads of entities one by one, and of lists of them.

use serde_json::Value;
use serde_json::value::RawValue;

use super::Session;
use super::access::unseen;
use super::read::seq_of;
use super::unavailable;
use crate::contract::{JsonObject, ListRequest, Reply, payload, write_page_token};
use crate::domain::{
    EntityId, FieldFilter, Grants, Id, Kind, Mark, Page, ProjectId, Refusal, Seq, Target, Whose,
    policy,
};
use crate::store::{Channel, Gather, Snapshot, StoreError};

impl Session {
    /// An entity: `data` with its `version`, and where the project's log stood.
    pub async fn entity(&self, project: &ProjectId, kind: Kind, id: &EntityId) -> Reply {
        let (target, mut refused) = (Target::project(project), None);
        let read = async {
            let found = self.app.store().entity_get(project, kind, id).await?;
            let (mut answer, exists) = self.as_of(&found);
            match found.entities.first() {
                _ if !exists => refused = Some(unseen()),
                None => refused = Some(Reply::from_refusal(&missing(kind))),
                Some(entity) if entity.deleted.is_some() => {
                    refused = Some(Reply::from_refusal(&Refusal::Gone(kind)));
                }
                Some(entity) => {
                    answer.insert("version", entity.version);
                    answer.insert("data", payload::entity(entity));
                }
            }
            Ok(answer)
        };
        let reply = self.reading(&target, Box::pin(read)).await;
        settled(reply, refused)
    }

    /// A page of a project's entities of a kind: `items`, the mark of its end if there is more, as `nextCursor`, and
    /// where the project's log stood.
    pub async fn entities(&self, project: &ProjectId, kind: Kind, page: &Page) -> Reply {
        let (reply, exists) = self.page_of(project, kind, page).await;
        if reply.is_ok() && !exists {
            return unseen();
        }
        reply
    }

    /// Serves a wish for a page of a list. A project in which nothing has happened yet has empty ones.
    pub(super) async fn list(&self, wish: &ListRequest) -> Reply {
        let reply = match (wish.kind, &wish.project) {
            (Kind::Project, _) => self.projects(wish.page.clone()).await,
            (kind, Some(project)) => self.page_of(project, kind, &wish.page).await.0,
            (kind, None) => match Box::pin(self.project_of_list(wish)).await {
                Ok(project) => self.page_of(&project, kind, &wish.page).await.0,
                Err(refusal) => refusal,
            },
        };
        if reply.is_ok() {
            return reply.with_ignored(wish.ignored.clone());
        }
        reply
    }

    /// The one joined project that a list can be of: the only one, or that of what the entities are to belong to.
    async fn project_of_list(&self, wish: &ListRequest) -> Result<ProjectId, Reply> {
        let mut fields = wish.page.filter.fields.iter();
        let owner = fields.find_map(|filter| {
            let kind = Kind::of_reference(&filter.field)?;
            Some((kind, EntityId(Id::from_json(&filter.value).ok()?)))
        });
        let owner = owner.as_ref().map(|(kind, id)| (*kind, id));
        self.only_project(self.joined_projects(), owner).await
    }

    /// A page of a project's entities of a kind, and whether there is such a project.
    async fn page_of(&self, project: &ProjectId, kind: Kind, page: &Page) -> (Reply, bool) {
        let (target, mut exists) = (Target::project(project), false);
        let read = async {
            let more = one_more(page);
            let store = self.app.store();
            let mut found = Box::pin(store.entities_page(project, kind, &more, &LISTED)).await?;
            let (mut answer, is_there) = self.as_of(&found);
            exists = is_there;
            let next = cut(&mut found, page.limit);
            answer.insert("projectId", project.to_json());
            let items = found.entities.iter().map(|item| &item.text);
            answer.insert("nextCursor", next);
            answer.insert_text("items", &items.collect::<Vec<_>>());
            Ok(answer)
        };
        let reply = self.reading(&target, Box::pin(read)).await;
        let reply = reply.unwrap_or_else(|error| unavailable(&error));
        (reply, exists)
    }

    /// The entities of a kind of a project in which fields have certain values, as answers show them: the first tasks by rank, and
    /// the newest of all others, from the oldest of these; as of which seq. The client hears of them if it can see the project.
    ///
    /// # Errors
    ///
    /// The refusal: the project cannot be seen, or the database cannot be reached.
    pub async fn entities_where(
        &self,
        project: &ProjectId,
        kind: Kind,
        fields: &[FieldFilter],
        limit: usize,
    ) -> Result<(Vec<Value>, Seq), Reply> {
        let (target, store) = (Target::project(project), self.app.store().clone());
        let (mut items, wanted, owned) = (Vec::new(), project.clone(), fields.to_vec());
        let read = async {
            let gather = Gather {
                make: |entity| {
                    let bytes = payload::text(&entity).get().len();
                    (Value::Object(payload::entity(&entity)), bytes)
                },
                max_bytes: LIST_BYTES,
            };
            let found = store.entities_where(&wanted, kind, &owned, limit, &gather);
            let found = Box::pin(found).await?;
            let (answer, _) = self.as_of(&found);
            items = found.entities;
            Ok(answer)
        };
        let reply = self.reading(&target, Box::pin(read)).await;
        let reply = reply.map_err(|error| unavailable(&error))?;
        if !reply.is_ok() {
            return Err(reply);
        }
        Ok((items, seq_of(reply.object())))
    }

    /// A page of the projects that the client can see: `items`, and the mark of its end if there is more, as
    /// `nextCursor`. There may be fewer on it than were asked for.
    pub async fn projects(&self, page: Page) -> Reply {
        let listed = self.read_projects(&page).await;
        listed.map_or_else(|error| unavailable(&error), Reply::done)
    }

    async fn read_projects(&self, page: &Page) -> Result<JsonObject, StoreError> {
        let store = self.app.store();
        let more = one_more(page);
        let mut found = store.projects_page(&self.whose(), &more, &LISTED).await?;
        let next = cut(&mut found, page.limit);
        let found = found.entities;
        let targets = found.iter().map(|found| Target::project(&found.project));
        // Asked after the projects were read: who was turned out meanwhile does not see them.
        let standings = self.standings(&targets.collect::<Vec<_>>()).await?;
        let seen = found.iter().zip(standings);
        let seen = seen.filter(|(_, standing)| standing.sees());
        let items = seen.map(|(project, _)| &project.text);
        let mut answer = JsonObject::default();
        answer.insert("nextCursor", next);
        answer.insert_text("items", &items.collect::<Vec<_>>());
        Ok(answer)
    }

    /// Whose projects there are to look through for those that the client can see.
    fn whose(&self) -> Whose {
        match self.rights() {
            Some(identity) if identity.grants.everywhere().is_none() => Whose::Of {
                member: policy::member_id(&identity),
                named: names(&identity.grants),
            },
            _ => Whose::Everybodys,
        }
    }

    /// Where a project's log stood, and whether there is such a project.
    fn as_of<T>(&self, found: &Snapshot<T>) -> (JsonObject, bool) {
        let mut answer = JsonObject::default();
        let Some(Channel { no, name, seq, .. }) = &found.channel else {
            return (answer, false);
        };
        answer.insert("seq", *seq);
        answer.insert("cursor", self.cursor_at(name, Some(*no), *seq));
        (answer, *seq > NOTHING_HAPPENED)
    }
}

/// The seq of a channel that somebody has looked at, and no more.
const NOTHING_HAPPENED: Seq = 0;

fn names(grants: &Grants) -> Vec<String> {
    let named = grants.iter().map(|(project, _)| project.to_owned());
    named.collect()
}

fn missing(kind: Kind) -> Refusal {
    Refusal::NotFound {
        kind,
        field: kind.id_key(),
    }
}

/// Whoever gets one more than a page has knows whether there is another page.
fn one_more(page: &Page) -> Page {
    Page {
        limit: page.limit + 1,
        ..page.clone()
    }
}

/// An item of a list.
struct Item {
    project: ProjectId,
    mark: Mark,
    text: Box<RawValue>,
}

/// The bytes after which a list of what has certain values ends, whatever its limit.
const LIST_BYTES: usize = 2 * 1024 * 1024;
/// The bytes after which a page ends, whatever its limit.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

const LISTED: Gather<Item> = Gather {
    make: |entity| {
        let text = payload::text(&entity);
        let bytes = text.get().len();
        let mark = Mark::of(&entity);
        let project = entity.project;
        (
            Item {
                project,
                mark,
                text,
            },
            bytes,
        )
    },
    max_bytes: PAGE_BYTES,
};

/// Leaves what is on the page; the mark of its end, if there may be more.
fn cut(found: &mut Snapshot<Item>, limit: usize) -> Option<String> {
    let is_more = found.entities.len() > limit || !found.is_whole;
    found.entities.truncate(limit);
    let last = found.entities.last().filter(|_| is_more)?;
    Some(write_page_token(&last.mark))
}

/// What was read, unless there was nothing to read. Whoever may not see the project hears that in any case.
fn settled(read: Result<Reply, StoreError>, refused: Option<Reply>) -> Reply {
    match read {
        Ok(reply) if reply.is_ok() => refused.unwrap_or(reply),
        Ok(reply) => reply,
        Err(error) => unavailable(&error),
    }
}
