//! Large HTTP answers that are on their way: counted until their memory is free, and ended if they are in the way.
//!
//! A client that does not read keeps its answer in memory, whatever the connection has taken of it. So the count goes with
//! the bytes themselves and ends when the last of them is dropped.

use std::sync::{Arc, Weak};

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::abort::AbortHandle;
use super::connection::backlog::Backlog;
use crate::memory::{FLOOR, Held, MemoryBudget};

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    memory: MemoryBudget,
    /// Guards the answers; they own themselves, here they are only found.
    under_way: Arc<Mutex<Vec<Weak<Answer>>>>,
    /// Large answers that may be compressed at the same time.
    turns: Arc<Semaphore>,
}

/// An extension of a response whose body is large before it is compressed.
#[derive(Debug, Clone, Copy)]
struct Large;

#[derive(Debug)]
struct Answer {
    held: Held,
    /// Ends the connection.
    abort: Option<AbortHandle>,
}

/// The bytes of an answer, which count until they are dropped.
struct Counted {
    bytes: Bytes,
    _answer: Arc<Answer>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answers {
    pub(crate) fn new(memory: &MemoryBudget) -> Self {
        Self {
            memory: memory.clone(),
            under_way: Arc::default(),
            turns: Arc::new(Semaphore::new(half_of_the_processors())),
        }
    }

    /// Counts a body if it is large and all there.
    async fn count(&self, response: Response, abort: Option<AbortHandle>) -> Response {
        let size = response.body().size_hint().exact().unwrap_or(0);
        if size <= FLOOR as u64 {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        // It is there already, in one piece.
        let Ok(collected) = body.collect().await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let bytes = collected.to_bytes();
        parts.extensions.insert(Large);
        Response::from_parts(parts, self.counted(bytes, abort).into())
    }

    /// Compresses a body to its end, off the runtime's threads if it is large: few at a time, so that those who ask for
    /// little do not wait for those who ask for much. The work keeps its turn to its end, also if the client has gone.
    async fn compress(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let is_large = parts.extensions.remove::<Large>().is_some();
        let collected = if is_large {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            let runtime = Handle::current();
            let compressed = spawn_blocking(move || {
                let collected = runtime.block_on(body.collect());
                drop(turn);
                collected
            });
            compressed.await
        } else {
            Ok(body.collect().await)
        };
        match collected {
            Ok(Ok(collected)) => Response::from_parts(parts, collected.to_bytes().into()),
            Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// The same bytes, counted.
    fn counted(&self, bytes: Bytes, abort: Option<AbortHandle>) -> Bytes {
        let mut held = self.memory.holder();
        held.add(bytes.len());
        let answer = Arc::new(Answer { held, abort });
        let mut under_way = self.under_way.lock();
        if under_way.len() == under_way.capacity() {
            under_way.retain(|answer| answer.strong_count() > 0);
        }
        under_way.push(Arc::downgrade(&answer));
        drop(under_way);
        Bytes::from_owner(Counted {
            bytes,
            _answer: answer,
        })
    }

    /// The answers that are on their way.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let under_way = self.under_way.lock();
        let answers = under_way.iter().filter_map(Weak::upgrade);
        answers.map(|answer| answer as Arc<dyn Backlog>).collect()
    }
}

/// Middleware: counts what is large of what comes from within.
pub(crate) async fn count(
    State(answers): State<Answers>,
    request: Request,
    next: Next,
) -> Response {
    let abort = request.extensions().get().cloned();
    let response = next.run(request).await;
    answers.count(response, abort).await
}

/// Middleware around the one that compresses: does the work at once, and counts what comes of it. Else each connection would
/// keep a compressor for as long as its client reads.
pub(crate) async fn compress(
    State(answers): State<Answers>,
    request: Request,
    next: Next,
) -> Response {
    let abort = request.extensions().get().cloned();
    let response = next.run(request).await;
    if !response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let response = answers.compress(response).await;
    answers.count(response, abort).await
}

/// How many threads may be busy beside those of the runtime.
fn half_of_the_processors() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.div_ceil(2)
}

impl Backlog for Answer {
    fn waiting(&self) -> usize {
        self.held.bytes()
    }

    fn end_slow(&self) {
        if let Some(abort) = &self.abort {
            abort.hang_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::body::Body;
    use futures_util::{FutureExt as _, stream};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn compression_keeps_its_turn_when_the_client_has_gone() {
        let answers = Answers::new(&MemoryBudget::new(FLOOR, FLOOR));
        let turns = answers.turns.available_permits();
        let (end, ended) = oneshot::channel::<()>();
        let body = Body::from_stream(stream::once(async move {
            ended.await.map(|()| Bytes::new()).map_err(io::Error::other)
        }));
        let mut response = Response::new(body);
        response.extensions_mut().insert(Large);
        assert!(answers.compress(response).now_or_never().is_none());
        assert_eq!(answers.turns.available_permits(), turns - 1);
        end.send(()).unwrap();
        let turns = u32::try_from(turns).unwrap();
        assert!(answers.turns.acquire_many(turns).await.is_ok());
    }
}
