//! Moving refs: any number at once, or none.
//!
//! Under the lock, the record is appended to the journal and synced; that is the
//! moment the refs move. Then the refs file is replaced. A crash in between is
//! completed by the next writer; an error in between is taken back, so that a
//! failed transaction has not happened.

use std::io::Write;

use jiff::Timestamp;

use super::file::{MAX_REFS_LEN, RefSet};
use super::record::{MAX_RECORD_LEN, cut};
use super::snapshot::{Snapshot, read_refs_file};
use super::{Error, JOURNAL_FILE, LOCK_FILE, REFS_FILE, RefMove, RefName, Refs, Result, Transaction};
use crate::disk;
use crate::disk::durable::{FILE_MODE, Lock, LockMode, sync};
use crate::id::{CommitId, hash_bytes};
use crate::object::DecodeError;

/// What a ref must name before it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it names, or nothing.
    Any,
    /// Nothing: the ref does not exist.
    Absent,
    /// This commit.
    Is(CommitId),
}

impl From<Option<CommitId>> for Expected {
    fn from(value: Option<CommitId>) -> Self {
        value.map_or(Expected::Absent, Expected::Is)
    }
}

/// A move of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// The ref.
    pub name: RefName,
    /// The commit it shall name; `None` deletes it.
    pub new: Option<CommitId>,
    /// What it must name before.
    pub expected: Expected,
}

/// A change of the present branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadEdit {
    /// The branch HEAD shall be; it need not exist.
    pub new: RefName,
    /// The branch it must be before; any, if `None`.
    pub expected: Option<RefName>,
}

/// What a transaction does, and what is written down about it.
#[derive(Clone, Copy)]
pub(super) struct Draft<'a> {
    pub edits: &'a [RefEdit],
    pub head: Option<&'a HeadEdit>,
    pub undoes: Option<u64>,
    pub who: &'a str,
    pub why: &'a str,
    pub time: Timestamp,
}

impl Refs {
    /// Moves refs, and HEAD, all or none, durably, and gives the number of the
    /// transaction; `None` if all is already as asked, and then nothing is
    /// recorded. `who` and `why` may be any text; some 4,000 bytes of each are
    /// kept, and of `time` the whole seconds.
    pub fn commit(
        &self,
        edits: &[RefEdit],
        head: Option<&HeadEdit>,
        who: &str,
        why: &str,
        time: Timestamp,
    ) -> Result<Option<u64>> {
        self.lock()?.commit(Draft { edits, head, undoes: None, who, why, time })
    }

    pub(super) fn take_lock(&self) -> Result<Lock> {
        Lock::take(&self.dir, LOCK_FILE.as_bytes(), LockMode::Exclusive, self.patience)?.ok_or_else(|| Error::Busy {
            path: self.dir.path_of(LOCK_FILE.as_bytes()),
            seconds: self.patience.as_secs(),
        })
    }

    /// Becomes the only writer, and completes what a crash has left half done.
    pub(super) fn lock(&self) -> Result<Writer<'_>> {
        let lock = self.take_lock()?;
        let snapshot = Snapshot::take(&self.dir)?;
        if snapshot.is_behind {
            self.dir.replace_durably(REFS_FILE.as_bytes(), &snapshot.refs.encode())?;
        }
        if snapshot.journal.torn {
            self.cut_journal(snapshot.journal.end)?;
        }
        Ok(Writer { refs: self, snapshot, _lock: lock })
    }

    /// Drops what follows the first `end` bytes of the journal, durably.
    pub(super) fn cut_journal(&self, end: u64) -> disk::Result<()> {
        let path = self.dir.path_of(JOURNAL_FILE.as_bytes());
        let file = self.dir.append(JOURNAL_FILE.as_bytes(), FILE_MODE)?;
        file.set_len(end).map_err(|e| disk::Error::new("truncate", &path, e))?;
        sync(&file, &path)
    }

    fn append_to_journal(&self, record: &[u8]) -> disk::Result<()> {
        let path = self.dir.path_of(JOURNAL_FILE.as_bytes());
        let mut file = self.dir.append(JOURNAL_FILE.as_bytes(), FILE_MODE)?;
        file.write_all(record).map_err(|e| disk::Error::new("write", &path, e))?;
        sync(&file, &path)
    }
}

/// The only one who may move refs, and the state they are in.
pub(super) struct Writer<'a> {
    refs: &'a Refs,
    pub snapshot: Snapshot,
    _lock: Lock,
}

impl Writer<'_> {
    pub fn commit(self, draft: Draft<'_>) -> Result<Option<u64>> {
        let Snapshot { refs: old, journal, .. } = &self.snapshot;
        let (mut refs, moves, head) = apply(old, draft.edits, draft.head)?;
        if moves.is_empty() && head.is_none() {
            return Ok(None);
        }
        let sequence = journal.sequence() + 1;
        refs.sequence = sequence;
        let bytes = refs.encode();
        check_len("refs file", &bytes, MAX_REFS_LEN)?;
        let (who, why) = (cut(draft.who), cut(draft.why));
        let (before, after) = (journal.after(), hash_bytes(&bytes));
        let (time, undoes) = (draft.time, draft.undoes);
        let transaction = Transaction { sequence, time, who, why, undoes, head, moves, before, after };
        let record = transaction.encode(journal.checksum);
        check_len("record", &record, MAX_RECORD_LEN)?;
        // What this program writes it must be able to read.
        Transaction::decode(journal.checksum, &record).map_err(Error::Unrecordable)?;

        let dir = &self.refs.dir;
        let unsettled = |source| Error::Unsettled { sequence, source };
        if let Err(failed) = self.refs.append_to_journal(&record) {
            self.refs.cut_journal(journal.end).map_err(unsettled)?;
            return Err(failed.into());
        }
        if let Err(failed) = dir.replace_durably(REFS_FILE.as_bytes(), &bytes) {
            // It can be taken back only while the refs file is the old one.
            if !matches!(read_refs_file(dir), Ok((_, digest)) if digest == before) {
                return Err(unsettled(failed));
            }
            self.refs.cut_journal(journal.end).map_err(unsettled)?;
            return Err(failed.into());
        }
        Ok(Some(sequence))
    }
}

fn check_len(what: &'static str, bytes: &[u8], limit: usize) -> Result<()> {
    let (len, max) = (bytes.len() as u64, limit as u64);
    if bytes.len() > limit {
        return Err(Error::Unrecordable(DecodeError::TooLarge { what, len, limit: max }));
    }
    Ok(())
}

type Applied = (RefSet, Vec<RefMove>, Option<(RefName, RefName)>);

/// The state after the edits, and what really moves.
fn apply(old: &RefSet, edits: &[RefEdit], head: Option<&HeadEdit>) -> Result<Applied> {
    let mut refs = old.clone();
    let mut names = std::collections::HashSet::new();
    let mut moves = Vec::new();
    for RefEdit { name, new, expected } in edits {
        if !names.insert(name) {
            return Err(Error::Twice(name.clone()));
        }
        let found = old.get(name);
        let stale = |expected| Err(Error::Stale { name: name.clone(), expected, found });
        match *expected {
            Expected::Absent if found.is_some() => return stale(None),
            Expected::Is(commit_id) if found != Some(commit_id) => return stale(Some(commit_id)),
            _ => {}
        }
        if found != *new {
            refs.set(name, *new);
            moves.push(RefMove { name: name.clone(), old: found, new: *new });
        }
    }
    for created in moves.iter().filter(|step| step.old.is_none()) {
        if let Some(other) = refs.conflict(&created.name) {
            return Err(Error::Conflict { name: created.name.clone(), other: other.clone() });
        }
    }
    moves.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let head = match head {
        Some(HeadEdit { expected: Some(expected), .. }) if *expected != old.head => {
            return Err(Error::StaleHead { expected: expected.clone(), found: old.head.clone() });
        }
        Some(HeadEdit { new, .. }) if !new.is_branch() => return Err(Error::NotABranch(new.clone())),
        Some(HeadEdit { new, .. }) if *new != old.head => {
            refs.head = new.clone();
            Some((old.head.clone(), new.clone()))
        }
        _ => None,
    };
    Ok((refs, moves, head))
}
