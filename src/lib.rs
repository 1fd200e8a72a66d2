//! Boardcast.
pub mod domain;
