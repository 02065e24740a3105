//! The commits that led to a state, newest first.

use std::collections::{BinaryHeap, HashSet};

use jiff::Timestamp;

use super::{Repository, Result};
use crate::id::CommitId;
use crate::object::{Commit, Entry};
use crate::odb::tree::find_path;
use crate::path::TreePath;

/// One commit of a history.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its id.
    pub id: CommitId,
    /// The commit.
    pub commit: Commit,
}

/// Walks from a commit to all it follows, by time; a parent never comes before a
/// commit that follows it, as long as their times agree.
pub struct History<'r> {
    repository: &'r Repository,
    pending: BinaryHeap<(Timestamp, CommitId)>,
    seen: HashSet<CommitId>,
    path: Option<TreePath>,
}

impl Repository {
    /// The history of a commit; with a path, only the commits that changed what
    /// lies there.
    pub fn history(&self, from: CommitId, path: Option<TreePath>) -> Result<History<'_>> {
        let time = self.commit(from)?.time;
        let path = path.filter(|path| !path.is_root());
        let pending = BinaryHeap::from([(time, from)]);
        Ok(History { repository: self, pending, seen: HashSet::from([from]), path })
    }
}

impl History<'_> {
    /// The next older commit; `None` at the end.
    pub fn next_commit(&mut self) -> Result<Option<Logged>> {
        while let Some((_, id)) = self.pending.pop() {
            let commit = self.repository.commit(id)?;
            for parent in &commit.parents {
                if self.seen.insert(*parent) {
                    self.pending.push((self.repository.commit(*parent)?.time, *parent));
                }
            }
            if self.changed_path(&commit)? {
                return Ok(Some(Logged { id, commit }));
            }
        }
        Ok(None)
    }

    fn changed_path(&self, commit: &Commit) -> Result<bool> {
        let Some(path) = &self.path else { return Ok(true) };
        let at =
            |commit: &Commit| -> Result<Option<Entry>> { Ok(find_path(self.repository.odb(), commit.tree, path)?) };
        let now = at(commit)?;
        let before = match commit.parents.first() {
            Some(parent) => at(&self.repository.commit(*parent)?)?,
            None => None,
        };
        Ok(now != before)
    }
}

impl Iterator for History<'_> {
    type Item = Result<Logged>;

    fn next(&mut self) -> Option<Result<Logged>> {
        self.next_commit().transpose()
    }
}
