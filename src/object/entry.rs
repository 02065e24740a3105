//! One entry of a directory.
//!
//! ```text
//! entry    := name-length(varint 1..255) name  tag(1)  metadata  node
//! tag      := bits 0-2 kind: 0 file, 1 directory, 2 symlink, 3 fifo, 4 socket,
//!                            5 character device, 6 block device
//!             bit 3 mode, bit 4 mtime, bit 5 owner, bit 6 extended attributes,
//!             bit 7 link group: which parts of the metadata follow, in this order
//! mode     := varint, at most 0o7777; never for symlinks
//! mtime    := seconds(zigzag varint)  nanoseconds(varint, below 10^9)
//! owner    := uid(varint u32)  gid(varint u32)
//! xattrs   := count(varint, from 1)  (name-length name  value-length value)*
//!             sorted by name, strictly ascending
//! link     := 8 bytes: entries of one tree with the same bytes here are names of
//!             one inode; never for directories
//! file     := size(varint)  blob id(32)
//! directory:= files(varint)  bytes(varint)  tree id(32)
//! symlink  := target-length(varint 1..4095) target, without NUL
//! device   := major(varint, below 2^12)  minor(varint, below 2^20)
//! ```
//!
//! What a commit's policy does not keep is absent. The order of fields puts what
//! seldom changes first, so that a delta against the last version is short.

use super::DecodeError;
use super::cursor::{Cursor, put_string, put_varint, unzigzag, zigzag};
use crate::disk::Time;
use crate::id::{BlobId, TreeId};
use crate::path::{MAX_NAME_LEN, check_name};

/// Longest target of a symbolic link, in bytes.
pub const MAX_SYMLINK_LEN: usize = 4095;
/// Most bytes of all extended attributes of one entry.
pub const MAX_XATTRS_LEN: usize = 128 << 10;
/// Longest name of an extended attribute: the kernel's limit.
const MAX_XATTR_NAME_LEN: usize = 255;
/// Longest value of an extended attribute: the kernel's limit.
const MAX_XATTR_VALUE_LEN: usize = 64 << 10;
const MAX_MODE: u64 = 0o7777;
const NANOS_PER_SEC: u32 = 1_000_000_000;
const MAX_MAJOR: u32 = (1 << 12) - 1;
const MAX_MINOR: u32 = (1 << 20) - 1;

const HAS_MODE: u8 = 0x08;
const HAS_MTIME: u8 = 0x10;
const HAS_OWNER: u8 = 0x20;
const HAS_XATTRS: u8 = 0x40;
const HAS_LINK: u8 = 0x80;

/// One name in a directory and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: any bytes that [`check_name`] accepts.
    pub name: Vec<u8>,
    /// What is kept about it beside its content.
    pub metadata: Metadata,
    /// What it is.
    pub node: Node,
}

/// What is kept of an entry beside its content. `None` is what the commit's
/// policy does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Permission, set-id and sticky bits; never for symbolic links.
    pub mode: Option<u16>,
    /// Modification time.
    pub mtime: Option<Time>,
    /// Numeric user and group.
    pub owner: Option<(u32, u32)>,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Entries of one tree with the same value here are names of one inode.
    pub link: Option<u64>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Its content.
        blob: BlobId,
        /// Length of the content in bytes.
        size: u64,
    },
    /// A directory.
    Dir {
        /// Its entries.
        tree: TreeId,
        /// What lies below it.
        totals: Totals,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, 1 to 4095 bytes without NUL.
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

/// How much lies below a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries of all kinds but directories.
    pub files: u64,
    /// Content bytes of all regular files.
    pub bytes: u64,
}

impl Totals {
    /// The sum; `None` if it does not fit, which only a forged tree can bring about.
    pub fn checked_add(self, other: Totals) -> Option<Totals> {
        Some(Totals { files: self.files.checked_add(other.files)?, bytes: self.bytes.checked_add(other.bytes)? })
    }
}

impl Entry {
    /// What this entry adds to the totals of its directory.
    pub fn totals(&self) -> Totals {
        match &self.node {
            Node::File { size, .. } => Totals { files: 1, bytes: *size },
            Node::Dir { totals, .. } => *totals,
            _ => Totals { files: 1, bytes: 0 },
        }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.node, Node::Dir { .. })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_string(out, &self.name);
        let meta = &self.metadata;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            self.node.number()
                | flag(meta.mode.is_some(), HAS_MODE)
                | flag(meta.mtime.is_some(), HAS_MTIME)
                | flag(meta.owner.is_some(), HAS_OWNER)
                | flag(!meta.xattrs.is_empty(), HAS_XATTRS)
                | flag(meta.link.is_some(), HAS_LINK),
        );
        meta.encode_fields(out);
        match &self.node {
            Node::File { blob, size } => {
                put_varint(out, *size);
                out.extend_from_slice(blob.as_bytes());
            }
            Node::Dir { tree, totals } => {
                put_varint(out, totals.files);
                put_varint(out, totals.bytes);
                out.extend_from_slice(tree.as_bytes());
            }
            Node::Symlink { target } => put_string(out, target),
            Node::Fifo | Node::Socket => {}
            Node::CharDevice { rdev } | Node::BlockDevice { rdev } => {
                put_varint(out, rdev.0.into());
                put_varint(out, rdev.1.into());
            }
        }
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Entry, DecodeError> {
        let name = cursor.string("name", MAX_NAME_LEN)?;
        check_name(name)?;
        let tag = cursor.byte()?;
        let kind = tag & 0x07;
        let metadata = Metadata::decode_fields(cursor, tag)?;
        if kind == 1 && metadata.link.is_some() {
            return Err(DecodeError::Invalid("link group of a directory"));
        }
        if kind == 2 && metadata.mode.is_some() {
            return Err(DecodeError::Invalid("mode of a symlink"));
        }
        let node = match kind {
            0 => {
                let size = cursor.varint()?;
                Node::File { blob: BlobId(cursor.id()?), size }
            }
            1 => {
                let totals = Totals { files: cursor.varint()?, bytes: cursor.varint()? };
                Node::Dir { tree: TreeId(cursor.id()?), totals }
            }
            2 => {
                let target = cursor.string("symlink target", MAX_SYMLINK_LEN)?;
                if target.is_empty() || target.contains(&0) {
                    return Err(DecodeError::Invalid("symlink target"));
                }
                Node::Symlink { target: target.to_vec() }
            }
            3 => Node::Fifo,
            4 => Node::Socket,
            5 => Node::CharDevice { rdev: decode_rdev(cursor)? },
            6 => Node::BlockDevice { rdev: decode_rdev(cursor)? },
            unknown => return Err(DecodeError::UnknownFlags(unknown)),
        };
        Ok(Entry { name: name.to_vec(), metadata, node })
    }
}

impl Node {
    /// The number that stands for the kind in a tree.
    fn number(&self) -> u8 {
        match self {
            Node::File { .. } => 0,
            Node::Dir { .. } => 1,
            Node::Symlink { .. } => 2,
            Node::Fifo => 3,
            Node::Socket => 4,
            Node::CharDevice { .. } => 5,
            Node::BlockDevice { .. } => 6,
        }
    }

    /// What people call it.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Node::File { .. } => "file",
            Node::Dir { .. } => "directory",
            Node::Symlink { .. } => "symlink",
            Node::Fifo => "fifo",
            Node::Socket => "socket",
            Node::CharDevice { .. } => "character device",
            Node::BlockDevice { .. } => "block device",
        }
    }
}

fn decode_rdev(cursor: &mut Cursor<'_>) -> Result<(u32, u32), DecodeError> {
    let rdev = (cursor.varint_u32()?, cursor.varint_u32()?);
    if rdev.0 > MAX_MAJOR || rdev.1 > MAX_MINOR { Err(DecodeError::Invalid("device number")) } else { Ok(rdev) }
}

impl Metadata {
    /// Whether extended attributes are within the limits and in order.
    pub fn check_xattrs(&self) -> Result<(), DecodeError> {
        let mut total = 0;
        for (name, value) in &self.xattrs {
            check_xattr_name(name)?;
            check_limit("extended attribute", value.len(), MAX_XATTR_VALUE_LEN)?;
            total += name.len() + value.len();
        }
        check_limit("set of extended attributes", total, MAX_XATTRS_LEN)?;
        if self.xattrs.is_sorted_by(|a, b| a.0 < b.0) { Ok(()) } else { Err(DecodeError::Unsorted) }
    }

    /// Writes the metadata alone, with its own leading tag: the form that stands
    /// in a commit for the root directory, and that fingerprints are made of.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut out = vec![
            flag(self.mode.is_some(), HAS_MODE)
                | flag(self.mtime.is_some(), HAS_MTIME)
                | flag(self.owner.is_some(), HAS_OWNER)
                | flag(!self.xattrs.is_empty(), HAS_XATTRS)
                | flag(self.link.is_some(), HAS_LINK),
        ];
        self.encode_fields(&mut out);
        out
    }

    /// Undoes [`Metadata::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Metadata, DecodeError> {
        let mut cursor = Cursor(bytes);
        let tag = cursor.byte()?;
        if tag & 0x07 != 0 {
            return Err(DecodeError::UnknownFlags(tag & 0x07));
        }
        let metadata = Metadata::decode_fields(&mut cursor, tag)?;
        cursor.finish()?;
        Ok(metadata)
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        if let Some(mode) = self.mode {
            put_varint(out, mode.into());
        }
        if let Some(mtime) = self.mtime {
            put_varint(out, zigzag(mtime.secs));
            put_varint(out, mtime.nanos.into());
        }
        if let Some((uid, gid)) = self.owner {
            put_varint(out, uid.into());
            put_varint(out, gid.into());
        }
        if !self.xattrs.is_empty() {
            put_varint(out, self.xattrs.len() as u64);
            for (name, value) in &self.xattrs {
                put_string(out, name);
                put_string(out, value);
            }
        }
        if let Some(link) = self.link {
            out.extend_from_slice(&link.to_be_bytes());
        }
    }

    fn decode_fields(cursor: &mut Cursor<'_>, tag: u8) -> Result<Metadata, DecodeError> {
        let mut metadata = Metadata::default();
        if tag & HAS_MODE != 0 {
            let mode = cursor.varint()?;
            let mode = u16::try_from(mode).ok().filter(|&m| u64::from(m) <= MAX_MODE);
            metadata.mode = Some(mode.ok_or(DecodeError::Invalid("mode"))?);
        }
        if tag & HAS_MTIME != 0 {
            let secs = unzigzag(cursor.varint()?);
            let nanos = cursor.varint_u32()?;
            if nanos >= NANOS_PER_SEC {
                return Err(DecodeError::Invalid("time"));
            }
            metadata.mtime = Some(Time { secs, nanos });
        }
        if tag & HAS_OWNER != 0 {
            metadata.owner = Some((cursor.varint_u32()?, cursor.varint_u32()?));
        }
        if tag & HAS_XATTRS != 0 {
            // Each takes at least three bytes: name length, one byte, value length.
            let count = cursor.length("number of extended attributes", MAX_XATTRS_LEN / 3)?;
            if count == 0 {
                return Err(DecodeError::Invalid("number of extended attributes"));
            }
            for _ in 0..count {
                let name = cursor.string("extended attribute name", MAX_XATTR_NAME_LEN)?;
                let value = cursor.string("extended attribute", MAX_XATTR_VALUE_LEN)?;
                metadata.xattrs.push((name.to_vec(), value.to_vec()));
            }
            metadata.check_xattrs()?;
        }
        if tag & HAS_LINK != 0 {
            let bytes = cursor.bytes(8)?.try_into().map_err(|_| DecodeError::Truncated)?;
            metadata.link = Some(u64::from_be_bytes(bytes));
        }
        Ok(metadata)
    }
}

/// `namespace.name`, neither part empty.
fn check_xattr_name(name: &[u8]) -> Result<(), DecodeError> {
    check_limit("extended attribute name", name.len(), MAX_XATTR_NAME_LEN)?;
    match name.iter().position(|&b| b == b'.') {
        Some(dot) if dot > 0 && dot + 1 < name.len() && !name.contains(&0) => Ok(()),
        _ => Err(DecodeError::Invalid("extended attribute name")),
    }
}

fn check_limit(what: &'static str, len: usize, limit: usize) -> Result<(), DecodeError> {
    if len > limit { Err(DecodeError::TooLarge { what, len: len as u64, limit: limit as u64 }) } else { Ok(()) }
}
