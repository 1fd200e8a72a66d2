//! The doors: each is a codec plus a connection, and none contains rules.

pub mod socketio;
