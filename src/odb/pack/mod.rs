//! Packs: many objects in one immutable file, and its index.
//!
//! ```text
//! pack    := "CHASMPCK"  version(1)  class(1)  record*  trailer
//! class   := 0 content (blobs), 1 structure (trees and commits)
//! record  := tag(1)  id(32)  size(varint)  [stored(varint)]  [depth(1) base id(32)]  bytes
//! tag     := bits 0-1 kind: 0 blob, 1 tree, 2 commit
//!            bits 2-3 form: 0 as it is, 1 zstd, 2 zstd with the base as prefix
//! stored  := length of bytes; left out for form 0, where it is size
//! depth   := 1 to 16: how many bases lie one behind the other; form 2 only
//! trailer := SHA-256 of all before it(32), which is the pack's name
//! ```
//!
//! Content and structure lie in packs of their own, so that reading trees never
//! strides over file contents. The index can be rebuilt from the pack alone:
//!
//! ```text
//! index   := "CHASMIDX"  version(1)  class(1)  pack name(32)  pack length(u64)
//!            count(u64)  fan-out(256 x u32)  entry*  SHA-256 of all before it(32)
//! entry   := bytes 1 to 7 of the id(7)  offset of its record(u40)
//!            sorted by id, then offset
//! ```
//!
//! Numbers are big-endian. The fan-out counts entries whose first byte is at most
//! its position. An entry keeps 8 of 32 bytes, as the record has them all: a
//! daily commit of a large mirror is mostly such small things.

mod index;
mod read;
mod write;

pub use index::Index;
pub use read::{Pack, ReadError, Record, Scanned};
pub use write::PackWriter;
pub(super) use write::{FinishedPack, Packed};

use super::{DamagedFile, Kind};

/// Most deltas between an object and a whole one.
pub const MAX_DELTA_DEPTH: u8 = 16;
/// Largest blob that is put into a pack whole.
pub const MAX_PACKED_LEN: u64 = crate::compress::MAX_PIECE_LEN as u64;

const PACK_MAGIC: &[u8; 8] = b"CHASMPCK";
const INDEX_MAGIC: &[u8; 8] = b"CHASMIDX";
const VERSION: u8 = 1;
const PACK_HEADER_LEN: usize = 10;
const TRAILER_LEN: usize = 32;
/// Longest head of a record: tag, id, two varints, depth and base.
const MAX_HEAD_LEN: usize = 1 + 32 + 10 + 10 + 1 + 32;

/// What kinds of objects a pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Blobs.
    Content,
    /// Trees and commits.
    Structure,
}

impl Class {
    /// The class that objects of `kind` lie in.
    pub fn of(kind: Kind) -> Class {
        match kind {
            Kind::Blob => Class::Content,
            Kind::Tree | Kind::Commit => Class::Structure,
        }
    }

    fn number(self) -> u8 {
        match self {
            Class::Content => 0,
            Class::Structure => 1,
        }
    }

    fn from_number(number: u8) -> Result<Class, DamagedFile> {
        match number {
            0 => Ok(Class::Content),
            1 => Ok(Class::Structure),
            other => Err(DamagedFile::TooNew(other)),
        }
    }
}
