//! Public keys that are published together (JWKS), and changed while the server runs.

mod fetch;
mod set;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Header;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::AuthConfigError;
use super::key::Key;
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::shutdown::Lifecycle;

/// How often a token whose key is not known may have the keys read again.
const ASKED_AT_MOST: Duration = Duration::from_secs(10);
/// How long after a failure the keys are read again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The keys as they were read last.
#[derive(Debug)]
pub(super) struct Jwks {
    source: Source,
    known: Mutex<Known>,
    /// When an unknown key last had the keys read. Held while they are read: whoever else needs them waits for the
    /// same answer.
    asked: Arc<tokio::sync::Mutex<Option<Instant>>>,
    lifecycle: Lifecycle,
}

/// What is known of the keys.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) keys: Arc<[Key]>,
    /// Whether this is what was published when it was last read.
    pub(super) is_current: bool,
    /// When they began to be read.
    as_of: Timestamp,
}

/// Where the keys are published.
#[derive(Debug, Clone)]
enum Source {
    File(PathBuf),
    Url(fetch::Address),
}

/// Why the keys cannot be read.
type ReadError = Box<dyn std::error::Error + Send + Sync>;

impl Known {
    /// Whether a token that none of these keys has signed may be signed with one that is newer: it names none of them.
    pub(super) fn may_be_without_key_for(&self, header: &Header) -> bool {
        let named = |id: &String| self.keys.iter().any(|key| key.is_named(id));
        !header.kid.as_ref().is_some_and(named)
    }

    /// Whether all keys are known that were published then.
    pub(super) fn is_as_of(&self, then: Timestamp) -> bool {
        self.is_current && then <= self.as_of
    }
}

impl Jwks {
    /// Reads the keys from a file or an address, and again at intervals.
    pub(super) async fn start(
        path_or_url: &str,
        refresh: Duration,
        lifecycle: &Lifecycle,
    ) -> Result<Arc<Self>, AuthConfigError> {
        let source = Source::parse(path_or_url)?;
        let is_file = matches!(source, Source::File(_));
        let jwks = Arc::new(Self {
            source,
            known: Mutex::new(Known {
                keys: Arc::default(),
                is_current: false,
                as_of: Timestamp::from_millis(0),
            }),
            asked: Arc::default(),
            lifecycle: lifecycle.clone(),
        });
        match jwks.read().await {
            Ok(()) => {}
            Err(error) if is_file => {
                let text = format!("AUTH_JWKS names a file that cannot be used: {error}");
                return Err(AuthConfigError(text));
            }
            Err(error) => tracing::error!(
                error = &*error,
                "AUTH_JWKS cannot be read; tokens that need it are refused until it can"
            ),
        }
        let keeper = Arc::clone(&jwks);
        lifecycle.spawn_service(async move { keeper.keep_current(refresh).await });
        Ok(jwks)
    }

    pub(super) fn known(&self) -> Known {
        self.known.lock().clone()
    }

    async fn keep_current(&self, refresh: Duration) {
        loop {
            let pause = if self.known().is_current {
                refresh
            } else {
                refresh.min(AFTER_FAILURE)
            };
            tokio::time::sleep(pause).await;
            let _asked = self.asked.lock().await;
            self.read_or_keep().await;
        }
    }

    /// Reads the keys again for a token of none of them, unless that was just done.
    pub(super) async fn read_for_unknown(self: &Arc<Self>) {
        let mut asked = Arc::clone(&self.asked).lock_owned().await;
        if asked.is_some_and(|asked| asked.elapsed() < ASKED_AT_MOST) {
            return;
        }
        *asked = Some(Instant::now());
        let jwks = Arc::clone(self);
        let (done, read) = oneshot::channel();
        // Whoever waits may lose patience: what is read then serves the next.
        self.lifecycle.spawn(async move {
            jwks.read_or_keep().await;
            drop((asked, done));
        });
        // It ends without a word.
        read.await.unwrap_or(());
    }

    async fn read_or_keep(&self) {
        if let Err(error) = self.read().await {
            let mut known = self.known.lock();
            known.is_current = false;
            tracing::warn!(
                error = &*error,
                keys = known.keys.len(),
                "AUTH_JWKS cannot be read; the keys that are known stay"
            );
        }
    }

    async fn read(&self) -> Result<(), ReadError> {
        let (source, as_of) = (self.source.clone(), Clock.now());
        let keys = tokio::task::spawn_blocking(move || source.read()).await??;
        let mut known = self.known.lock();
        if known.keys.len() != keys.len() {
            tracing::info!(keys = keys.len(), "read AUTH_JWKS");
        }
        *known = Known {
            keys: keys.into(),
            is_current: true,
            as_of,
        };
        Ok(())
    }
}

impl Source {
    fn parse(path_or_url: &str) -> Result<Self, AuthConfigError> {
        if !path_or_url.contains("://") {
            return Ok(Self::File(path_or_url.into()));
        }
        fetch::Address::parse(path_or_url)
            .map(Self::Url)
            .ok_or_else(|| {
                let text = "AUTH_JWKS must be the path of a file or an https:// address; http:// is for this machine \
                            only: whoever is between could give other keys";
                AuthConfigError(text.to_owned())
            })
    }

    fn read(&self) -> Result<Vec<Key>, ReadError> {
        let text = match self {
            Self::File(path) => std::fs::read(path)?,
            Self::Url(address) => address.get()?,
        };
        set::parse(&text)
    }
}

#[cfg(test)]
mod tests;
