//! What is stored: trees and commits, as values and as canonical bytes.
//!
//! For every byte string, decoding and encoding again gives the same bytes, or
//! decoding refuses: one value has one encoding, so one state of a directory has
//! one id. Decoders check every length against a named limit before they take
//! memory, never panic, and use no stack for depth.
//!
//! - [`Page`], [`Entry`]: one directory, or one page of a wide one
//! - [`Commit`]: one published state of a tree
//! - [`Policy`]: what metadata a commit keeps
//! - [`manifest`]: a whole tree as one sorted list, for others to read and write

mod commit;
mod cursor;
mod entry;
pub mod manifest;
mod policy;
mod tree;

pub use commit::{Commit, MAX_COMMIT_LEN, MAX_PARENTS, Origin};
pub use entry::{Entry, MAX_SYMLINK_LEN, MAX_XATTRS_LEN, Metadata, Node, Totals};
pub use policy::{Feature, Policy, UnknownFeature};
pub use tree::{Branch, MAX_LEAF_ENTRIES, MAX_TREE_LEN, Page, Pages, paginate};

use crate::path::InvalidPath;

/// Bytes that are no valid object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("ends too early")]
    Truncated,
    /// Bytes follow after the value's end.
    #[error("has {0} bytes after its end")]
    TrailingBytes(usize),
    /// Not this kind of object.
    #[error("does not begin as a {0} does")]
    NotA(&'static str),
    /// Written by a newer chasm.
    #[error("is of format version {0}, newer than this program")]
    TooNew(u8),
    /// A flag bit this program does not know.
    #[error("has unknown flags {0:#x}, newer than this program")]
    UnknownFlags(u8),
    /// A number that could be written shorter, or does not fit.
    #[error("has a number that is not in its one valid form")]
    BadNumber,
    /// A field is out of its range.
    #[error("has an invalid {0}")]
    Invalid(&'static str),
    /// Entries are not strictly ascending.
    #[error("has entries that are not in ascending order")]
    Unsorted,
    /// A name that no entry may have.
    #[error("has an invalid name: {0}")]
    Name(#[from] InvalidPath),
    /// Something is larger than its limit.
    #[error("has a {what} of {len}, over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        len: u64,
        /// How large it may be.
        limit: u64,
    },
}

impl DecodeError {
    /// Whether a newer chasm could read it.
    pub fn is_too_new(&self) -> bool {
        matches!(self, DecodeError::TooNew(_) | DecodeError::UnknownFlags(_))
    }
}
