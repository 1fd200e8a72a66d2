//! The doors: each is a codec plus a connection, and none contains rules.

pub(crate) mod abort;
pub(crate) mod admission;
pub(crate) mod answers;
mod connect_throttle;
pub(crate) mod connection;
mod credential;
pub(crate) mod doors;
mod flow;
pub(crate) mod http;
pub(crate) mod http_caller;
mod metrics;
pub(crate) mod problem;
mod program;
mod query;
pub(crate) mod rest;
pub mod socketio;
pub mod sse;
mod upgrade;
pub mod websocket;

pub use connect_throttle::ConnectThrottle;
