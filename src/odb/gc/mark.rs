//! Which objects must stay.

use std::collections::HashSet;

use super::super::reach::{Observer, Reach};
use super::super::{Error, Odb, Result};
use crate::id::{CommitId, Kind, ObjectId, TreeId};
use crate::monitor::Monitor;
use crate::object::{Node, Page};

/// The commits that keep objects.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// What refs name. All they need must be there.
    pub required: Vec<CommitId>,
    /// What is kept only to go back to; it may be gone already, in part or whole.
    pub optional: Vec<CommitId>,
}

/// All that is reached from some commits. It only grows.
pub(super) struct Mark<'o> {
    odb: &'o Odb,
    reach: Reach<'o>,
    blobs: HashSet<ObjectId>,
}

struct Blobs<'b> {
    blobs: &'b mut HashSet<ObjectId>,
    lenient: bool,
}

impl Observer for Blobs<'_> {
    fn page(&mut self, _id: TreeId, page: &Page) -> Result<()> {
        if let Page::Leaf(entries) = page {
            let files = entries.iter().filter_map(|entry| match &entry.node {
                Node::File { blob, .. } => Some(blob.0),
                _ => None,
            });
            self.blobs.extend(files);
        }
        Ok(())
    }

    fn broken(&mut self, _kind: Kind, _id: ObjectId, error: Error) -> Result<()> {
        match error {
            // Not known to be damage: it may be there tomorrow.
            Error::Disk(_) => Err(error),
            _ if self.lenient => Ok(()),
            _ => Err(error),
        }
    }
}

impl<'o> Mark<'o> {
    pub fn new(odb: &'o Odb) -> Mark<'o> {
        Mark { odb, reach: Reach::new(odb), blobs: HashSet::new() }
    }

    /// Marks what further commits need. Fails if a required one lacks anything
    /// that leads to other objects: then nobody knows what must stay.
    pub fn commits(&mut self, roots: &Roots, monitor: &dyn Monitor) -> Result<()> {
        for id in &roots.required {
            self.reach.add_commit(*id);
        }
        self.run(false, monitor)?;
        for id in &roots.optional {
            if self.odb.contains(Kind::Commit, &id.0)? {
                self.reach.add_commit(*id);
            }
        }
        self.run(true, monitor)
    }

    /// Marks what an object needs that is not deleted though nothing refers to it.
    pub fn leftover(&mut self, kind: Kind, id: ObjectId) {
        match kind {
            Kind::Commit => drop(self.reach.add_commit(CommitId(id))),
            Kind::Tree => drop(self.reach.add_tree(TreeId(id))),
            Kind::Blob => drop(self.blobs.insert(id)),
        }
    }

    /// Walks on from what was marked.
    pub fn run(&mut self, lenient: bool, monitor: &dyn Monitor) -> Result<()> {
        self.reach.run(&mut Blobs { blobs: &mut self.blobs, lenient }, monitor)
    }

    /// Whether this object must stay.
    pub fn has(&self, kind: Kind, id: &ObjectId) -> bool {
        match kind {
            Kind::Commit => self.reach.commits().contains(id),
            Kind::Tree => self.reach.trees().contains(id),
            Kind::Blob => self.blobs.contains(id),
        }
    }

    /// The first 8 bytes of the ids of all blobs, sorted, as indexes have them.
    pub fn blob_prefixes(&self) -> Vec<u64> {
        let mut prefixes: Vec<u64> = self.blobs.iter().map(prefix).collect();
        prefixes.sort_unstable();
        prefixes
    }
}

fn prefix(id: &ObjectId) -> u64 {
    u64::from_be_bytes(*id.as_bytes().first_chunk().expect("an id has 32 bytes"))
}
