//! A project's whole state as text, written as it is read: for HTTP, where an answer may be of any length.
//!
//! All of it is of one moment. Only the part that was read last is in memory.

use super::Session;
use super::access::unseen;
use super::state::{insert_more, listed, placed};
use super::unavailable;
use crate::contract::{JsonObject, Reply};
use crate::domain::{Kind, ProjectId, StatePlace, Target};
use crate::store::{StateRead, StoreError};

/// Bytes of a part, but for its last entity.
const PART_BYTES: usize = 256 * 1024;

/// How a state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFormat {
    /// One JSON object, as it is told on a socket.
    Json,
    /// A JSON text a line: what the state begins with, each entity by the name of its kind, and at the end their number.
    Lines,
}

/// See the module.
#[derive(Debug)]
pub struct StateText {
    read: Option<StateRead>,
    after: Option<StatePlace>,
    written: Written,
}

impl Session {
    /// Begins to read a project's state.
    ///
    /// # Errors
    ///
    /// The refusal of those who may not see it, and of what cannot be read now.
    pub async fn state_text(
        &self,
        project: &ProjectId,
        format: StateFormat,
    ) -> Result<StateText, Reply> {
        let (target, mut begun) = (Target::project(project), None);
        let head = async {
            let mut read = self.app.store().state(project).await?;
            let head = read.head().await?;
            begun = Some(read);
            let channel = head.channel.as_ref();
            let (no, seq) = channel.map(|channel| (channel.no, channel.seq)).unzip();
            let mut document: JsonObject = self.state_head(project, no, seq.unwrap_or_default());
            insert_more(&mut document, &head.left_out);
            Ok(document)
        };
        let head = self.reading(&target, Box::pin(head)).await;
        let head = head.map_err(|error| unavailable(&error))?;
        if !head.is_ok() {
            return Err(head);
        }
        let Some(read) = begun else {
            return Err(unseen());
        };
        Ok(StateText {
            read: Some(read),
            after: None,
            written: Written::new(&head, format),
        })
    }
}

impl StateText {
    /// The next part of the text; `None` at its end.
    ///
    /// # Errors
    ///
    /// Fails when the database does. What was written before is not the whole state then.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(read) = &mut self.read else {
            return Ok(None);
        };
        let part = read.part(self.after.as_ref(), &placed(PART_BYTES)).await?;
        for (kind, text) in &part.items {
            self.written.entity(*kind, text.get());
        }
        self.after = part.next;
        if self.after.is_none() {
            if let Some(read) = self.read.take() {
                read.end().await?;
            }
            self.written.end();
        }
        Ok(Some(std::mem::take(&mut self.written.text)))
    }
}

/// The text that is being written.
#[derive(Debug)]
struct Written {
    format: StateFormat,
    text: Vec<u8>,
    entities: u64,
    lists: Vec<Kind>,
    /// The number of lists that were begun; `None` before the project.
    begun: Option<usize>,
    is_first: bool,
}

impl Written {
    fn new(head: &Reply, format: StateFormat) -> Self {
        let mut text = head.to_text();
        match format {
            StateFormat::Json => drop(text.pop()),
            StateFormat::Lines => text.push(b'\n'),
        }
        Self {
            format,
            text,
            entities: 0,
            lists: listed().collect(),
            begun: None,
            is_first: true,
        }
    }

    fn push(&mut self, texts: &[&str]) {
        for text in texts {
            self.text.extend_from_slice(text.as_bytes());
        }
    }

    fn entity(&mut self, kind: Kind, text: &str) {
        self.entities += 1;
        if self.format == StateFormat::Lines {
            return self.push(&["{\"", kind.as_str(), "\":", text, "}\n"]);
        }
        if kind == Kind::Project {
            return self.project(text);
        }
        self.begin_list(kind);
        if !std::mem::take(&mut self.is_first) {
            self.push(&[","]);
        }
        self.push(&[text]);
    }

    fn project(&mut self, text: &str) {
        self.push(&[",\"project\":", text]);
        self.begun = Some(0);
    }

    /// Begins the lists up to that of a kind, and ends those before.
    fn begin_list(&mut self, kind: Kind) {
        if self.begun.is_none() {
            self.project("null");
        }
        let begun = self.begun.unwrap_or(0);
        let place = self.lists.iter().position(|listed| *listed == kind);
        for at in begun..=place.unwrap_or(0) {
            let end = if at == 0 { "" } else { "]" };
            self.push(&[end, ",\"", self.lists[at].plural(), "\":["]);
            self.begun = Some(at + 1);
            self.is_first = true;
        }
    }

    fn end(&mut self) {
        match (self.format, self.lists.last().copied()) {
            (StateFormat::Json, Some(last)) => {
                self.begin_list(last);
                self.push(&["]}"]);
            }
            (StateFormat::Json, None) => self.push(&["}"]),
            (StateFormat::Lines, _) => {
                let number = self.entities.to_string();
                self.push(&["{\"done\":true,\"entities\":", &number, "}\n"]);
            }
        }
    }
}
