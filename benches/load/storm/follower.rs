//! A client who joins once, and comes back as socket.io-client does: with `pid` and `offset`, and nothing else. Each
//! event must be the next one of its project.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::number_after;
use crate::Outcome;
use crate::client::Client;

/// Pause after an attempt that failed.
const RETRY: Duration = Duration::from_millis(50);

/// What all clients do.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Follow,
    Away,
    /// They come back, and have caught up once they are where the projects' logs were then.
    Return {
        at: Instant,
        heads: Arc<Vec<i64>>,
    },
}

/// How a client came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    Recovered,
    /// All the same, what it missed follows.
    NewPid,
    /// It got the state instead of the events.
    Reset,
}

#[derive(Debug)]
pub(super) struct Report {
    pub(super) how: Return,
    pub(super) attempts: u32,
    /// Events that it had missed.
    pub(super) missed: i64,
    pub(super) until_answer: Duration,
    pub(super) until_caught_up: Duration,
}

/// See the module.
pub(super) struct Follower {
    pub(super) project: usize,
    pub(super) name: String,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) record: Record,
}

/// What it knows.
#[derive(Default)]
pub(super) struct Record {
    pid: String,
    offset: String,
    /// The last seq; 0 before it has joined.
    pub(super) seen: Arc<AtomicI64>,
    reset: bool,
    wrong: Option<String>,
}

impl Follower {
    /// Follows its project at one address, and after a cut at another.
    pub(super) async fn follow(mut self, from: String, to: String) -> Outcome<()> {
        let (mut client, answer) = Client::enter(&from, "").await?;
        self.record.pid = pid(&answer);
        let join = format!(r#"420["join:project","{}"]"#, self.name);
        client.send(&[&join]).await?;
        loop {
            let read = tokio::select! {
                read = self.record.read(&mut client) => read,
                changed = self.phase.changed() => match changed {
                    Ok(()) => Ok(()),
                    Err(_) => return Ok(()),
                },
            };
            self.record.complaint()?;
            if matches!(*self.phase.borrow(), Phase::Away) {
                drop(client);
                client = self.come_back(&to).await?;
            } else {
                read?;
            }
        }
    }

    async fn come_back(&mut self, address: &str) -> Outcome<Client> {
        let (at, heads) = loop {
            if let Phase::Return { at, heads } = &*self.phase.borrow_and_update() {
                break (*at, Arc::clone(heads));
            }
            self.phase.changed().await?;
        };
        let before = self.record.seen.load(Ordering::Relaxed);
        let mut attempts = 0;
        let (mut client, same) = loop {
            attempts += 1;
            match self.attempt(address).await {
                Ok(answered) => break answered,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        };
        let until_answer = at.elapsed();
        while self.record.seen.load(Ordering::Relaxed) < heads[self.project] {
            self.record.read(&mut client).await?;
            self.record.complaint()?;
        }
        let how = match (same, self.record.reset) {
            (true, _) => Return::Recovered,
            (false, false) => Return::NewPid,
            (false, true) => Return::Reset,
        };
        self.reports.send(Report {
            how,
            attempts,
            missed: heads[self.project] - before,
            until_answer,
            until_caught_up: at.elapsed(),
        })?;
        Ok(client)
    }

    /// Connects, and tells whether the session goes on.
    async fn attempt(&mut self, address: &str) -> Outcome<(Client, bool)> {
        let Record { pid, offset, .. } = &mut self.record;
        let auth = format!(r#"{{"pid":"{pid}","offset":"{offset}"}}"#);
        let (client, answer) = Client::enter(address, &auth).await?;
        let before = std::mem::replace(pid, self::pid(&answer));
        Ok((client, before == *pid))
    }
}

impl Record {
    async fn read(&mut self, client: &mut Client) -> Outcome<()> {
        client.read(|message| self.note(message)).await
    }

    /// What was wrong with what was read.
    fn complaint(&mut self) -> Outcome<()> {
        self.wrong.take().map_or(Ok(()), |wrong| Err(wrong.into()))
    }

    fn note(&mut self, message: &[u8]) {
        let seen = self.seen.load(Ordering::Relaxed);
        if let Some(offset) = offset(message) {
            offset.clone_into(&mut self.offset);
        }
        if message.starts_with(b"430[") {
            match number_after(message, br#""seq":"#) {
                // Events may be there before the answer.
                Some(head) => drop(self.seen.fetch_max(head, Ordering::Relaxed)),
                None => self.complain("a join was refused", message),
            }
        } else if message.starts_with(br#"42["session:reset"#) {
            self.complain("a session was reset", message);
        } else if message.starts_with(br#"42["project:reset"#) {
            self.reset = true;
            let head = number_after(message, br#""seq":"#).unwrap_or(seen);
            self.seen.store(head, Ordering::Relaxed);
        } else if let Some(seq) = event_seq(message) {
            if seen != 0 && seq != seen + 1 {
                self.complain(&format!("after event {seen} came {seq}"), message);
            }
            self.seen.store(seq, Ordering::Relaxed);
        }
    }

    fn complain(&mut self, what: &str, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        self.wrong.get_or_insert(format!("{what}: {message}"));
    }
}

fn event_seq(message: &[u8]) -> Option<i64> {
    message
        .starts_with(b"42[\"task:")
        .then(|| number_after(message, br#""seq":"#))
        .flatten()
}

/// The private id of the session in an answer to CONNECT; empty if there is none.
fn pid(answer: &str) -> String {
    let after = answer.split_once(r#""pid":""#);
    let pid = after.and_then(|(_, after)| after.split('"').next());
    pid.unwrap_or_default().to_owned()
}

/// The string that stands last in an event. Cursors have nothing in them that JSON would escape.
fn offset(message: &[u8]) -> Option<&str> {
    let text = message.strip_prefix(b"42[")?.strip_suffix(b"\"]")?;
    std::str::from_utf8(text).ok()?.rsplit('"').next()
}
