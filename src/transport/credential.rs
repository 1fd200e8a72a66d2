//! What a client shows to say who it is: a token or an API key, wherever it stands.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::query::from_query;
use crate::auth::Authenticator;

/// What a credential is called in `auth`, in a query and in a message, the first that is there.
pub(crate) const NAMES: [&str; 3] = ["token", "apiKey", "api_key"];
/// The header of API keys, which is looked at if `Authorization` holds none.
const API_KEY_HEADER: &str = "x-api-key";
const BEARER: &str = "Bearer ";
/// Bytes that are kept, more than those of the longest that counts. What is longer is cut off, and proves nothing.
const MAX_LENGTH: usize = 10 * 1024;

/// A token or an API key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(Arc<str>);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl Credential {
    /// A text that was given as one, unless it says that there is none: pages connect before anybody has logged in.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = strip_bearer(text).unwrap_or(text);
        let none = matches!(bare, "" | "null" | "undefined") || text.eq_ignore_ascii_case("Bearer");
        (!none).then(|| Self(text[..text.floor_char_boundary(MAX_LENGTH)].into()))
    }

    /// What stands in `auth`. What is no text proves nothing, but was given.
    pub(crate) fn in_auth(said: impl Fn(&str) -> Option<Value>) -> Option<Self> {
        NAMES.into_iter().find_map(|key| match said(key)? {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) => Self::new(&text),
            other => Self::new(&other.to_string()),
        })
    }

    /// What stands in a query.
    pub(crate) fn in_query(query: Option<&str>) -> Option<Self> {
        NAMES
            .into_iter()
            .find_map(|name| Self::new(&from_query(query, name)?))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn strip_bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(BEARER.len())?;
    scheme
        .eq_ignore_ascii_case(BEARER)
        .then(|| rest.trim_start())
}

/// Finds what stands in the head of a request. The head itself is not kept, because every connection has one.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    auth: Authenticator,
    cookie: Option<Arc<str>>,
}

impl Heads {
    pub(crate) fn new(auth: &Authenticator, cookie: Option<&str>) -> Self {
        Self {
            auth: auth.clone(),
            cookie: cookie.map(Arc::from),
        }
    }

    /// The credential in a header, or in a cookie if there is none in the query. Nothing if nobody would look at it.
    pub(crate) fn find(&self, headers: &HeaderMap, query: Option<&str>) -> Option<Credential> {
        let found = in_headers(headers).or_else(|| match Credential::in_query(query) {
            Some(_) => None,
            None => in_cookie(headers, self.cookie.as_deref()?),
        })?;
        self.auth.looks_at(found.as_str()).then_some(found)
    }
}

fn in_headers(headers: &HeaderMap) -> Option<Credential> {
    in_authorization(headers).or_else(|| in_api_key_header(headers))
}

pub(crate) fn in_api_key_header(headers: &HeaderMap) -> Option<Credential> {
    Credential::new(headers.get(API_KEY_HEADER)?.to_str().ok()?)
}

/// Of another scheme than `Bearer` is what a proxy asks for, and none of ours.
fn in_authorization(headers: &HeaderMap) -> Option<Credential> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let ours = strip_bearer(text).is_some() || !text.contains(' ');
    Credential::new(text).filter(|_| ours)
}

fn in_cookie(headers: &HeaderMap, name: &str) -> Option<Credential> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Credential::new(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_key_has_a_header_and_names_of_its_own() {
        let both = HeaderMap::from_iter([
            (
                header::AUTHORIZATION,
                HeaderValue::from_static("Basic YTpi"),
            ),
            (
                header::HeaderName::from_static(API_KEY_HEADER),
                HeaderValue::from_static("k"),
            ),
        ]);
        assert_eq!(text(in_headers(&both)).as_deref(), Some("k"));
        for (query, expected) in [
            ("apiKey=k", Some("k")),
            ("a=b&api_key=k", Some("k")),
            ("token=&apiKey=k", Some("k")),
            ("apiKey=k&token=t", Some("t")),
            ("apikey=k", None),
        ] {
            assert_eq!(
                text(Credential::in_query(Some(query))).as_deref(),
                expected,
                "{query}"
            );
        }
    }

    fn text(credential: Option<Credential>) -> Option<String> {
        credential.map(|found| found.as_str().to_owned())
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        for (line, expected) in [
            ("session=abc", Some("abc")),
            ("a=b; session=a.b-c_d; c=d", Some("a.b-c_d")),
            ("a=session=x;session=\"abc\"", Some("abc")),
            ("xsession=abc", None),
            ("session=", None),
            ("session", None),
        ] {
            let found = in_cookie(&headers(header::COOKIE, line), "session");
            assert_eq!(text(found).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn other_schemes_are_none_of_ours() {
        for (line, expected) in [
            ("Bearer abc", Some("Bearer abc")),
            ("bearer  abc", Some("bearer  abc")),
            ("abc", Some("abc")),
            ("Basic YTpi", None),
            ("Digest username=\"a\", x=\"y\"", None),
            ("Bearer ", None),
        ] {
            let found = in_authorization(&headers(header::AUTHORIZATION, line));
            assert_eq!(text(found).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_given_as_none_is_none() {
        let in_auth = |auth: Value| text(Credential::in_auth(|key| auth.get(key).cloned()));
        assert_eq!(
            in_auth(json!({"token": null, "apiKey": "k"})).as_deref(),
            Some("k")
        );
        assert_eq!(
            in_auth(json!({"token": "t", "apiKey": "k"})).as_deref(),
            Some("t")
        );
        assert_eq!(in_auth(json!({"token": 7})).as_deref(), Some("7"));
        for none in [
            json!(""),
            json!(false),
            json!("undefined"),
            json!("null"),
            json!("Bearer null"),
            json!("bearer undefined"),
            json!("bearer "),
        ] {
            assert_eq!(in_auth(json!({"token": none})), None, "{none}");
        }
    }

    #[test]
    fn it_is_not_shown_and_not_kept_at_any_length() {
        let long = Credential::new(&"é".repeat(MAX_LENGTH)).unwrap();
        assert!(long.as_str().len() <= MAX_LENGTH);
        assert!(!format!("{long:?}").contains('é'));
    }
}
