//! One consistent view of refs file and journal, without a lock.
//!
//! A writer appends its record, syncs it, and then replaces the refs file. So
//! there are three good states: the refs file is what the last record leads to;
//! it is what the last record started from, because the power went in between,
//! and then the journal is the newer truth; or the last append was cut short, and
//! then the refs file is what the last whole record leads to. All else is damage,
//! never a reason to take the older of the two.
//!
//! A reader may see a writer half-way. It reads the refs file first, so one step
//! of one writer looks like a good state; if it looks like damage, the reader
//! looks again as long as something changed while it looked.

use super::error::{Difference, Disagreement, value};
use super::file::{MAX_REFS_LEN, RefSet};
use super::journal::Journal;
use super::{Error, JOURNAL_FILE, REFS_FILE, Refs, Result};
use crate::disk::{Dir, Time};
use crate::id::{ObjectId, hash_bytes};
use crate::object::DecodeError;

/// How often a reader looks again while writers are at work.
const MAX_LOOKS: usize = 1000;

/// Refs file and journal, which agree.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The newest state.
    pub refs: RefSet,
    pub journal: Journal,
    /// Whether the refs file still is the state before the last record.
    pub is_behind: bool,
}

/// The refs file alone, and its SHA-256.
pub(super) fn read_refs_file(dir: &Dir) -> Result<(RefSet, ObjectId)> {
    use std::io::Read;
    let path = dir.path_of(REFS_FILE.as_bytes());
    let (file, _) = super::open_file(dir, REFS_FILE)?;
    let mut bytes = Vec::new();
    file.take(MAX_REFS_LEN as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::Disk(crate::disk::Error::new("read", &path, e)))?;
    let refs = RefSet::decode(&bytes).map_err(|source| Error::corrupt(path, source))?;
    Ok((refs, hash_bytes(&bytes)))
}

impl Snapshot {
    /// Looks once: for writers, who are alone, and as one try of a reader.
    pub fn take(dir: &Dir) -> Result<Snapshot> {
        let (refs, found) = read_refs_file(dir)?;
        let journal = Journal::open(dir)?;
        let (after, before) = (journal.after(), journal.last.as_ref().map(|last| last.before));
        if found == after {
            return Ok(Snapshot { refs, journal, is_behind: false });
        }
        if before == Some(found) && !journal.torn {
            let mut newer = refs.clone();
            if let Some(last) = &journal.last {
                newer.sequence = last.sequence;
                for step in &last.moves {
                    newer.set(&step.name, step.new);
                }
                if let Some((_, head)) = &last.head {
                    newer.head = head.clone();
                }
            }
            if hash_bytes(&newer.encode()) == after {
                return Ok(Snapshot { refs: newer, journal, is_behind: true });
            }
            return Err(Error::corrupt(journal.path, DecodeError::Invalid("last transaction")));
        }
        let sequence = journal.sequence();
        let (path, journal_path) = (dir.path_of(REFS_FILE.as_bytes()), journal.path.clone());
        let differences = replay(journal).map(|told| differences(&refs, &told)).unwrap_or_default();
        let disagreement = Disagreement { refs: path, journal: journal_path, found, sequence, after, differences };
        Err(Error::Disagree(Box::new(disagreement)))
    }
}

/// The state that the journal leads to.
pub(super) fn replay(journal: Journal) -> Result<RefSet> {
    let (mut refs, after, path) = (journal.fresh(), journal.after(), journal.path.clone());
    let (mut head, sequence) = (None, journal.sequence());
    let mut seen = std::collections::HashSet::new();
    // Backwards: the first value met is the newest.
    for transaction in journal.transactions() {
        let transaction = transaction?;
        head = head.or(transaction.head.map(|(_, new)| new));
        for step in transaction.moves {
            if seen.insert(step.name.clone()) {
                refs.set(&step.name, step.new);
            }
        }
    }
    refs.head = head.unwrap_or(refs.head);
    refs.sequence = sequence;
    if hash_bytes(&refs.encode()) == after {
        Ok(refs)
    } else {
        Err(Error::corrupt(path, DecodeError::Invalid("last transaction")))
    }
}

fn differences(refs: &RefSet, journal: &RefSet) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |name: &str, in_refs: String, in_journal: String| {
        if in_refs != in_journal {
            found.push(Difference { name: name.to_owned(), in_refs, in_journal });
        }
    };
    compare("HEAD", refs.head.to_string(), journal.head.to_string());
    let names: std::collections::BTreeSet<_> = refs.refs.keys().chain(journal.refs.keys()).collect();
    for name in names {
        compare(name.as_str(), value(&refs.get(name)), value(&journal.get(name)));
    }
    found
}

/// What the kernel says of both files: it changes with every step of a writer.
#[derive(PartialEq, Eq)]
struct Mark([Option<(u64, u64, Time)>; 2]);

fn mark(dir: &Dir) -> Result<Mark> {
    let of = |name: &str| Ok::<_, Error>(dir.find(name.as_bytes())?.map(|stat| (stat.ino, stat.size, stat.ctime)));
    Ok(Mark([of(REFS_FILE)?, of(JOURNAL_FILE)?]))
}

impl Refs {
    /// Repeats `look` while it finds damage and files change under it.
    pub(super) fn steadily<T>(
        &self,
        mut look: impl FnMut() -> Result<T>,
        is_damage: impl Fn(&Result<T>) -> bool,
    ) -> Result<T> {
        for _ in 1..MAX_LOOKS {
            let before = mark(&self.dir)?;
            let seen = look();
            if !is_damage(&seen) || mark(&self.dir)? == before {
                return seen;
            }
        }
        look()
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        self.steadily(|| Snapshot::take(&self.dir), |seen| matches!(seen, Err(e) if e.is_damage()))
    }
}
