//! What a JWKS looks like. Keys that are not for verifying tokens, or not in a way that is known, are passed over.

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::{Key, ReadError};

/// A token that names no key is tried with each of them.
const MAX_KEYS: usize = 64;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

pub(super) fn parse(text: &[u8]) -> Result<Vec<Key>, ReadError> {
    let set: Set = serde_json::from_slice(text)?;
    let (given, keys) = (set.keys.len(), set.keys.into_iter());
    let keys: Vec<_> = keys.filter_map(key).collect();
    if keys.is_empty() {
        return Err(format!("none of its {given} keys can be used").into());
    }
    if keys.len() > MAX_KEYS {
        return Err(format!("it has more than {MAX_KEYS} keys").into());
    }
    Ok(keys)
}

fn key(jwk: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    let verifies = |operations: &Vec<String>| operations.iter().any(|one| one == "verify");
    if jwk.usage.is_some_and(|usage| usage != "sig")
        || !jwk.key_ops.is_none_or(|ops| verifies(&ops))
    {
        return None;
    }
    let is_for = |names: &[&str]| {
        jwk.alg
            .as_ref()
            .is_none_or(|alg| names.contains(&alg.as_str()))
    };
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) if is_for(&["RS256"]) => {
            let decoding = DecodingKey::from_rsa_components(&jwk.n?, &jwk.e?).ok()?;
            match decoding.kind() {
                DecodingKeyKind::RsaModulusExponent { n, e } => Key::rsa(jwk.kid, n, e),
                DecodingKeyKind::SecretOrDer(_) => None,
            }
        }
        ("EC", Some("P-256")) if is_for(&["ES256"]) => {
            let decoding = DecodingKey::from_ec_components(&jwk.x?, &jwk.y?).ok()?;
            Key::usable(Algorithm::ES256, jwk.kid, decoding)
        }
        ("OKP", Some("Ed25519")) if is_for(&["EdDSA", "Ed25519"]) => {
            let decoding = DecodingKey::from_ed_components(&jwk.x?).ok()?;
            Key::usable(Algorithm::EdDSA, jwk.kid, decoding)
        }
        _ => None,
    }
}
