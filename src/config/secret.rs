//! A setting that is never shown.

use std::fmt;
use std::str::FromStr;

/// Characters below which a secret can be guessed.
const SECRET_MIN: usize = 16;
/// Characters below which what is signed with a secret tells it to those who try them all.
const SIGNING_SECRET_MIN: usize = 32;

/// See the module.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Whether this is the secret.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        is_same(&self.0, text)
    }

    /// The secret itself, for making something with it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whether two texts are the same. Takes as long for a near miss as for a far one.
pub(crate) fn is_same(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (ours.as_bytes(), theirs.as_bytes());
    let differing = ours.iter().zip(theirs).fold(0, |all, (a, b)| all | (a ^ b));
    ours.len() == theirs.len() && std::hint::black_box(differing) == 0
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        of_length(text, SECRET_MIN)
    }
}

/// A secret with which tokens are signed.
pub(super) fn signing_secret(text: &str) -> Result<Secret, String> {
    of_length(text, SIGNING_SECRET_MIN)
}

fn of_length(text: &str, min: usize) -> Result<Secret, String> {
    if text.len() < min {
        return Err(format!("must have at least {min} characters"));
    }
    Ok(Secret(text.to_owned()))
}
