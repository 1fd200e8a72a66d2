//! Which Redis: checked before anything is opened. A password in it is never shown.

use std::fmt;
use std::str::FromStr;

use redis::Client;

/// Names a Redis: `redis://user:password@host:port/database`, or `rediss://…` for TLS.
#[derive(Clone)]
pub struct RedisUrl(Client);

/// Why a text is no [`RedisUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// No URL of Redis.
    #[error(
        "Redis is given as redis://<host>:<port>/<database>, with TLS as rediss://…, \
         and with a password as redis://<user>:<password>@<host>…"
    )]
    Unknown,
    /// Checking the certificate is what TLS is for.
    #[error("#insecure is not supported; make the certificate's issuer known with SSL_CERT_FILE")]
    Insecure,
}

impl RedisUrl {
    pub(super) fn client(&self) -> &Client {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(url: &str) -> Result<Self, RedisUrlError> {
        let known = ["redis://", "rediss://"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(RedisUrlError::Unknown);
        }
        if url.ends_with("#insecure") {
            return Err(RedisUrlError::Insecure);
        }
        let client = Client::open(url);
        client.map(Self).map_err(|_| RedisUrlError::Unknown)
    }
}

/// Without user, password and parameters.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get_connection_info().addr())
    }
}
