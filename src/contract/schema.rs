//! What crosses the wire, described: types from which JSON Schema, OpenAPI and TypeScript are made.
//!
//! Nothing is built from these types: answers and events are put together from what clients sent
//! ([`payload`](super::payload)), and clients may add any field. `tests/it/wire_types.rs` holds what a real server sends
//! against them. Their documentation is what readers of the OpenAPI document and of the TypeScript declarations read.
//!
//! What may be missing is an `Option`: it is left out, and never null. What may be null is [`Nullable`](kit::Nullable).

pub mod answer;
pub mod command;
pub mod entity;
pub mod event;
pub mod flat;
pub mod http;
pub mod kit;
pub mod stream;
mod table;

pub use kit::{USUALLY, settings};
pub use table::{
    ClientEvent, Describe, ERROR, SERVER_EVENTS, ServerEvent, client_event, client_events,
    is_our_name,
};
