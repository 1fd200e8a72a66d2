//! Looks through a folder of source for what a frontend listens to.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::learn::{Listens, scan};

/// Files that are read.
const MAX_FILES: usize = 5_000;
/// Bytes of a file that is read; larger ones are made by a program.
const MAX_FILE_BYTES: u64 = 512 * 1024;
/// Bytes that are read in all.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Folders below one another that are looked into.
const MAX_DEPTH: usize = 20;
/// Folders with what others have written, or with what was built.
const SKIPPED: [&str; 9] = [
    "node_modules",
    "dist",
    "build",
    ".git",
    ".next",
    "coverage",
    "vendor",
    "out",
    ".cache",
];
/// What files of source end in.
const EXTENSIONS: [&str; 9] = [
    "js", "jsx", "ts", "tsx", "mjs", "cjs", "vue", "svelte", "html",
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) listens: Listens,
    files: usize,
    bytes: u64,
    is_complete: bool,
}

impl fmt::Display for Scanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.listens.events.len();
        write!(
            f,
            "{} files of source were read, which listen to {events} events",
            self.files
        )?;
        if !self.is_complete {
            f.write_str("; there was more than is read, so name the folder with the pages")?;
        }
        Ok(())
    }
}

/// Reads the files of a folder, in the order of their names.
pub(super) fn scan_folder(folder: &Path) -> io::Result<Scanned> {
    let mut scanned = Scanned {
        is_complete: true,
        ..Scanned::default()
    };
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries: io::Result<Vec<_>> = fs::read_dir(&folder)?.collect();
        let mut entries = entries?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if kind.is_dir() && depth < MAX_DEPTH && !SKIPPED.iter().any(|skipped| name == *skipped)
            {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                scanned.add(&entry.path())?;
            }
        }
    }
    Ok(scanned)
}

impl Scanned {
    fn add(&mut self, path: &PathBuf) -> io::Result<()> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if !extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            return Ok(());
        }
        let bytes = fs::metadata(path)?.len();
        if bytes > MAX_FILE_BYTES {
            return Ok(());
        }
        if self.files >= MAX_FILES || self.bytes + bytes > MAX_BYTES {
            self.is_complete = false;
            return Ok(());
        }
        self.files += 1;
        self.bytes += bytes;
        let source = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        self.listens.extend(scan(&source));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_without_what_others_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/a.tsx", "socket.on('a', (d) => d.x)");
        write("src/deep/b.vue", "<script>socket.on('b', f)</script>");
        write("node_modules/c.js", "socket.on('c', f)");
        write("readme.md", "socket.on('d', f)");
        write(
            "big.js",
            &format!("socket.on('e', f){}", " ".repeat(600 * 1024)),
        );
        let scanned = scan_folder(folder.path()).unwrap();
        let mut names: Vec<_> = scanned
            .listens
            .events
            .iter()
            .map(|listen| listen.event.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(scanned.files, 2);
    }
}
