//! Keeps a second process away from a database file, because seqs are also remembered in memory.
//!
//! Two locks are held, both as `flock`. One is on the file itself, so it holds for every name of it: a link, a path into
//! another mount. The other is on a file beside it (`.lock`), which keeps away a process that finds a new file under the
//! old name, and versions of this program that know no other lock.
//!
//! `SQLite` has POSIX locks on the same file, and these belong to the process: closing any descriptor of the file drops
//! them all. So a descriptor that was opened here is not closed before `SQLite` has closed its own.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::cannot_open;
use crate::store::StoreError;

/// The locks of an open database file.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    beside: File,
    /// Locked on Linux alone: elsewhere `flock` and POSIX locks get into each other's way.
    file: File,
    inode: (u64, u64),
}

impl Lock {
    /// Makes the file if it is missing, and locks it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let beside = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside)
            .map_err(|error| cannot_open(path, error))?;
        locked(path, beside.try_lock())?;
        let file = open(path).map_err(|error| cannot_open(path, error))?;
        let inode = match file.metadata() {
            Ok(metadata) => inode(&metadata),
            Err(error) => return Err(kept_open(file, cannot_open(path, error))),
        };
        if cfg!(target_os = "linux")
            && let Err(error) = locked(path, file.try_lock())
        {
            return Err(kept_open(file, error));
        }
        Ok(Self {
            path: path.to_owned(),
            beside,
            file,
            inode,
        })
    }

    /// Whether the file still has its name. What is written to one that has none is lost when the process ends.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let found = std::fs::metadata(&self.path).map(|metadata| inode(&metadata));
        match found {
            Ok(found) if found == self.inode => Ok(()),
            Ok(_) => Err(StoreError::Unavailable(
                "another file was put in the place of the database".into(),
            )),
            Err(error) => Err(StoreError::Unavailable(error.into())),
        }
    }

    /// Gives the locks back; the descriptors stay open.
    pub(super) fn release(&self) -> io::Result<()> {
        if cfg!(target_os = "linux") {
            self.file.unlock()?;
        }
        self.beside.unlock()
    }
}

/// Opens the file as `SQLite` does, and makes it likewise: to be written. On an overlay that is another inode than the one
/// which is read.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).mode(0o644);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path),
        opened => opened,
    }
}

fn inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn locked(path: &Path, tried: Result<(), TryLockError>) -> Result<(), StoreError> {
    tried.map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse {
            path: path.to_owned(),
        },
        TryLockError::Error(error) => cannot_open(path, error),
    })
}

/// Leaves a descriptor open for good: this process may have the same file open under another name.
fn kept_open(file: File, error: StoreError) -> StoreError {
    std::mem::forget(file);
    error
}
