//! The doors: each is a codec plus a connection, and none contains rules.

mod credential;
mod flow;
mod gate;
pub(crate) mod hangup;
mod outlet;
mod pacer;
mod problem;
mod query;
pub(crate) mod rest;
pub mod socketio;
pub mod sse;
mod tenure;
mod upgrade;
pub(crate) mod visitor;
pub mod websocket;

pub use pacer::Pacer;
pub use tenure::Tenure;
