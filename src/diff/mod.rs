//! What differs between two trees.
//!
//! [`Differ`] walks both in path order and passes over every subtree, and every
//! page of a wide directory, that is the same on both sides, so its cost follows
//! the change. It keeps one frame for each directory on the path, never a whole
//! tree.

mod moves;
mod text;

pub use moves::{Move, find_moves};
pub use text::{MAX_TEXT_LEN, TextDiff, unified};

use std::collections::HashSet;

use crate::id::{Kind, TreeId};
use crate::object::{DecodeError, Entry, Node, Page, Totals};
use crate::odb::{Error, Result, TreeSource};
use crate::path::{MAX_DEPTH, TreePath};

/// One path's difference. Equal directories with equal metadata are no change,
/// whatever changed below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it is.
    pub path: TreePath,
    /// What was there before.
    pub old: Option<Entry>,
    /// What is there now.
    pub new: Option<Entry>,
}

/// In which way a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content, or the target of a link, is another.
    Modified,
    /// Only its metadata are others.
    Metadata,
    /// It has become something of another kind.
    Retyped,
}

impl Change {
    /// In which way the path differs.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(old), Some(new)) => match (&old.node, &new.node) {
                (Node::Dir { .. }, Node::Dir { .. }) => ChangeKind::Metadata,
                (a, b) if a == b => ChangeKind::Metadata,
                (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => ChangeKind::Modified,
                _ => ChangeKind::Retyped,
            },
        }
    }
}

/// What changed, in numbers. Directories count in none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Paths that are new.
    pub added: u64,
    /// Paths whose content, kind or metadata are others.
    pub changed: u64,
    /// Paths that are gone.
    pub removed: u64,
    /// Content bytes of new and changed files.
    pub bytes_new: u64,
    /// Content bytes of the old versions of changed files, and of removed ones.
    pub bytes_old: u64,
    /// Whether anything differs, metadata of directories included.
    pub any: bool,
}

impl Summary {
    /// Counts one more change.
    pub fn add(&mut self, change: &Change) {
        self.any = true;
        let file = |entry: &Option<Entry>| entry.as_ref().filter(|e| !e.is_dir()).map(|e| e.totals().bytes);
        let (old, new) = (file(&change.old), file(&change.new));
        match (old, new) {
            (None, None) => {}
            (None, Some(_)) => self.added += 1,
            (Some(_), None) => self.removed += 1,
            (Some(_), Some(_)) => self.changed += 1,
        }
        if change.kind() != ChangeKind::Metadata {
            self.bytes_new += new.unwrap_or(0);
            self.bytes_old += old.unwrap_or(0);
        }
    }
}

/// Compares two trees, change by change, in path order: a directory before what
/// lies in it. What lies in an added or removed directory is reported, too.
pub struct Differ<'a> {
    old_source: &'a dyn TreeSource,
    new_source: &'a dyn TreeSource,
    stack: Vec<Frame>,
    visited: Vec<(TreePath, Entry)>,
}

struct Frame {
    at: TreePath,
    old: std::iter::Peekable<std::vec::IntoIter<Entry>>,
    new: std::iter::Peekable<std::vec::IntoIter<Entry>>,
}

impl<'a> Differ<'a> {
    /// Begins at the root directories; `None` is an empty tree.
    pub fn new(
        old_source: &'a dyn TreeSource,
        old: Option<TreeId>,
        new_source: &'a dyn TreeSource,
        new: Option<TreeId>,
    ) -> Result<Differ<'a>> {
        let mut differ = Differ { old_source, new_source, stack: Vec::new(), visited: Vec::new() };
        if old != new {
            differ.enter(TreePath::root(), old.map(|id| (id, None)), new.map(|id| (id, None)))?;
        }
        Ok(differ)
    }

    /// Begins at two trees of one database.
    pub fn within(source: &'a dyn TreeSource, old: Option<TreeId>, new: Option<TreeId>) -> Result<Differ<'a>> {
        Differ::new(source, old, source, new)
    }

    fn enter(&mut self, at: TreePath, old: Option<Side>, new: Option<Side>) -> Result<()> {
        if self.stack.len() > MAX_DEPTH {
            let id = old.or(new).map_or_else(|| crate::id::hash_bytes(b""), |(id, _)| id.0);
            let source = DecodeError::Invalid("depth: deeper than any tree may be");
            return Err(Error::Invalid { kind: Kind::Tree, id, source });
        }
        let (old, new) = self.differing_entries(old, new)?;
        self.stack.push(Frame { at, old: old.into_iter().peekable(), new: new.into_iter().peekable() });
        Ok(())
    }

    /// The entries of all pages that are not the same on both sides.
    fn differing_entries(&self, old: Option<Side>, new: Option<Side>) -> Result<(Vec<Entry>, Vec<Entry>)> {
        let mut old_pages = Pages::open(self.old_source, old)?;
        let mut new_pages = Pages::open(self.new_source, new)?;
        // Forks are opened level by level, so that equal pages meet.
        loop {
            let common: HashSet<TreeId> = {
                let known: HashSet<_> = old_pages.closed.iter().map(|page| page.id).collect();
                new_pages.closed.iter().map(|page| page.id).filter(|id| known.contains(id)).collect()
            };
            old_pages.closed.retain(|page| !common.contains(&page.id));
            new_pages.closed.retain(|page| !common.contains(&page.id));
            let deepest = old_pages.closed.iter().chain(&new_pages.closed).map(|page| page.fork_level).max();
            let Some(level) = deepest else { break };
            old_pages.open_level(self.old_source, level)?;
            new_pages.open_level(self.new_source, level)?;
        }
        Ok((old_pages.into_entries(), new_pages.into_entries()))
    }

    /// The next change; `None` at the end.
    pub fn next_change(&mut self) -> Result<Option<Change>> {
        while let Some(frame) = self.stack.last_mut() {
            let take_old = match (frame.old.peek(), frame.new.peek()) {
                (None, None) => {
                    self.stack.pop();
                    continue;
                }
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(old), Some(new)) => (old.name <= new.name, new.name <= old.name),
            };
            let old = if take_old.0 { frame.old.next() } else { None };
            let new = if take_old.1 { frame.new.next() } else { None };
            if old == new {
                continue;
            }
            let name = old.as_ref().or(new.as_ref()).map(|entry| entry.name.clone()).expect("one side has it");
            let path = frame.at.join(&name);
            let (old_dir, new_dir) = (side(&old), side(&new));
            if old_dir.map(|(id, _)| id) != new_dir.map(|(id, _)| id) {
                self.enter(path.clone(), old_dir, new_dir)?;
                if let (Some(_), Some(_), Some(entry)) = (old_dir, new_dir, &new) {
                    self.visited.push((path.clone(), entry.clone()));
                }
            }
            let only_below = match (&old, &new) {
                (Some(old), Some(new)) => old.is_dir() && new.is_dir() && old.metadata == new.metadata,
                _ => false,
            };
            if !only_below {
                return Ok(Some(Change { path, old, new }));
            }
        }
        Ok(None)
    }

    /// The directories that are on both sides, and below which something differs,
    /// as they are on the new side; of those seen so far, the root not among them.
    pub fn take_visited(&mut self) -> Vec<(TreePath, Entry)> {
        std::mem::take(&mut self.visited)
    }

    /// Counts all that is left.
    pub fn summary(mut self) -> Result<Summary> {
        let mut summary = Summary::default();
        while let Some(change) = self.next_change()? {
            summary.add(&change);
        }
        Ok(summary)
    }
}

impl Iterator for Differ<'_> {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        self.next_change().transpose()
    }
}

type Side = (TreeId, Option<Totals>);

fn side(entry: &Option<Entry>) -> Option<Side> {
    match entry.as_ref()?.node {
        Node::Dir { tree, totals } => Some((tree, Some(totals))),
        _ => None,
    }
}

/// The pages of one directory, opened as far as needed.
struct Pages {
    closed: Vec<ClosedPage>,
    opened: Vec<Vec<Entry>>,
}

struct ClosedPage {
    id: TreeId,
    /// Level of the fork it lies in; 0 for the directory's own page.
    fork_level: u8,
    branch: Option<crate::object::Branch>,
    totals: Option<Totals>,
}

impl Pages {
    fn open(source: &dyn TreeSource, side: Option<Side>) -> Result<Pages> {
        let mut pages = Pages { closed: Vec::new(), opened: Vec::new() };
        if let Some((id, totals)) = side {
            pages.closed.push(ClosedPage { id, fork_level: u8::MAX, branch: None, totals });
            pages.open_level(source, u8::MAX)?;
        }
        Ok(pages)
    }

    /// Reads all pages that lie in forks of this level.
    fn open_level(&mut self, source: &dyn TreeSource, fork_level: u8) -> Result<()> {
        let (now, later) = std::mem::take(&mut self.closed).into_iter().partition(|page| page.fork_level == fork_level);
        self.closed = later;
        for closed in now {
            let closed: ClosedPage = closed;
            let invalid =
                |what| Error::Invalid { kind: Kind::Tree, id: closed.id.0, source: DecodeError::Invalid(what) };
            let page = source.page(closed.id)?;
            if closed.branch.as_ref().is_some_and(|branch| !page.fits(branch, fork_level)) {
                return Err(invalid("place: it is not the page that the fork above describes"));
            }
            if closed.totals.is_some() && page.totals() != closed.totals {
                return Err(invalid("sum of files and bytes: its parent says otherwise"));
            }
            match page {
                Page::Leaf(entries) => self.opened.push(entries),
                Page::Fork { level, branches } => self.closed.extend(branches.into_iter().map(|branch| ClosedPage {
                    id: branch.page,
                    fork_level: level,
                    branch: Some(branch),
                    totals: None,
                })),
            }
        }
        Ok(())
    }

    fn into_entries(mut self) -> Vec<Entry> {
        if self.opened.len() == 1 {
            return self.opened.pop().expect("there is one");
        }
        let mut entries = self.opened.concat();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries
    }
}
