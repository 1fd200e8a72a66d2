//! How a client came here, which may say what dialect it speaks. Kept for a connection only if some dialect asks for it.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;

use super::paths::{CameBy, PATH};
use crate::contract::dialect::{Approach, Dialect, Dialects};

/// What a request that begins a session says of where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// `None` for [`PATH`].
    path: Option<Arc<str>>,
    origin: Option<Box<str>>,
}

impl Arrival {
    /// Whether a dialect is told by paths or origins, so that each session's arrival is kept.
    pub(super) fn matters(dialects: &Dialects) -> bool {
        dialects.loaded().any(|dialect| {
            let matching = &dialect.matching;
            !matching.paths.is_empty() || !matching.origins.is_empty()
        })
    }

    pub(super) fn of(request: &Request) -> Self {
        let origin = request.headers().get(header::ORIGIN);
        let origin = origin.and_then(|origin| origin.to_str().ok());
        let path = request.extensions().get::<CameBy>();
        Self {
            path: path.map(|CameBy(path)| Arc::clone(path)),
            origin: origin.map(Into::into),
        }
    }
}

/// The dialect of a connection in a namespace.
///
/// # Errors
///
/// A sentence for the client, if it names a dialect that is not there.
pub(super) fn dialect(
    dialects: &Dialects,
    arrival: Option<&Arrival>,
    namespace: &str,
    named: Option<&str>,
) -> Result<Arc<Dialect>, String> {
    let approach = Approach {
        named,
        namespace,
        path: arrival
            .and_then(|arrival| arrival.path.as_deref())
            .unwrap_or(PATH),
        origin: arrival.and_then(|arrival| arrival.origin.as_deref()),
    };
    dialects.choose(&approach).cloned()
}
