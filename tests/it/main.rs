//! One integration binary: the real program with real databases.

mod bad_input;
mod crash;
mod outage;
mod poison;
mod program;
mod slow_reader;
mod store;
mod storm;
mod support;
