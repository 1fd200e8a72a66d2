//! The import of what was kept elsewhere: any number of entities in one request, which keep when and by whom they were made.
//!
//! Neither the body nor the answer is ever there as a whole. Items are read as fast as the writer takes them, and the sender may
//! send; a client that sends everything before it reads finds the progress waiting: little enough not to be in the way.

mod items;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, interval, sleep, timeout_at};

use super::command::submit;
use crate::clock::Clock;
use crate::contract::schema::http::{ImportDone, ImportProgress, ImportRefused, Imported};
use crate::contract::{CommandRequest, ErrorCode, EventClass, ImportItem, Reply};
use crate::domain::{ProjectId, Stamp};
use crate::session::Pending;
use crate::transport::http::request::RestRequest;
use items::{Item, Items, Unread};

/// The type of the answer: a JSON text a line.
pub(super) const LINES: &str = "application/x-ndjson";
/// Types of bodies: JSON, or a JSON text a line.
const TYPES: [&str; 5] = [
    "application/json",
    LINES,
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
];
/// Imports that run at the same time.
pub(super) const MAX_IMPORTS: usize = 4;
/// Items on their way through the writer, and their bytes.
const IN_FLIGHT: usize = 256;
const IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// Refusals that are told one by one; the others are counted.
const TOLD_REFUSALS: usize = 100;
/// How often the client is told how far the import is.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Lines that wait for the client, besides the last one. A line for which there is no room is left out.
const WAITING_LINES: usize = TOLD_REFUSALS + 28;
/// How long an item is offered to a writer that has too much to do.
const WRITER_PATIENCE: Duration = Duration::from_secs(30);
const WRITER_PAUSE: Duration = Duration::from_millis(50);

/// Serves an import.
pub(super) async fn import(
    call: RestRequest,
    body: Body,
    running: Arc<Semaphore>,
) -> Result<Response, Reply> {
    call.spend(EventClass::Command).await?;
    call.expect_type(&TYPES)?;
    let project = call.project()?;
    call.session.may_import(&project).await?;
    let Ok(place) = running.try_acquire_owned() else {
        let message = "other imports are running; try again in a moment";
        return Err(Reply::refused(ErrorCode::Unavailable, message));
    };
    let (lines, told) = mpsc::channel(WAITING_LINES);
    let lifecycle = call.app.lifecycle().clone();
    let import = Import {
        items: Items::new(call.app.payload_limits().max_payload_bytes),
        call,
        project,
        lines,
        in_flight: VecDeque::new(),
        bytes: 0,
        number: 0,
        counts: Imported::default(),
        told: 0,
        _place: place,
    };
    lifecycle.spawn(import.run(body));
    let told = stream::unfold(told, async |mut told| {
        let line: Bytes = told.recv().await?;
        Some((Ok::<_, Infallible>(line), told))
    });
    Ok(([(header::CONTENT_TYPE, LINES)], Body::from_stream(told)).into_response())
}

/// An item on its way through the writer.
struct Submitted {
    number: u64,
    pending: Pending,
}

/// See the module.
struct Import {
    call: RestRequest,
    project: ProjectId,
    items: Items,
    lines: mpsc::Sender<Bytes>,
    in_flight: VecDeque<Submitted>,
    /// Bytes in flight.
    bytes: usize,
    /// Of the item that was read last, from 1.
    number: u64,
    counts: Imported,
    /// Refusals that were told.
    told: usize,
    _place: OwnedSemaphorePermit,
}

impl Import {
    async fn run(mut self, body: Body) {
        let busy = self.call.app.connections().busy();
        let read = self.read(body).await;
        let mut stopped = read.err();
        while let Some(reply) = self.settle_one().await {
            stopped = stopped.or(reply.err());
        }
        let is_ok = stopped.is_none() && self.counts.refused == 0;
        let done = ImportDone {
            done: crate::contract::schema::types::True,
            ok: is_ok,
            success: is_ok,
            code: stopped
                .as_ref()
                .and_then(Reply::code)
                .map(ErrorCode::as_str),
            error: stopped.as_ref().map(|reply| reply.message().to_owned()),
            retryable: stopped
                .as_ref()
                .and_then(Reply::code)
                .map(ErrorCode::retryable),
            imported: self.counts,
        };
        if self.lines.send(line(&done)).await.is_err() {
            tracing::debug!(project.id = %self.project, "the sender of an import has gone");
        }
        drop(busy);
    }

    /// Reads the body to its end, and hands its items to the writer; says why if it has to stop before.
    async fn read(&mut self, body: Body) -> Result<(), Reply> {
        let mut pieces = body.into_data_stream();
        let silence = self.call.app.config().max_silence();
        let lifecycle = self.call.app.lifecycle().clone();
        let mut progress = interval(TELL_EVERY);
        progress.tick().await;
        let mut deadline = Instant::now() + silence;
        let mut items = Vec::new();
        loop {
            let piece = tokio::select! {
                biased;
                () = lifecycle.draining() => return Err(stopping()),
                _ = progress.tick() => {
                    self.tell_progress();
                    continue;
                }
                reply = first_answer(&mut self.in_flight), if !self.in_flight.is_empty() => {
                    self.settled(reply)?;
                    continue;
                }
                piece = timeout_at(deadline, pieces.next()) => piece,
            };
            let Ok(piece) = piece else {
                return Err(broken_off("the body did not go on for too long"));
            };
            let Some(piece) = piece else {
                items.extend(self.items.finish());
                return self.take_all(&mut items).await;
            };
            let piece = piece.map_err(|_| broken_off("the body ended before its time"))?;
            self.items.push(&piece, &mut items);
            if !items.is_empty() {
                self.take_all(&mut items).await?;
                // An item has come, and not only a byte of one.
                deadline = Instant::now() + silence;
            }
            if self.lines.is_closed() {
                return Err(broken_off("the sender has gone"));
            }
        }
    }

    async fn take_all(&mut self, items: &mut Vec<Item>) -> Result<(), Reply> {
        for item in items.drain(..) {
            self.number += 1;
            self.counts.items += 1;
            if item == Err(Unread::BrokenList) {
                return Err(Reply::invalid(
                    "payload",
                    "is a list that has no end, or goes on behind it",
                ));
            }
            while self.in_flight.len() >= IN_FLIGHT || self.bytes >= IN_FLIGHT_BYTES {
                if let Some(settled) = self.settle_one().await {
                    settled?;
                }
            }
            match self.submit(item).await {
                Ok(pending) => {
                    self.bytes += pending.bytes;
                    let number = self.number;
                    self.in_flight.push_back(Submitted { number, pending });
                }
                Err(reply) if reply.code() == Some(ErrorCode::Unavailable) => return Err(reply),
                Err(reply) => self.refused(self.number, &reply),
            }
        }
        Ok(())
    }

    /// Hands an item to the writer, as soon as its sender may send it and the writer takes it.
    async fn submit(&self, item: Item) -> Result<Pending, Reply> {
        let text = item.map_err(|_| {
            let message = "an item must not be larger than a command";
            Reply::refused(ErrorCode::PayloadTooLarge, message)
        })?;
        // The first one is paid for.
        while let Err(reply) = self.spend().await {
            let wait = reply.retry_after().unwrap_or(WRITER_PAUSE);
            self.tell_progress();
            sleep(wait).await;
        }
        let until = Instant::now() + WRITER_PATIENCE;
        loop {
            let submitted = submit(&self.call.session, self.read_item(&text)?).await;
            match submitted {
                Err(reply)
                    if reply.code() == Some(ErrorCode::Unavailable) && Instant::now() < until =>
                {
                    sleep(WRITER_PAUSE).await;
                }
                submitted => return submitted,
            }
        }
    }

    async fn spend(&self) -> Result<(), Reply> {
        match self.number {
            1 => Ok(()),
            _ => self.call.spend(EventClass::Command).await,
        }
    }

    fn read_item(&self, text: &[u8]) -> Result<CommandRequest, Reply> {
        let text = str::from_utf8(text).map_err(|_| Reply::invalid("item", "must be UTF-8"))?;
        let item = ImportItem {
            project: &self.project,
            text,
            number: self.number,
            now: Stamp {
                at: Clock.now(),
                by: self.call.session.caller.actor.clone(),
            },
        };
        item.read(&self.call.app.payload_limits())
    }

    /// Waits for the oldest item in flight; `None` if there is none.
    async fn settle_one(&mut self) -> Option<Result<(), Reply>> {
        if self.in_flight.is_empty() {
            return None;
        }
        let reply = first_answer(&mut self.in_flight).await;
        Some(self.settled(reply))
    }

    fn settled(&mut self, reply: Reply) -> Result<(), Reply> {
        let Some(Submitted { number, pending }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        self.bytes -= pending.bytes;
        match reply.code() {
            None if reply.get("noop").is_some() => self.counts.unchanged += 1,
            None => self.counts.created += 1,
            // The database is away. What is there by then is unchanged if the import is repeated.
            Some(ErrorCode::Unavailable) => {
                self.refused(number, &reply);
                return Err(reply);
            }
            Some(_) => self.refused(number, &reply),
        }
        Ok(())
    }

    fn refused(&mut self, number: u64, reply: &Reply) {
        self.counts.refused += 1;
        if self.told < TOLD_REFUSALS {
            self.told += 1;
            self.tell(&ImportRefused {
                item: number,
                ok: false,
                code: reply.code().map_or("", ErrorCode::as_str),
                error: reply.message().to_owned(),
                field: reply.field().map(str::to_owned),
            });
        }
    }

    fn tell_progress(&self) {
        self.tell(&ImportProgress {
            progress: self.counts,
        });
    }

    fn tell(&self, said: &impl serde::Serialize) {
        if self.lines.try_send(line(said)).is_err() {
            tracing::debug!(project.id = %self.project, "no room for a line about an import");
        }
    }
}

async fn first_answer(in_flight: &mut VecDeque<Submitted>) -> Reply {
    match in_flight.front_mut() {
        Some(first) => first.pending.answer().await,
        None => std::future::pending().await,
    }
}

fn line(said: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec(said).expect("it is JSON");
    text.push(b'\n');
    text.into()
}

fn broken_off(message: &str) -> Reply {
    let message =
        format!("{message}; what came before is imported, and the import may be repeated");
    Reply::refused(ErrorCode::Unavailable, message)
}

fn stopping() -> Reply {
    broken_off("the server is shutting down")
}
