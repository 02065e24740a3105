//! What can be reached from some commits: all that must be kept, and checked.
//!
//! The walk follows commits to their parents and trees, and trees, with the pages
//! of wide ones, down to the blobs. It promises to visit each commit and each page
//! once, however often they are referred to, without using the stack for depth; a
//! forged tree that would unfold to 2^64 files costs no more than its objects. It
//! remembers ids only, some 40 to 70 bytes for each commit and page.
//!
//! An object that is missing or damaged does not end the walk: the [`Observer`]
//! hears of it and decides.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{Error, Odb, Result, TreeSource};
use crate::id::{CommitId, Kind, ObjectId, TreeId};
use crate::monitor::{Amount, Monitor};
use crate::object::{Commit, Node, Page};

/// Pages that are read side by side.
const BATCH: usize = 128;

/// Hears of everything that is reached. An error ends the walk.
pub trait Observer {
    /// A commit was reached; each is told once.
    fn commit(&mut self, _id: CommitId, _commit: &Commit) -> Result<()> {
        Ok(())
    }

    /// A page of a directory was reached; each is told once.
    fn page(&mut self, id: TreeId, page: &Page) -> Result<()>;

    /// An object is needed and cannot be read.
    fn broken(&mut self, kind: Kind, id: ObjectId, error: Error) -> Result<()>;
}

/// A walk that can be continued from further commits.
pub struct Reach<'o> {
    odb: &'o Odb,
    commits: HashSet<ObjectId>,
    trees: HashSet<ObjectId>,
    pending_commits: Vec<CommitId>,
    pending_trees: Vec<TreeId>,
    without_tree: Option<CommitId>,
}

impl<'o> Reach<'o> {
    /// Has reached nothing yet.
    pub fn new(odb: &'o Odb) -> Reach<'o> {
        Reach {
            odb,
            commits: HashSet::new(),
            trees: HashSet::new(),
            pending_commits: Vec::new(),
            pending_trees: Vec::new(),
            without_tree: None,
        }
    }

    /// Passes over the tree of this commit, not over its parents.
    pub fn without_tree_of(mut self, id: CommitId) -> Reach<'o> {
        self.without_tree = Some(id);
        self
    }

    /// Starts from this commit as well; `false` if it was reached already.
    pub fn add_commit(&mut self, id: CommitId) -> bool {
        let is_new = self.commits.insert(id.0);
        if is_new {
            self.pending_commits.push(id);
        }
        is_new
    }

    /// Starts from this directory as well; `false` if it was reached already.
    pub fn add_tree(&mut self, id: TreeId) -> bool {
        let is_new = self.trees.insert(id.0);
        if is_new {
            self.pending_trees.push(id);
        }
        is_new
    }

    /// Ids of the commits reached so far.
    pub fn commits(&self) -> &HashSet<ObjectId> {
        &self.commits
    }

    /// Ids of the pages of directories reached so far.
    pub fn trees(&self) -> &HashSet<ObjectId> {
        &self.trees
    }

    /// Walks on until nothing is left to visit.
    pub fn run(&mut self, observer: &mut dyn Observer, monitor: &dyn Monitor) -> Result<()> {
        loop {
            monitor.check()?;
            if !self.pending_trees.is_empty() {
                self.visit_trees(observer, monitor)?;
            } else if let Some(id) = self.pending_commits.pop() {
                self.visit_commit(id, observer)?;
                monitor.advance(Amount::file(0));
            } else {
                return Ok(());
            }
        }
    }

    fn visit_commit(&mut self, id: CommitId, observer: &mut dyn Observer) -> Result<()> {
        let commit = match self.odb.commit(id) {
            Ok(commit) => commit,
            Err(Error::Interrupted(e)) => return Err(e.into()),
            Err(e) => return observer.broken(Kind::Commit, id.0, e),
        };
        observer.commit(id, &commit)?;
        for parent in &commit.parents {
            self.add_commit(*parent);
        }
        if self.without_tree != Some(id) {
            self.add_tree(commit.tree);
        }
        Ok(())
    }

    fn visit_trees(&mut self, observer: &mut dyn Observer, monitor: &dyn Monitor) -> Result<()> {
        let batch = self.pending_trees.split_off(self.pending_trees.len().saturating_sub(BATCH));
        let odb = self.odb;
        let read = |id: TreeId| -> Result<(TreeId, Result<Page>)> {
            monitor.check()?;
            Ok((id, odb.page(id)))
        };
        let pages: Vec<(TreeId, Result<Page>)> = match batch[..] {
            [id] => vec![read(id)?],
            _ => batch.into_par_iter().map(read).collect::<Result<_>>()?,
        };
        monitor.advance(Amount { files: pages.len() as u64, bytes: 0 });
        for (id, page) in pages {
            let page = match page {
                Ok(page) => page,
                Err(Error::Interrupted(e)) => return Err(e.into()),
                Err(e) => {
                    observer.broken(Kind::Tree, id.0, e)?;
                    continue;
                }
            };
            observer.page(id, &page)?;
            match page {
                Page::Leaf(entries) => {
                    for entry in entries {
                        if let Node::Dir { tree, .. } = entry.node {
                            self.add_tree(tree);
                        }
                    }
                }
                Page::Fork { branches, .. } => {
                    for branch in branches {
                        self.add_tree(branch.page);
                    }
                }
            }
        }
        Ok(())
    }
}
