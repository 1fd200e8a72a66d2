//! What is known of the program that a client is: no more than tells one frontend from another.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of each text that is kept.
const MAX_BYTES: usize = 100;
/// Browsers and how their name and version stand in a `User-Agent`, those first whose agents name others as well.
const BROWSERS: [(&str, &str); 5] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];

/// A client's program, shared by all connections of the same one.
pub type Client = Arc<ClientDescription>;

/// See the module's description.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LearnedClient")]
pub struct ClientDescription {
    /// The browser or library and its version, such as `Firefox 140` or `Dart/3.5`; `unknown` if it does not say.
    pub agent: String,
    /// The page's origin, if it is a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How it is connected: the door, and for Socket.IO the protocol's version and the transport.
    pub transport: String,
}

impl ClientDescription {
    /// Describes a client by the head of the request with which it came.
    #[must_use]
    pub fn new(user_agent: Option<&str>, origin: Option<&str>, transport: &str) -> Self {
        Self {
            agent: user_agent.map_or_else(|| "unknown".to_owned(), agent),
            origin: origin.map(short),
            transport: short(transport),
        }
    }

    /// Stands for those for which there is no room.
    pub(super) fn other() -> Self {
        Self {
            agent: "other".to_owned(),
            origin: None,
            transport: "other".to_owned(),
        }
    }
}

/// The first product that an agent names, or the browser and its major version.
fn agent(text: &str) -> String {
    for (mark, browser) in BROWSERS {
        if let Some((_, rest)) = text.split_once(mark)
            && text.starts_with("Mozilla/")
        {
            let major: String = rest
                .chars()
                .take_while(char::is_ascii_digit)
                .take(6)
                .collect();
            return format!("{browser} {major}");
        }
    }
    short(text.split_whitespace().next().unwrap_or("unknown"))
}

fn short(text: &str) -> String {
    let clean = text.chars().filter(|char| !char.is_control());
    let mut short = String::new();
    for char in clean {
        if short.len() + char.len_utf8() > MAX_BYTES {
            break;
        }
        short.push(char);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_named_in_a_few_words() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
                "Chrome 131",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
                "Edge 131",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox 140",
            ),
            ("Dart/3.5 (dart:io)", "Dart/3.5"),
            ("Python/3.12 aiohttp/3.9.1", "Python/3.12"),
            ("", "unknown"),
        ] {
            let client = ClientDescription::new(Some(agent), None, "ws");
            assert_eq!(client.agent, expected, "{agent}");
        }
        assert_eq!(ClientDescription::new(None, None, "ws").agent, "unknown");
        let long = ClientDescription::new(Some(&"é".repeat(1000)), Some(&"o".repeat(1000)), "a\nb");
        assert!(long.agent.len() <= MAX_BYTES && long.origin.unwrap().len() <= MAX_BYTES);
        assert_eq!(long.transport, "ab");
    }
}
