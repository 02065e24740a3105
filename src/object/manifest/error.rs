//! What can be wrong with a manifest.

use std::io;

use super::super::DecodeError;
use super::Format;
use crate::path::{InvalidPath, TreePath};

/// A manifest that cannot be written or read. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The output failed.
    #[error("cannot write {format} manifest")]
    Write {
        /// What was being written.
        format: Format,
        /// The system's reason.
        source: io::Error,
    },
    /// The format cannot tell this entry from another.
    #[error("cannot list '{path}' as {format}: {reason}")]
    CannotHold {
        /// What was being written.
        format: Format,
        /// The entry.
        path: TreePath,
        /// What is in the way.
        reason: &'static str,
    },
    /// The input failed.
    #[error("cannot read line {line} of manifest")]
    Read {
        /// The line.
        line: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// A line is longer than [`Limits::line_len`](super::Limits::line_len).
    #[error("cannot read line {line} of manifest: longer than {limit} bytes")]
    LineTooLong {
        /// The line.
        line: u64,
        /// How long it may be.
        limit: usize,
    },
    /// A line is not in the format.
    #[error("cannot read line {line} of manifest: {reason}")]
    Syntax {
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A path could lead elsewhere.
    #[error("cannot read line {line} of manifest")]
    Path {
        /// The line.
        line: u64,
        /// What is wrong with the path.
        source: InvalidPath,
    },
    /// No tree can hold such an entry.
    #[error("cannot read line {line} of manifest: entry for '{path}'")]
    Entry {
        /// The line.
        line: u64,
        /// The entry.
        path: TreePath,
        /// Why not.
        source: DecodeError,
    },
    /// The manifest is not what its last line says, or that line is missing.
    #[error("cannot read line {line} of manifest: ends after {entries} entries, before its end")]
    Truncated {
        /// The line at which it should go on.
        line: u64,
        /// How many entries were read.
        entries: u64,
    },
    /// Written by a newer chasm.
    #[error("cannot read manifest: is of format version {version}, newer than this program")]
    TooNew {
        /// The version it says.
        version: u64,
    },
    /// The format is only written.
    #[error("cannot read manifest: {format} lists no contents and is only written")]
    WriteOnly {
        /// The format.
        format: Format,
    },
}

impl Error {
    /// Whether a newer chasm could read it.
    pub fn is_too_new(&self) -> bool {
        matches!(self, Error::TooNew { .. })
    }
}
