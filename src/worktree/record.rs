//! A directory becomes a commit on a branch, or is compared with one.

use std::path::Path;

use jiff::Timestamp;

use super::checkout::check_guard;
use super::{Error, Result, Snapshot, SnapshotOptions, snapshot};
use crate::diff::{Differ, Summary};
use crate::disk::Dir;
use crate::id::{CommitId, TreeId};
use crate::monitor::Monitor;
use crate::object::{Commit, Metadata, Policy, Totals};
use crate::odb::checksums::Checksums;
use crate::odb::{Batch, BatchStats};
use crate::refs::{Expected, RefEdit, RefName};
use crate::repo::{Checkout, Repository};

/// What a commit says beside its tree.
#[derive(Clone, Debug)]
pub struct CommitOptions {
    /// The branch that moves; it is made if there is none of this name.
    pub branch: RefName,
    /// A tag to be made as well.
    pub tag: Option<RefName>,
    /// What people say about it.
    pub message: String,
    /// Who makes it; one line.
    pub author: String,
    /// When it is made.
    pub time: Timestamp,
    /// Whether a commit is made though nothing changed.
    pub allow_empty: bool,
    /// Most files that may be gone, in percent; `None` for any number.
    pub delete_guard: Option<u8>,
    /// Text for the journal of refs.
    pub why: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The commit that holds the state: a new one, or the one that stood.
    pub commit: Option<CommitId>,
    /// Whether it is new.
    pub is_new: bool,
    /// Whether it is the first of its branch.
    pub is_first: bool,
    /// What changed since its parent.
    pub summary: Summary,
    /// What was stored.
    pub stats: BatchStats,
    /// What the tree holds.
    pub totals: Totals,
    /// Entries of kinds that the policy does not keep.
    pub skipped: u64,
}

/// A whole state, wherever it came from.
#[derive(Clone, Debug)]
pub struct State {
    /// The root directory.
    pub tree: TreeId,
    /// Its own metadata.
    pub root: Metadata,
    /// What lies below it.
    pub totals: Totals,
    /// What metadata it keeps.
    pub policy: Policy,
}

/// Takes the directory `tree` up as a commit on a branch.
pub fn commit(
    repository: &Repository,
    tree: &Path,
    selection: &SnapshotOptions,
    options: &CommitOptions,
    patience: std::time::Duration,
    monitor: &dyn Monitor,
) -> Result<Recorded> {
    let lock = repository.odb().lock_for_writing(patience)?;
    let root = Dir::open(tree)?;
    let linked = selection.link.then_some(&root);
    let batch = repository.odb().begin(&lock, linked)?;
    let parent = parent_of(repository, &options.branch)?;
    let (taken, checksums) =
        take(repository, &batch, &root, tree, parent.as_ref().map(|(_, c)| c.tree), selection, monitor)?;
    let state = State { tree: taken.tree, root: taken.root, totals: taken.totals, policy: selection.policy };
    let recorded = record(repository, batch, &state, options, monitor)?;
    // After linking, which changes the stamps of files.
    checksums.finish();
    if let Some(commit) = recorded.commit {
        // The directory is what the commit says, so checkouts may start from here.
        // The commit stands without this record; the next one finds it stale.
        let _ = repository.record_checkout(tree, Checkout { commit, towards: None });
    }
    Ok(Recorded { skipped: taken.skipped, ..recorded })
}

/// Publishes a batch as a commit of `state` on a branch. The lock that the batch
/// was begun under is held until the refs have moved.
pub fn record(
    repository: &Repository,
    batch: Batch<'_>,
    state: &State,
    options: &CommitOptions,
    monitor: &dyn Monitor,
) -> Result<Recorded> {
    let parent = parent_of(repository, &options.branch)?;
    let is_first = parent.is_none();
    let unchanged = parent.as_ref().is_some_and(|(_, parent)| {
        parent.tree == state.tree && parent.root == state.root && parent.policy == state.policy
    });
    let mut recorded = Recorded {
        commit: parent.as_ref().map(|(id, _)| *id),
        is_new: false,
        is_first,
        summary: Summary::default(),
        stats: batch.stats(),
        totals: state.totals,
        skipped: 0,
    };
    if unchanged && !options.allow_empty {
        let standing = parent.map(|(id, _)| id).expect("something is unchanged");
        batch.finish(monitor)?;
        move_refs(repository, options, standing, Expected::Is(standing))?;
        return Ok(recorded);
    }
    // A cheap look first: a mount that is missing must not cost a whole store.
    if let (Some((_, parent)), Some(percent)) = (&parent, options.delete_guard) {
        check_guard(parent.totals.files.saturating_sub(state.totals.files), parent.totals.files, percent)?;
    }
    let commit = Commit {
        tree: state.tree,
        parents: parent.iter().map(|(id, _)| *id).collect(),
        time: options.time,
        author: options.author.clone(),
        policy: state.policy,
        root: state.root.clone(),
        totals: state.totals,
        origin: None,
        refs: Vec::new(),
        extensions: Vec::new(),
        message: options.message.clone(),
    };
    let id = batch.add_commit(&commit)?;
    recorded.stats = batch.finish(monitor)?;
    let old_tree = parent.as_ref().map(|(_, parent)| parent.tree);
    recorded.summary = Differ::within(repository.odb(), old_tree, Some(state.tree))?.summary()?;
    if let (Some((_, parent)), Some(percent)) = (&parent, options.delete_guard) {
        check_guard(recorded.summary.removed, parent.totals.files, percent)?;
    }
    let expected = parent.map_or(Expected::Absent, |(id, _)| Expected::Is(id));
    move_refs(repository, options, id, expected)?;
    Ok(Recorded { commit: Some(id), is_new: true, ..recorded })
}

/// Compares the directory `tree` with the branch; stores nothing. `visit` hears
/// of each change.
pub fn status(
    repository: &Repository,
    tree: &Path,
    selection: &SnapshotOptions,
    against: Option<&Commit>,
    mut visit: impl FnMut(crate::diff::Change) -> Result<()>,
    monitor: &dyn Monitor,
) -> Result<Recorded> {
    let root = Dir::open(tree)?;
    let batch = repository.odb().begin_dry();
    let base = against.map(|commit| commit.tree);
    let (taken, checksums) = take(repository, &batch, &root, tree, base, selection, monitor)?;
    let mut summary = Summary::default();
    for change in Differ::new(repository.odb(), base, &batch, Some(taken.tree))? {
        let change = change?;
        summary.add(&change);
        visit(change)?;
    }
    checksums.finish();
    let same = against.is_some_and(|c| c.tree == taken.tree && c.root == taken.root && c.policy == selection.policy);
    summary.any = !same;
    Ok(Recorded {
        commit: None,
        is_new: false,
        is_first: against.is_none(),
        summary,
        stats: batch.stats(),
        totals: taken.totals,
        skipped: taken.skipped,
    })
}

fn take(
    repository: &Repository,
    batch: &Batch<'_>,
    root: &Dir,
    tree: &Path,
    base: Option<TreeId>,
    selection: &SnapshotOptions,
    monitor: &dyn Monitor,
) -> Result<(Snapshot, Checksums)> {
    let absolute = tree.canonicalize().map_err(|e| crate::disk::Error::new("find", tree, e))?;
    let checksums = Checksums::open(&repository.path().join("cache"), &absolute);
    monitor.begin("scanning", None);
    let taken = snapshot(batch, root, base, selection, &checksums, monitor)?;
    monitor.end();
    Ok((taken, checksums))
}

pub(super) fn parent_of(repository: &Repository, branch: &RefName) -> Result<Option<(CommitId, Commit)>> {
    let refs = repository.refs().read().map_err(crate::repo::Error::from)?;
    match refs.get(branch) {
        Some(id) => Ok(Some((id, repository.commit(id)?))),
        None => Ok(None),
    }
}

fn move_refs(repository: &Repository, options: &CommitOptions, commit: CommitId, expected: Expected) -> Result<()> {
    let mut edits = vec![RefEdit { name: options.branch.clone(), new: Some(commit), expected }];
    if let Some(tag) = &options.tag {
        let refs = repository.refs().read().map_err(crate::repo::Error::from)?;
        // A tag that says so already need not be made.
        if refs.get(tag) != Some(commit) {
            edits.push(RefEdit { name: tag.clone(), new: Some(commit), expected: Expected::Absent });
        }
    }
    let moved = repository.refs().commit(&edits, None, &options.author, &options.why, options.time);
    moved.map_err(crate::repo::Error::from).map_err(Error::from)?;
    Ok(())
}
