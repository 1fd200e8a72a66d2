//! What a client asks of its connection, in the query of the address that it connects to.

use std::time::Duration;

use crate::contract::{EventStyle, Reply};
use crate::transport::connection::client_info::ClientInfo;
use crate::transport::query::from_query;

/// How long events may wait for others at least, and at most.
const BATCH: [u64; 2] = [10, 5_000];

/// See the module's description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params {
    /// Who the client says it is.
    pub(super) user_id: Option<String>,
    /// The session of which it wants to hear.
    pub(super) session_id: Option<String>,
    /// Other channels of which it wants to hear.
    pub(super) channels: Vec<String>,
    /// Where it was when its last connection ended.
    pub(super) cursor: Option<String>,
    /// Whether it wants to hear that the connection is there, if it says so.
    pub(super) heartbeat: Option<bool>,
    /// For how long events are to be gathered.
    pub(super) batch: Option<Duration>,
    /// How events are spelled, if not as everywhere.
    pub(super) event_style: Option<EventStyle>,
    /// Whether it wants large data compressed.
    pub(super) compressed: bool,
    /// Whether it does not want to hear its own changes.
    pub(super) is_deaf_to_itself: bool,
    /// Whether it wants to be told who comes and goes, if it says so.
    pub(super) presence: Option<bool>,
    /// Which program it says it is.
    pub(super) client_info: ClientInfo,
}

impl Params {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// The answer to a parameter that cannot be what it says.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Reply> {
        let said = |key| from_query(query, key).filter(|value| is_something(value));
        let channels = said("channels").unwrap_or_default();
        let channels = channels.split(',').map(str::trim);
        let batch = match said("batch").map(|millis| millis.parse::<u64>()) {
            None | Some(Ok(0)) => None,
            Some(Ok(millis)) => Some(Duration::from_millis(millis.clamp(BATCH[0], BATCH[1]))),
            Some(Err(_)) => {
                return Err(Reply::invalid("batch", "must be a number of milliseconds"));
            }
        };
        let event_style = said("eventStyle").map(|style| style.parse());
        let event_style = event_style
            .transpose()
            .map_err(|_| Reply::invalid("eventStyle", "must be colon, dash, snake or camel"))?;
        Ok(Self {
            user_id: said("userId"),
            session_id: said("sessionId"),
            channels: channels
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            cursor: said("cursor"),
            heartbeat: said("heartbeat").map(|value| is_yes(&value)),
            batch,
            event_style,
            compressed: said("compressed").is_some_and(|value| is_yes(&value)),
            is_deaf_to_itself: said("echo").is_some_and(|value| value == "false"),
            presence: said("presence").map(|value| is_yes(&value)),
            client_info: ClientInfo::in_query(query),
        })
    }

    /// Whether nothing tells for what the client has come.
    pub(super) fn is_bare(&self) -> bool {
        self.user_id.is_none()
            && self.session_id.is_none()
            && self.channels.is_empty()
            && self.cursor.is_none()
    }

    /// The channels of which it wants to hear from the start.
    pub(super) fn all_channels(&self) -> Vec<String> {
        let user = self.user_id.as_ref().map(|id| format!("user:{id}"));
        let session = self.session_id.as_ref().map(|id| format!("session:{id}"));
        let channels = user.into_iter().chain(session);
        channels.chain(self.channels.iter().cloned()).collect()
    }
}

/// What JavaScript makes of nothing in a query is nothing.
fn is_something(value: &str) -> bool {
    !matches!(value, "" | "undefined" | "null")
}

fn is_yes(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found() {
        let query = "userId=Ann%20B&sessionId=s1&channels=agent:*,%20ai:jobs,&cursor=e.1:2&heartbeat=1&batch=100\
                     &eventStyle=snake&echo=false&compressed=1&presence=1&token=t&clientType=vscode&version=1.2";
        let params = Params::read(Some(query)).unwrap();
        let expected = Params {
            user_id: Some("Ann B".to_owned()),
            session_id: Some("s1".to_owned()),
            channels: vec!["agent:*".to_owned(), "ai:jobs".to_owned()],
            cursor: Some("e.1:2".to_owned()),
            heartbeat: Some(true),
            batch: Some(Duration::from_millis(100)),
            event_style: Some(EventStyle::Snake),
            compressed: true,
            is_deaf_to_itself: true,
            presence: Some(true),
            client_info: ClientInfo {
                client_type: Some("vscode".into()),
                version: Some("1.2".into()),
            },
        };
        assert_eq!(params, expected);
        let channels = ["user:Ann B", "session:s1", "agent:*", "ai:jobs"];
        assert_eq!(params.all_channels(), channels);
    }

    #[test]
    fn nothing_is_nothing() {
        for query in [
            None,
            Some(""),
            Some(
                "userId=&sessionId=undefined&channels=,&cursor=null&heartbeat=&batch=&eventStyle=",
            ),
            Some("batch=0&echo=true"),
        ] {
            assert_eq!(Params::read(query).unwrap(), Params::default(), "{query:?}");
        }
    }

    #[test]
    fn a_heartbeat_is_wanted_or_not() {
        for (value, wanted) in [("1", true), ("true", true), ("0", false), ("false", false)] {
            let params = Params::read(Some(&format!("heartbeat={value}"))).unwrap();
            assert_eq!(params.heartbeat, Some(wanted), "{value}");
        }
    }

    #[test]
    fn params_that_cannot_be_read_are_refused_by_name() {
        for (query, field) in [("batch=abc", "batch"), ("eventStyle=loud", "eventStyle")] {
            let refusal = Params::read(Some(query)).unwrap_err();
            assert_eq!(refusal.field(), Some(field));
        }
    }

    #[test]
    fn a_batch_is_neither_tiny_nor_endless() {
        for (batch, millis) in [("1", 10), ("10", 10), ("999999999999", 5000)] {
            let params = Params::read(Some(&format!("batch={batch}"))).unwrap();
            assert_eq!(params.batch, Some(Duration::from_millis(millis)));
        }
    }
}
