//! What operators ask the server.

pub mod health;
pub mod operations;
pub mod probes;

use std::time::Duration;

use crate::app::App;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the database answers; what is wrong if it does not.
async fn ask_store(app: &App) -> Result<(), &'static str> {
    match tokio::time::timeout(PATIENCE, app.store().ping()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the database cannot be reached; commands are refused as unavailable"),
        Err(_) => Err("the database does not answer; commands are refused as unavailable"),
    }
}
