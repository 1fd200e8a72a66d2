//! Clients that lose their connection and come back as socket.io-client does by itself, with nothing but `pid` and
//! `offset`: everything that they missed follows, once and in order.

mod cut_join;
mod follower;
mod hostile;
mod load;
mod outage;
mod resets;
mod rooms;
mod same_pid;
mod snapshot;
mod state_pages;
mod storm;

use std::time::Duration;

/// Until something that is on its way must have come.
const SOON: Duration = Duration::from_secs(10);
