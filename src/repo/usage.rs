//! What a commit holds, and what would be free without it.

use std::collections::HashSet;

use super::{Repository, Result};
use crate::id::{BlobId, CommitId, Kind, ObjectId, TreeId};
use crate::monitor::Monitor;
use crate::object::{Node, Page};
use crate::odb::reach::{Observer, Reach};
use crate::odb::{self, Stored};

/// What only one commit needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// Different contents.
    pub blobs: u64,
    /// Pages of directories.
    pub trees: u64,
    /// Length of the contents.
    pub bytes: u64,
    /// Bytes they take up in the repository, directories included.
    pub stored: u64,
}

#[derive(Default)]
struct Found {
    blobs: HashSet<ObjectId>,
    sizes: Vec<(BlobId, u64)>,
    trees: Vec<TreeId>,
}

impl Observer for Found {
    fn page(&mut self, id: TreeId, page: &Page) -> odb::Result<()> {
        self.trees.push(id);
        if let Page::Leaf(entries) = page {
            for entry in entries {
                if let Node::File { blob, size } = entry.node
                    && self.blobs.insert(blob.0)
                {
                    self.sizes.push((blob, size));
                }
            }
        }
        Ok(())
    }

    fn broken(&mut self, _kind: Kind, _id: ObjectId, error: odb::Error) -> odb::Result<()> {
        Err(error)
    }
}

/// Remembers only what there is.
struct Others(HashSet<ObjectId>);

impl Observer for Others {
    fn page(&mut self, _id: TreeId, page: &Page) -> odb::Result<()> {
        if let Page::Leaf(entries) = page {
            self.0.extend(entries.iter().filter_map(|entry| match &entry.node {
                Node::File { blob, .. } => Some(blob.0),
                _ => None,
            }));
        }
        Ok(())
    }

    fn broken(&mut self, _kind: Kind, _id: ObjectId, error: odb::Error) -> odb::Result<()> {
        Err(error)
    }
}

impl Repository {
    /// What only `commit` needs, of what lies below its directory `tree`: no
    /// other commit that a ref leads to, those before and after it included.
    pub fn alone(&self, commit: CommitId, tree: TreeId, monitor: &dyn Monitor) -> Result<Alone> {
        monitor.begin("looking at other commits", None);
        let mut reach = Reach::new(&self.odb).without_tree_of(commit);
        reach.add_commit(commit);
        for (_, id) in self.refs.read()?.iter() {
            reach.add_commit(id);
        }
        let mut others = Others(HashSet::new());
        reach.run(&mut others, monitor)?;
        let mut found = Found { blobs: others.0, ..Found::default() };
        reach.add_tree(tree);
        reach.run(&mut found, monitor)?;
        let mut alone = Alone { trees: found.trees.len() as u64, ..Alone::default() };
        for id in &found.trees {
            alone.stored += self.odb.stored(Kind::Tree, &id.0)?.map_or(0, Stored::bytes);
        }
        for (id, size) in &found.sizes {
            alone.blobs += 1;
            alone.bytes += size;
            alone.stored += self.odb.stored(Kind::Blob, &id.0)?.map_or(0, Stored::bytes);
        }
        monitor.end();
        Ok(alone)
    }
}
