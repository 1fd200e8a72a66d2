//! Where a client stands: the last seq that it has seen of each of its channels.
//!
//! Opaque for clients, and understood without any session on the server:
//! `<epoch>~<seal>.<no>:<seq>,<no>:<seq>!=<type>|<type>,@<name>:<seq>`. Types stand where the client wanted to hear of
//! these alone, and a sign after the seq where it has said whether it wants presence events. The tilde is the form's version: another form will have another sign there, and is malformed for servers
//! that do not know it, as the older form without a seal is for this one.
//!
//! A channel's number can be guessed, so the numbers are sealed: the server reads back only combinations of channels
//! that it has handed out ([`Seal`]). The seqs are not sealed, for they say nothing of other channels. A channel
//! without events has no number yet and stands there by its name, in base64url: the name is all that it takes to
//! subscribe to it, and the rules for subscribing apply when the cursor comes back.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{PresenceWish, Types};
use crate::domain::{ChannelName, ChannelNo, Epoch, Seal, Seq};

/// Longest cursor in bytes.
pub const MAX_CURSOR_BYTES: usize = 12 * 1024 + MAX_CURSOR_TYPES_BYTES + MAX_CURSOR_NAMES_BYTES;
/// Most bytes of types in a cursor.
pub const MAX_CURSOR_TYPES_BYTES: usize = 4 * 1024;
/// Most bytes that the names of channels without events take up in a cursor.
pub const MAX_CURSOR_NAMES_BYTES: usize = 8 * 1024;
/// Most channels of a cursor.
pub const MAX_CURSOR_CHANNELS: usize = 256;
const MAX_EPOCH_BYTES: usize = 64;
/// A seal in base64.
const SEAL_TEXT_BYTES: usize = Seal::BYTES / 3 * 4;
/// Room for what stands before the positions.
const MAX_USUAL_HEAD_BYTES: usize = 32;
/// Room for a number, a seq and what is between them.
const USUAL_POSITION_BYTES: usize = 16;
/// Stands before the name of a channel without a number.
const NAMED: char = '@';

/// Stands after a seq where the client has said whether it wants the channel's presence events.
const WISHES: [(char, PresenceWish); 3] = [
    ('!', PresenceWish::Yes),
    ('*', PresenceWish::Implied),
    ('-', PresenceWish::No),
];

/// A channel as a cursor spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChannelRef {
    /// By the number that it has from its first event on.
    Number(ChannelNo),
    /// By its name, before that.
    Name(ChannelName),
}

impl ChannelRef {
    /// The shorter spelling that is possible.
    #[must_use]
    pub fn new(no: Option<ChannelNo>, name: &ChannelName) -> Self {
        no.map_or_else(|| Self::Name(name.clone()), Self::Number)
    }
}

impl From<ChannelNo> for ChannelRef {
    fn from(no: ChannelNo) -> Self {
        Self::Number(no)
    }
}

/// Positions in the channels of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    epoch: Epoch,
    /// Of all channels that have a number.
    seal: Seal,
    /// The seal as it is written: it stays the same from event to event.
    written_seal: [u8; SEAL_TEXT_BYTES],
    /// Sorted by channel, each channel once.
    positions: Vec<Position>,
}

/// Where a client stands in one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The channel.
    pub channel: ChannelRef,
    /// The last seq that was seen of it.
    pub seq: Seq,
    /// Which of its events are wanted, if not all.
    pub types: Option<Types>,
    /// Whether its presence events are wanted, if that was said.
    pub presence: Option<PresenceWish>,
}

/// Why a text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorError {
    /// Longer, or of more channels, than any cursor that was handed out.
    TooLong,
    /// Not of a cursor's form.
    Malformed,
    /// Of another database.
    OtherDatabase,
    /// Of a cursor's form, and of channels that were never handed out together.
    NotHandedOut,
}

/// Why a cursor is lost whose channels are not there, cannot be seen, or were not handed out: which of it is true is not
/// to be told.
pub const UNKNOWN_CHANNELS: &str = "the cursor is of channels that do not exist, or cannot be seen";

impl CursorError {
    /// Why, as clients are told.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong | Self::Malformed => "the cursor is malformed",
            Self::OtherDatabase => "the cursor is of another database",
            Self::NotHandedOut => UNKNOWN_CHANNELS,
        }
    }
}

impl Cursor {
    /// A cursor without positions.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            seal: Seal::default(),
            written_seal: written(Seal::default()),
            positions: Vec::new(),
        }
    }

    /// A position in one channel.
    #[must_use]
    pub fn single(epoch: Epoch, channel: impl Into<ChannelRef>, seq: Seq) -> Self {
        let mut cursor = Self::new(epoch);
        cursor.set(channel, seq);
        cursor
    }

    /// Reads a cursor exactly as [`Display`](fmt::Display) writes it, if it is one that this database's servers wrote.
    ///
    /// # Errors
    ///
    /// Fails on anything else, however long.
    pub fn parse(text: &str, epoch: &Epoch) -> Result<Self, CursorError> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(CursorError::TooLong);
        }
        let end = text.find(['~', '.']).ok_or(CursorError::Malformed)?;
        let (name, rest) = text.split_at(end);
        let is_epoch = (1..=MAX_EPOCH_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_epoch {
            return Err(CursorError::Malformed);
        }
        if name != epoch.as_str() {
            return Err(CursorError::OtherDatabase);
        }
        let parts = rest.strip_prefix('~').and_then(|rest| rest.split_once('.'));
        let (seal, list) = parts.ok_or(CursorError::Malformed)?;
        let seal = parse_seal(seal)?;
        let mut cursor = Self::new(epoch.clone());
        cursor.parse_positions(list)?;
        for position in &cursor.positions {
            if let ChannelRef::Number(no) = position.channel {
                cursor.seal.toggle(epoch.seal(no));
            }
        }
        cursor.written_seal = written(cursor.seal);
        if cursor.seal == seal {
            Ok(cursor)
        } else {
            Err(CursorError::NotHandedOut)
        }
    }

    /// The last seq seen of a channel.
    #[must_use]
    pub fn get(&self, channel: &ChannelRef) -> Option<Seq> {
        let index = self.index(channel).ok()?;
        Some(self.positions[index].seq)
    }

    /// Sets the last seq seen of a channel. Beyond [`MAX_CURSOR_CHANNELS`] channels the text can't be read back.
    pub fn set(&mut self, channel: impl Into<ChannelRef>, seq: Seq) {
        let channel = channel.into();
        match self.index(&channel) {
            Ok(index) => self.positions[index].seq = seq,
            Err(index) => {
                self.toggle_seal(&channel);
                let position = Position {
                    channel,
                    seq,
                    types: None,
                    presence: None,
                };
                // Most clients are in one channel, and each has a cursor.
                if self.positions.is_empty() {
                    self.positions.reserve_exact(1);
                }
                self.positions.insert(index, position);
            }
        }
    }

    /// Forgets a channel.
    pub fn remove(&mut self, channel: &ChannelRef) {
        if let Ok(index) = self.index(channel) {
            self.toggle_seal(channel);
            self.positions.remove(index);
        }
    }

    /// Spells a channel by the number that it got meanwhile.
    pub fn number(&mut self, name: &ChannelName, no: ChannelNo) {
        let Ok(index) = self.index(&ChannelRef::Name(name.clone())) else {
            return;
        };
        let position = self.positions.remove(index);
        self.set(no, position.seq);
        self.select(&no.into(), position.types);
        self.wish(&no.into(), position.presence);
    }

    /// Notes whether the presence events of a channel that is covered are wanted.
    pub fn wish(&mut self, channel: &ChannelRef, presence: Option<PresenceWish>) {
        if let Ok(index) = self.index(channel) {
            self.positions[index].presence = presence;
        }
    }

    /// Notes which events of a channel that is covered are wanted; all of them without types.
    pub fn select(&mut self, channel: &ChannelRef, types: Option<Types>) {
        if let Ok(index) = self.index(channel) {
            self.positions[index].types = types;
        }
    }

    /// Which events of a channel are wanted, if not all.
    #[must_use]
    pub fn types(&self, channel: &ChannelRef) -> Option<&Types> {
        let index = self.index(channel).ok()?;
        self.positions[index].types.as_ref()
    }

    /// All positions, sorted by channel.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The text, as [`Display`](fmt::Display) writes it, in one allocation.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Adds the text to another one. This is done for every event that is delivered.
    pub fn write(&self, text: &mut String) {
        let bytes = |position: &Position| {
            let name = match &position.channel {
                ChannelRef::Number(_) => 0,
                ChannelRef::Name(name) => Self::name_bytes(name),
            };
            name + position.types.as_ref().map_or(0, Types::bytes) + USUAL_POSITION_BYTES
        };
        let positions: usize = self.positions.iter().map(bytes).sum();
        text.reserve(MAX_USUAL_HEAD_BYTES + positions);
        let written = self.write_to(text);
        debug_assert_eq!(written, Ok(()), "a text takes everything");
    }

    fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        let seal = std::str::from_utf8(&self.written_seal).map_err(|_| fmt::Error)?;
        text.write_str(self.epoch.as_str())?;
        text.write_char('~')?;
        text.write_str(seal)?;
        for (index, position) in self.positions.iter().enumerate() {
            text.write_char(if index == 0 { '.' } else { ',' })?;
            match &position.channel {
                ChannelRef::Number(no) => write_number(text, no.0)?,
                ChannelRef::Name(name) => {
                    text.write_char(NAMED)?;
                    text.write_str(&URL_SAFE_NO_PAD.encode(name.as_str()))?;
                }
            }
            text.write_char(':')?;
            write_number(text, position.seq)?;
            let mut wishes = WISHES.into_iter();
            if let Some((sign, _)) = wishes.find(|(_, wish)| position.presence == Some(*wish)) {
                text.write_char(sign)?;
            }
            if let Some(types) = &position.types {
                write!(text, "={types}")?;
            }
        }
        if self.positions.is_empty() {
            text.write_char('.')?;
        }
        Ok(())
    }

    /// Bytes that a name takes up in a cursor.
    #[must_use]
    pub fn name_bytes(name: &ChannelName) -> usize {
        (name.as_str().len() * 4).div_ceil(3) + NAMED.len_utf8()
    }

    fn toggle_seal(&mut self, channel: &ChannelRef) {
        if let ChannelRef::Number(no) = channel {
            self.seal.toggle(self.epoch.seal(*no));
            self.written_seal = written(self.seal);
        }
    }

    fn index(&self, channel: &ChannelRef) -> Result<usize, usize> {
        self.positions
            .binary_search_by(|position| position.channel.cmp(channel))
    }

    fn parse_positions(&mut self, list: &str) -> Result<(), CursorError> {
        let (mut types_bytes, mut names_bytes) = (0, 0);
        for part in list.split(',').filter(|_| !list.is_empty()) {
            let (channel, rest) = part.split_once(':').ok_or(CursorError::Malformed)?;
            let (seq, types) = match rest.split_once('=') {
                Some((seq, types)) => (seq, Some(types)),
                None => (rest, None),
            };
            let (seq, presence) = parse_wish(seq);
            let channel = match channel.strip_prefix(NAMED) {
                Some(name) => {
                    names_bytes += channel.len();
                    ChannelRef::Name(parse_name(name).ok_or(CursorError::Malformed)?)
                }
                None => ChannelRef::Number(ChannelNo(parse_number(channel)?)),
            };
            types_bytes += types.map_or(0, str::len);
            let is_too_long = self.positions.len() == MAX_CURSOR_CHANNELS
                || types_bytes > MAX_CURSOR_TYPES_BYTES
                || names_bytes > MAX_CURSOR_NAMES_BYTES;
            if is_too_long {
                return Err(CursorError::TooLong);
            }
            let before = self.positions.last();
            if before.is_some_and(|before| before.channel >= channel) {
                return Err(CursorError::Malformed);
            }
            let types = types.map(|text| {
                let types = Types::parse(text).filter(|types| types.to_string() == text);
                types.ok_or(CursorError::Malformed)
            });
            self.positions.push(Position {
                channel,
                seq: parse_number(seq)?,
                types: types.transpose()?,
                presence,
            });
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

/// What follows a seq, see [`WISHES`].
fn parse_wish(text: &str) -> (&str, Option<PresenceWish>) {
    let mut wishes = WISHES.into_iter();
    let found = wishes.find_map(|(sign, wish)| Some((text.strip_suffix(sign)?, Some(wish))));
    found.unwrap_or((text, None))
}

fn parse_name(text: &str) -> Option<ChannelName> {
    let name = URL_SAFE_NO_PAD.decode(text).ok()?;
    ChannelName::parse(std::str::from_utf8(&name).ok()?).ok()
}

fn written(seal: Seal) -> [u8; SEAL_TEXT_BYTES] {
    let mut text = [0; SEAL_TEXT_BYTES];
    let length = URL_SAFE_NO_PAD.encode_slice(seal.to_bytes(), &mut text);
    debug_assert_eq!(
        length,
        Ok(SEAL_TEXT_BYTES),
        "a seal is a multiple of three bytes"
    );
    text
}

fn parse_seal(text: &str) -> Result<Seal, CursorError> {
    let mut bytes = [0; Seal::BYTES];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(Seal::BYTES) => Ok(Seal::from_bytes(bytes)),
        _ => Err(CursorError::Malformed),
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Writes a number without the machinery of formats, which costs as much as all the rest of a cursor.
fn write_number(text: &mut impl fmt::Write, number: i64) -> fmt::Result {
    let mut digits = [0; 20];
    let (mut start, mut rest) = (digits.len(), number.unsigned_abs());
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        text.write_char('-')?;
    }
    text.write_str(std::str::from_utf8(&digits[start..]).unwrap_or_default())
}

#[cfg(test)]
mod tests;
