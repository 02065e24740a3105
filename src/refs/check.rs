//! Finding damage, and rebuilding the refs file from the journal.

use std::fmt;
use std::path::PathBuf;

use super::file::RefSet;
use super::journal::Journal;
use super::snapshot::{Snapshot, read_refs_file, replay};
use super::{Error, JOURNAL_FILE, REFS_FILE, Refs, Result};

/// Something stored that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in one line.
    pub what: String,
    /// Whether a newer chasm might find nothing wrong.
    pub is_too_new: bool,
}

impl Problem {
    fn new(path: PathBuf, error: &Error) -> Self {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            what += &format!(": {next}");
            cause = next.source();
        }
        Problem { path, what, is_too_new: error.is_too_new() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Refs {
    /// Checks everything: the refs file, the whole chain of the journal, that
    /// each record follows from the one before, and that both agree. What a crash
    /// may leave for the next writer to complete is no problem.
    pub fn verify(&self) -> Result<Vec<Problem>> {
        self.steadily(|| self.check_once(), |seen| !matches!(seen, Ok(problems) if problems.is_empty()))
    }

    fn check_once(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        let walk = |journal: Journal| journal.transactions().try_for_each(|read| read.map(drop));
        self.note(&mut problems, REFS_FILE, read_refs_file(&self.dir).map(drop))?;
        self.note(&mut problems, JOURNAL_FILE, Journal::open(&self.dir).and_then(walk))?;
        if problems.is_empty() {
            self.note(&mut problems, JOURNAL_FILE, Snapshot::take(&self.dir).and_then(walk_back))?;
        }
        Ok(problems)
    }

    fn note(&self, problems: &mut Vec<Problem>, file: &str, checked: Result<()>) -> Result<()> {
        match checked {
            Err(error) if error.is_damage() || error.is_too_new() => {
                problems.push(Problem::new(self.dir.path_of(file.as_bytes()), &error));
                Ok(())
            }
            other => other,
        }
    }

    /// The newest state as the journal tells it, whatever the refs file says; of
    /// a torn tail, nothing is taken. Needs a journal that is whole.
    pub fn recover_from_journal(&self) -> Result<RefSet> {
        replay(Journal::open(&self.dir)?)
    }

    /// Replaces the refs file by what [`Refs::recover_from_journal`] finds.
    pub fn restore_from_journal(&self) -> Result<RefSet> {
        let _lock = self.take_lock()?;
        let journal = Journal::open(&self.dir)?;
        let (torn, end) = (journal.torn, journal.end);
        let refs = replay(journal)?;
        if torn {
            self.cut_journal(end)?;
        }
        self.dir.replace_durably(REFS_FILE.as_bytes(), &refs.encode())?;
        Ok(refs)
    }
}

/// Takes back every move, from the newest to the first: each must find what it
/// has left behind, and nothing may be left in the end.
fn walk_back(snapshot: Snapshot) -> Result<()> {
    let Snapshot { mut refs, journal, .. } = snapshot;
    let (fresh, path) = (journal.fresh(), journal.path.clone());
    let contradiction = || Error::corrupt(path.clone(), crate::object::DecodeError::Invalid("chain of values"));
    for transaction in journal.transactions() {
        let transaction = transaction?;
        for step in transaction.moves {
            if refs.get(&step.name) != step.new {
                return Err(contradiction());
            }
            refs.set(&step.name, step.old);
        }
        if let Some((old, new)) = transaction.head {
            if refs.head != new {
                return Err(contradiction());
            }
            refs.head = old;
        }
    }
    refs.sequence = 0;
    if refs == fresh { Ok(()) } else { Err(contradiction()) }
}
