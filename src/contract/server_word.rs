//! The names by which only the server speaks: of a connection, of an answer, of where a client stands.
//!
//! Every door writes its own messages with a [`ServerWord`], so there is one list of them; and what others publish goes
//! through [`Publication`](super::Publication), which refuses every name that could be read as one of these, at whatever
//! door it comes in. What the server says of a project (`task:updated`, `presence:join`) is none: it comes on the
//! project's channel, on which such names cannot be published.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{EventStyle, Reply};
use crate::domain::EventType;

/// Makes the enum, the list of all and their names out of one table.
macro_rules! words {
    ($($(#[$about:meta])* $word:ident = $name:literal,)*) => {
        /// See the module.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ServerWord {
            $($(#[$about])* #[doc = concat!("`", $name, "`")] $word,)*
        }

        impl ServerWord {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// As it is written; a dotted one is spelled as each client wants it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $name,)*
                }
            }
        }
    };
}

words! {
    // Answers, at the doors that have no other way to mark them.
    Ack = "ack",
    Error = "error",
    Pong = "pong",
    Ping = "ping",
    Heartbeat = "heartbeat",
    // `/ws`
    Connection = "connection",
    Welcome = "welcome",
    Subscribed = "subscribed",
    Unsubscribed = "unsubscribed",
    BatchUpdate = "batchUpdate",
    // `/ws/v1`
    Connect = "connect",
    AuthSuccess = "auth_success",
    AuthFailure = "auth_failure",
    SubscriptionUpdate = "subscription_update",
    // Server-sent events: the browser's own words, and ours.
    Open = "open",
    Reset = "reset",
    AccessRevoked = "access_revoked",
    // Socket.IO: the wrapper of what is published. The words of its client library (`disconnect`) are no server's: what
    // is published under these reaches such clients in the wrapper alone.
    Event = "event",
    // Where a client stands, at every door.
    ProjectAccessRevoked = "project.access_revoked",
    ProjectReset = "project.reset",
    ChannelAccessRevoked = "channel.access_revoked",
    ChannelReset = "channel.reset",
    SessionReset = "session.reset",
    SessionCursor = "session.cursor",
    AuthExpiring = "auth.expiring",
}

impl ServerWord {
    /// Whether a name is one of these as the server itself writes it, in any style. Costs one look-up.
    #[must_use]
    pub fn is_spelled(name: &str) -> bool {
        static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
            let styled = ServerWord::ALL.iter().flat_map(|word| {
                let event_type = EventType::known(word.as_str());
                EventStyle::ALL.map(|style| style.name(&event_type))
            });
            styled.collect()
        });
        NAMES.contains(name)
    }

    /// Whether a name consists of the letters of one of these, however its words are joined and capitalised.
    #[must_use]
    pub fn is_meant(name: &str) -> bool {
        static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
            let all = ServerWord::ALL.iter();
            all.map(|word| letters_of(word.as_str())).collect()
        });
        NAMES.contains(&letters_of(name))
    }

    /// The answer to whoever wants to publish under such a name.
    #[must_use]
    pub fn refusal(name: &str) -> Reply {
        let name: String = name.chars().take(64).collect();
        Reply::invalid(
            "type",
            format!("must not be {name}: only the server says that"),
        )
    }
}

/// The letters and digits of a name, in lower case: `batchUpdate`, `batch_update` and `BATCHUPDATE` are the same.
fn letters_of(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|char| char.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::schema::{ERROR, SERVER_EVENTS};
    use crate::contract::vocabulary;

    #[test]
    fn name_is_recognised_however_it_is_spelled() {
        for name in [
            "ack",
            "ACK",
            "Ack",
            "batchUpdate",
            "batch_update",
            "batch-update",
            "batch:update",
            "BatchUpdate",
            "BATCH_UPDATE",
            "batchupdate",
            "session:reset",
            "session.reset",
            "session-reset",
            "session_reset",
            "sessionReset",
            "SessionReset",
            "session/reset",
            "_ack_",
            "auth_success",
            "authSuccess",
        ] {
            assert!(ServerWord::is_meant(name), "{name}");
        }
        for name in [
            "",
            "message",
            "acknowledged",
            "connectionStatus",
            "connectionStateChanged",
            "ai_error",
            "job.reset",
            "agent_error",
            "session:ended",
            "system_notification",
            "task:updated",
            "events",
            "sessionResets",
        ] {
            assert!(!ServerWord::is_meant(name), "{name}");
        }
    }

    #[test]
    fn every_spelling_of_every_word_is_recognised() {
        for word in ServerWord::ALL {
            let event_type = EventType::known(word.as_str());
            for style in EventStyle::ALL {
                let name = style.name(&event_type);
                assert!(
                    ServerWord::is_spelled(&name) && ServerWord::is_meant(&name),
                    "{name}"
                );
            }
        }
    }

    /// An event of the server's own that is added to the table is either one of these, or comes on a project's channel.
    #[test]
    fn every_event_of_the_server_is_protected() {
        let of_projects = |event_type: &str| {
            let (noun, verb) = event_type.split_once('.').unwrap_or((event_type, ""));
            let is_entity = matches!(
                noun,
                "project" | "task" | "epic" | "sprint" | "member" | "comment"
            );
            let happened = verb.ends_with("ed") && verb != "access_revoked";
            (is_entity && happened)
                || noun == "presence"
                || matches!(event_type, "typing" | "task.editing")
        };
        for event in SERVER_EVENTS.iter().chain([&ERROR]) {
            let name = event.event_type;
            // What operators say to people reaches Socket.IO alone, and `system_notification` is a type that backends
            // publish on `/ws/v1`; a published one has a channel and a seq.
            let is_fine =
                ServerWord::is_meant(name) || of_projects(name) || name == "system.notification";
            assert!(is_fine, "{name}");
            let event_type = EventType::known(name);
            let is_safe = !of_projects(name) || event_type.sounds_like_ours();
            assert!(is_safe, "{name} can be published on a project's channel");
        }
    }

    #[test]
    fn no_request_of_a_client_is_one() {
        for entry in vocabulary::all() {
            assert!(
                !ServerWord::is_meant(&entry.canonical),
                "{}",
                entry.canonical
            );
        }
        assert!(
            ServerWord::ALL
                .iter()
                .all(|word| vocabulary::find(word.as_str()).is_none())
        );
    }
}
