//! Directories as callers see them, whatever pages they are made of.

use super::{Error, Result, TreeSource};
use crate::id::{Kind, TreeId};
use crate::object::{DecodeError, Entry, Node, Page, Totals};
use crate::path::TreePath;

/// Reads a whole directory, in the order of names. `totals` is what its entry
/// says lies below it; a tree that holds something else is refused.
pub fn read_dir(source: &dyn TreeSource, id: TreeId, totals: Option<Totals>) -> Result<Vec<Entry>> {
    let invalid = |what| Error::Invalid { kind: Kind::Tree, id: id.0, source: DecodeError::Invalid(what) };
    let page = source.page(id)?;
    if totals.is_some() && page.totals() != totals {
        return Err(invalid("sum of files and bytes: its parent says otherwise"));
    }
    let (level, branches) = match page {
        Page::Leaf(entries) => return Ok(entries),
        Page::Fork { level, branches } => (level, branches),
    };
    let mut entries = Vec::new();
    let mut pending: Vec<_> = branches.into_iter().rev().map(|branch| (branch, level)).collect();
    while let Some((branch, level)) = pending.pop() {
        let page = source.page(branch.page)?;
        if !page.fits(&branch, level) {
            return Err(invalid("fork: a page below is not what it says"));
        }
        match page {
            Page::Leaf(leaf) => {
                if let (Some(last), Some(first)) = (entries.last(), leaf.first()) {
                    let last: &Entry = last;
                    if last.name >= first.name {
                        return Err(invalid("fork: its pages overlap"));
                    }
                }
                entries.extend(leaf);
            }
            Page::Fork { level, branches } => {
                pending.extend(branches.into_iter().rev().map(|branch| (branch, level)));
            }
        }
    }
    Ok(entries)
}

/// Finds one name in a directory, reading only the pages that lead to it.
pub fn find_entry(source: &dyn TreeSource, id: TreeId, name: &[u8]) -> Result<Option<Entry>> {
    let mut page = source.page(id)?;
    loop {
        match page {
            Page::Leaf(mut entries) => {
                let found = entries.binary_search_by(|entry| entry.name[..].cmp(name));
                return Ok(found.ok().map(|i| entries.swap_remove(i)));
            }
            Page::Fork { branches, level } => {
                let at = branches.partition_point(|branch| branch.last[..] < *name);
                let Some(branch) = branches.get(at) else { return Ok(None) };
                page = source.page(branch.page)?;
                if !page.fits(branch, level) {
                    let source = DecodeError::Invalid("fork: a page below is not what it says");
                    return Err(Error::Invalid { kind: Kind::Tree, id: id.0, source });
                }
            }
        }
    }
}

/// Finds what lies at a path below a directory; `None` for the root itself too.
pub fn find_path(source: &dyn TreeSource, root: TreeId, path: &TreePath) -> Result<Option<Entry>> {
    let mut tree = root;
    let mut found = None;
    for name in path.names() {
        if let Some(Entry { node: Node::Dir { tree: below, .. }, .. }) = &found {
            tree = *below;
        } else if found.is_some() {
            return Ok(None);
        }
        found = find_entry(source, tree, name)?;
        if found.is_none() {
            return Ok(None);
        }
    }
    Ok(found)
}
