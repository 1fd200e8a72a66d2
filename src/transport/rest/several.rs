//! Several things in one request, answered one by one, in their order. One that is refused fails no other.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::value::{RawValue, to_raw_value};

use super::call::Call;
use super::command::{answer, run};
use super::endpoint::JSON;
use crate::contract::{EventClass, Reply, Request};
use crate::session::Outcome;

/// Sets all of them off before the first is answered: so they are committed together. The first one has been paid for, so
/// that a request costs something whatever it has in it.
pub(super) async fn answered<'a>(
    call: &Call,
    items: Vec<&'a RawValue>,
    read: impl Fn(&'a RawValue) -> Result<Request, Reply>,
) -> Response {
    let mut outcomes = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let paid = if index == 0 {
            Ok(())
        } else {
            call.spend(EventClass::Command)
        };
        outcomes.push(match paid.and_then(|()| read(item)) {
            Ok(request) => run(&call.session, request).await,
            Err(refusal) => Outcome::Done(refusal),
        });
    }
    let mut answers = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        answers.push(answer(outcome).await);
    }
    let results = to_raw_value(&answers).expect("answers are JSON");
    let body = format!("{{\"results\":{results}}}");
    ([(CONTENT_TYPE, JSON)], body).into_response()
}
