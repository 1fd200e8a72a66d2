//! Events after a point, of a project or of any channel; if there are none, those who ask may wait for some.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::read;
use crate::clock::Clock;
use crate::contract::{EventClass, LIMIT, MAX_PAGE, ReadRequest, Reply, Since};
use crate::domain::{ChannelName, Event, Signal};
use crate::hub::{From, Offer, Subscriber, Wake};
use crate::transport::http::endpoint::Parameter;
use crate::transport::http::request::RestRequest;

pub(super) const CHANNEL: &str = "channel";
const SINCE: &str = "since";
const WAIT: &str = "wait";
/// Events of an answer if nobody says how many.
const DEFAULT_LIMIT: u64 = 200;
/// Seconds that somebody may wait.
const MAX_WAIT: u64 = 60;

/// Serves a project's events.
pub(super) async fn events(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let project = call.project()?;
    let asked = |since, limit| ReadRequest::Sync {
        project: project.clone(),
        since,
        limit,
    };
    page(&call, &project.channel(), asked).await
}

/// Serves a channel's events.
pub(super) async fn channel_events(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let channel = ChannelName::parse(&call.named(CHANNEL, CHANNEL)?);
    let channel = channel.map_err(|error| Reply::invalid(CHANNEL, error))?;
    let asked = |since, limit| ReadRequest::Replay {
        channel: channel.clone(),
        since,
        limit,
    };
    page(&call, &channel, asked).await
}

/// Serves a page of a log.
async fn page(
    call: &RestRequest,
    channel: &ChannelName,
    asked: impl Fn(Option<Since>, usize) -> ReadRequest,
) -> Result<Response, Reply> {
    let since = call.parameter(SINCE)?.map(|text| Since::read(&text));
    let limit = call.number(LIMIT, 1, MAX_PAGE)?;
    let limit = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
    let wait = call.number(WAIT, 0, MAX_WAIT)?.unwrap_or(0);
    let look = async |since| call.session.read(&asked(since, limit)).await;
    let first = look(since).await;
    if !is_empty(&first) || wait == 0 {
        return Ok(first.into_response());
    }
    let seq = first.get("seq").and_then(Value::as_i64).unwrap_or(0);
    let waited = wait_for_more(call, channel, seq, Duration::from_secs(wait)).await;
    Ok(match waited {
        Waited::InVain => first,
        // Looked at anew: by now it may be that they must not be seen.
        Waited::ForSomething => {
            call.still_counts().await?;
            look(Some(Since::Seq(seq))).await
        }
    }
    .into_response())
}

/// Whether there is nothing to tell.
fn is_empty(reply: &Reply) -> bool {
    reply.is_ok() && reply.get("reset").is_none() && reply.text_of("events") == Some("[]")
}

enum Waited {
    InVain,
    ForSomething,
}

/// Waits until there are events after a seq, or for so long; no longer than what the caller has shown is good for, and not
/// when the server is about to go.
async fn wait_for_more(
    call: &RestRequest,
    channel: &ChannelName,
    seq: i64,
    most: Duration,
) -> Waited {
    let until = Instant::now() + most.min(good_for(call));
    let bell = Arc::new(Bell::default());
    let subscriber = Arc::clone(&bell) as Arc<dyn Subscriber>;
    let hub = call.app.hub();
    // From a seq on, and not from now on: whatever was committed since it was read rings as well.
    let made = hub.subscribe(channel, subscriber, From::After(seq)).await;
    let Ok(_subscription) = made else {
        return Waited::ForSomething;
    };
    tokio::select! {
        () = bell.0.notified() => Waited::ForSomething,
        () = sleep_until(until) => Waited::InVain,
        () = call.app.lifecycle().retiring() => Waited::InVain,
    }
}

fn good_for(call: &RestRequest) -> Duration {
    let identity = call.session.identity();
    let Some(expires_at) = identity.and_then(|identity| identity.expires_at) else {
        return Duration::MAX;
    };
    let left = expires_at
        .as_millis()
        .saturating_sub(Clock.now().as_millis());
    // A token counts a little longer than it says: whoever comes with it then is not to ask again at once.
    let leeway = call.app.config().auth.auth_leeway.as_millis();
    let left = left.saturating_add(i64::try_from(leeway).unwrap_or(i64::MAX));
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// Rings once there is an event.
#[derive(Debug, Default)]
struct Bell(Notify);

impl Subscriber for Bell {
    fn offer(&self, _: &Event) -> Offer {
        self.0.notify_one();
        // Once is enough.
        Offer::Gone
    }

    fn signal(&self, _: &ChannelName, _: &Signal) -> Offer {
        Offer::Taken
    }

    fn taken(&self) -> u64 {
        0
    }

    fn wake_when_writable(&self, wake: &Wake) {
        wake.notify_one();
    }

    fn close(&self, _: &'static str) {
        self.0.notify_one();
    }
}

/// The parameters of endpoints that give events after a point.
pub(super) fn parameters() -> Vec<Parameter> {
    let since = "A cursor, or the seq of the last event seen; from the beginning if it is missing.";
    let wait = "Seconds to wait for an event if there is none.";
    let seconds = json!({"type": "integer", "minimum": 0, "maximum": MAX_WAIT, "default": 0});
    vec![
        Parameter::query(SINCE, since, json!({"type": "string"})),
        read::limit("Most events of the answer.", DEFAULT_LIMIT),
        Parameter::query(WAIT, wait, seconds),
    ]
}
