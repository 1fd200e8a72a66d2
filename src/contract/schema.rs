//! What crosses the wire, described: types from which JSON Schema, OpenAPI and TypeScript are made.
//!
//! What the server says by itself is sent as these types, which derive `Serialize`. The others only describe: what clients
//! send, and the answers and events that are put together from it ([`payload`](super::payload)), to which clients may add
//! any field. `tests/it/wire_types.rs` holds what a real server sends against all of them. Their documentation is what
//! readers of the OpenAPI document and of the TypeScript declarations read.
//!
//! What may be missing is an `Option`: it is left out, and never null. What may be null is [`Nullable`](types::Nullable).

pub mod answer;
pub mod command;
pub mod entity;
pub mod event;
pub mod flat;
pub mod http;
pub mod metrics;
pub mod stream;
mod table;
pub mod types;

pub use table::{
    ClientEvent, Describe, ERROR, SERVER_EVENTS, ServerEvent, client_event, client_events,
    is_our_name,
};
pub use types::{USUALLY, settings};
