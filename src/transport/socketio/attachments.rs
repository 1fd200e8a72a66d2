//! A packet that waits for its attachments: Socket.IO sends binary data after the packet that it belongs to, and
//! socketioxide keeps what is there until the last of it has come.

use crate::limits::UnfinishedMessage;
use crate::transport::flow::Received;

/// What an attachment takes up besides its bytes.
const EACH: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    /// How many are still to come.
    due: usize,
    /// What is there of the packet.
    bytes: usize,
    /// What that counts as.
    message: Option<UnfinishedMessage>,
}

impl Attachments {
    pub(super) fn new(message: UnfinishedMessage) -> Self {
        Self {
            message: Some(message),
            ..Self::default()
        }
    }

    /// Whether a message has to do with attachments.
    pub(super) fn concern(message: &Received<'_>) -> bool {
        !message.is_text || matches!(message.start, [b'4', b'5' | b'6', ..])
    }

    /// Takes a message that has been received, and notes what is kept now.
    pub(super) fn received<F>(&mut self, message: &Received<'_>, give_up: impl FnOnce() -> F)
    where
        F: FnOnce() + Send + 'static,
    {
        if message.is_text {
            self.due = due(message.start);
            self.bytes = message.length;
        } else if self.due > 0 {
            self.due -= 1;
            self.bytes += message.length + EACH;
        }
        if self.due == 0 {
            self.bytes = 0;
        }
        if let Some(message) = &mut self.message {
            message.set(self.bytes, give_up);
        }
    }
}

/// The number of attachments of a packet that begins like this: `45<number>-` or `46<number>-`.
fn due(start: &[u8]) -> usize {
    let [b'4', b'5' | b'6', rest @ ..] = start else {
        return 0;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: usize, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::UnfinishedMessages;

    #[test]
    fn due_of_too_many_digits_is_the_largest_number() {
        assert_eq!(due(b"4512-"), 12);
        assert_eq!(due(format!("45{}-", "9".repeat(40)).as_bytes()), usize::MAX);
    }

    #[test]
    fn a_packet_counts_until_its_last_attachment_has_come() {
        let all = UnfinishedMessages::new(1024 * 1024);
        let mut attachments = Attachments::new(all.message());
        let mut receive = |is_text, start: &[u8], length| {
            let message = Received {
                is_text,
                start,
                length,
            };
            attachments.received(&message, || || {});
            all.bytes()
        };
        assert_eq!(receive(false, b"", 100_000), 0);
        assert_eq!(receive(true, b"452-[\"a\"", 20_000), 20_000);
        assert_eq!(receive(false, b"\x01", 100_000), 120_000 + EACH);
        assert_eq!(receive(false, b"\x01", 100_000), 0);
        assert_eq!(receive(true, b"450-[\"a\"", 20_000), 0);
        assert_eq!(receive(true, b"461-", 20_000), 20_000);
    }
}
