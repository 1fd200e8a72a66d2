//! The `Host` of a request, which says whose server is asked (RFC 9112, section 3.2). Proxies and caches go by it: where two
//! of them read a request differently, one can be made to answer for another.

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};

use crate::contract::{ErrorCode, Reply};
use crate::transport::problem::refuse_connection;

/// Why a request is not served: a request of HTTP/1.1 has one `Host`, and no request several, or one that is no host.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response> {
    let mut hosts = request.headers().get_all(header::HOST).into_iter();
    let is_right = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    };
    (!is_right).then(bad_request)
}

/// A name or an address, perhaps with a port. A client that asks for a URI without one sends an empty `Host`.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let is_authority = || !bytes.contains(&b'@') && Authority::try_from(bytes).is_ok();
    bytes.is_empty() || is_authority()
}

fn bad_request() -> Response {
    let message = "a request needs one Host header that names a host";
    let reply = Reply::refused(ErrorCode::ValidationFailed, message);
    (StatusCode::BAD_REQUEST, refuse_connection(reply)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(version: Version, hosts: &[&[u8]]) -> bool {
        let mut request = Request::get("/").version(version).body(()).unwrap();
        for host in hosts {
            let host = HeaderValue::from_bytes(host).unwrap();
            request.headers_mut().append(header::HOST, host);
        }
        refusal(&request).is_some()
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        for host in [
            "a",
            "localhost:8002",
            "127.0.0.1:1",
            "[::1]:8002",
            "a_b.example.com",
            "",
        ] {
            assert!(!is_refused(Version::HTTP_11, &[host.as_bytes()]), "{host}");
        }
        for host in ["a b", "u@a", "a/b", "http://a"] {
            assert!(is_refused(Version::HTTP_11, &[host.as_bytes()]), "{host}");
        }
        assert!(is_refused(Version::HTTP_11, &[b"\xff"]));
        assert!(is_refused(Version::HTTP_11, &[]));
        assert!(is_refused(Version::HTTP_11, &[b"a", b"a"]));
    }

    #[test]
    fn a_request_of_http_1_0_may_name_none() {
        assert!(!is_refused(Version::HTTP_10, &[]));
        assert!(!is_refused(Version::HTTP_10, &[b"a"]));
        assert!(is_refused(Version::HTTP_10, &[b"a", b"b"]));
    }
}
