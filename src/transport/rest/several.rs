//! Several things in one request, answered one by one, in their order. One that is refused fails no other.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::value::to_raw_value;

use super::call::Call;
use super::endpoint::JSON;
use crate::contract::{EventClass, Reply};
use crate::session::Pending;

/// Takes an item out of what the request's sender may do. The first one has been paid for, so that a request costs something
/// whatever it has in it.
pub(super) fn spend_on_item(call: &Call, index: usize) -> Result<(), Reply> {
    if index == 0 {
        return Ok(());
    }
    call.spend(EventClass::Command)
}

/// Answers several items, all of which were submitted before the first is answered, so that they are committed together.
pub(super) async fn answered(submitted: Vec<Result<Pending, Reply>>) -> Response {
    let mut answers = Vec::with_capacity(submitted.len());
    for pending in submitted {
        answers.push(match pending {
            Ok(mut pending) => pending.answer().await,
            Err(refusal) => refusal,
        });
    }
    let results = to_raw_value(&answers).expect("answers are JSON");
    let body = format!("{{\"results\":{results}}}");
    ([(CONTENT_TYPE, JSON)], body).into_response()
}
