//! Which pages may connect: the values of `CORS_ORIGINS`.

use url::{Position, Url};

/// Schemes of which no page is: their origins are never in a request.
const NO_PAGES: [&str; 6] = ["ws", "wss", "ftp", "data", "blob", "javascript"];

/// An origin, or a pattern of origins, whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// All of them.
    Any,
    /// That of pages that tell none, such as those of files and of sandboxed frames.
    Null,
    /// This one, or those that this describes.
    Of {
        /// The scheme, such as `https`.
        scheme: String,
        /// The host as browsers write it; empty for files.
        host: Host,
        /// The port.
        port: Port,
    },
}

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// All of them.
    Any,
    /// This one.
    Exactly(String),
    /// Those below this one, and not itself.
    Below(String),
}

/// Which ports are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// All of them.
    Any,
    /// This one; `None` is the one that goes without saying.
    Exactly(Option<u16>),
}

impl Origin {
    /// Whether pages of the origin that a request names may connect.
    #[must_use]
    pub fn allows(&self, named: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Null => named == b"null",
            Self::Of { scheme, host, port } => named_parts(named).is_some_and(|named| {
                named.scheme == scheme && host.is(named.host) && port.is(named.port)
            }),
        }
    }
}

impl Host {
    fn is(&self, named: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(host) => host == named,
            Self::Below(host) => named
                .strip_suffix(host.as_str())
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
        }
    }
}

impl Port {
    fn is(self, named: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(port) => port == named,
        }
    }
}

/// An origin as a request names it.
struct Named<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

fn named_parts(origin: &[u8]) -> Option<Named<'_>> {
    let (scheme, authority) = str::from_utf8(origin).ok()?.split_once("://")?;
    let (host, port) = host_and_port(authority)?;
    Some(Named { scheme, host, port })
}

/// The host and the port of `host`, `host:port`, `[address]` or `[address]:port`.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((authority, None)),
    }
}

/// Whether a page is one of this server's own: host and port of its origin are those that the request was sent to. Without
/// a port either of them means the one of the origin's scheme.
#[must_use]
pub fn is_own(origin: &[u8], authority: &str) -> bool {
    let Some(origin) = named_parts(origin) else {
        return false;
    };
    let Some((host, port)) = host_and_port(authority) else {
        return false;
    };
    let default = match origin.scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let is_same_port = port.unwrap_or(default) == origin.port.unwrap_or(default);
    !host.is_empty() && origin.host.eq_ignore_ascii_case(host) && is_same_port
}

/// Reads a value of `CORS_ORIGINS`.
pub(super) fn origin(text: &str) -> Result<Origin, String> {
    let text = text.trim().to_lowercase();
    match &*text {
        "*" => return Ok(Origin::Any),
        "null" => return Ok(Origin::Null),
        _ => {}
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| {
        "an origin begins with its scheme: https://host, https://host:port, or null".to_owned()
    })?;
    if NO_PAGES.contains(&scheme) {
        return Err(format!(
            "no page has the scheme {scheme}: write the origin of the page, which is http://… or https://… also if it \
             opens WebSockets"
        ));
    }
    // Copied from an address bar.
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_suffix(":*") {
        Some(host) => (host, Some(Port::Any)),
        None => (rest, None),
    };
    let (host, is_below) = match host.strip_prefix("*.") {
        Some(host) => (host, true),
        None => (host, false),
    };
    let is_any_host = host == "*" || (!is_below && host.starts_with("*:"));
    if host
        .replacen('*', "", usize::from(is_any_host))
        .contains('*')
    {
        return Err(
            "a * stands for what is left of a host's first dot (https://*.example.com), for a whole host, or for a port \
             (http://localhost:*)"
                .to_owned(),
        );
    }
    // A name in place of the star, only to be read.
    let host = if is_any_host {
        host.replacen('*', "any", 1)
    } else {
        host.to_owned()
    };
    let (host, found_port) = if matches!(scheme, "http" | "https") {
        web_host(scheme, &host)?
    } else {
        app_host(scheme, &host)?
    };
    let host = match (is_any_host, is_below) {
        (true, _) => Host::Any,
        (_, true) => Host::Below(host),
        _ => Host::Exactly(host),
    };
    Ok(Origin::Of {
        scheme: scheme.to_owned(),
        host,
        port: port.unwrap_or(Port::Exactly(found_port)),
    })
}

/// A host of the web as browsers write it: international names as punycode, no port that goes without saying.
fn web_host(scheme: &str, host: &str) -> Result<(String, Option<u16>), String> {
    let url = Url::parse(&format!("{scheme}://{host}"))
        .map_err(|error| format!("{scheme}://{host} is no origin: {error}"))?;
    // Nothing but a host and a port.
    let is_bare = url[..Position::BeforeUsername] == url[..Position::BeforeHost]
        && &url[Position::BeforePath..] == "/"
        && !host.ends_with(['/', '?', '#']);
    match url.host_str() {
        Some(found) if is_bare => Ok((found.to_owned(), url.port())),
        _ => Err(
            "an origin has a scheme, a host and perhaps a port, and nothing behind them".to_owned(),
        ),
    }
}

/// The host of a page that an app or an extension brings along: `capacitor://localhost`, `chrome-extension://<id>`, `file://`.
fn app_host(scheme: &str, authority: &str) -> Result<(String, Option<u16>), String> {
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host_and_port = host_and_port(authority).filter(|(host, _)| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        host.bytes().all(plain) && (scheme == "file") == host.is_empty()
    });
    match host_and_port {
        Some((host, port)) if is_scheme => Ok((host.to_owned(), port)),
        _ => Err(format!(
            "{scheme}://{authority} is no origin: it has a scheme, a host and perhaps a port"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(setting: &str, named: &str) -> bool {
        origin(setting).unwrap().allows(named.as_bytes())
    }

    #[test]
    fn origin_is_read_as_browsers_write_it() {
        for (setting, named) in [
            ("*", "https://anything.example"),
            (" HTTPS://App.Example ", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            (
                "https://*.bücher.example",
                "https://a.xn--bcher-kva.example",
            ),
            ("null", "null"),
            ("file://", "file://"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("app://obsidian.md", "app://obsidian.md"),
            (
                "chrome-extension://abcdefghijklmnop",
                "chrome-extension://abcdefghijklmnop",
            ),
            ("moz-extension://*", "moz-extension://4f8a1c1e-0b5b"),
            ("https://*.example.com", "https://a.example.com"),
            ("https://*.example.com", "https://a.b.example.com"),
            ("https://*.example.com:8443", "https://a.example.com:8443"),
            ("http://localhost:*", "http://localhost:5173"),
            ("http://localhost:*", "http://localhost"),
            ("http://[::1]:*", "http://[::1]:5173"),
            ("https://*", "https://anything.example"),
            ("http://*:3000", "http://192.168.1.5:3000"),
            ("http://*:*", "http://192.168.1.5:3000"),
        ] {
            assert!(allows(setting, named), "{setting} {named}");
        }
    }

    #[test]
    fn other_origins_are_not_allowed() {
        for (setting, named) in [
            ("https://app.example", "http://app.example"),
            ("https://app.example", "https://app.example:8443"),
            ("https://app.example", "https://app.example.evil.example"),
            ("https://app.example", "null"),
            ("https://app.example", ""),
            ("https://*.example.com", "https://example.com"),
            ("https://*.example.com", "https://evilexample.com"),
            ("https://*.example.com", "https://.example.com"),
            (
                "https://*.example.com",
                "https://a.example.com.evil.example",
            ),
            ("https://*.example.com", "https://a.example.com:444"),
            ("http://localhost:*", "http://localhost.evil.example:80"),
            ("http://localhost:*", "http://localhost:80x"),
            ("capacitor://localhost", "http://localhost"),
            ("http://*:3000", "http://a.example"),
            ("null", "https://null"),
        ] {
            assert!(!allows(setting, named), "{setting} {named}");
        }
    }

    #[test]
    fn value_that_can_never_match_is_refused() {
        for wrong in [
            "",
            "app.example",
            "*.example.com",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://a#",
            "https://u@a.example",
            "https://a b",
            "https://a*.example",
            "https://*.*.example",
            "https://a.*",
            "http://localhost:80*",
            "http://localhost:99999",
            "ftp://a",
            "ws://a.example",
            "wss://a.example",
            "capacitor://",
            "file://host",
            "1x://host",
            "app://a/b",
            "localhost:3000",
            "undefined",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn own_page_is_the_one_of_the_requests_host() {
        for (origin, authority, expected) in [
            ("http://app.example", "app.example", true),
            ("https://app.example", "App.example", true),
            ("https://app.example", "app.example:443", true),
            ("http://127.0.0.1:8002", "127.0.0.1:8002", true),
            ("http://[::1]:8002", "[::1]:8002", true),
            ("http://127.0.0.1", "127.0.0.1:8002", false),
            ("http://127.0.0.1:3000", "127.0.0.1:8002", false),
            ("https://app.example", "app.example:80", false),
            ("https://evil.example", "app.example", false),
            ("null", "null", false),
            ("file://", "", false),
        ] {
            assert_eq!(
                is_own(origin.as_bytes(), authority),
                expected,
                "{origin} {authority}"
            );
        }
    }
}
