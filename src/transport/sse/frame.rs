//! What goes out on a stream, in the form `text/event-stream`.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::contract::schema::stream::StreamData;
use crate::contract::schema::types::Time;
use crate::contract::{DirectMessage, EventStyle, ServerWord};
use crate::domain::{ChannelName, Event, EventType, Signal};

/// After how many milliseconds a client that was cut off is to come back.
const RETRY_MS: u32 = 2000;
/// How soon it is of use to come back at all.
const SOONEST: Duration = Duration::from_secs(1);
/// What a message weighs besides its payload and its cursor.
const ENVELOPE: usize = 256;

/// How a client wants to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// How our own types are spelled.
    pub(super) style: EventStyle,
    /// Whether messages carry the event's type as their name: else they are for `onmessage`.
    pub(super) named: bool,
}

impl Form {
    /// An event, after which the client stands at this cursor.
    pub(super) fn event(self, event: &Event, cursor: &str) -> Bytes {
        let name = self.style.name(&event.event_type);
        let told = StreamData {
            channel: Some(event.subject().as_str()),
            id: Some(event.id.0.to_string()),
            seq: Some(event.seq),
            event_type: &name,
            timestamp: Some(Time(event.created_at)),
            actor: Some(event.actor.as_str()),
            message: &event.payload,
        };
        self.write(&told, Some(cursor))
    }

    /// A signal. It moves nobody on.
    pub(super) fn signal(self, channel: &ChannelName, signal: &Signal) -> Bytes {
        self.unlogged(
            Some(channel.as_str()),
            &signal.signal_type,
            &signal.payload,
            None,
        )
    }

    /// A message to clients that are connected now. It moves nobody on.
    pub(super) fn direct(self, message: &DirectMessage) -> Bytes {
        let channel = Some(message.channel.as_str());
        self.unlogged(channel, &message.message_type, &message.payload, None)
    }

    /// Something that the server tells of its own accord.
    pub(super) fn told(
        self,
        event_type: &EventType,
        data: &RawValue,
        cursor: Option<&str>,
    ) -> Bytes {
        self.unlogged(None, event_type, data, cursor)
    }

    fn unlogged(
        self,
        channel: Option<&str>,
        event_type: &EventType,
        data: &RawValue,
        cursor: Option<&str>,
    ) -> Bytes {
        let name = self.style.name(event_type);
        let told = StreamData {
            channel,
            id: None,
            seq: None,
            event_type: &name,
            timestamp: None,
            actor: None,
            message: data,
        };
        self.write(&told, cursor)
    }

    fn write(self, told: &StreamData<'_>, cursor: Option<&str>) -> Bytes {
        let name = Some(told.event_type).filter(|name| self.named && !ServerWord::is_spelled(name));
        let bytes = told.message.get().len() + cursor.map_or(0, str::len) + ENVELOPE;
        let mut frame = Frame::new(bytes);
        frame.fields(name, cursor);
        frame.data(told);
        frame.end()
    }
}

/// What a stream begins with: a client that is cut off before its first event comes back to where it was.
pub(super) fn opening(cursor: Option<&str>) -> Bytes {
    let mut frame = Frame::new(cursor.map_or(0, str::len) + ENVELOPE);
    frame.line("retry", &RETRY_MS.to_string());
    frame.fields(None, cursor);
    frame.end()
}

/// What stands in the place of a stream that cannot be had now: a browser that is answered anything but 200 gives up for
/// good, and one that is answered this comes back by itself.
pub(super) fn come_back(after: Duration, why: &str) -> Bytes {
    let after = after.max(SOONEST);
    let mut frame = Frame::new(ENVELOPE);
    frame.line("", why);
    frame.line("retry", &after.as_millis().to_string());
    frame.end()
}

/// Something that is said about the stream itself.
pub(super) fn notice(word: ServerWord, said: &impl Serialize, cursor: Option<&str>) -> Bytes {
    let mut frame = Frame::new(cursor.map_or(0, str::len) + ENVELOPE);
    frame.fields(Some(word.as_str()), cursor);
    frame.data(said);
    frame.end()
}

/// A sign of life; with the cursor if that has moved although nothing was told.
pub(super) fn keep_alive(cursor: Option<&str>) -> Bytes {
    let mut frame = Frame::new(cursor.map_or(0, str::len) + ENVELOPE);
    frame.line("", "keep-alive");
    frame.fields(None, cursor);
    frame.end()
}

/// One message that is being written.
struct Frame(Vec<u8>);

impl Frame {
    fn new(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// The last event id of a client is that of the last message that came to its end.
    fn fields(&mut self, name: Option<&str>, cursor: Option<&str>) {
        if let Some(name) = name {
            self.line("event", name);
        }
        if let Some(cursor) = cursor {
            self.line("id", cursor);
        }
    }

    /// A field, or a comment if it has no name.
    fn line(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        // Names and cursors have none; what has would begin another field.
        let bytes = value.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r'));
        self.0.extend(bytes);
        self.0.push(b'\n');
    }

    /// JSON text. Whatever breaks its lines stands between its values, and comes out as `\n`: this form knows no `\r`.
    fn data(&mut self, json: &impl Serialize) {
        self.0.extend_from_slice(b"data: ");
        let begin = self.0.len();
        if let Err(error) = serde_json::to_writer(&mut self.0, json) {
            tracing::error!(%error, "a message cannot be encoded");
        }
        if self.0[begin..]
            .iter()
            .any(|byte| matches!(byte, b'\n' | b'\r'))
        {
            self.break_lines(begin);
        }
        self.0.push(b'\n');
    }

    fn break_lines(&mut self, begin: usize) {
        let text = self.0.split_off(begin);
        let mut after_cr = false;
        for byte in text {
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => self.0.extend_from_slice(b"\ndata: "),
                _ => self.0.push(byte),
            }
            after_cr = byte == b'\r';
        }
    }

    fn end(mut self) -> Bytes {
        self.0.push(b'\n');
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;

    /// What a browser makes of the fields of a message, but for its name.
    fn data_of(text: &str) -> String {
        let lines = text
            .split('\n')
            .filter_map(|line| line.strip_prefix("data: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    proptest! {
        #[test]
        fn data_comes_out_as_it_went_in(text in "[\\[ \n\r\t]{0,9}", inner in any::<String>()) {
            let inner = to_raw_value(&inner).unwrap();
            let depth = text.matches('[').count();
            let json = format!("{text}{}{}", inner.get(), "]".repeat(depth));
            let json = RawValue::from_string(json.trim_start().to_owned()).unwrap();
            let mut frame = Frame::new(0);
            frame.data(&json);
            let written = String::from_utf8(frame.end().into()).unwrap();
            prop_assert!(written.ends_with("\n\n") && !written.trim_end().contains("\n\n"));
            let expected = json.get().replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(data_of(&written), expected);
        }
    }

    #[test]
    fn nobody_is_asked_to_come_back_at_once() {
        let text = |millis| come_back(Duration::from_millis(millis), "full\r\nid: 7");
        assert_eq!(text(5), ": fullid: 7\nretry: 1000\n\n");
        assert_eq!(text(2500), ": fullid: 7\nretry: 2500\n\n");
    }
}
