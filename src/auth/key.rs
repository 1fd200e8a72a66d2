//! A key, which decides by itself how tokens are signed with it.

use std::fs;

use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey, Header};

use super::AuthConfigError;
use crate::config::Secret;

/// Bytes of the modulus of an RSA key: from 2048 bits, below which it can be broken, to 4096, above which it takes long.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// Bytes of an Ed25519 key.
const ED_BYTES: usize = 32;

/// Verifies tokens, by one algorithm.
#[derive(Debug, Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    /// Its name among others.
    id: Option<String>,
    decoding: DecodingKey,
}

impl Key {
    /// Shared with those who sign.
    pub(super) fn secret(secret: &Secret) -> Result<Self, AuthConfigError> {
        let decoding = DecodingKey::from_secret(secret.reveal().as_bytes());
        Ok(Self {
            algorithm: Algorithm::HS256,
            id: None,
            decoding: decoding.map_err(|_| AuthConfigError("AUTH_SECRET is empty".to_owned()))?,
        })
    }

    /// From PEM, or a file with it.
    pub(super) fn public(pem_or_path: &str) -> Result<Self, AuthConfigError> {
        let wrong = |what: &str| AuthConfigError(format!("AUTH_PUBLIC_KEY {what}"));
        let pem = if pem_or_path.contains("-----BEGIN") {
            // Where a variable cannot have several lines, they are written so.
            pem_or_path.replace("\\n", "\n")
        } else {
            // The path is not shown: it may be a key that lost its first line.
            fs::read_to_string(pem_or_path.trim())
                .map_err(|error| wrong(&format!("names a file that cannot be read ({error})")))?
        };
        Self::from_pem(&pem).ok_or_else(|| {
            wrong(
                "must be one public key in PEM: RSA with 2048 to 4096 bits, P-256 or Ed25519, in a block that begins \
                 with -----BEGIN PUBLIC KEY-----",
            )
        })
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let labels = [
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN RSA PUBLIC KEY-----",
        ];
        let is_public = labels
            .iter()
            .any(|label| pem.trim_start().starts_with(label));
        // A second one would be passed over, and its users refused.
        if !is_public || pem.matches("-----BEGIN").count() > 1 {
            return None;
        }
        let pem = pem.as_bytes();
        if let Ok(decoding) = DecodingKey::from_ec_pem(pem) {
            return Self::usable(Algorithm::ES256, None, decoding);
        }
        if let Ok(decoding) = DecodingKey::from_ed_pem(pem) {
            return Self::usable(Algorithm::EdDSA, None, decoding);
        }
        let decoding = DecodingKey::from_rsa_pem(pem).ok()?;
        let components = DEFAULT_PROVIDER
            .key_utils
            .rsa_pub_components_from_public_key;
        let (n, e) = components(decoding.try_get_as_bytes().ok()?).ok()?;
        Self::rsa(None, &n, &e)
    }

    pub(super) fn rsa(id: Option<String>, n: &[u8], e: &[u8]) -> Option<Self> {
        let zeros = n.iter().take_while(|&&byte| byte == 0).count();
        if !RSA_BYTES.contains(&(n.len() - zeros)) {
            return None;
        }
        let decoding = DecodingKey::from_rsa_raw_components(&n[zeros..], e);
        Self::usable(Algorithm::RS256, id, decoding)
    }

    /// A key that the algorithm takes. One that is too short would make the library panic.
    pub(super) fn usable(
        algorithm: Algorithm,
        id: Option<String>,
        decoding: DecodingKey,
    ) -> Option<Self> {
        if algorithm == Algorithm::EdDSA && decoding.try_get_as_bytes().ok()?.len() != ED_BYTES {
            return None;
        }
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &decoding).ok()?;
        Some(Self {
            algorithm,
            id,
            decoding,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Whether this is its name.
    pub(super) fn is_named(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    /// Whether it is worth trying.
    pub(super) fn may_have_signed(&self, header: &Header) -> bool {
        let named = match (&self.id, &header.kid) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        };
        named && self.algorithm == header.alg
    }
}
