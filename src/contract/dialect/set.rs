//! The dialects that a server knows, and which of them a connection speaks.

use std::sync::Arc;

use super::Dialect;
use crate::contract::toml_node::{DialectError, Node};

/// Which connections speak a dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matching {
    /// Paths at which Engine.IO is served besides `/socket.io`.
    pub paths: Vec<String>,
    /// Namespaces besides `/`.
    pub namespaces: Vec<String>,
    /// Origins of pages.
    pub origins: Vec<String>,
}

impl Matching {
    pub(super) fn read(root: &Node<'_>) -> Result<Self, DialectError> {
        let Some(table) = root.get("match") else {
            return Ok(Self::default());
        };
        table.only(&["paths", "namespaces", "origins"])?;
        let names = |key: &str| match table.get(key) {
            Some(names) => names.names(),
            None => Ok(Vec::new()),
        };
        let paths = names("paths")?;
        let namespaces = names("namespaces")?;
        for (key, given) in [("paths", &paths), ("namespaces", &namespaces)] {
            let is_bad = |name: &&String| {
                !name.starts_with('/')
                    || name.contains(['*', '{', '}', '?', '#', ','])
                    || name.contains(char::is_whitespace)
            };
            if let (Some(bad), Some(node)) = (given.iter().find(is_bad), table.get(key)) {
                let message =
                    format!("{bad:?} must begin with / and name one place, such as /board");
                return Err(node.error(message));
            }
        }
        let paths = paths
            .into_iter()
            .map(|path| path.trim_end_matches('/').to_owned());
        Ok(Self {
            paths: paths.filter(|path| !path.is_empty()).collect(),
            namespaces,
            origins: names("origins")?,
        })
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of a connection when its dialect is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Approach<'a> {
    /// The dialect that the client names.
    pub named: Option<&'a str>,
    /// The namespace.
    pub namespace: &'a str,
    /// The path.
    pub path: &'a str,
    /// The page's origin.
    pub origin: Option<&'a str>,
}

/// See the module's description.
#[derive(Debug, Clone)]
pub struct Dialects {
    loaded: Arc<[Arc<Dialect>]>,
    common: Arc<Dialect>,
}

impl Dialects {
    /// The dialects of a server besides the common one, in the order of the command line.
    #[must_use]
    pub fn new(common: Dialect, loaded: Vec<Dialect>) -> Self {
        Self {
            loaded: loaded.into_iter().map(Arc::new).collect(),
            common: Arc::new(common),
        }
    }

    /// The dialect of those who have no other.
    #[must_use]
    pub fn common(&self) -> &Arc<Dialect> {
        &self.common
    }

    /// All but the common one.
    pub fn loaded(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.loaded.iter()
    }

    /// The dialect that a connection speaks.
    ///
    /// # Errors
    ///
    /// A sentence that lists the dialects there are, if the client names another one.
    pub fn choose(&self, approach: &Approach<'_>) -> Result<&Arc<Dialect>, String> {
        if let Some(named) = approach.named {
            let mut all = self.loaded().chain([&self.common]);
            return all.find(|dialect| dialect.name == named).ok_or_else(|| {
                let names = self.loaded().map(|dialect| dialect.name.as_str());
                let names: Vec<_> = names.chain(["default"]).collect();
                format!(
                    "validation_failed: dialect {named:?} is not loaded; there are {}",
                    names.join(", ")
                )
            });
        }
        let is_in = |list: &[String], what: &str| list.iter().any(|item| item == what);
        let fits: [&dyn Fn(&Matching) -> bool; 3] = [
            &|matching| is_in(&matching.namespaces, approach.namespace),
            &|matching| is_in(&matching.paths, approach.path.trim_end_matches('/')),
            &|matching| {
                let origin = approach.origin;
                origin.is_some_and(|origin| is_in(&matching.origins, origin))
            },
        ];
        for fits in fits {
            let mut fitting = self.loaded().filter(|dialect| fits(&dialect.matching));
            let Some(first) = fitting.next() else {
                continue;
            };
            // Of several in one namespace the one counts that also fits the rest best.
            let score = |dialect: &Dialect| {
                let matching = &dialect.matching;
                [
                    is_in(&matching.paths, approach.path.trim_end_matches('/')),
                    approach
                        .origin
                        .is_some_and(|origin| is_in(&matching.origins, origin)),
                ]
                .into_iter()
                .filter(|fits| *fits)
                .count()
            };
            let best = fitting.fold(first, |best, next| {
                if score(next) > score(best) {
                    next
                } else {
                    best
                }
            });
            return Ok(best);
        }
        let mut unmatched = self.loaded().filter(|dialect| dialect.matching.is_empty());
        Ok(unmatched.next().unwrap_or(&self.common))
    }

    /// The namespaces besides `/`.
    #[must_use]
    pub fn namespaces(&self) -> Vec<&str> {
        let all = self
            .loaded()
            .flat_map(|dialect| &dialect.matching.namespaces);
        let mut all: Vec<_> = all
            .map(String::as_str)
            .filter(|name| *name != "/")
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The paths of Engine.IO besides `/socket.io`.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let all = self.loaded().flat_map(|dialect| &dialect.matching.paths);
        let mut all: Vec<_> = all
            .map(String::as_str)
            .filter(|path| *path != "/socket.io")
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
