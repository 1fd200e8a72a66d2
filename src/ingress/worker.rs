//! What is heard of one source, on its way into the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{Ingress, message};
use crate::broker::Heard;
use crate::clock::Clock;
use crate::contract::{DirectMessage, ErrorCode, Limits, Publication, Reply};
use crate::direct::Direct;
use crate::domain::{BackendSource, ChannelName};
use crate::learn::Recorder;
use crate::retention::ANSWER_LIFETIME;
use crate::writer::{Caller, Writer};

/// Pauses before a chunk is submitted again: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How often a chunk is repeated at which the server fails, before its messages are tried by themselves.
const FAILURES: u32 = 5;
/// How often the log may say of a source that a message is refused.
const COMPLAINT: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Worker {
    writer: Arc<Writer>,
    direct: Direct,
    ingress: Ingress,
    number: usize,
    source: BackendSource,
    caller: Caller,
    limits: Limits,
    recorder: Arc<Recorder>,
    /// When the log was last told of a refused message.
    complained: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        (writer, direct): (&Arc<Writer>, &Direct),
        ingress: &Ingress,
        (number, recorder): (usize, &Arc<Recorder>),
        caller: &Caller,
        limits: Limits,
    ) -> Self {
        Self {
            writer: Arc::clone(writer),
            direct: direct.clone(),
            ingress: ingress.clone(),
            number,
            source: ingress.heard.sources()[number].clone(),
            caller: caller.clone(),
            limits,
            recorder: Arc::clone(recorder),
            complained: None,
        }
    }

    /// Publishes what is heard until nothing more will be.
    pub(super) async fn run(mut self) {
        while let Some(chunk) = self.ingress.heard.chunk(self.number).await {
            let publications = chunk.iter().filter_map(|heard| self.read(heard)).collect();
            // Side by side: the writer commits them together. Of each channel the order stays.
            let publishing = by_channel(publications).into_iter();
            let publishing = publishing.map(|(channel, part)| self.publish(channel, part));
            let refused = join_all(publishing).await;
            for refusal in refused.into_iter().flatten() {
                self.refuse(&refusal);
            }
            self.ingress.heard.settle(self.number, chunk.len());
        }
    }

    fn read(&mut self, heard: &Heard) -> Option<Publication> {
        // By then others may have forgotten that they have committed it.
        if heard.at.elapsed() > ANSWER_LIFETIME / 2 {
            add(&self.ingress.counts.expired, 1);
            tracing::error!(channel.name = %heard.channel, "a message has waited for too long; it is dropped");
            return None;
        }
        let publication = match std::str::from_utf8(&heard.message) {
            Ok(text) => {
                let read = message::read(&self.source, heard, text, &self.limits);
                let named = match &self.source {
                    BackendSource::Envelope(_) => None,
                    _ => Some(&*heard.channel),
                };
                self.recorder.publication(named, text, read.as_ref());
                read
            }
            Err(_) => Err(Reply::invalid("message", "is not UTF-8")),
        };
        publication.map_err(|reply| self.refuse(&reply)).ok()
    }

    fn refuse(&mut self, reply: &Reply) {
        add(&self.ingress.counts.refused, 1);
        if self
            .complained
            .is_none_or(|last| last.elapsed() > COMPLAINT)
        {
            self.complained = Some(Instant::now());
            tracing::warn!(
                source = %self.source,
                reason = reply.message(),
                refused = self.ingress.counts.refused.load(Ordering::Relaxed),
                "a message of a backend is refused"
            );
        }
    }

    /// Publishes all of them together. If they are refused for the sake of one of them, halves are tried, and halves of
    /// these, until that one stands alone; their order stays. What is refused.
    async fn publish(&self, channel: ChannelName, publications: Vec<Publication>) -> Vec<Reply> {
        let mut refused = Vec::new();
        let mut parts = vec![publications];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let Err(reply) = self.publish_part(&channel, &part).await else {
                continue;
            };
            if part.len() == 1 {
                refused.push(reply);
                continue;
            }
            let second = part.split_off(part.len() / 2);
            parts.push(second);
            parts.push(part);
        }
        refused
    }

    /// Submits a part again and again, as long as that may help.
    async fn publish_part(&self, channel: &ChannelName, part: &[Publication]) -> Result<(), Reply> {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0);
        loop {
            let Err(reply) = self.submit(channel, part).await else {
                return Ok(());
            };
            failures += u32::from(reply.code() == Some(ErrorCode::Internal));
            let may_help = match reply.code() {
                Some(ErrorCode::Internal) => failures < FAILURES,
                code => code.is_some_and(ErrorCode::retryable),
            };
            if !may_help {
                return Err(reply);
            }
            tracing::debug!(channel.name = %channel, reason = reply.message(), "not published yet");
            tokio::time::sleep(pause).await;
            pause = LAST_PAUSE.min(2 * pause);
        }
    }

    async fn submit(&self, channel: &ChannelName, part: &[Publication]) -> Result<(), Reply> {
        let (channel, part_len) = (channel.clone(), part.len());
        if channel.is_direct() {
            self.deliver(part).await;
            return Ok(());
        }
        let answer = self
            .writer
            .publish(channel, part.to_vec(), &self.caller, None)?;
        // Without an answer the writer had a panic.
        let reply = answer.await.unwrap_or_else(|_| Reply::internal());
        if !reply.is_ok() {
            return Err(reply);
        }
        let known = reply.duplicates(part_len);
        add(&self.ingress.counts.duplicates, known);
        add(&self.ingress.counts.published, part_len - known);
        Ok(())
    }

    /// Hands messages to clients of this instance. The other instances have heard them as well.
    async fn deliver(&self, part: &[Publication]) {
        for publication in part {
            let (actor, now) = (self.caller.actor.clone(), Clock.now());
            let message = DirectMessage::new(publication.clone(), actor, None, now);
            self.direct.deliver_here(message).await;
        }
        add(&self.ingress.counts.published, part.len());
    }
}

/// Publications by their channels, in the order in which these come first.
fn by_channel(publications: Vec<Publication>) -> Vec<(ChannelName, Vec<Publication>)> {
    let mut parts: Vec<(ChannelName, Vec<Publication>)> = Vec::new();
    let mut places = HashMap::new();
    for publication in publications {
        let channel = publication.channel.clone();
        let place = *places.entry(channel.clone()).or_insert(parts.len());
        if place == parts.len() {
            parts.push((channel, Vec::new()));
        }
        parts[place].1.push(publication);
    }
    parts
}

fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}
