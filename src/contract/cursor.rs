//! Where a client stands: the last seq that it has seen of each of its channels.
//!
//! Opaque for clients, and understood without any session on the server: `<epoch>.<no>:<seq>,<no>:<seq>=<type>|<type>`.
//! Types stand where the client wanted to hear of these alone. The dot is the form's version: another form will have
//! another sign there, and is malformed for whoever does not know it.

use std::fmt;

use super::Types;
use crate::domain::{ChannelNo, Epoch, Seq};

/// Longest cursor in bytes.
pub const MAX_CURSOR_BYTES: usize = 12 * 1024 + MAX_CURSOR_TYPES_BYTES;
/// Most bytes of types in a cursor.
pub const MAX_CURSOR_TYPES_BYTES: usize = 4 * 1024;
/// Most channels of a cursor.
pub const MAX_CURSOR_CHANNELS: usize = 256;
const MAX_EPOCH_BYTES: usize = 64;

/// Positions in the channels of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    epoch: Epoch,
    /// Sorted by channel, each channel once.
    positions: Vec<(ChannelNo, Seq)>,
    /// Of channels of which not everything is wanted.
    types: Vec<(ChannelNo, Types)>,
}

/// Why a text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Longer, or of more channels, than any cursor that was given out.
    #[error("is too long for a cursor")]
    TooLong,
    /// Not of a cursor's form.
    #[error("is not a cursor")]
    Malformed,
}

impl Cursor {
    /// A cursor without positions.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            positions: Vec::new(),
            types: Vec::new(),
        }
    }

    /// A position in one channel.
    #[must_use]
    pub fn single(epoch: Epoch, no: ChannelNo, seq: Seq) -> Self {
        Self {
            epoch,
            positions: vec![(no, seq)],
            types: Vec::new(),
        }
    }

    /// Reads a cursor exactly as [`Display`](fmt::Display) writes it.
    ///
    /// # Errors
    ///
    /// Fails on anything else, however long.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(CursorError::TooLong);
        }
        let (epoch, list) = text.split_once('.').ok_or(CursorError::Malformed)?;
        let is_epoch = (1..=MAX_EPOCH_BYTES).contains(&epoch.len())
            && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_epoch {
            return Err(CursorError::Malformed);
        }
        let mut cursor = Self::new(Epoch::restore(epoch.to_owned()));
        cursor.parse_positions(list)?;
        Ok(cursor)
    }

    /// The database that it belongs to.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The last seq seen of a channel.
    #[must_use]
    pub fn get(&self, no: ChannelNo) -> Option<Seq> {
        let index = self.index(no).ok()?;
        Some(self.positions[index].1)
    }

    /// Sets the last seq seen of a channel. Beyond [`MAX_CURSOR_CHANNELS`] channels the text can't be read back.
    pub fn set(&mut self, no: ChannelNo, seq: Seq) {
        match self.index(no) {
            Ok(index) => self.positions[index].1 = seq,
            Err(index) => self.positions.insert(index, (no, seq)),
        }
    }

    /// Forgets a channel.
    pub fn remove(&mut self, no: ChannelNo) {
        if let Ok(index) = self.index(no) {
            self.positions.remove(index);
        }
        self.select(no, None);
    }

    /// Notes which events of a channel are wanted; all of them without types.
    pub fn select(&mut self, no: ChannelNo, types: Option<Types>) {
        self.types.retain(|(known, _)| *known != no);
        self.types.extend(types.map(|types| (no, types)));
    }

    /// Which events of a channel are wanted, if not all.
    #[must_use]
    pub fn types(&self, no: ChannelNo) -> Option<&Types> {
        let mut types = self.types.iter();
        types
            .find(|(known, _)| *known == no)
            .map(|(_, types)| types)
    }

    /// All positions, sorted by channel.
    #[must_use]
    pub fn positions(&self) -> &[(ChannelNo, Seq)] {
        &self.positions
    }

    fn index(&self, no: ChannelNo) -> Result<usize, usize> {
        self.positions.binary_search_by_key(&no, |&(no, _)| no)
    }

    fn parse_positions(&mut self, list: &str) -> Result<(), CursorError> {
        let mut types_bytes = 0;
        for part in list.split(',').filter(|_| !list.is_empty()) {
            let (no, rest) = part.split_once(':').ok_or(CursorError::Malformed)?;
            let (seq, types) = match rest.split_once('=') {
                Some((seq, types)) => (seq, Some(types)),
                None => (rest, None),
            };
            let (no, seq) = (ChannelNo(parse_number(no)?), parse_number(seq)?);
            if self.positions.len() == MAX_CURSOR_CHANNELS {
                return Err(CursorError::TooLong);
            }
            if self.positions.last().is_some_and(|last| last.0 >= no) {
                return Err(CursorError::Malformed);
            }
            self.positions.push((no, seq));
            if let Some(text) = types {
                types_bytes += text.len();
                if types_bytes > MAX_CURSOR_TYPES_BYTES {
                    return Err(CursorError::TooLong);
                }
                let types = Types::parse(text).filter(|types| types.to_string() == text);
                self.types.push((no, types.ok_or(CursorError::Malformed)?));
            }
        }
        Ok(())
    }
}

/// Digits only: no sign, no leading zero.
fn parse_number(text: &str) -> Result<i64, CursorError> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !plain {
        return Err(CursorError::Malformed);
    }
    text.parse().map_err(|_| CursorError::Malformed)
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.epoch.as_str())?;
        for (index, (no, seq)) in self.positions.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{seq}", no.0)?;
            if let Some(types) = self.types(*no) {
                write!(f, "={types}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_read_back_as_it_was_written(
            epoch in "[0-9a-f]{12}",
            positions in prop::collection::btree_map(0..i64::MAX, 0..i64::MAX, 0..90),
        ) {
            let mut cursor = Cursor::new(Epoch::restore(epoch));
            for (&no, &seq) in positions.iter().rev() {
                cursor.set(ChannelNo(no), seq);
            }
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor.clone()));
            for (no, seq) in positions {
                prop_assert_eq!(cursor.get(ChannelNo(no)), Some(seq));
            }
        }

        #[test]
        fn garbage_is_refused_or_means_itself(text in prop_oneof![any::<String>(), "[0-9a-f]{1,3}\\.[0-9:,+=|a-]{0,12}"]) {
            if let Ok(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }

    #[test]
    fn refuses_what_is_not_exactly_a_cursor() {
        for text in [
            "",
            "a",
            ".1:1",
            "a.1",
            "a.1:",
            "a.01:1",
            "a.1:+1",
            "a.1:-1",
            "a.1:1,",
            "a.2:1,1:1",
        ] {
            assert_eq!(Cursor::parse(text), Err(CursorError::Malformed), "{text}");
        }
        let positions: Vec<_> = (0..257).map(|no| format!("{no}:1")).collect();
        let many = format!("a.{}", positions.join(","));
        assert_eq!(Cursor::parse(&many), Err(CursorError::TooLong));
        // More types than are given out: the next cursor might be too long.
        let one = "x".repeat(64);
        let many = (0..=MAX_CURSOR_TYPES_BYTES / 64).map(|no| format!("{no}:1={one}"));
        let many: Vec<_> = many.collect();
        let many = format!("a.{}", many.join(","));
        assert!(many.len() < MAX_CURSOR_BYTES);
        assert_eq!(Cursor::parse(&many), Err(CursorError::TooLong));
        let long = "a".repeat(MAX_CURSOR_BYTES + 1);
        assert_eq!(Cursor::parse(&long), Err(CursorError::TooLong));
    }

    /// Whatever a connection may be subscribed to.
    #[test]
    fn the_longest_that_is_given_out_is_read_back() {
        let mut cursor = Cursor::new(Epoch::restore("e".repeat(MAX_EPOCH_BYTES)));
        let each = MAX_CURSOR_TYPES_BYTES / MAX_CURSOR_CHANNELS;
        for index in 0..256 {
            let no = ChannelNo(i64::MAX - index);
            cursor.set(no, Seq::MAX);
            cursor.select(no, Types::parse(&"x".repeat(each)));
        }
        assert_eq!(cursor.positions().len(), MAX_CURSOR_CHANNELS);
        let read = Cursor::parse(&cursor.to_string()).unwrap();
        assert_eq!(read.to_string(), cursor.to_string());
    }

    #[test]
    fn types_stand_beside_their_channel() {
        let text = "e.1:2,3:4=task:updated|ai_progress,9:1";
        let mut cursor = Cursor::parse(text).unwrap();
        assert_eq!(cursor.to_string(), text);
        assert!(cursor.types(ChannelNo(3)).is_some() && cursor.types(ChannelNo(1)).is_none());
        cursor.set(ChannelNo(3), 5);
        assert_eq!(cursor.to_string(), "e.1:2,3:5=task:updated|ai_progress,9:1");
        cursor.remove(ChannelNo(3));
        assert_eq!(cursor.to_string(), "e.1:2,9:1");
        for bad in ["e.1:2=", "e.1:2=a|", "e.1:2=a|a", "e.1:2=a b", "e.1=a:2"] {
            assert_eq!(Cursor::parse(bad), Err(CursorError::Malformed), "{bad}");
        }
    }

    #[test]
    fn set_replaces() {
        let mut cursor = Cursor::single(Epoch::restore("e".to_owned()), ChannelNo(4), 1);
        cursor.set(ChannelNo(4), 9);
        cursor.set(ChannelNo(2), 3);
        assert_eq!(cursor.to_string(), "e.2:3,4:9");
        assert_eq!(cursor.get(ChannelNo(3)), None);
    }
}
