//! Files that are where they were not: removed in one place and added in another
//! with the same id. Exact, so it needs no threshold and no comparison of
//! contents; empty files are left out, for they all are the same.

use std::collections::HashMap;

use super::Change;
use crate::id::BlobId;
use crate::object::{Entry, Node};
use crate::path::TreePath;

/// One file that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where it was, and as what.
    pub from: TreePath,
    /// Where it is, and as what.
    pub to: TreePath,
    /// Its entry where it is now.
    pub entry: Entry,
}

/// Takes pairs of a removal and an addition of the same content out of `changes`.
/// Of several candidates, one with the same file name is preferred, then the
/// first.
pub fn find_moves(changes: &mut Vec<Change>) -> Vec<Move> {
    let mut removed: HashMap<BlobId, Vec<usize>> = HashMap::new();
    for (i, change) in changes.iter().enumerate() {
        if let (Some(blob), None) = (content(&change.old), &change.new) {
            removed.entry(blob).or_default().push(i);
        }
    }
    let mut moves = Vec::new();
    let mut gone = vec![false; changes.len()];
    for i in 0..changes.len() {
        let (None, Some(blob)) = (&changes[i].old, content(&changes[i].new)) else { continue };
        let Some(candidates) = removed.get_mut(&blob).filter(|c| !c.is_empty()) else { continue };
        let name = changes[i].path.file_name();
        let best = candidates.iter().position(|&c| changes[c].path.file_name() == name).unwrap_or(0);
        let from = candidates.remove(best);
        (gone[from], gone[i]) = (true, true);
        let entry = changes[i].new.clone().expect("content was found in it");
        moves.push(Move { from: changes[from].path.clone(), to: changes[i].path.clone(), entry });
    }
    let mut index = 0;
    changes.retain(|_| {
        index += 1;
        !gone[index - 1]
    });
    moves
}

fn content(entry: &Option<Entry>) -> Option<BlobId> {
    match entry.as_ref()?.node {
        Node::File { blob, size } if size > 0 => Some(blob),
        _ => None,
    }
}
