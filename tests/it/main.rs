//! One integration binary: the real program with real databases.

#![expect(
    clippy::disallowed_methods,
    reason = "tests have no shutdown that would wait for a task"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;
mod architecture;
mod auth;
mod bad_input;
mod broker;
mod cascades;
mod channels;
mod cluster;
mod conformance;
mod connect_rate;
mod crash;
mod cursor_argument;
mod delivery;
mod dialect_rules;
mod dialects;
mod direct;
mod doors;
mod draining;
mod frontends;
mod handshakes;
mod idempotency;
mod ingress;
mod joining;
mod keys;
mod kinds;
mod learning;
mod limits;
mod lists;
mod malformed;
mod matrix;
mod membership;
mod metrics;
mod operations;
mod outage;
mod plan;
mod poison;
mod presence;
mod program;
mod projects_list;
mod publish;
mod recovery;
mod rest;
mod signals;
mod slow_reader;
mod sse;
mod store;
mod storm;
mod strict;
mod stuck;
mod support;
mod trips;
mod typescript;
mod upgrade;
mod websocket;
mod wire_types;
mod writes;
