//! The direct message that was written last, as text: it is handed to one connection after the other.

use std::sync::Arc;

use parking_lot::Mutex;

use super::format::Format;
use crate::contract::{DirectMessage, EventStyle};
use crate::domain::EventId;

/// A message, and how it is written.
type Key = (EventId, EventStyle);

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct DirectCache([Slot; FORMATS]);

/// Guards the last text of a message for several clients, in one format.
type Slot = Mutex<Option<(Key, Arc<str>)>>;

const FORMATS: usize = 2;

impl DirectCache {
    /// The text of a message.
    pub(super) fn get(
        &self,
        format: Format,
        style: EventStyle,
        message: &DirectMessage,
    ) -> Arc<str> {
        let name = style.name(&message.message_type);
        let write = || Arc::<str>::from(format.direct(&name, message));
        if message.client().is_some() {
            return write();
        }
        let key = (message.id, style);
        let mut last = self.0[format as usize % FORMATS].lock();
        match &*last {
            Some((known, text)) if *known == key => Arc::clone(text),
            _ => {
                let text = write();
                *last = Some((key, Arc::clone(&text)));
                text
            }
        }
    }
}
