//! Whether what lies at a path is what a commit put there.

use std::fs::File;

use super::rights::Rights;
use crate::disk::{Dir, FileKind};
use crate::id::{BlobId, HashingReader};
use crate::object::{Entry, Node};
use crate::worktree::Result;

/// How a path agrees with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// Nothing is there.
    Absent,
    /// It is what the entry says, as far as can be seen without reading it.
    Same,
    /// It is something else.
    Different,
}

/// Looks at `name` in `dir`. Files are compared by length and stamp, and read
/// only when the entry has no stamp.
pub(super) fn look(dir: &Dir, name: &[u8], entry: &Entry, rights: Rights) -> Result<Local> {
    let Some(stat) = dir.find(name)? else { return Ok(Local::Absent) };
    let (wanted, _) = rights.apply(&entry.metadata);
    let same_kind = match (&entry.node, stat.kind) {
        (Node::Dir { .. }, FileKind::Dir) => return Ok(Local::Same),
        (Node::File { blob, size }, FileKind::File) if *size == stat.size => {
            wanted.mtime.is_some() || *size == 0 || has_content(dir, name, *blob)?
        }
        (Node::Symlink { target }, FileKind::Symlink) => dir.read_link(name)? == *target,
        (Node::Fifo, FileKind::Fifo) | (Node::Socket, FileKind::Socket) => true,
        (Node::CharDevice { rdev }, FileKind::CharDevice) => *rdev == stat.rdev,
        (Node::BlockDevice { rdev }, FileKind::BlockDevice) => *rdev == stat.rdev,
        _ => false,
    };
    let same = same_kind
        && wanted.mtime.is_none_or(|mtime| mtime == stat.mtime)
        && (stat.kind == FileKind::Symlink || wanted.mode.is_none_or(|mode| mode == stat.mode))
        && wanted.owner.is_none_or(|owner| owner == (stat.uid, stat.gid));
    Ok(if same { Local::Same } else { Local::Different })
}

fn has_content(dir: &Dir, name: &[u8], blob: BlobId) -> Result<bool> {
    let (file, _) = dir.open_file(name)?;
    let mut reader: HashingReader<File> = HashingReader::new(file);
    std::io::copy(&mut reader, &mut std::io::sink())
        .map_err(|e| crate::disk::Error::new("read", dir.path_of(name), e))?;
    Ok(reader.finish().0 == blob.0)
}
