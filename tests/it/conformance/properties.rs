//! The properties. Each runs on one door; the table in [`super`] says on which.

pub(super) mod close_codes;
pub(super) mod drain;
pub(super) mod expiry;
pub(super) mod filter;
pub(super) mod limits;
pub(super) mod logs;
pub(super) mod missed;
pub(super) mod names;
pub(super) mod operations;
pub(super) mod refusals;
pub(super) mod resets;
pub(super) mod revocation;
pub(super) mod slow_reader;
pub(super) mod subscribing;
