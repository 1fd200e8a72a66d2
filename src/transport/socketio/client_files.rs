//! `/socket.io/socket.io.js` and its siblings, served as Node's server does.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::config::ClientFiles;
use crate::contract::{ErrorCode, Reply};
use crate::transport::problem::AckRefusal;

/// Answers a request for a file of the browser build.
pub(super) async fn serve(
    State(files): State<Option<ClientFiles>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(files) = files else {
        return not_found(
            "this server has no build of socket.io-client: set SOCKETIO_CLIENT_DIR to the folder dist of that npm package",
        );
    };
    let Some(file) = files.find(&name) else {
        return not_found("there is no such file in the build of socket.io-client");
    };
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut known = known
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"));
    let caching = [
        (header::ETAG, file.etag.clone()),
        (header::CACHE_CONTROL, "public, max-age=0".to_owned()),
    ];
    if known.any(|tag| tag == file.etag || tag == "*") {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let media = [(header::CONTENT_TYPE, file.media)];
    (caching, media, file.content.clone()).into_response()
}

fn not_found(message: &str) -> Response {
    AckRefusal(Reply::refused(ErrorCode::NotFound, message)).into_response()
}
