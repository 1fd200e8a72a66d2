//! Event streams.

use super::client::Options;
use super::door::End;
use super::message::{Message, Said};
use crate::support::sse::EventStream;

/// See the module.
pub(super) struct Sse {
    stream: EventStream,
    pub(super) end: End,
}

impl Sse {
    pub(super) async fn connect(address: &str, options: &Options) -> Self {
        let types = if options.types.is_empty() {
            String::new()
        } else {
            format!("&types={}", options.types.join(","))
        };
        let path = format!(
            "/api/events?channels={}{types}{}",
            options.channels.join(","),
            options.who()
        );
        let last = options.cursor.as_deref();
        let mut stream = EventStream::open(address, &path, last).await;
        if last.is_none() {
            stream.id_after("").await;
        }
        Self {
            stream,
            end: End::default(),
        }
    }

    pub(super) fn last_id(&self) -> String {
        self.stream.last_id().to_owned()
    }

    /// The next message; `None` at the end.
    pub(super) async fn receive(&mut self) -> Option<Vec<Message>> {
        let Some(message) = self.stream.try_next().await else {
            self.end.code = if self.stream.ended().await { 200 } else { 0 };
            return None;
        };
        let json = message.json();
        let (name, body) = match message.name.as_str() {
            "message" => (json["type"].as_str().unwrap_or_default(), &json["message"]),
            name => (name, &json),
        };
        let said = Said::notice(name, body);
        let said =
            said.or_else(|| Said::logged(json["channel"].as_str()?, &json, &json["message"]));
        let said = said.unwrap_or(Said::Other);
        Some(vec![Message::new(said, Some(message.id))])
    }
}
