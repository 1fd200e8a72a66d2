//! The namespaces that a client is in over one transport. Most are in `/` alone, which costs one byte and no lock.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::encode_cache::EncodeCache;
use crate::state::AppState;

/// The namespace that every client may enter.
pub(super) const DEFAULT: &str = "/";
/// Queries that are kept for namespaces which a client of version 2 asks to enter.
const MAX_QUERIES: usize = 8;
/// Bytes of such a query; a longer one is not kept.
const MAX_QUERY: usize = 4 * 1024;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// Whether the client was let into `/` and has not left it.
    is_in_default: AtomicBool,
    /// Whether the server has turned the client out of the last one, which still counts as one that it is in: what it sends there
    /// ends the session.
    is_turned_out: AtomicBool,
    /// Whether there are, or were, others.
    has_others: AtomicBool,
    /// Guards the others. Nobody is in more of them than the server has.
    others: Mutex<Option<Box<Others>>>,
}

#[derive(Debug, Default)]
struct Others {
    /// Those that the client was let into and has not left.
    inside: Vec<Box<str>>,
    /// What stood behind the `?` of a CONNECT, by namespace, until it is answered.
    queries: Vec<(Box<str>, Box<str>)>,
}

/// The namespaces that the server has. Those that clients ask for in vain are recorded: socketioxide refuses them by itself.
pub(super) struct ServedNamespaces {
    app: AppState,
    names: Vec<String>,
    /// The events that are told in them, as text.
    pub(super) encode_cache: EncodeCache,
}

impl std::fmt::Debug for ServedNamespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServedNamespaces")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl ServedNamespaces {
    pub(super) fn new(app: &AppState) -> Self {
        let names = [DEFAULT].into_iter().chain(app.dialects().namespaces());
        Self {
            names: names.map(str::to_owned).collect(),
            app: app.clone(),
            encode_cache: EncodeCache::default(),
        }
    }

    /// All of them.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Records that a client asks for a namespace, if there is none of that name.
    pub(super) fn record(&self, namespace: &str) {
        if !self.names().any(|name| name == namespace) {
            self.app.recorder().refused_namespace(namespace);
        }
    }
}

impl Namespaces {
    /// Notes that the client is let into a namespace.
    pub(super) fn enter(&self, namespace: &str) {
        if self.is_turned_out.swap(false, Ordering::AcqRel) {
            self.is_in_default.store(false, Ordering::Release);
            self.change(|others| others.inside.clear());
        }
        if namespace == DEFAULT {
            return self.is_in_default.store(true, Ordering::Release);
        }
        self.change(|others| {
            if !others.inside.iter().any(|inside| **inside == *namespace) {
                others.inside.push(namespace.into());
            }
        });
    }

    /// Notes that the server turns the client out of a namespace. What it still sends there is left out if it is in another one,
    /// and else ends its session.
    pub(super) fn turn_out(&self, namespace: &str) {
        if self.count() > 1 {
            self.leave(namespace);
        } else if self.contains(namespace) {
            self.is_turned_out.store(true, Ordering::Release);
        }
    }

    /// Whether the client is in no namespace any more, or was turned out of the last one.
    pub(super) fn is_out(&self) -> bool {
        self.is_turned_out.load(Ordering::Acquire) || !self.is_in_any()
    }

    /// Notes that the client has left a namespace.
    pub(super) fn leave(&self, namespace: &str) {
        if namespace == DEFAULT {
            return self.is_in_default.store(false, Ordering::Release);
        }
        if self.has_others.load(Ordering::Acquire) {
            self.change(|others| others.inside.retain(|inside| **inside != *namespace));
        }
    }

    /// Whether the client is in a namespace.
    pub(super) fn contains(&self, namespace: &str) -> bool {
        if namespace == DEFAULT {
            return self.is_in_default.load(Ordering::Acquire);
        }
        self.look(|others| others.inside.iter().any(|inside| **inside == *namespace))
            .unwrap_or_default()
    }

    /// Whether the client is in any namespace.
    pub(super) fn is_in_any(&self) -> bool {
        self.contains(DEFAULT) || self.is_in_named()
    }

    /// Whether the client is in any other namespace than `/`.
    pub(super) fn is_in_named(&self) -> bool {
        self.look(|others| !others.inside.is_empty())
            .unwrap_or_default()
    }

    /// How many namespaces the client is in.
    pub(super) fn count(&self) -> usize {
        let others = self.look(|others| others.inside.len()).unwrap_or_default();
        usize::from(self.contains(DEFAULT)) + others
    }

    /// Keeps the query with which a client of version 2 asks to enter a namespace, until it is asked for.
    pub(super) fn keep_query(&self, namespace: &str, query: &str) {
        self.change(|others| {
            others.queries.retain(|(name, _)| **name != *namespace);
            if query.len() + namespace.len() <= MAX_QUERY {
                if others.queries.len() == MAX_QUERIES {
                    others.queries.remove(0);
                }
                others.queries.push((namespace.into(), query.into()));
            }
        });
    }

    /// Whether this query is kept for a namespace.
    pub(super) fn keeps_query(&self, namespace: &str, query: &str) -> bool {
        self.look(|others| {
            let mut queries = others.queries.iter();
            queries.any(|(name, kept)| **name == *namespace && **kept == *query)
        })
        .unwrap_or_default()
    }

    /// The query with which the client asks to enter a namespace, if it came with one.
    pub(super) fn take_query(&self, namespace: &str) -> Option<Box<str>> {
        if !self.has_others.load(Ordering::Acquire) {
            return None;
        }
        self.change(|others| {
            let mut names = others.queries.iter();
            let at = names.position(|(name, _)| **name == *namespace)?;
            Some(others.queries.remove(at).1)
        })
    }

    fn look<T>(&self, look: impl FnOnce(&Others) -> T) -> Option<T> {
        if !self.has_others.load(Ordering::Acquire) {
            return None;
        }
        self.others.lock().as_deref().map(look)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Others) -> T) -> T {
        self.has_others.store(true, Ordering::Release);
        change(self.others.lock().get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is entered and left in whatever order, the same is known as of a set.
        #[test]
        fn namespaces_are_a_set(steps in prop::collection::vec((prop::sample::select(vec!["/", "/a", "/b", "/a/b"]), any::<bool>()), 0..30)) {
            let (namespaces, mut expected) = (Namespaces::default(), BTreeSet::new());
            for (name, enters) in steps {
                if enters {
                    namespaces.enter(name);
                    expected.insert(name);
                } else {
                    namespaces.leave(name);
                    expected.remove(name);
                }
                prop_assert_eq!(namespaces.count(), expected.len());
                prop_assert_eq!(namespaces.is_in_any(), !expected.is_empty());
                for name in ["/", "/a", "/b", "/a/b", "/c", ""] {
                    prop_assert_eq!(namespaces.contains(name), expected.contains(name));
                }
            }
        }
    }

    #[test]
    fn the_default_namespace_allocates_nothing() {
        let namespaces = Namespaces::default();
        namespaces.enter("/");
        namespaces.leave("/board");
        assert!(!namespaces.contains("/board") && namespaces.take_query("/").is_none());
        assert!(namespaces.others.lock().is_none());
    }

    #[test]
    fn who_is_turned_out_of_the_last_one_is_out_until_it_enters_one() {
        let namespaces = Namespaces::default();
        namespaces.enter("/");
        namespaces.enter("/a");
        namespaces.turn_out("/");
        assert!(!namespaces.contains("/") && !namespaces.is_out());
        namespaces.turn_out("/a");
        assert!(namespaces.contains("/a") && namespaces.is_out());
        namespaces.enter("/b");
        assert!(!namespaces.is_out() && !namespaces.contains("/a"));
        namespaces.turn_out("/c");
        assert!(!namespaces.is_out());
        namespaces.leave("/b");
        assert!(namespaces.is_out());
    }

    #[test]
    fn queries_are_taken_once_and_bounded() {
        let namespaces = Namespaces::default();
        namespaces.keep_query("/a", "x=1");
        namespaces.keep_query("/a", "x=2");
        assert_eq!(namespaces.take_query("/a").as_deref(), Some("x=2"));
        assert_eq!(namespaces.take_query("/a"), None);
        namespaces.keep_query("/a", &"x".repeat(MAX_QUERY));
        assert_eq!(namespaces.take_query("/a"), None);
        for number in 0..100 {
            namespaces.keep_query(&format!("/{number}"), "x");
        }
        let others = namespaces.others.lock();
        assert_eq!(others.as_ref().unwrap().queries.len(), MAX_QUERIES);
    }
}
