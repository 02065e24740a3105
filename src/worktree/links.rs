//! Which names of a directory tree are names of one inode.
//!
//! A group is named by the first eight bytes of the SHA-256 of its first path, so
//! that the same tree gives the same bytes wherever it lies and however often it
//! was copied. Finding the first path needs a look at the whole tree before any
//! of it is stored, which only policies that keep hard links pay for.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Result, Select};
use crate::disk::{Dir, FileKind, Stat};
use crate::id::hash_bytes;
use crate::monitor::Monitor;
use crate::path::TreePath;

type Inode = ((u32, u32), u64);

/// The inodes with several names in one tree.
#[derive(Debug, Default)]
pub(super) struct LinkGroups(HashMap<Inode, u64>);

impl LinkGroups {
    /// Looks through the whole tree.
    pub fn find(
        root: &Dir,
        select: &Select,
        skip: &dyn Fn(&Stat) -> bool,
        monitor: &dyn Monitor,
    ) -> Result<LinkGroups> {
        let mut first_paths: HashMap<Inode, (TreePath, u32)> = HashMap::new();
        let mut pending = vec![(Arc::new(root.try_clone()?), TreePath::root())];
        while let Some((dir, at)) = pending.pop() {
            monitor.check()?;
            for (name, kind) in dir.names()? {
                if select.excludes(&at, &name, kind == Some(FileKind::Dir)) {
                    continue;
                }
                let Some(stat) = dir.find(&name)? else { continue };
                if stat.kind == FileKind::Dir {
                    if !skip(&stat)
                        && let Ok(below) = dir.open_dir(&name)
                    {
                        pending.push((Arc::new(below), at.join(&name)));
                    }
                } else if stat.nlink > 1 {
                    let path = at.join(&name);
                    let known = first_paths.entry(stat.inode()).or_insert_with(|| (path.clone(), 0));
                    known.1 += 1;
                    if path < known.0 {
                        known.0 = path;
                    }
                }
            }
        }
        let groups = first_paths.into_iter().filter(|(_, (_, names))| *names > 1);
        Ok(LinkGroups(groups.map(|(inode, (path, _))| (inode, group_of(&path))).collect()))
    }

    /// The group that an entry belongs to.
    pub fn of(&self, stat: &Stat) -> Option<u64> {
        if stat.nlink > 1 { self.0.get(&stat.inode()).copied() } else { None }
    }
}

fn group_of(first_path: &TreePath) -> u64 {
    let digest = hash_bytes(first_path.as_bytes());
    u64::from_be_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}
