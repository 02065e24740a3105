//! The file system, and the only module that touches it.
//!
//! A [`Dir`] is an open directory. Everything below a tree or a repository is
//! reached name by name from such a handle, and no symbolic link is ever
//! followed on the way, so nothing outside can be read or written through a
//! tree, whatever others do to it meanwhile. No error leaves without the action
//! and the path that failed.
//!
//! - [`durable`]: what must survive a power cut, and locks
//! - [`place`]: one file as hard link, reflink or copy of another
//! - [`meta`]: extended attributes
//! - [`map`]: read-only maps of immutable files
//! - [`swap`]: two trees exchanged in one step

mod dir;
pub mod durable;
pub mod map;
pub mod meta;
pub mod place;
mod stat;
pub mod swap;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use dir::{Dir, NewFile};
pub use stat::{FileKind, Stat, Time};

use crate::path::Escaped;

/// A system call failed: what was tried, on what, and why not.
#[derive(Debug)]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The result of touching the file system.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Error { action, path: path.into(), source: source.into() }
    }

    /// The path it happened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's reason.
    pub fn io(&self) -> &io::Error {
        &self.source
    }

    /// Whether the file does not exist, or is no longer what it was: it vanished
    /// or was replaced by something of another kind.
    pub fn is_vanished(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            || self.is(rustix::io::Errno::LOOP)
            || self.is(rustix::io::Errno::NXIO)
    }

    /// Whether something does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the name is taken.
    pub fn is_exists(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether this very error number was returned.
    pub fn is(&self, errno: rustix::io::Errno) -> bool {
        self.source.raw_os_error() == Some(errno.raw_os_error())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::ffi::OsStrExt;
        write!(f, "cannot {} '{}'", self.action, Escaped(self.path.as_os_str().as_bytes()))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Gives a plain I/O result its action and path.
pub(crate) trait Context<T> {
    /// Says what was tried, and on what.
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(action, path, source))
    }
}
