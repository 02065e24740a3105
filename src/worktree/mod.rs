//! Directories of the file system and the commits they become or come from.
//!
//! - [`snapshot`]: a directory becomes a tree, hashing only what changed
//! - [`checkout`]: a tree becomes a directory, touching only what changed
//! - [`commit_manifest`]: what others have listed becomes a commit
//! - [`Select`]: what is left out

pub mod checkout;
mod import;
mod links;
mod metadata;
mod pages;
mod record;
mod select;
mod snapshot;

pub use import::{ManifestSource, commit_manifest};
pub use record::{CommitOptions, Recorded, State, commit, record, status};
pub use select::{InvalidPattern, Select};
pub use snapshot::{Snapshot, SnapshotOptions, snapshot};

use crate::disk;
use crate::id::BlobId;
use crate::monitor::Interrupted;
use crate::object::{DecodeError, manifest};
use crate::odb;
use crate::path::{InvalidPath, TreePath};

/// The result of work on a tree.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a directory could not become a commit, or the other way round.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The database failed.
    #[error(transparent)]
    Odb(#[from] odb::Error),
    /// The repository cannot be used as asked.
    #[error(transparent)]
    Repo(#[from] crate::repo::Error),
    /// Something in the directory cannot be stored.
    #[error("cannot store '{path}': it {source}")]
    Unstorable {
        /// Where it lies in the tree.
        path: TreePath,
        /// The limit it exceeds.
        source: DecodeError,
    },
    /// A directory lies too deep.
    #[error("cannot store what lies below '{path}'")]
    TooDeep {
        /// Where it lies in the tree.
        path: TreePath,
        /// The limit.
        source: InvalidPath,
    },
    /// The directory holds something else than was checked out.
    #[error("'{path}' {what}")]
    LocalChange {
        /// The first such path.
        path: TreePath,
        /// How it differs.
        what: &'static str,
        /// How many more there are.
        more: usize,
    },
    /// The directory holds files, and they are not of a checkout that is known.
    #[error("directory '{0}' is not empty, and it is no checkout of this repository")]
    NotEmpty(String),
    /// More would be removed than the guard allows.
    #[error("{removed} of {total} files would be removed")]
    TooManyRemoved {
        /// Files that would go.
        removed: u64,
        /// Files that were there.
        total: u64,
    },
    /// A manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// A manifest lists what no tree can be.
    #[error("cannot commit '{path}' of the manifest: {why}")]
    ListedWrongly {
        /// The entry.
        path: TreePath,
        /// What is wrong with its place.
        why: &'static str,
    },
    /// A manifest lists a file whose content is not to be had.
    #[error("cannot commit '{path}' of the manifest: {}", missing_content(.blob))]
    MissingContent {
        /// The file.
        path: TreePath,
        /// Its content, if the manifest tells it.
        blob: Option<BlobId>,
    },
    /// A file is not what a manifest says of it.
    #[error("'{path}' is not what the manifest says: {why}")]
    OtherContent {
        /// The file.
        path: TreePath,
        /// How it differs.
        why: String,
    },
    /// There is no such path in the commit.
    #[error("the commit has no '{0}'")]
    NoSuchPath(TreePath),
    /// The caller wanted to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

fn missing_content(blob: &Option<BlobId>) -> String {
    match blob {
        Some(blob) => format!("its content {blob} is neither in the repository nor at this path of the tree"),
        None => "it tells no SHA-256, and the tree has no file at this path".to_owned(),
    }
}
