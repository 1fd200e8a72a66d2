//! A setting that is never shown.

use std::fmt;
use std::str::FromStr;

/// Characters below which a secret can be guessed.
const SECRET_MIN: usize = 16;

/// See the module.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Whether this is the secret. Takes as long for a near miss as for a far one.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), text.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |all, (a, b)| all | (a ^ b));
        ours.len() == theirs.len() && std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() < SECRET_MIN {
            return Err(format!("must have at least {SECRET_MIN} characters"));
        }
        Ok(Self(text.to_owned()))
    }
}
