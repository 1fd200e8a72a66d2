//! Recognises clients that a second argument of an event would break.
//!
//! JavaScript ignores an argument that a handler does not declare. Other clients do not: Python raises a `TypeError`, Dart
//! hands over a list in place of the payload, Go fails to decode the two, and Unity's old client refuses an event with more
//! than one argument. They are told by what their libraries send by themselves. Java, Swift, C++, .NET and Rust hand over all
//! arguments or the first, so that an argument more does not matter.

use axum::http::{HeaderMap, HeaderName, header};

/// How the `User-Agent` of such a client begins: that of `requests`, `aiohttp`, `dart:io`, Go's and Unity's.
const USER_AGENTS: [&str; 5] = [
    "python-requests/",
    "Python/",
    "Dart/",
    "Go-http-client/",
    "websocket-sharp/",
];
/// Headers that Python's libraries do not send by themselves, and browsers or Node.js do.
const OF_JAVASCRIPT: [HeaderName; 2] = [
    header::SEC_WEBSOCKET_EXTENSIONS,
    HeaderName::from_static("sec-fetch-mode"),
];
/// The `User-Agent` of Node.js on long-polling. Over a WebSocket it sends none.
const NODE: &str = "node-XMLHttpRequest";

/// Marks a session whose client takes events with one argument.
#[derive(Debug, Clone, Copy)]
pub(super) struct TakesOneArgument;

impl TakesOneArgument {
    /// Recognises a client by the request that begins its session.
    pub(super) fn recognise(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let agent = headers.get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
        let is_named = USER_AGENTS.iter().any(|start| agent.starts_with(start));
        let is_javascript =
            || agent == NODE || OF_JAVASCRIPT.iter().any(|name| headers.contains_key(name));
        (is_named || (has_order_of_python(query) && !is_javascript())).then_some(Self)
    }
}

/// Whether `transport` stands before `EIO`: python-engineio writes them so. Its WebSocket sends no `User-Agent`, and programs
/// choose their own.
fn has_order_of_python(query: Option<&str>) -> bool {
    let names = || {
        let pairs = query.unwrap_or_default().split('&');
        pairs.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
    };
    let place = |name| names().position(|found| found == name);
    place("transport")
        .zip(place("EIO"))
        .is_some_and(|(transport, protocol)| transport < protocol)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_recognised(query: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let headers: HeaderMap = headers.collect();
        TakesOneArgument::recognise(&headers, Some(query)).is_some()
    }

    #[test]
    fn clients_that_an_argument_more_breaks_are_recognised() {
        let js = "EIO=4&transport=polling&t=abc";
        let python = "transport=websocket&EIO=4&t=1.5";
        for (query, agent) in [
            ("transport=polling&EIO=4", "python-requests/2.34.2"),
            ("transport=polling&EIO=4", "Python/3.11 aiohttp/3.14.5"),
            (js, "Dart/3.4 (dart:io)"),
            (js, "Go-http-client/1.1"),
            (js, "websocket-sharp/1.0"),
            (python, "my-bot/1.0"),
            (python, "Mozilla/5.0 (a bot)"),
        ] {
            assert!(is_recognised(query, &[("user-agent", agent)]), "{agent}");
        }
        // websocket-client.
        assert!(is_recognised(python, &[("origin", "http://localhost")]));
        assert!(is_recognised("token=x&transport=websocket&EIO=3", &[]));
    }

    #[test]
    fn other_clients_are_not_recognised() {
        let order = "EIO=4&transport=websocket";
        let own_query = "transport=websocket&EIO=4";
        for (query, headers) in [
            (order, &[("user-agent", "Mozilla/5.0 (X11)")][..]),
            (order, &[("sec-websocket-extensions", "permessage-deflate")]),
            (order, &[("user-agent", "node-XMLHttpRequest")]),
            (order, &[("user-agent", "okhttp/4.9.2")]),
            (order, &[]),
            // A page that gives the parameter itself.
            (own_query, &[("sec-fetch-mode", "cors")]),
            (own_query, &[("user-agent", "node-XMLHttpRequest")]),
            (
                own_query,
                &[("sec-websocket-extensions", "permessage-deflate")],
            ),
            ("transport=polling", &[]),
            ("", &[]),
        ] {
            assert!(!is_recognised(query, headers), "{query} {headers:?}");
        }
    }
}
