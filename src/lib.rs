//! Boardcast: a Socket.IO-compatible project collaboration server. Every change is validated, committed,
//! numbered, and delivered live, in order and without loss.
//!
//! ```text
//!    request                                              event
//!  Socket.IO ──→ contract::Request ──→ command ──→ writer ── one commit ──→ Socket.IO
//!      ↑          (normalised)        (caller)       │   rows, events, seq      ↑
//!      └───────────────── ack ◄──────────────────────┤                          │
//!                                                    └──→ hub ── feed per channel
//!                                                          ▲ └──→ broker → feeds of other instances
//!                                                          └── log (repairs every gap)
//! ```
//!
//! Imports go one way: `transport → session → writer → {contract, store, hub} → domain`. [`domain`] and
//! [`contract`] do no I/O; only [`transport`] knows socketioxide, only [`store`] knows sqlx.

// The futures of requests lie in one another deeper than the compiler's default when it optimises.
#![recursion_limit = "256"]

pub mod admin;
pub mod auth;
pub mod broker;
pub mod channel_cache;
pub mod cli;
pub mod clock;
mod commands;
pub mod compatibility;
pub mod config;
pub mod connection_count;
pub mod contract;
pub mod dialect_files;
pub mod direct;
pub mod domain;
pub mod healthcheck;
pub mod hub;
pub mod ingress;
mod io_timeout;
pub mod learn;
pub mod limits;
mod membership_lookup;
pub mod memory;
pub mod metrics;
pub mod presence;
pub mod retention;
pub mod server;
pub mod session;
pub mod shutdown;
mod single_flight;
pub mod state;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod test_support;
pub mod transport;
pub mod writer;

pub use commands::{CommandError, run};
