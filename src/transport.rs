//! The doors: each is a codec plus a connection, and none contains rules.

pub(crate) mod answers;
pub(crate) mod backlog;
mod credential;
mod flow;
pub(crate) mod gate;
pub(crate) mod hangup;
mod in_flight;
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
