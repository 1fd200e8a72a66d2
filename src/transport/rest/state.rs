//! A project's whole state: at once if it is small, a page of it if one is asked for, and else as a stream that is written as it
//! is read.
//!
//! A stream is one consistent read. While it is open the database keeps what has become old, and one of its connections is
//! taken; so only a few are open at a time, and a client that does not take the text in time is cut off: it finds the answer
//! broken off, never complete.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, ACCEPT};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::import::LINES;
use crate::contract::{
    ErrorCode, EventClass, NEXT_PAGE, PAGE, ReadRequest, Reply, read_state_token,
};
use crate::memory::{Held, MemoryBudget};
use crate::session::{StateFormat, StateText};
use crate::telemetry::causes;
use crate::transport::http::endpoint::JSON;
use crate::transport::http::request::RestRequest;

/// States that are written as they are read at the same time, and the share of the database's connections that they may take.
const MAX_STREAMS: usize = 2;
const SHARE: usize = 3;
/// How long a state may wait for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How long a client may take for a part…
const MAX_STALL: Duration = Duration::from_secs(10);
/// … and for the whole state.
const MAX_TIME: Duration = Duration::from_mins(1);
/// Parts that wait for the client, besides the one that is being sent and the one that is being read.
const WAITING_PARTS: usize = 1;

/// The turns of those who stream.
pub(super) fn streams() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_STREAMS))
}

/// Part of a text, and its share of what waits for clients.
type Part = Result<(Bytes, Held), io::Error>;

/// Serves a project's state.
pub(super) async fn snapshot(
    call: RestRequest,
    streams: Arc<Semaphore>,
) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let project = call.project()?;
    let page = match call.parameter(PAGE)? {
        Some(token) => Some(Box::new(read_state_token(PAGE, &token)?)),
        None => None,
    };
    let (is_page, format) = (page.is_some(), format(&call));
    if is_page || format == StateFormat::Json {
        let read = ReadRequest::Snapshot {
            project: project.clone(),
            page,
        };
        let state = call.session.read(&read).await;
        if is_page || state.get(NEXT_PAGE).is_none() {
            return Ok(state.into_response());
        }
    }
    let turn = turn(&call, streams).await?;
    let text = call.session.state_text(&project, format).await?;
    let (parts, told) = mpsc::channel(WAITING_PARTS);
    let writer = Writer {
        memory: call.app.send_memory().clone(),
        parts,
        is_alone: !call.app.store().reads_beside_writes(),
    };
    let lifecycle = call.app.lifecycle().clone();
    lifecycle.spawn(async move {
        writer.run(text, &call).await;
        drop(turn);
    });
    let told = stream::unfold((told, None::<Held>), async |(mut told, sent)| {
        // The part before has left once the next one is asked for.
        drop(sent);
        let part: Part = told.recv().await?;
        Some(match part {
            Ok((bytes, held)) => (Ok(bytes), (told, Some(held))),
            Err(error) => (Err(error), (told, None)),
        })
    });
    let media = match format {
        StateFormat::Json => JSON,
        StateFormat::Lines => LINES,
    };
    // Compression asks again after the end.
    let body = Body::from_stream(told.fuse());
    Ok(([(header::CONTENT_TYPE, media)], body).into_response())
}

fn format(call: &RestRequest) -> StateFormat {
    let accepted = call.headers.get_all(ACCEPT).iter();
    let names =
        |value: &axum::http::HeaderValue| value.to_str().is_ok_and(|text| text.contains(LINES));
    if accepted.into_iter().any(names) {
        StateFormat::Lines
    } else {
        StateFormat::Json
    }
}

/// Waits until one more may stream. Some connections stay for all others.
async fn turn(call: &RestRequest, streams: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Reply> {
    let connections = usize::try_from(call.app.config().database_connections).unwrap_or(SHARE);
    let needed = if connections < MAX_STREAMS * SHARE {
        MAX_STREAMS
    } else {
        1
    };
    let needed = u32::try_from(needed).unwrap_or(1);
    let turn = timeout(MAX_WAIT, streams.acquire_many_owned(needed)).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| {
        let message = "other states are being read; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message).with_retry_after(MAX_WAIT)
    })
}

struct Writer {
    memory: MemoryBudget,
    parts: mpsc::Sender<Part>,
    /// Whether nobody can write while the state is read: then it is read before it is sent.
    is_alone: bool,
}

impl Writer {
    async fn run(self, mut text: StateText, call: &RestRequest) {
        let busy = call.app.connections().busy();
        let until = Instant::now() + MAX_TIME;
        let mut waiting = Vec::new();
        loop {
            let part = match timeout_at(until, text.next()).await {
                Ok(Ok(Some(part))) => part,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    tracing::warn!(error = %causes(&error), "a state could not be read to its end");
                    return self.break_off("the database has failed").await;
                }
                Err(_) => return self.break_off("it took too long").await,
            };
            call.charge_read(part.len());
            let mut held = self.memory.holder();
            held.add(part.len());
            let part = Ok((Bytes::from(part), held));
            if self.is_alone {
                waiting.push(part);
            } else if !self.send(part, until).await {
                return;
            }
        }
        drop(text);
        for part in waiting {
            if !self.send(part, until).await {
                return;
            }
        }
        drop(busy);
    }

    /// Hands a part over as soon as there is room for it. Whether it did.
    async fn send(&self, part: Part, until: Instant) -> bool {
        let until = until.min(Instant::now() + MAX_STALL);
        match timeout_at(until, self.parts.reserve()).await {
            Ok(Ok(place)) => {
                place.send(part);
                true
            }
            Ok(Err(_)) => false,
            Err(_) => {
                tracing::info!("a client does not take a state in time; it is cut off");
                drop(part);
                self.break_off("it was not taken in time").await;
                false
            }
        }
    }

    /// Ends the answer before its end, so that nobody takes it for whole.
    async fn break_off(&self, why: &'static str) {
        let error = Err(io::Error::other(why));
        // If the part before is never taken, the connection is closed by its own deadline.
        let told = timeout(MAX_STALL, self.parts.send(error)).await;
        if told.is_err() {
            tracing::debug!("nobody takes the end of a state that was broken off");
        }
    }
}
