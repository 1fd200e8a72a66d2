//! The doors: each is a codec plus a connection, and none contains rules.

pub(crate) mod answers;
pub(crate) mod connection;
mod credential;
pub(crate) mod doors;
mod flow;
pub(crate) mod gate;
pub(crate) mod hangup;
mod pacer;
pub(crate) mod problem;
mod query;
pub(crate) mod rest;
pub mod socketio;
pub mod sse;
mod upgrade;
pub(crate) mod visitor;
pub mod websocket;

pub use pacer::Pacer;
