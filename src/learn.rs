//! What clients send and what backends publish, by name and shape: what a frontend's own words are, and why nothing is
//! heard of some of them.
//!
//! Pure: the server hands over messages, and gets counts. Values are never kept, only types and keys; every map has a
//! bound, and what is beyond it is counted under one entry.

mod anonymous;
mod client;
mod listens;
mod proposal;
mod recorder;
mod report;
mod scan;
mod shape;
mod words;

pub use client::{Client, ClientDescription};
pub use listens::{Listen, Listens, Need};
pub use proposal::propose;
pub use recorder::{Message, Recorder, Taken};
pub use report::{
    ClientCount, Connected, Learned, LearnedEvent, LearnedPublication, OutcomeCount, ShapeCount,
};
pub use scan::scan;
pub use shape::Shape;
