//! Settings of what plain WebSockets are told without asking.

use clap::Args;

/// What plain WebSockets are told without asking.
#[derive(Debug, Clone, Args)]
pub struct NoticesConfig {
    /// Sends `heartbeat` to every plain WebSocket with each ping, unless its address says `heartbeat=false`. Without it, to
    /// those alone whose address says `heartbeat=true`.
    #[arg(long, env = "WEBSOCKET_HEARTBEAT", global = true)]
    pub websocket_heartbeat: bool,

    /// Tells every plain WebSocket how the server is: `connectionStatus` when it connects, and `connectionStateChanged` when
    /// other instances cannot be reached, can be again, or the server shuts down.
    #[arg(long, env = "CONNECTION_STATUS", global = true)]
    pub connection_status: bool,
}
