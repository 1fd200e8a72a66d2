//! Which database this is, and the secret by which the server knows the cursors that it has handed out.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::ChannelNo;
use super::id::short_random;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// Bytes of a seal: nobody guesses one in 2^96.
const SEAL_BYTES: usize = 12;

/// Tells one database from another, and seals the cursors of this one. Made once per database and kept there, so that
/// it is the same on every instance and after every start. Cheap to clone.
#[derive(Clone)]
pub struct Epoch {
    /// Lower-case hexadecimal.
    name: Arc<str>,
    key: Arc<Key>,
}

/// The secret half of an [`Epoch`].
struct Key {
    bytes: [u8; KEY_BYTES],
    /// Ready to seal: what depends on the key alone has been computed.
    mac: Hmac<Sha256>,
}

/// What the server adds to a cursor for the channel numbers in it. The seals of several channels are combined into one,
/// in any order; only somebody who was handed cursors of all of them can make it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Seal(u128);

impl Epoch {
    /// A fresh one: twelve characters are enough to tell databases apart, and the key has 244 random bits.
    #[must_use]
    pub fn generate() -> Self {
        let (half, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let mut key = [0; KEY_BYTES];
        key[..16].copy_from_slice(half.as_bytes());
        key[16..].copy_from_slice(other.as_bytes());
        Self::new(short_random(), key)
    }

    /// One that was made before. `None` if the key is not 64 hexadecimal digits.
    #[must_use]
    pub fn restore(name: String, key: &str) -> Option<Self> {
        if key.len() != 2 * KEY_BYTES || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&key[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self::new(name, bytes))
    }

    fn new(name: String, bytes: [u8; KEY_BYTES]) -> Self {
        // A key that is shorter than a block is filled up with zeros (RFC 2104).
        let mut block = [0; BLOCK_BYTES];
        block[..KEY_BYTES].copy_from_slice(&bytes);
        let mac = Hmac::new(&block.into());
        Self {
            name: name.into(),
            key: Arc::new(Key { bytes, mac }),
        }
    }

    /// The text that tells the database from others. It is no secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The key, for the database alone: 64 hexadecimal digits.
    #[must_use]
    pub(crate) fn reveal_key(&self) -> String {
        let digits = self.key.bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }

    /// The seal of one channel.
    #[must_use]
    pub fn seal(&self, no: ChannelNo) -> Seal {
        let mut mac = self.key.mac.clone();
        mac.update(b"cursor");
        mac.update(&no.0.to_be_bytes());
        let code = mac.finalize().into_bytes();
        let bytes = code[..SEAL_BYTES].iter();
        Seal(bytes.fold(0, |seal, byte| seal << 8 | u128::from(*byte)))
    }
}

impl Seal {
    /// Bytes of a seal.
    pub const BYTES: usize = SEAL_BYTES;

    /// Adds a channel that is not covered yet, or takes one out that is.
    pub fn toggle(&mut self, other: Self) {
        self.0 ^= other.0;
    }

    /// As it travels.
    #[must_use]
    pub fn to_bytes(self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        bytes.copy_from_slice(&self.0.to_be_bytes()[16 - SEAL_BYTES..]);
        bytes
    }

    /// One that came back.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SEAL_BYTES]) -> Self {
        Self(
            bytes
                .iter()
                .fold(0, |seal, byte| seal << 8 | u128::from(*byte)),
        )
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Epoch");
        shown.field("name", &self.name).finish_non_exhaustive()
    }
}

/// It is as good as the cursor that it stands in.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(not shown)")
    }
}

impl PartialEq for Epoch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.key.bytes == other.key.bytes
    }
}

impl Eq for Epoch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seal_depends_on_key_and_channel_alone() {
        let epoch = Epoch::generate();
        let again = Epoch::restore("e".to_owned(), &epoch.reveal_key()).unwrap();
        let (one, two) = (epoch.seal(ChannelNo(1)), epoch.seal(ChannelNo(2)));
        assert!(one == again.seal(ChannelNo(1)) && one != two);
        assert!(one != Epoch::generate().seal(ChannelNo(1)));
        assert!(one == Seal::from_bytes(one.to_bytes()));
    }

    #[test]
    fn seals_of_several_channels_are_one_in_any_order() {
        let epoch = Epoch::generate();
        let seals = [1, 2, 3].map(|no| epoch.seal(ChannelNo(no)));
        let (mut up, mut down) = (Seal::default(), Seal::default());
        for index in 0..3 {
            up.toggle(seals[index]);
            down.toggle(seals[2 - index]);
        }
        assert!(up == down);
        up.toggle(seals[1]);
        down = seals[0];
        down.toggle(seals[2]);
        assert!(up == down);
    }

    #[test]
    fn key_is_not_shown_and_nothing_else_is_one() {
        let epoch = Epoch::generate();
        let shown = format!("{epoch:?} {:?}", epoch.seal(ChannelNo(1)));
        assert!(!shown.contains(&epoch.reveal_key()), "{shown}");
        assert!(
            !shown.contains(&format!("{:?}", epoch.key.bytes)),
            "{shown}"
        );
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            assert!(Epoch::restore("e".to_owned(), bad).is_none(), "{bad}");
        }
    }
}
