//! Tries whether a dialect serves a frontend: plays what the frontend sends against a server in this process, and looks
//! whether what it listens for is heard.
//!
//! `facts` says what a frontend sends and listens for, `client` is the page, `server` the server with the backend's
//! way in, `play` the order of things, `report` what came of it.

mod arguments;
mod backend;
mod client;
mod facts;
mod hearing;
mod play;
mod refusal;
mod report;
mod rooms;
mod server;
mod socket;

pub use facts::{Facts, FactsError};
pub use play::PlayError;
pub use report::{Outcome, Report, Sums};

/// Plays a frontend's facts against a server that speaks a dialect: one that comes with the program, or a file.
///
/// # Errors
///
/// See [`PlayError`]. What the server refuses is no error but stands in the report.
pub async fn try_dialect(dialect: &str, facts: &Facts) -> Result<Report, PlayError> {
    play::play(dialect, facts).await
}
