//! The official browser build of socket.io-client, for pages that load it from the server.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// The files that Node's server serves; each has a source map beside it.
const NAMES: [&str; 4] = [
    "socket.io.js",
    "socket.io.min.js",
    "socket.io.esm.min.js",
    "socket.io.msgpack.min.js",
];

const SCRIPT: &str = "application/javascript; charset=utf-8";
const SOURCE_MAP: &str = "application/json; charset=utf-8";

/// The files of a build, as they were at the start. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientFiles(Arc<[ClientFile]>);

/// A file of a build.
#[derive(Debug, Clone)]
pub struct ClientFile {
    /// The name by which it is asked for.
    pub name: String,
    /// Its `Content-Type`.
    pub media: &'static str,
    /// What is in it.
    pub content: Bytes,
    /// What tells its versions apart, with its quotes.
    pub etag: String,
}

impl ClientFiles {
    /// Whether a file of this name is served, if the build has it.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        NAMES.contains(&name.strip_suffix(".map").unwrap_or(name))
    }

    /// The file with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ClientFile> {
        self.0.iter().find(|file| file.name == name)
    }

    /// Reads a folder: the files that are there, of which one is the build itself.
    pub(super) fn read(folder: &str) -> Result<Self, String> {
        let names = NAMES.iter().flat_map(|name| {
            let map = (format!("{name}.map"), SOURCE_MAP);
            [((*name).to_owned(), SCRIPT), map]
        });
        let read = |(name, media): (String, _)| {
            let content: Bytes = std::fs::read(Path::new(folder).join(&name)).ok()?.into();
            let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&content));
            Some(ClientFile {
                name,
                media,
                content,
                etag: format!("\"{hash}\""),
            })
        };
        let files = Self(names.filter_map(read).collect());
        if files.find(NAMES[0]).is_none() {
            return Err(format!(
                "{folder} has no {} that can be read; name the folder `dist` of the npm package socket.io-client",
                NAMES[0]
            ));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_without_a_build_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let error = ClientFiles::read(path).unwrap_err();
        assert!(
            error.contains("socket.io.js") && error.contains("dist"),
            "{error}"
        );
        std::fs::write(folder.path().join("socket.io.js"), "a").unwrap();
        std::fs::write(folder.path().join("other.js"), "b").unwrap();
        let files = ClientFiles::read(path).unwrap();
        assert_eq!(files.find("socket.io.js").unwrap().content, "a");
        assert!(files.find("other.js").is_none() && files.find("socket.io.min.js").is_none());
    }
}
