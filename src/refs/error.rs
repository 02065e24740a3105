//! What can go wrong with refs.

use std::path::PathBuf;

use super::{InvalidRefName, RefName};
use crate::disk;
use crate::id::{CommitId, ObjectId};
use crate::object::DecodeError;
use crate::path::Escaped;

/// Refs could not be read, or not be moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A text that cannot be the name of a ref.
    #[error(transparent)]
    Name(#[from] InvalidRefName),
    /// HEAD can only be a branch.
    #[error("cannot make '{0}' the present branch: only 'heads/...' can be")]
    NotABranch(RefName),
    /// Others moved refs for longer than one can wait.
    #[error("cannot move refs: others still hold '{}' after {seconds} s", shown(.path))]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// There are refs here already.
    #[error("cannot create refs: '{}' exists", shown(.path))]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// A file that must be there is not.
    #[error("cannot read refs: '{}' is missing{}", shown(.path), advice(.path))]
    Missing {
        /// The file that should be there.
        path: PathBuf,
    },
    /// Something that is no regular file is in a file's place.
    #[error("cannot read refs: '{}' is no regular file{}", shown(.path), advice(.path))]
    NotAFile {
        /// The path of it.
        path: PathBuf,
        /// What the system said.
        source: disk::Error,
    },
    /// A file is damaged.
    #[error("cannot read refs: '{}' is damaged{}", shown(.path), advice(.path))]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A newer chasm has written it.
    #[error("cannot read refs: '{}' was written by a newer chasm", shown(.path))]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        source: DecodeError,
    },
    /// Refs file and journal are whole, and say different things.
    #[error(transparent)]
    Disagree(Box<Disagreement>),
    /// A ref is not what it was expected to be.
    #[error("cannot move '{name}': expected {}, found {}", value(.expected), value(.found))]
    Stale {
        /// The ref.
        name: RefName,
        /// What it was expected to name.
        expected: Option<CommitId>,
        /// What it names.
        found: Option<CommitId>,
    },
    /// HEAD is not what it was expected to be.
    #[error("cannot move HEAD: expected '{expected}', found '{found}'")]
    StaleHead {
        /// The branch it was expected to be.
        expected: RefName,
        /// The branch it is.
        found: RefName,
    },
    /// A name would be a ref and a directory of refs at once.
    #[error("cannot create '{name}': '{other}' exists")]
    Conflict {
        /// The ref that was to be created.
        name: RefName,
        /// The ref that is in its way.
        other: RefName,
    },
    /// One transaction cannot move a ref twice.
    #[error("cannot move '{0}' twice in one transaction")]
    Twice(RefName),
    /// There is no transaction that could be taken back.
    #[error("cannot undo: no transaction is left to take back")]
    NothingToUndo,
    /// The transaction cannot be written down.
    #[error("cannot move refs: the transaction cannot be recorded")]
    Unrecordable(#[source] DecodeError),
    /// Not all of a transaction could be written, nor could it be taken back: the
    /// next reader sees whether it counts.
    #[error("cannot finish transaction {sequence}: refs may have moved")]
    Unsettled {
        /// The transaction.
        sequence: u64,
        /// What failed.
        source: disk::Error,
    },
}

/// The result of reading or moving refs.
pub type Result<T> = std::result::Result<T, Error>;

/// Refs file and journal are each whole, and neither follows from the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read refs: '{}' is state {found:.12}, but '{}' leads to {after:.12} by transaction {sequence}{}",
    shown(.refs), shown(.journal), listed(.differences)
)]
pub struct Disagreement {
    /// The refs file.
    pub refs: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// The SHA-256 of the refs file.
    pub found: ObjectId,
    /// The last transaction of the journal; 0 if there is none.
    pub sequence: u64,
    /// The SHA-256 that the refs file must have after it.
    pub after: ObjectId,
    /// What they disagree about, as far as the journal can be read.
    pub differences: Vec<Difference>,
}

/// A ref, or HEAD, with two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The full name of the ref, or `HEAD`.
    pub name: String,
    /// Its value in the refs file; `nothing` if it is not there.
    pub in_refs: String,
    /// Its value in the journal.
    pub in_journal: String,
}

impl Error {
    pub(super) fn corrupt(path: PathBuf, source: DecodeError) -> Self {
        if source.is_too_new() { Error::TooNew { path, source } } else { Error::Corrupt { path, source } }
    }

    /// Whether something stored is damaged or missing.
    pub fn is_damage(&self) -> bool {
        use Error::{Corrupt, Disagree, Missing, NotAFile};
        matches!(self, Missing { .. } | NotAFile { .. } | Corrupt { .. } | Disagree(_))
    }

    /// Whether it may work when others are done.
    pub fn is_busy(&self) -> bool {
        matches!(self, Error::Busy { .. })
    }

    /// Whether a newer chasm could do it.
    pub fn is_too_new(&self) -> bool {
        matches!(self, Error::TooNew { .. })
    }

    /// Whether others moved a ref meanwhile: look again, then decide again.
    pub fn is_stale(&self) -> bool {
        matches!(self, Error::Stale { .. } | Error::StaleHead { .. })
    }

    /// Whether what was asked for can never be done: a name that is not allowed
    /// or in conflict with another.
    pub fn is_refused(&self) -> bool {
        use Error::{Conflict, Exists, Name, NotABranch, Twice, Unrecordable};
        matches!(self, Name(_) | NotABranch(_) | Conflict { .. } | Twice(_) | Exists { .. } | Unrecordable(_))
    }
}

fn shown(path: &std::path::Path) -> Escaped<'_> {
    use std::os::unix::ffi::OsStrExt;
    Escaped(path.as_os_str().as_bytes())
}

/// Says where else the values are.
fn advice(path: &std::path::Path) -> &'static str {
    if path.ends_with(super::REFS_FILE) { "; the last good values are in the journal" } else { "" }
}

pub(super) fn value(value: &Option<CommitId>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), |commit_id| format!("{commit_id:.12}"))
}

fn listed(differences: &[Difference]) -> String {
    let mut text = String::new();
    for Difference { name, in_refs, in_journal } in differences.iter().take(3) {
        text += &format!("; '{name}' is {in_refs} in the one, {in_journal} in the other");
    }
    match differences.len() {
        0..=3 => text,
        more => text + &format!("; and {} more", more - 3),
    }
}
