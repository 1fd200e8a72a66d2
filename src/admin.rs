//! What operators ask the server.

pub mod health;
