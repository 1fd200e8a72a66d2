//! Proposes a dialect: from what was learned of what a frontend sends, and from what its pages listen to.
//!
//! It knows no frontend. What an event is for is told from the words of its name and from the shapes of what is sent and
//! read; where that does not decide it, a comment says what a person must decide.

mod answers;
mod checked;
mod draft;
mod emits;
mod guess;
mod hears;
mod names;
mod needs;
mod relayed;
mod rooms;
#[cfg(test)]
mod tests;
mod told;
mod value;
mod write;

use super::listens::{Listen, Listens, Need};
use super::report::Learned;
use super::shape::Shape;
use draft::Draft;
use emits::Emit;

/// Events of which a proposal has rules.
const MAX_EMITS: usize = 300;
/// Listens of which a proposal has rules.
const MAX_LISTENS: usize = 300;

/// Proposes a dialect file. Without `listens` they are guessed from what is sent.
#[must_use]
pub fn propose(learned: &Learned, listens: Option<&Listens>) -> String {
    let emits = emits_of(learned);
    let heard = &listens.map_or_else(|| guess::listens(&emits), listens_of);
    let mut draft = Draft::new(emits.len(), heard.events.len(), listens.is_none());
    let auth = learned.connections.iter().flat_map(|way| &way.auth);
    draft.auth = auth.chain(&heard.auth).cloned().collect();
    draft.auth.sort_unstable();
    draft.auth.dedup();
    draft.matching(learned, heard);
    rooms::add(&mut draft, &emits, heard);
    let kinds = hears::declare_kinds(&mut draft, &emits, heard);
    hears::add(&mut draft, &emits, heard, &kinds);
    emits::add(&mut draft, &emits, listens.is_none());
    checked::valid(&draft.write())
}

/// What clients send, as far as it can stand in a file.
fn emits_of(learned: &Learned) -> Vec<Emit> {
    let events = learned.events.iter();
    let events = events.filter(|event| checked::is_name(&event.event));
    let emits = events.take(MAX_EMITS).map(|event| {
        let mut args: Vec<Shape> = Vec::new();
        for shape in &event.shapes {
            for (number, arg) in shape.args.iter().enumerate() {
                let arg = arg.with_keys(checked::is_key);
                match args.get_mut(number) {
                    Some(known) => *known = known.clone().unite(arg),
                    None => args.push(arg),
                }
            }
        }
        Emit::new(event.event.clone(), args)
    });
    emits.collect()
}

/// What pages listen to, as far as it can stand in a file.
fn listens_of(listens: &Listens) -> Listens {
    let is_fine = |need: &Need| match need {
        Need::Path(path) => path.iter().all(|key| checked::is_key(key)),
        _ => true,
    };
    let events = listens.events.iter();
    let events = events.filter(|listen| checked::is_name(&listen.event));
    let events = events.take(MAX_LISTENS).map(|listen| Listen {
        needs: listen
            .needs
            .iter()
            .filter(|need| is_fine(need))
            .cloned()
            .collect(),
        ..listen.clone()
    });
    Listens {
        events: events.collect(),
        ..listens.clone()
    }
}
