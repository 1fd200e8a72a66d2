//! API keys that are revoked, or expire, while somebody is connected with them.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::domain::ConnectionId;
use crate::store::StoreError;
use crate::telemetry::causes;

/// How often it is asked which keys are gone: all of them at once, and nothing while none is in use.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module. `T` is a connection.
#[derive(Debug)]
pub(super) struct Keys<T> {
    /// Guards who is connected with which key.
    in_use: Mutex<InUse<T>>,
    /// Tells that there is one again.
    came: Notify,
}

/// Connections by key, and the key of each.
#[derive(Debug)]
struct InUse<T> {
    by_key: HashMap<String, HashMap<ConnectionId, T>>,
    key_of: HashMap<ConnectionId, String>,
}

impl<T> InUse<T> {
    fn remove(&mut self, id: ConnectionId) {
        let Some(key) = self.key_of.remove(&id) else {
            return;
        };
        if let Some(holders) = self.by_key.get_mut(&key) {
            holders.remove(&id);
            if holders.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }
}

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self {
            in_use: Mutex::new(InUse {
                by_key: HashMap::new(),
                key_of: HashMap::new(),
            }),
            came: Notify::new(),
        }
    }
}

impl<T> Keys<T> {
    /// Watches a connection by this key, and by no other any more.
    pub(super) fn watch(&self, id: ConnectionId, key: &str, connection: T) {
        let mut in_use = self.in_use.lock();
        if in_use.by_key.is_empty() {
            self.came.notify_one();
        }
        in_use.remove(id);
        in_use.key_of.insert(id, key.to_owned());
        let holders = in_use.by_key.entry(key.to_owned()).or_default();
        holders.insert(id, connection);
    }

    pub(super) fn forget(&self, id: ConnectionId) {
        self.in_use.lock().remove(id);
    }

    /// Closes the connections of keys that are gone, for ever. As long as that cannot be found out nobody is closed.
    pub(super) async fn run<F>(&self, gone: impl Fn(Vec<String>) -> F, close: impl Fn(T))
    where
        F: Future<Output = Result<Vec<String>, StoreError>>,
    {
        loop {
            if self.in_use.lock().by_key.is_empty() {
                self.came.notified().await;
            }
            tokio::time::sleep(INTERVAL).await;
            let names: Vec<_> = self.in_use.lock().by_key.keys().cloned().collect();
            if names.is_empty() {
                continue;
            }
            match timeout(PATIENCE, gone(names)).await {
                Ok(Ok(gone)) => self.take(&gone).into_iter().for_each(&close),
                Ok(Err(error)) => {
                    let error = causes(&error);
                    tracing::warn!(%error, "cannot look whether API keys are gone");
                }
                Err(_) => tracing::warn!("cannot look whether API keys are gone: no answer"),
            }
        }
    }

    fn take(&self, gone: &[String]) -> Vec<T> {
        let mut in_use = self.in_use.lock();
        let holders = gone.iter().filter_map(|key| in_use.by_key.remove(key));
        let (ids, taken): (Vec<_>, Vec<_>) = holders.flatten().unzip();
        for id in ids {
            in_use.key_of.remove(&id);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs so many rounds; what was asked, and who was closed.
    async fn run(
        keys: &Keys<&'static str>,
        rounds: u32,
        answer: impl Fn() -> Result<Vec<String>, StoreError>,
    ) -> (Vec<Vec<String>>, Vec<&'static str>) {
        let (asked, closed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let gone = |mut names: Vec<String>| {
            names.sort();
            asked.lock().push(names);
            std::future::ready(answer())
        };
        let running = keys.run(gone, |name| closed.lock().push(name));
        timeout(INTERVAL * rounds + INTERVAL / 2, running)
            .await
            .unwrap_err();
        (asked.into_inner(), closed.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn all_keys_are_asked_about_at_once_and_those_gone_closed() {
        let keys = Keys::default();
        let leaver = ConnectionId::generate();
        for (id, key, name) in [
            (ConnectionId::generate(), "a", "a1"),
            (ConnectionId::generate(), "a", "a2"),
            (leaver, "a", "a3"),
            (ConnectionId::generate(), "b", "b1"),
        ] {
            keys.watch(id, key, name);
        }
        keys.forget(leaver);
        let (asked, mut closed) = run(&keys, 2, || Ok(vec!["a".to_owned(), "c".to_owned()])).await;
        assert_eq!(asked, [vec!["a", "b"], vec!["b"]]);
        closed.sort_unstable();
        assert_eq!(closed, ["a1", "a2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_shown_another_key_stays_by_that_alone() {
        let keys = Keys::default();
        let id = ConnectionId::generate();
        keys.watch(id, "old", "x");
        keys.watch(id, "new", "x");
        let (asked, closed) = run(&keys, 1, || Ok(vec!["old".to_owned()])).await;
        assert_eq!((asked, closed.len()), (vec![vec!["new".to_owned()]], 0));
        keys.forget(id);
        let in_use = keys.in_use.lock();
        assert!(in_use.by_key.is_empty() && in_use.key_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_without_keys() {
        let keys = Keys::default();
        let id = ConnectionId::generate();
        keys.watch(id, "a", "a");
        keys.forget(id);
        let (asked, closed) = run(&keys, 3, || unreachable!()).await;
        assert_eq!((asked.len(), closed.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_closes_nobody() {
        let keys = Keys::default();
        keys.watch(ConnectionId::generate(), "a", "a");
        let away = || Err(StoreError::Unavailable("away".into()));
        let (asked, closed) = run(&keys, 2, away).await;
        assert_eq!((asked.len(), closed.len()), (2, 0));
    }
}
