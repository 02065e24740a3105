//! Hard links between the entries of one tree, where its policy keeps them.
//!
//! Then two things hold that otherwise need not: entries of one group share an
//! inode, of whatever kind they are; and equal files of different groups, or of
//! none, do not, though the pool could serve them with one. Each of those gets
//! a pool file of its own number.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::id::BlobId;
use crate::object::Metadata;
use crate::path::TreePath;

/// The inodes made so far in one tree.
#[derive(Default)]
pub(super) struct ExactLinks {
    groups: Mutex<HashMap<u64, TreePath>>,
    instances: Mutex<HashMap<(BlobId, Metadata), u32>>,
}

impl ExactLinks {
    /// Makes an entry of a group: as a further name of the first, if there is
    /// one, else by `make`. Groups are made one at a time.
    pub fn in_group<E>(
        &self,
        group: u64,
        path: &TreePath,
        link_to: impl FnOnce(&TreePath) -> Result<(), E>,
        make: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut groups = self.groups.lock().expect("no holder of this lock panics");
        if let Some(first) = groups.get(&group) {
            return link_to(first);
        }
        make()?;
        groups.insert(group, path.clone());
        Ok(())
    }

    /// How many files of this content and metadata were made before as inodes of
    /// their own.
    pub fn next_instance(&self, blob: BlobId, metadata: &Metadata) -> u32 {
        let key = (blob, Metadata { link: None, ..metadata.clone() });
        let mut instances = self.instances.lock().expect("no holder of this lock panics");
        let next = instances.entry(key).or_insert(0);
        *next += 1;
        *next - 1
    }

    /// Tells that a member of a group stands at this path already.
    pub fn stands(&self, group: u64, path: TreePath) {
        self.groups.lock().expect("no holder of this lock panics").entry(group).or_insert(path);
    }
}
