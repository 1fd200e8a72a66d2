//! One step of a cascade: events like those of a command, of the author whose command began it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::value::RawValue;

use super::{Author, PendingBatch};
use crate::contract::{Reply, payload};
use crate::domain::{
    Cascade, CascadeKey, Context, Dragged, EntityId, EventId, Fields, Kind, World, step,
};
use crate::writer::job::LEFT;
use crate::writer::outcome::BatchError;

impl PendingBatch<'_> {
    /// Changes the next tasks. Nothing happens if the cascade has come to its end meanwhile, by another instance.
    pub(super) fn step(&mut self, key: &CascadeKey) -> Reply {
        let channel = key.project.channel();
        let now = self.now;
        let Some(state) = self.channels.get_mut(&channel) else {
            return BatchError::Internal.reply();
        };
        let Some(world) = &state.world else {
            return BatchError::Internal.reply();
        };
        let Some(cascade) = world.cascade_from(key.reference, &key.id).cloned() else {
            return left(0);
        };
        if is_deleted(world, key) {
            // Nothing happens in a deleted project any more.
            self.batch.cascades.push(Cascade { left: 0, ..cascade });
            return left(0);
        }
        let context = Context {
            project: key.project.clone(),
            actor: cascade.actor.clone(),
            now,
            strict: false,
            founder: None,
        };
        let stepped = catch_unwind(AssertUnwindSafe(|| prepared(world, cascade, &context)));
        let Ok((mut dragged, payloads)) = stepped else {
            tracing::error!(project.id = %key.project, "a rule panicked; its cascade waits");
            return BatchError::Internal.reply();
        };
        if dragged.entities.is_empty() && dragged.cascade.left > 0 {
            // The database finds tasks that the rule does not change. The next step would find them again.
            tracing::error!(project.id = %key.project, "a cascade cannot go on; it ends here");
            dragged.cascade.left = 0;
        }
        let author = Author {
            actor: context.actor,
            at: now,
            origin: None,
            envelope: None,
        };
        for (draft, payload) in dragged.events.iter().zip(payloads) {
            self.event_bytes += payload.get().len();
            let (id, event_type) = (EventId::generate(), draft.event_type.clone());
            let event = state.append(id, event_type, payload.into(), None, &author);
            self.batch.events.push((event, None));
        }
        if let Some(world) = &mut state.world {
            world.accept_dragged(&dragged);
        }
        self.touch(&channel, &dragged.entities);
        self.dragged += dragged.entities.len();
        let reply = left(dragged.cascade.left);
        self.batch.cascades.push(dragged.cascade);
        reply
    }
}

/// What the next step changes, and its events' payloads.
fn prepared(world: &World, cascade: Cascade, context: &Context) -> (Dragged, Vec<Box<RawValue>>) {
    let dragged = step(world, cascade, context);
    let nothing = Fields::new();
    let payloads = (world.seq() + 1..)
        .zip(&dragged.events)
        .map(|(seq, draft)| payload::event(draft, &nothing, seq))
        .collect();
    (dragged, payloads)
}

fn is_deleted(world: &World, key: &CascadeKey) -> bool {
    let project = world.get(Kind::Project, &EntityId(key.project.0.clone()));
    project.is_some_and(|project| project.deleted.is_some())
}

fn left(tasks: usize) -> Reply {
    let mut answer = Fields::new();
    answer.insert(LEFT.to_owned(), tasks.into());
    Reply::done(answer)
}
