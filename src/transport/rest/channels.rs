//! The endpoints of channels.

use axum::http::Method;

use super::events::{channel_events, parameters};
use super::publish::publish;
use crate::contract::ErrorCode;
use crate::contract::schema::http::{PublishAnswer, PublishRequest, Replay, Results};
use crate::transport::http::endpoint::{Answer, Body, Endpoint, Parameter, VISIBLE, of, serve};

const GROUP: &str = "channels";
const TO_PUBLISH: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::PayloadTooLarge,
    ErrorCode::UnsupportedMediaType,
];

/// See the module.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![publishing(), replaying()]
}

fn publishing() -> Endpoint {
    let key = "A single event with a key is published once, however often it is sent.";
    Endpoint {
        method: Method::POST,
        path: "/publish",
        name: "publish".to_owned(),
        group: GROUP,
        summary: "Publishes an event on a channel, or up to 100".to_owned(),
        about: "Several are answered one by one; one that is refused fails no other. On `broadcast` and `client:<id>` a \
                message goes to clients that are connected now, and is not kept.",
        parameters: vec![Parameter::header("Idempotency-Key", key, VISIBLE)],
        body: Some(Body {
            schema: of::<PublishRequest>,
            required: true,
        }),
        answers: vec![
            Answer {
                status: 201,
                ..Answer::ok("It is in the log, or on its way.", of::<PublishAnswer>)
            },
            Answer::ok(
                "The answers to several, in their order.",
                of::<Results<PublishAnswer>>,
            ),
        ],
        refusals: TO_PUBLISH,
        routes: serve(&Method::POST, publish),
    }
}

fn replaying() -> Endpoint {
    Endpoint {
        method: Method::GET,
        path: "/channels/{channel}/events",
        name: "replay".to_owned(),
        group: GROUP,
        summary: "Gives a channel's events after a point".to_owned(),
        about: "Ask for the next ones with `since` set to the `cursor` of the answer. With `wait` the answer comes as soon as \
                there is an event, or without one after so many seconds. If not everything after the point is kept, the \
                answer says `reset`, and gives what is; of a project, the state.",
        parameters: parameters(),
        body: None,
        answers: vec![Answer::ok("The events, or the state.", of::<Replay>)],
        refusals: &[ErrorCode::NotFound],
        routes: serve(&Method::GET, channel_events),
    }
}
