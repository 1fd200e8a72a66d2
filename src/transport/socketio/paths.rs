//! The paths of Engine.IO that dialects add to `/socket.io`. A request to one of them becomes a request to `/socket.io` before
//! anything else looks at it, so that everything holds for it that holds there.
//!
//! Only requests of Engine.IO are meant, which have its parameters in their query, and the files of the client: a path may also be
//! that of something else, such as `/ws` or `/api`.

use std::sync::Arc;

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};

use crate::config::ClientFiles;
use crate::contract::dialect::Dialects;
use crate::transport::query::has_key;

/// Where Engine.IO is always served.
pub(super) const PATH: &str = "/socket.io";
/// Parameters by which a request is one of Engine.IO's.
const PARAMETERS: [&str; 3] = ["EIO", "transport", "sid"];

/// The path that a request came by, if it is another one than `/socket.io`.
#[derive(Debug, Clone)]
pub(super) struct CameBy(pub(super) Arc<str>);

/// See the module's description. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Paths(Arc<[Arc<str>]>);

impl Paths {
    pub(crate) fn new(dialects: &Dialects) -> Self {
        Self(dialects.paths().into_iter().map(Arc::from).collect())
    }

    /// Sends a request on to `/socket.io` that came by another of its paths.
    pub(crate) fn rewrite<B>(&self, request: &mut Request<B>) {
        if self.0.is_empty() {
            return;
        }
        let found = self.0.iter().find_map(|path| {
            let rest = request.uri().path().strip_prefix(&**path)?;
            let query = request.uri().query();
            let is_meant = match rest {
                "" | "/" => PARAMETERS.iter().any(|key| has_key(query, key)),
                file => ClientFiles::is_name(file.strip_prefix('/')?),
            };
            let uri = is_meant.then(|| at_home(request.uri(), rest))??;
            Some((Arc::clone(path), uri))
        });
        if let Some((path, uri)) = found {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(CameBy(path));
        }
    }
}

/// The same address at `/socket.io`.
fn at_home(uri: &Uri, rest: &str) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}"));
    let target = format!("{PATH}{rest}{}", query.unwrap_or_default());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths() -> Paths {
        Paths(["/socket", "/api", "/a/b"].map(Arc::from).into())
    }

    fn rewritten(uri: &str) -> (String, Option<Arc<str>>) {
        let mut request = Request::get(uri).body(()).unwrap();
        paths().rewrite(&mut request);
        let came_by = request.extensions().get::<CameBy>();
        let path = came_by.map(|CameBy(path)| Arc::clone(path));
        (request.uri().to_string(), path)
    }

    #[test]
    fn requests_of_engine_io_are_sent_on() {
        for (uri, expected, path) in [
            (
                "/socket?EIO=4&transport=polling",
                "/socket.io?EIO=4&transport=polling",
                "/socket",
            ),
            ("/socket/?transport=x", "/socket.io/?transport=x", "/socket"),
            ("/a/b/?EIO=3&a=%20", "/socket.io/?EIO=3&a=%20", "/a/b"),
            ("/socket/socket.io.js", "/socket.io/socket.io.js", "/socket"),
            (
                "/socket/socket.io.js.map",
                "/socket.io/socket.io.js.map",
                "/socket",
            ),
            (
                "/api/socket.io.min.js?v=1",
                "/socket.io/socket.io.min.js?v=1",
                "/api",
            ),
            (
                "http://x/socket?sid=a",
                "http://x/socket.io?sid=a",
                "/socket",
            ),
        ] {
            assert_eq!(
                rewritten(uri),
                (expected.to_owned(), Some(path.into())),
                "{uri}"
            );
        }
    }

    #[test]
    fn other_requests_stay() {
        for uri in [
            "/",
            "/socket",
            "/socket/",
            "/socket?x=EIO",
            "/sockets?EIO=4",
            "/socket//?EIO=4",
            "/api/projects?EIO=4",
            "/a?EIO=4",
            "/socket/x.js",
            "/socket.io/?EIO=4",
            "http://x/?EIO=4",
        ] {
            assert_eq!(rewritten(uri), (uri.to_owned(), None));
        }
    }

    proptest! {
        #[test]
        fn any_request_keeps_its_query(path in "/[a-z/.]{0,12}", query in "[a-zA-Z0-9=&%]{0,20}") {
            let uri = format!("{path}?{query}");
            let (to, came_by) = rewritten(&uri);
            let suffix = format!("?{query}");
            prop_assert!(to.ends_with(&suffix));
            prop_assert_eq!(to != uri, came_by.is_some());
        }
    }
}
