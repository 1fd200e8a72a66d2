//! The doors, and how a connection ends at each.

/// A way in which clients listen, and at most doors send commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    SocketIoWebSocket,
    SocketIoPolling,
    SocketIoUpgrade,
    WebSocketFlat,
    WebSocketEnvelope,
    Sse,
    LongPoll,
}

/// How a connection ended, as its client saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The code of the close frame (1006 if there was none), or the HTTP status that told of the end. An event stream that
    /// came to its end as HTTP wants it has 200.
    pub(super) code: u16,
    /// The reason in the close frame.
    pub(super) reason: String,
    /// The packet with which Socket.IO says that the client is not to come back by itself.
    pub(super) farewell: Option<String>,
}

/// Why the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    TokenExpired,
    OperatorDisconnect,
    SlowReader,
    Shutdown,
}

impl Door {
    /// Whether clients send commands over the connection that they listen to.
    pub(super) fn takes_commands(self) -> bool {
        !matches!(self, Self::Sse | Self::LongPoll)
    }

    /// Asserts that a connection ended in this door's way.
    pub(super) fn assert_ended(self, end: &End, cause: Cause) {
        let said = || format!("{self:?} ended with {end:?} after {cause:?}");
        match self {
            Self::SocketIoWebSocket | Self::SocketIoPolling | Self::SocketIoUpgrade => {
                let stays_away = cause == Cause::OperatorDisconnect;
                assert_eq!(end.farewell.is_some(), stays_away, "{}", said());
            }
            Self::WebSocketFlat | Self::WebSocketEnvelope => {
                let code_is_right = match cause {
                    Cause::TokenExpired => end.code == 4401,
                    // Which number is up to the server; that the client is told one is not.
                    Cause::OperatorDisconnect => end.code != 1006,
                    Cause::SlowReader => end.code == 1013,
                    Cause::Shutdown => end.code == 1012,
                };
                assert!(code_is_right, "{}", said());
                assert!(!end.reason.is_empty(), "{}", said());
            }
            Self::Sse if cause == Cause::SlowReader => {}
            Self::Sse => assert_eq!(end.code, 200, "{}", said()),
            Self::LongPoll => assert!(matches!(end.code, 0 | 401 | 503), "{}", said()),
        }
    }
}
