//! What operators ask the server.

pub mod health;
pub mod operations;
pub mod probes;
