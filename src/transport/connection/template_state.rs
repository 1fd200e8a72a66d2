//! Reads the state of a project for the templates of a dialect.

use super::door::Door;
use super::subscriber::SessionSubscriber;
use crate::contract::Reply;
use crate::contract::dialect::{Dialect, Root, Scope, Template};
use crate::domain::{ProjectId, Seq};

/// The most lists that are read by themselves for one message.
const MAX_LISTS: usize = 8;
/// How often the state and its lists are read until nothing has changed in between.
const ATTEMPTS: usize = 3;

impl<D: Door> SessionSubscriber<D> {
    /// Puts a project's state into a scope, and the lists that templates want of it; as of which seq. A list that is wanted by the
    /// values of fields is read by itself: the state has only the newest of it.
    pub(super) async fn read_state(
        &self,
        room: &ProjectId,
        dialect: &Dialect,
        templates: &[&Template],
        scope: &mut Scope<'static>,
    ) -> Result<Seq, Reply> {
        let mut attempt = 1;
        loop {
            let (state, seq) = self.session.state(room, dialect).await?;
            scope.set(Root::State, state);
            let wanted = templates
                .iter()
                .flat_map(|template| template.wanted_lists(scope));
            let wanted: Vec<_> = wanted.take(MAX_LISTS).collect();
            let mut is_one_moment = true;
            for wanted in wanted {
                if let Some((items, of)) = self.session.wanted_list(room, dialect, &wanted).await? {
                    is_one_moment &= of == seq;
                    scope.set_list(wanted, items);
                }
            }
            if is_one_moment || attempt == ATTEMPTS {
                return Ok(seq);
            }
            attempt += 1;
        }
    }
}
