//! Publishing: one event, or several that are answered one by one. A bad one fails no other.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::batch::{answered, spend_on_item};
use super::command::{KEY, key};
use crate::contract::{EventClass, Publication, Reply};
use crate::session::Pending;
use crate::transport::http::request::{PAYLOAD, RestRequest};

/// Events in one request.
const MAX_EVENTS: usize = 100;
/// Where several may stand.
const EVENTS: &str = "events";

/// Several, wrapped.
#[derive(Deserialize)]
struct Several<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// What is sent.
enum Asked<'a> {
    One(&'a RawValue),
    Several(Vec<&'a RawValue>),
}

/// Serves what is to be published.
pub(super) async fn publish(call: RestRequest, body: Body) -> Result<Response, Reply> {
    // The first event, so that a request costs something whatever it has in it.
    call.spend(EventClass::Command).await?;
    let _busy = call.app.connections().busy();
    let body = call.json(body).await?;
    let body = body.ok_or_else(|| Reply::invalid(PAYLOAD, "is missing"))?;
    let key = key(&call)?;
    match asked_in(&body)? {
        Asked::One(text) => {
            let publication = read(&call, text)?;
            call.spend_type(publication.event_type.as_str())?;
            let publication = match key {
                Some(key) => publication.with_key(&key)?,
                None => publication,
            };
            let reply = call.session.publish(publication).await?.answer().await;
            if !reply.is_ok() {
                return Err(reply);
            }
            Ok((StatusCode::CREATED, reply).into_response())
        }
        Asked::Several(_) if key.is_some() => {
            let what = "is of a single event; give each of several its own idempotencyKey";
            Err(Reply::invalid(KEY, what))
        }
        Asked::Several(texts) => {
            let mut submitted = Vec::with_capacity(texts.len());
            for (index, text) in texts.into_iter().enumerate() {
                submitted.push(publish_item(&call, index, text).await);
            }
            Ok(answered(submitted).await)
        }
    }
}

async fn publish_item(call: &RestRequest, index: usize, text: &RawValue) -> Result<Pending, Reply> {
    spend_on_item(call, index).await?;
    let publication = read(call, text)?;
    call.spend_type(publication.event_type.as_str())?;
    call.session.publish(publication).await
}

fn read(call: &RestRequest, text: &RawValue) -> Result<Publication, Reply> {
    let read = Publication::read(text.get(), &call.app.payload_limits());
    call.app
        .recorder()
        .publication(None, text.get(), read.as_ref());
    read
}

/// One event, a list of events, or a list as `events`.
fn asked_in(body: &RawValue) -> Result<Asked<'_>, Reply> {
    let text = body.get();
    let listed = if text.starts_with('[') {
        let listed = serde_json::from_str::<Vec<&RawValue>>(text);
        listed.map_err(|_| Reply::invalid(PAYLOAD, "is not valid JSON"))?
    } else if let Ok(Several { events }) = serde_json::from_str(text) {
        events
    } else {
        return Ok(Asked::One(body));
    };
    if listed.is_empty() || listed.len() > MAX_EVENTS {
        let what = format!("must be 1 to {MAX_EVENTS}");
        return Err(Reply::invalid(EVENTS, what));
    }
    Ok(Asked::Several(listed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ErrorCode;

    fn count(text: &str) -> Result<Option<usize>, Reply> {
        let body = RawValue::from_string(text.to_owned()).unwrap();
        Ok(match asked_in(&body)? {
            Asked::One(_) => None,
            Asked::Several(listed) => Some(listed.len()),
        })
    }

    #[test]
    fn one_or_several() {
        for (text, expected) in [
            (r#"{"channel":"c","type":"t"}"#, None),
            ("7", None),
            (r#"[{"channel":"c"}, 7]"#, Some(2)),
            (r#"{"events":[1,2,3]}"#, Some(3)),
            (r#"{"events":7,"channel":"c"}"#, None),
        ] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn not_too_many_and_not_none() {
        let many = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert_eq!(count(&many(100)), Ok(Some(100)));
        for wrong in [&*many(101), "[]", r#"{"events":[]}"#] {
            let refusal = count(wrong).unwrap_err();
            assert_eq!(refusal.code(), Some(ErrorCode::ValidationFailed), "{wrong}");
        }
    }
}
