//! Reads a small document over HTTP.

use std::io;
use std::time::Duration;

use ureq::http::{StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::ReadError;

/// How long it may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the longest document.
const MAX_BYTES: u64 = 1024 * 1024;
const MAX_REDIRECTS: u32 = 3;

/// Where a document is.
#[derive(Debug, Clone)]
pub(super) struct Address {
    uri: Uri,
    is_https: bool,
}

impl Address {
    /// What comes over plain HTTP can be another's word, unless it never leaves this machine.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" if is_loopback(host) => false,
            _ => return None,
        };
        Some(Self { uri, is_https })
    }

    /// The document. Blocks.
    pub(super) fn get(&self) -> Result<Vec<u8>, ReadError> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .user_agent(concat!("boardcast/", env!("CARGO_PKG_VERSION")))
            .accept("application/json");
        let config = if self.is_https {
            config
                .https_only(true)
                .max_redirects(MAX_REDIRECTS)
                .tls_config(trust())
        } else {
            // It would lead away from this machine.
            config.max_redirects(0).proxy(None)
        };
        let agent = config.build().new_agent();
        let answer = agent.get(&self.uri).call()?;
        if answer.status() != StatusCode::OK {
            let text = format!("the server answered {}", answer.status());
            return Err(io::Error::other(text).into());
        }
        let mut body = answer.into_body();
        Ok(body.with_config().limit(MAX_BYTES).read_to_vec()?)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whom this machine trusts, as for Redis: an authority of one's own is named in `SSL_CERT_FILE`.
fn trust() -> TlsConfig {
    let trusted = rustls_native_certs::load_native_certs().certs;
    let trusted: Vec<_> = trusted
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let roots = RootCerts::new_with_certs(&trusted);
    TlsConfig::builder().root_certs(roots).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in [
            "https://id.example.com/.well-known/jwks.json",
            "http://localhost:8080/keys",
            "http://127.0.0.1/keys",
            "http://[::1]:80/keys",
        ] {
            assert!(Address::parse(url).is_some(), "{url}");
        }
        for url in [
            "http://id.example.com/keys",
            "http://localhost@id.example.com/keys",
            "http://localhost.example.com/keys",
            "http://10.0.0.1/keys",
            "ftp://localhost/keys",
            "file:///etc/keys",
            "https://",
            "https:///keys",
        ] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
