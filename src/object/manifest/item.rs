//! One entry of a manifest as it was read: what an [`Entry`] is, less what the
//! format does not tell.

use super::super::cursor::Cursor;
use super::super::{DecodeError, Entry, Metadata, Node, Totals};
use crate::id::{BlobId, ID_LEN, TreeId};
use crate::path::TreePath;

/// One entry of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it lies.
    pub path: TreePath,
    /// What the manifest says about it beside its content.
    pub metadata: Metadata,
    /// What it is.
    pub kind: ItemKind,
}

/// What an entry of a manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A regular file.
    File {
        /// Its content, if told.
        blob: Option<BlobId>,
        /// Length of the content in bytes, if told.
        size: Option<u64>,
    },
    /// A directory; its contents are items of their own.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// The name of a socket.
    Socket,
    /// A character device.
    CharDevice {
        /// Major and minor number.
        rdev: (u32, u32),
    },
    /// A block device.
    BlockDevice {
        /// Major and minor number.
        rdev: (u32, u32),
    },
}

impl Item {
    /// The entry as a manifest lists it.
    pub fn of(path: &TreePath, entry: &Entry) -> Item {
        let kind = match &entry.node {
            Node::File { blob, size } => ItemKind::File { blob: Some(*blob), size: Some(*size) },
            Node::Dir { .. } => ItemKind::Dir,
            Node::Symlink { target } => ItemKind::Symlink { target: target.clone() },
            Node::Fifo => ItemKind::Fifo,
            Node::Socket => ItemKind::Socket,
            Node::CharDevice { rdev } => ItemKind::CharDevice { rdev: *rdev },
            Node::BlockDevice { rdev } => ItemKind::BlockDevice { rdev: *rdev },
        };
        Item { path: path.clone(), metadata: entry.metadata.clone(), kind }
    }

    /// The entry of its directory. `None` for directories, whose ids follow from
    /// their contents, and for files of which the manifest tells no id or size.
    pub fn entry(&self) -> Option<Entry> {
        let node = self.kind.node()?;
        Some(Entry { name: self.path.file_name()?.to_vec(), metadata: self.metadata.clone(), node })
    }

    /// Whether a tree can hold it: the tree's own encoding decides.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        if self.path.is_root() && self.kind != ItemKind::Dir {
            return Err(DecodeError::Invalid("kind: the root is a directory"));
        }
        let blob = BlobId::from_bytes([0; ID_LEN]);
        let node = self.kind.node().unwrap_or(match self.kind {
            ItemKind::Dir => Node::Dir { tree: TreeId::from_bytes([0; ID_LEN]), totals: Totals::default() },
            _ => Node::File { blob, size: 0 },
        });
        let entry = Entry { name: b"name".to_vec(), metadata: self.metadata.clone(), node };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        let mut cursor = Cursor(&bytes);
        Entry::decode(&mut cursor)?;
        cursor.finish()
    }
}

impl ItemKind {
    fn node(&self) -> Option<Node> {
        Some(match self {
            ItemKind::File { blob, size } => Node::File { blob: (*blob)?, size: (*size)? },
            ItemKind::Dir => return None,
            ItemKind::Symlink { target } => Node::Symlink { target: target.clone() },
            ItemKind::Fifo => Node::Fifo,
            ItemKind::Socket => Node::Socket,
            ItemKind::CharDevice { rdev } => Node::CharDevice { rdev: *rdev },
            ItemKind::BlockDevice { rdev } => Node::BlockDevice { rdev: *rdev },
        })
    }
}
