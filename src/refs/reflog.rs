//! Questions to the journal: where a ref was, and going back there.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::journal::Transactions;
use super::transaction::Draft;
use super::{Error, HeadEdit, RefEdit, RefName, Refs, Result, Transaction};
use crate::id::CommitId;

/// One step of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Number of the transaction.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// Who did it.
    pub who: String,
    /// Why.
    pub why: String,
    /// What the ref named before; `None` if it was created.
    pub old: Option<CommitId>,
    /// What it names since; `None` if it was deleted.
    pub new: Option<CommitId>,
}

/// A transaction was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// Number of the new transaction, which took it back.
    pub sequence: u64,
    /// The one that was taken back.
    pub undone: Transaction,
}

impl Refs {
    /// All transactions, the newest first, as of now.
    pub fn transactions(&self) -> Result<Transactions> {
        Ok(self.snapshot()?.journal.transactions())
    }

    /// The steps of one ref, the newest first; of a deleted one too.
    pub fn history(&self, name: &RefName) -> Result<Vec<Move>> {
        self.steps(name)?.collect()
    }

    fn steps(&self, name: &RefName) -> Result<impl Iterator<Item = Result<Move>>> {
        let name = name.clone();
        let step = move |transaction: Result<Transaction>| {
            let Transaction { sequence, time, who, why, moves, .. } = match transaction {
                Ok(transaction) => transaction,
                Err(e) => return Some(Err(e)),
            };
            let found = moves.binary_search_by(|step| step.name.cmp(&name)).ok()?;
            let (old, new) = (moves[found].old, moves[found].new);
            Some(Ok(Move { sequence, time, who, why, old, new }))
        };
        Ok(self.transactions()?.filter_map(step))
    }

    /// The value of `name@{n}`: that of `n` steps ago, 0 being the present.
    /// `None` if the ref did not exist then, or never went so many steps.
    pub fn value_before(&self, name: &RefName, n: usize) -> Result<Option<CommitId>> {
        Ok(self.steps(name)?.nth(n).transpose()?.and_then(|step| step.new))
    }

    /// The value of `name@{time}`: that which the ref had at this moment. `None`
    /// if it did not exist then.
    pub fn value_at(&self, name: &RefName, time: Timestamp) -> Result<Option<CommitId>> {
        for step in self.steps(name)? {
            let step = step?;
            if step.time <= time {
                return Ok(step.new);
            }
        }
        Ok(None)
    }

    /// All commits that a ref was moved from or to at `since` or later: what is
    /// kept for going back. Clocks may jump, so the whole journal is read.
    pub fn journal_commits(&self, since: Timestamp) -> Result<BTreeSet<CommitId>> {
        let mut commits = BTreeSet::new();
        for transaction in self.transactions()? {
            let transaction = transaction?;
            if transaction.time.as_second() >= since.as_second() {
                commits.extend(transaction.moves.iter().flat_map(|step| [step.old, step.new]).flatten());
            }
        }
        Ok(commits)
    }

    /// Takes back the newest transaction that is not itself an undo and has not
    /// been taken back, as a new transaction. Fails as stale if a ref of it has
    /// moved since.
    pub fn undo(&self, who: &str, time: Timestamp) -> Result<Undone> {
        let writer = self.lock()?;
        let mut taken_back = BTreeSet::new();
        let mut newest = None;
        // The writer keeps its own journal; this one ends at the same record.
        for transaction in super::journal::Journal::open(&self.dir)?.transactions() {
            let transaction = transaction?;
            match transaction.undoes {
                Some(sequence) => drop(taken_back.insert(sequence)),
                None if taken_back.remove(&transaction.sequence) => {}
                None => {
                    newest = Some(transaction);
                    break;
                }
            }
        }
        let undone = newest.ok_or(Error::NothingToUndo)?;
        let back =
            |step: &super::RefMove| RefEdit { name: step.name.clone(), new: step.old, expected: step.new.into() };
        let edits: Vec<_> = undone.moves.iter().map(back).collect();
        let head = undone.head.clone().map(|(old, new)| HeadEdit { new: old, expected: Some(new) });
        let why = format!("undo {}: {}", undone.sequence, undone.why);
        let undoes = Some(undone.sequence);
        let draft = Draft { edits: &edits, head: head.as_ref(), undoes, who, why: &why, time };
        match writer.commit(draft)? {
            Some(sequence) => Ok(Undone { sequence, undone }),
            None => Err(Error::NothingToUndo),
        }
    }
}
