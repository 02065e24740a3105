//! Names for commits: branches, tags, and what is known of others' branches.
//!
//! All refs of a repository stand in one text file, HEAD among them, and every
//! transaction that moved some of them stands in an append-only journal.
//!
//! This module promises:
//! - any number of refs moves at once or not at all, and only if each is what its
//!   [`Expected`] says; that is durable when [`Refs::commit`] returns
//! - a reader takes no lock and sees one consistent set
//! - the newest state is recorded twice, in the refs file and in the journal; if
//!   they disagree, that is an error that shows both, never the older of the two
//! - any flipped bit in either file is found by [`Refs::verify`]
//! - no name of a ref ever touches the file system
//!
//! What makes it so: one file replaced by one rename (`file`), a chain of
//! checksummed records written before it (`record`, `journal`), a kernel lock
//! among writers (`transaction`), and one place that judges whether the two
//! files agree (`snapshot`).

mod check;
mod error;
mod file;
mod journal;
mod name;
mod record;
mod reflog;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

use std::fs::File;
use std::time::Duration;

pub use check::Problem;
pub use error::{Difference, Disagreement, Error, Result};
pub use file::{MAX_REFS_LEN, RefSet};
pub use journal::Transactions;
pub use name::{InvalidRefName, MAX_REF_NAME_LEN, RefName};
pub use record::{RefMove, Transaction};
pub use reflog::{Move, Undone};
pub use transaction::{Expected, HeadEdit, RefEdit};

use crate::disk::{Dir, Stat};

const REFS_FILE: &str = "refs";
const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "refs.lock";
/// How long a writer waits for others.
const PATIENCE: Duration = Duration::from_secs(10);

/// The refs of one repository.
#[derive(Debug)]
pub struct Refs {
    dir: Dir,
    patience: Duration,
}

impl Refs {
    /// Takes a handle on the repository directory `dir`; reads nothing yet.
    pub fn open(dir: &Dir) -> Result<Refs> {
        Ok(Refs { dir: dir.try_clone()?, patience: PATIENCE })
    }

    /// Makes an empty set of refs in `dir`; HEAD is the branch `head`, which is
    /// still to be born. What a crash of this left behind is made anew.
    pub fn create(dir: &Dir, head: &RefName) -> Result<Refs> {
        if !head.is_branch() {
            return Err(Error::NotABranch(head.clone()));
        }
        let refs = Refs::open(dir)?;
        let _lock = refs.take_lock()?;
        let exists = |name: &str| Error::Exists { path: dir.path_of(name.as_bytes()) };
        if dir.find(REFS_FILE.as_bytes())?.is_some() {
            return Err(exists(REFS_FILE));
        }
        // The journal is written first: alone, and without records, it is a start.
        if dir.find(JOURNAL_FILE.as_bytes())?.is_some() && journal::Journal::open(dir)?.sequence() > 0 {
            return Err(exists(JOURNAL_FILE));
        }
        dir.replace_durably(JOURNAL_FILE.as_bytes(), &journal::encode_header(head))?;
        dir.replace_durably(REFS_FILE.as_bytes(), &RefSet::fresh(head.clone()).encode())?;
        Ok(refs)
    }

    /// All refs as they are now, without a lock: one consistent set.
    pub fn read(&self) -> Result<RefSet> {
        Ok(self.snapshot()?.refs)
    }
}

/// Opens one of the files; that it is missing or something else is damage.
fn open_file(dir: &Dir, name: &str) -> Result<(File, Stat)> {
    let path = || dir.path_of(name.as_bytes());
    dir.open_file(name.as_bytes()).map_err(|e| match e {
        e if e.is_not_found() => Error::Missing { path: path() },
        e if e.is_vanished() => Error::NotAFile { path: path(), source: e },
        e => e.into(),
    })
}
