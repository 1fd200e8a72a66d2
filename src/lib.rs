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

pub mod admin;
pub mod app;
pub mod auth;
pub mod broker;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod cluster;
mod coalesce;
pub mod config;
pub mod connections;
pub mod contract;
pub mod domain;
#[cfg(test)]
mod fuzz;
pub mod healthcheck;
pub mod hub;
pub mod ingress;
pub mod lifecycle;
pub mod limits;
pub mod memory;
mod patience;
pub mod presence;
pub mod retention;
mod run;
pub mod serve;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod writer;

pub use run::{RunError, run};
