//! Signed tokens (JWT): which key signed one, and what it says.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::key::Key;
use crate::domain::Timestamp;

/// The last second of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;
/// The last one that can be written as a time of day everywhere, a day before.
const LAST_SHOWN: f64 = 253_402_207_200.0;

/// What a token says.
pub(super) type Claims = Map<String, Value>;

/// What a token says of itself, which proves nothing yet.
pub(super) fn header(token: &str) -> Result<Header, String> {
    let header = jsonwebtoken::decode_header(token)
        .map_err(|_| "it is not a token, or is signed in a way that is not known".to_owned())?;
    // Whoever marks something as critical wants it refused by those who don't know it.
    if header.crit.is_some() {
        return Err("the token has critical extensions".to_owned());
    }
    Ok(header)
}

/// When a token says that it was signed, which proves nothing.
pub(super) fn says_signed_at(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Said {
        iat: f64,
    }
    let said: Said = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    moment(said.iat)
}

/// The claims of a token that one of these keys has signed.
pub(super) fn verify<'k>(
    token: &str,
    header: &Header,
    keys: impl Iterator<Item = &'k Key>,
) -> Result<Claims, String> {
    let mut refusal = "no key is meant for this token";
    for key in keys.filter(|key| key.may_have_signed(header)) {
        match jsonwebtoken::decode(token, key.decoding(), &signature_only(key)) {
            Ok(token) => return Ok(token.claims),
            Err(error) => {
                refusal = match error.kind() {
                    ErrorKind::InvalidSignature => "the signature is wrong",
                    _ => "the token is malformed",
                }
            }
        }
    }
    Err(refusal.to_owned())
}

/// The algorithm is the key's alone. The claims are checked by [`Rules`](super::claims::Rules), to the millisecond.
fn signature_only(key: &Key) -> Validation {
    let mut validation = Validation::new(key.algorithm());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// A moment in seconds, which may have a fraction.
pub(super) fn moment(seconds: f64) -> Option<Timestamp> {
    if !(0.0..=LAST_SECOND).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within the range")]
    let millis = (seconds.min(LAST_SHOWN) * 1000.0).round() as i64;
    Some(Timestamp::from_millis(millis))
}
