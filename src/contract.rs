//! What crosses the wire: names, payloads, answers.
//!
//! Pure: it turns an event's name and [`Arguments`] into a [`Request`] and outcomes into JSON, and does nothing else.
//! Whatever a client sends, [`Request::read`] answers with a request or with a [`Reply`] that says what is wrong
//! with it; it never panics and its work is bounded by [`Limits`].

mod arguments;
mod body;
mod build;
mod bulk;
mod completion;
mod condition;
mod control;
mod cursor;
mod data_schema;
pub mod dialect;
mod direct_message;
mod direct_options;
mod entity_state;
mod envelope;
mod error_code;
mod event_style;
mod field;
mod fingerprint;
mod github;
mod idempotency;
mod import_item;
mod json_object;
mod list;
mod members;
mod names;
mod notification;
mod page_token;
pub mod payload;
mod payload_limits;
mod presence_wish;
mod publication;
mod read;
mod reply;
mod request;
pub mod schema;
mod server_word;
mod several;
mod signal;
mod signal_kind;
mod subscribe;
mod task;
#[cfg(test)]
mod tests;
mod toml_node;
mod types;
mod version;
mod vocabulary;
mod words;

pub use bulk::MAX_COMMANDS;
pub use condition::Condition;
pub use cursor::{
    ChannelRef, Cursor, CursorError, MAX_CURSOR_BYTES, MAX_CURSOR_CHANNELS, MAX_CURSOR_NAMES_BYTES,
    MAX_CURSOR_TYPES_BYTES, Position, UNKNOWN_CHANNELS,
};
pub use data_schema::{DATA_SCHEMAS, check_data};
pub use direct_message::DirectMessage;
pub use direct_options::DirectOptions;
pub use envelope::{EnvelopeFlaw, EnvelopeMembers};
pub use error_code::ErrorCode;
pub use event_style::{EventStyle, UnknownStyle};
pub use github::GithubEvent;
pub use import_item::ImportItem;
pub use json_object::{JsonObject, json_text};
pub use list::{CURSOR, DEFAULT_PAGE, LIMIT, ListRequest, MAX_PAGE, filter as list_filter};
pub use names::{EventClass, EventName};
pub use notification::{Audience, Notification};
pub use page_token::{
    NEXT_PAGE, PAGE, read_page_token, read_state_token, write_page_token, write_state_token,
};
pub use payload_limits::{Arguments, Limits};
pub use presence_wish::PresenceWish;
pub use publication::Publication;
pub use reply::{Accepted, Reply};
pub use request::{CommandRequest, Join, ReadRequest, Request, Since, Subscribe};
pub use server_word::ServerWord;
pub use several::{Several, pack, unpack};
pub use signal::SignalRequest;
pub use signal_kind::SignalKind;
pub use types::{MAX_TYPES, Types};
pub use version::{Version, VersionError, VersionRange};
