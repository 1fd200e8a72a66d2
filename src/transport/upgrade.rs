//! The opening handshake of a WebSocket (RFC 6455, section 4.2), the same at every door.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::problem::AckRefusal;
use crate::contract::{ErrorCode, Reply};

/// The version of the protocol, the only one there is.
const VERSION: &str = "13";
/// Characters of a key: 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// Why a request does not go on as a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not ask for one.
    NotAsked,
    /// It asks for another version.
    Version,
    /// Its key is missing, or none.
    Key,
}

/// What a request says that goes on as a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handshake {
    key: HeaderValue,
    /// The subprotocol that the client would like best. None has a meaning here, but browsers end a connection for which
    /// none of those that they offer was chosen.
    subprotocol: Option<HeaderValue>,
}

/// The handshake of a request that asks to go on as a WebSocket, or why it cannot.
pub(crate) fn handshake(request: &Request) -> Result<Handshake, Refusal> {
    let headers = request.headers();
    let asks = request.method() == Method::GET
        && request.version() >= Version::HTTP_11
        && lists(headers, &header::CONNECTION, "upgrade")
        && asks(headers);
    if !asks {
        return Err(Refusal::NotAsked);
    }
    match only(headers, &header::SEC_WEBSOCKET_VERSION) {
        Some(version) if version == VERSION => {}
        _ => return Err(Refusal::Version),
    }
    let key = only(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    Ok(Handshake {
        key: key.cloned().ok_or(Refusal::Key)?,
        subprotocol: first_subprotocol(headers),
    })
}

fn first_subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut offered = words(headers, &header::SEC_WEBSOCKET_PROTOCOL);
    // What is no token is no subprotocol, and no client would take it for an answer.
    let first = offered.find(|word| HeaderName::from_bytes(word.as_bytes()).is_ok())?;
    HeaderValue::from_str(first).ok()
}

/// Whether a request wants to be a WebSocket, right or wrong.
pub(crate) fn asks(headers: &HeaderMap) -> bool {
    lists(headers, &header::UPGRADE, "websocket")
}

/// The answer after which both ends speak WebSocket.
pub(crate) fn accepted(handshake: Handshake) -> Response {
    let accept = derive_accept_key(handshake.key.as_bytes());
    let headers = [
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    let subprotocol = handshake.subprotocol;
    let subprotocol = subprotocol.map(|chosen| [(header::SEC_WEBSOCKET_PROTOCOL, chosen)]);
    (StatusCode::SWITCHING_PROTOCOLS, headers, subprotocol, ()).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let refused = |message| AckRefusal(Reply::refused(ErrorCode::ValidationFailed, message));
        if self == Self::Key {
            let refused = refused("Sec-WebSocket-Key must be 16 bytes in base64");
            return (StatusCode::BAD_REQUEST, refused).into_response();
        }
        let headers = [
            (header::UPGRADE, "websocket"),
            (header::CONNECTION, "Upgrade"),
            (header::SEC_WEBSOCKET_VERSION, VERSION),
        ];
        let refused = refused("connect with a WebSocket, version 13");
        (StatusCode::UPGRADE_REQUIRED, headers, refused).into_response()
    }
}

/// A header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next()?;
    lines.next().is_none().then_some(first)
}

fn is_key(key: &HeaderValue) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = key.as_bytes().strip_suffix(b"==");
    digits.is_some_and(|digits| digits.len() + 2 == KEY_LENGTH && digits.iter().all(is_base64))
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    words(headers, name).any(|word| word.eq_ignore_ascii_case(wanted))
}

/// What stands between the commas of a header, of all its lines.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const RIGHT: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = axum::http::Request::get("/ws");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn a_handshake_by_the_book_is_accepted() {
        let answer = accepted(handshake(&request(&RIGHT)).unwrap());
        let accept = answer.headers().get("sec-websocket-accept").unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.headers().get("sec-websocket-protocol"), None);
    }

    #[test]
    fn first_of_the_subprotocols_is_chosen() {
        for (offered, chosen) in [
            (&["chat"][..], Some("chat")),
            (&["bearer, token.x"], Some("bearer")),
            (&["", " graphql-ws , chat"], Some("graphql-ws")),
            (&["a b, c"], Some("c")),
            (&[""], None),
        ] {
            let lines = offered.iter().map(|line| ("sec-websocket-protocol", *line));
            let headers: Vec<_> = RIGHT.into_iter().chain(lines).collect();
            let answer = accepted(handshake(&request(&headers)).unwrap());
            let answered = answer.headers().get("sec-websocket-protocol");
            let answered = answered.map(|chosen| chosen.to_str().unwrap());
            assert_eq!(answered, chosen, "{offered:?}");
        }
    }

    #[test]
    fn a_handshake_with_something_wrong_is_refused() {
        for (name, wrong, refusal) in [
            ("connection", "close", Refusal::NotAsked),
            ("upgrade", "h2c", Refusal::NotAsked),
            ("sec-websocket-version", "8", Refusal::Version),
            ("sec-websocket-version", "13, 8", Refusal::Version),
            ("sec-websocket-key", "", Refusal::Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", Refusal::Key),
            (
                "sec-websocket-key",
                "dGhlIHNhbXBsZSBub25jZQAAAA==",
                Refusal::Key,
            ),
            (
                "sec-websocket-key",
                "dGhlIHNhbXBsZSB*b25jZQ==",
                Refusal::Key,
            ),
        ] {
            let headers =
                RIGHT.map(|(known, right)| (known, if known == name { wrong } else { right }));
            let answer = handshake(&request(&headers));
            assert_eq!(answer, Err(refusal), "{name}: {wrong}");
            let missing: Vec<_> = RIGHT
                .into_iter()
                .filter(|(known, _)| *known != name)
                .collect();
            assert_eq!(handshake(&request(&missing)), Err(refusal), "no {name}");
        }
        for (name, refusal) in [
            ("sec-websocket-version", Refusal::Version),
            ("sec-websocket-key", Refusal::Key),
        ] {
            let again = RIGHT.into_iter().find(|(known, _)| *known == name);
            let twice: Vec<_> = RIGHT.into_iter().chain(again).collect();
            assert_eq!(handshake(&request(&twice)), Err(refusal), "{name} twice");
        }
    }

    #[test]
    fn only_a_get_of_http_1_1_becomes_a_websocket() {
        let mut posted = request(&RIGHT);
        *posted.method_mut() = Method::POST;
        assert_eq!(handshake(&posted), Err(Refusal::NotAsked));
        let mut old = request(&RIGHT);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(handshake(&old), Err(Refusal::NotAsked));
    }
}
