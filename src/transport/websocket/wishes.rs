//! What a client wants of its connection, from the address that it connects to.

use std::time::Duration;

use crate::contract::EventStyle;
use crate::transport::query::from_query;

/// How long events may wait for others at least, and at most.
const BATCH: [u64; 2] = [10, 5_000];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Who the client says it is.
    pub(super) user_id: Option<String>,
    /// The session of which it wants to hear.
    pub(super) session_id: Option<String>,
    /// Other channels of which it wants to hear.
    pub(super) channels: Vec<String>,
    /// Where it was when its last connection ended.
    pub(super) cursor: Option<String>,
    /// Whether it wants to hear that the connection is there.
    pub(super) heartbeat: bool,
    /// For how long events are to be gathered.
    pub(super) batch: Option<Duration>,
    /// How events are spelled, if not as everywhere.
    pub(super) event_style: Option<EventStyle>,
    /// Whether it does not want to hear its own changes.
    pub(super) is_deaf_to_itself: bool,
}

impl Wishes {
    /// Reads a query. What cannot be read is not wished for.
    pub(super) fn read(query: Option<&str>) -> Self {
        let said = |key| from_query(query, key).filter(|value| is_something(value));
        let channels = said("channels").unwrap_or_default();
        let channels = channels.split(',').map(str::trim);
        let batch = said("batch").and_then(|millis| millis.parse().ok());
        let batch = batch.filter(|millis| *millis > 0);
        Self {
            user_id: said("userId"),
            session_id: said("sessionId"),
            channels: channels
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            cursor: said("cursor"),
            heartbeat: said("heartbeat").is_some_and(|value| is_yes(&value)),
            batch: batch.map(|millis: u64| Duration::from_millis(millis.clamp(BATCH[0], BATCH[1]))),
            event_style: said("eventStyle").and_then(|style| style.parse().ok()),
            is_deaf_to_itself: said("echo").is_some_and(|value| value == "false"),
        }
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
                     &eventStyle=snake&echo=false&token=t";
        let wishes = Wishes::read(Some(query));
        let expected = Wishes {
            user_id: Some("Ann B".to_owned()),
            session_id: Some("s1".to_owned()),
            channels: vec!["agent:*".to_owned(), "ai:jobs".to_owned()],
            cursor: Some("e.1:2".to_owned()),
            heartbeat: true,
            batch: Some(Duration::from_millis(100)),
            event_style: Some(EventStyle::Snake),
            is_deaf_to_itself: true,
        };
        assert_eq!(wishes, expected);
        let channels = ["user:Ann B", "session:s1", "agent:*", "ai:jobs"];
        assert_eq!(wishes.all_channels(), channels);
    }

    #[test]
    fn nothing_is_nothing() {
        for query in [
            None,
            Some(""),
            Some(
                "userId=&sessionId=undefined&channels=,&cursor=null&heartbeat=0&batch=x&eventStyle=loud",
            ),
            Some("heartbeat=false&batch=0&echo=true"),
        ] {
            assert_eq!(Wishes::read(query), Wishes::default(), "{query:?}");
        }
    }

    #[test]
    fn a_batch_is_neither_tiny_nor_endless() {
        for (batch, millis) in [("1", 10), ("10", 10), ("999999999999", 5000)] {
            let wishes = Wishes::read(Some(&format!("batch={batch}")));
            assert_eq!(wishes.batch, Some(Duration::from_millis(millis)));
        }
    }
}
