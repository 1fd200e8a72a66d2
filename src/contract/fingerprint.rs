//! Tells two commands with the same idempotency key apart: a hash that stays the same across restarts,
//! versions of the compiler, and machines.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// FNV-1a, 64 bit.
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn text(&mut self, text: &str) {
        self.json(text);
    }

    /// Adds a value's JSON text and an end mark that occurs in no JSON text.
    pub(super) fn value(&mut self, value: &Value) {
        self.json(value);
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut *self, value)
            .expect("a value is always JSON and a hash takes all bytes");
        self.byte(0);
    }

    pub(super) fn finish(&self) -> i64 {
        self.0.cast_signed()
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

impl Write for Fingerprint {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.byte(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fnv_1a() {
        let mut hash = Fingerprint::new();
        hash.write_all(b"foobar").unwrap();
        assert_eq!(hash.finish().cast_unsigned(), 0x8594_4171_f739_67e8);
    }
}
