//! Looks up who belongs to which project, for many who ask at about the same time with one read: an event of the list of
//! projects is for those alone who can see the project, and all of its subscribers ask at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::{EntityId, Membership, ProjectId};
use crate::single_flight::SingleFlight;
use crate::store::{Store, StoreError};

/// A user and a project.
type Question = (EntityId, ProjectId);
type Answers = Result<Arc<HashMap<Question, Option<Membership>>>, Arc<StoreError>>;

/// See the module.
#[derive(Debug)]
pub(crate) struct MembershipLookup {
    store: Store,
    /// What the next read answers: one question at most of each connection.
    asked: Mutex<Vec<Question>>,
    reads: SingleFlight<(), Answers>,
}

impl MembershipLookup {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            asked: Mutex::default(),
            reads: SingleFlight::default(),
        }
    }

    /// What the project's list of members says of the user; `None` of somebody who never was a member.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub(crate) async fn get(
        &self,
        user: EntityId,
        project: ProjectId,
    ) -> Result<Option<Membership>, StoreError> {
        let question = (user, project);
        self.asked.lock().push(question.clone());
        let read = || async {
            let mut asked = std::mem::take(&mut *self.asked.lock());
            asked.sort_unstable();
            asked.dedup();
            let found = self.store.standings(&asked).await.map_err(Arc::new)?;
            let memberships = found.into_iter().map(|found| found.membership);
            Ok(Arc::new(asked.into_iter().zip(memberships).collect()))
        };
        let answers = self.reads.get(&(), read).await.map_err(StoreError::from)?;
        Ok(answers.get(&question).copied().flatten())
    }
}
