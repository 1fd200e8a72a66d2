//! What a publication on `broadcast` or `client:<id>` may say besides its type and data.

use serde_json::Value;
use serde_json::value::RawValue;

use super::Reply;
use super::condition::{Condition, WHERE};
use crate::domain::{ChannelName, Family};

/// The field that ties an answer to its question.
const CORRELATION_ID: &str = "correlationId";
/// Longest correlation id, in bytes.
const MAX_CORRELATION_BYTES: usize = 256;

/// See the module's description.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DirectOptions {
    /// Passed on as it is.
    pub correlation_id: Option<String>,
    /// Which of the clients are meant; all if there is none.
    pub condition: Option<Box<Condition>>,
}

impl DirectOptions {
    /// Reads `correlationId` and `where`; elsewhere than on these channels a condition is refused, and a correlation id
    /// belongs to the envelope.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with them.
    pub fn read(
        channel: &ChannelName,
        correlation_id: Option<&RawValue>,
        condition: Option<Value>,
    ) -> Result<Self, Reply> {
        let mut options = Self::default();
        if let Some(condition) = condition {
            if channel.family() != Family::Broadcast {
                let what = "is possible on the channel broadcast alone";
                return Err(Reply::invalid(WHERE, what));
            }
            options.condition = Some(Box::new(Condition::read(condition)?));
        }
        let correlation_id = correlation_id.filter(|_| channel.is_direct());
        let correlation_id = correlation_id.map(|raw| serde_json::from_str(raw.get()));
        options.correlation_id = match correlation_id {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(Value::String(id))) if (1..=MAX_CORRELATION_BYTES).contains(&id.len()) => {
                Some(id)
            }
            Some(_) => {
                let what = format!("must be a text of 1 to {MAX_CORRELATION_BYTES} bytes");
                return Err(Reply::invalid(CORRELATION_ID, what));
            }
        };
        Ok(options)
    }
}
