//! Directories on their way into a batch, each stored as its difference to what
//! it most likely was: the directory at the same path of another tree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Error, Result};
use crate::id::{Kind, TreeId};
use crate::object::{Entry, Node, Page, Totals, paginate};
use crate::odb::{self, Batch, TreeSource, tree};
use crate::path::TreePath;

/// The directories in a directory.
type Subdirs = HashMap<Vec<u8>, TreeId>;

/// Stores directories through a batch.
pub(super) struct DirStore<'b> {
    batch: &'b Batch<'b>,
    base: Option<TreeId>,
    base_dirs: Mutex<HashMap<TreePath, Arc<Subdirs>>>,
}

impl<'b> DirStore<'b> {
    /// `base` is the tree that the new one most likely resembles.
    pub fn new(batch: &'b Batch<'b>, base: Option<TreeId>) -> Self {
        DirStore { batch, base, base_dirs: Mutex::default() }
    }

    /// Whether the database has just this directory. Having a tree means having
    /// all below it.
    pub fn is_known(&self, at: &TreePath, entries: &[Entry]) -> Result<bool> {
        let pages = paginate(entries).map_err(|source| Error::Unstorable { path: at.clone(), source })?;
        Ok(self.batch.odb().contains(Kind::Tree, &pages.root().0)?)
    }

    /// Stores a directory, if it is new.
    pub fn store(&self, at: &TreePath, entries: &[Entry]) -> Result<(TreeId, Totals)> {
        let unstorable = |source| Error::Unstorable { path: at.clone(), source };
        let pages = paginate(entries).map_err(unstorable)?;
        if self.batch.odb().contains(Kind::Tree, &pages.root().0)? {
            return Ok((pages.root(), pages.totals));
        }
        let base = match self.base_dir(at)? {
            Some(tree) => base_pages(self.batch.odb(), tree)?,
            None => Vec::new(),
        };
        for (id, bytes) in &pages.pages {
            let page = Page::decode(bytes).map_err(unstorable)?;
            self.batch.add_tree(*id, bytes, closest(&base, &page))?;
        }
        Ok((pages.root(), pages.totals))
    }

    /// The tree that a directory was in the base.
    pub fn base_dir(&self, at: &TreePath) -> Result<Option<TreeId>> {
        let Some(mut tree) = self.base else { return Ok(None) };
        let mut path = TreePath::root();
        for name in at.names() {
            let known = self.base_dirs.lock().expect("no holder of this lock panics").get(&path).cloned();
            let below = match known {
                Some(below) => below,
                None => {
                    let entries = tree::read_dir(self.batch.odb(), tree, None)?;
                    let dirs = entries.into_iter().filter_map(|entry| match entry.node {
                        Node::Dir { tree, .. } => Some((entry.name, tree)),
                        _ => None,
                    });
                    let below = Arc::new(dirs.collect::<Subdirs>());
                    self.base_dirs.lock().expect("no holder of this lock panics").insert(path.clone(), below.clone());
                    below
                }
            };
            match below.get(name) {
                Some(id) => tree = *id,
                None => return Ok(None),
            }
            path.push(name);
        }
        Ok(Some(tree))
    }
}

/// The level, the last name and the id of each page of a directory.
fn base_pages(source: &dyn TreeSource, root: TreeId) -> odb::Result<Vec<(u8, Vec<u8>, TreeId)>> {
    let mut pages = Vec::new();
    let mut pending = vec![(root, None)];
    while let Some((id, level)) = pending.pop() {
        // Leaves need not be read to be known.
        if let Some((0, last)) = level {
            pages.push((0, last, id));
            continue;
        }
        match source.page(id)? {
            Page::Leaf(entries) => pages.push((0, entries.last().map(|e| e.name.clone()).unwrap_or_default(), id)),
            Page::Fork { level, branches } => {
                pages.push((level, branches.last().map(|b| b.last.clone()).unwrap_or_default(), id));
                pending.extend(branches.into_iter().map(|branch| (branch.page, Some((level - 1, branch.last)))));
            }
        }
    }
    pages.sort_unstable();
    Ok(pages)
}

/// The page of the base that this one most likely was.
fn closest(base: &[(u8, Vec<u8>, TreeId)], page: &Page) -> Option<TreeId> {
    let level = match page {
        Page::Leaf(_) => 0,
        Page::Fork { level, .. } => *level,
    };
    let last = page.last_name().unwrap_or_default();
    let at = base.partition_point(|(l, name, _)| (*l, &name[..]) < (level, last));
    let same_level = |i: usize| base.get(i).filter(|(l, _, _)| *l == level).map(|(_, _, id)| *id);
    same_level(at).or_else(|| same_level(at.checked_sub(1)?))
}
