//! `fullfiletimelist`: what Fedora's masters publish and quick-fedora-mirror
//! reads, to learn without a listing by rsync what has changed.
//!
//! ```text
//! [Version]
//! 2
//!
//! [Files]
//! <mtime> TAB <type> TAB <size> TAB <path>
//!
//! [Checksums SHA1]
//!
//! [End]
//! ```
//!
//! The type is `f`, `d` or `l`; other kinds and the root are not listed. The
//! time is in whole seconds, rounded down. The size of a symlink is the length
//! of its target, of a directory 0 (Fedora writes what its file system says).
//! The section of checksums is there because clients expect it, and empty
//! because chasm knows no SHA-1. `[End]` tells clients that the list is whole.
//!
//! Two things differ by nature. Fedora's time is the later of a file's mtime and
//! ctime, and a tree keeps no ctime: a file that came late with an old time is
//! found by its name or size only. And the format has no escapes: a path with a
//! tab or a line break cannot be listed, nor an entry without time.

use std::io::{self, Write};

use super::super::{Entry, Node};
use crate::path::TreePath;

pub(super) fn write_header(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"[Version]\n2\n\n[Files]\n")
}

/// Why an entry cannot be listed, if so.
pub(super) fn refuses(path: &TreePath, entry: &Entry) -> Option<&'static str> {
    if path.is_root() || listed(entry).is_none() {
        None
    } else if path.as_bytes().iter().any(|b| b"\t\n\r".contains(b)) {
        Some("has a tab or a line break in its path")
    } else if entry.metadata.mtime.is_none() {
        Some("has no modification time")
    } else {
        None
    }
}

pub(super) fn write_entry(out: &mut dyn Write, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let (Some((kind, size)), Some(mtime), false) = (listed(entry), entry.metadata.mtime, path.is_root()) else {
        return Ok(());
    };
    write!(out, "{}\t{kind}\t{size}\t", mtime.secs)?;
    out.write_all(path.as_bytes())?;
    out.write_all(b"\n")
}

fn listed(entry: &Entry) -> Option<(char, u64)> {
    match &entry.node {
        Node::File { size, .. } => Some(('f', *size)),
        Node::Dir { .. } => Some(('d', 0)),
        Node::Symlink { target } => Some(('l', target.len() as u64)),
        _ => None,
    }
}

pub(super) fn write_end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"\n[Checksums SHA1]\n\n[End]\n")
}
