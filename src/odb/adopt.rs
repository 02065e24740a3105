//! Files of a tree that become files of the pool, by a further hard link.
//!
//! Two things end here: a commit with links instead of copies, and the first
//! checkout of small blobs, which creates them in the tree. Nothing may have a
//! name in the pool before its contents are on disk, so links are collected, the
//! file system is synced once, and then the links are made. What a pending link
//! will be is known meanwhile, so that a second entry of the same content and
//! metadata can share the inode.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::Result;
use super::pool::{Key, Pool};
use crate::disk::{Dir, Stat, Time};
use crate::id::ObjectId;
use crate::monitor::Monitor;
use crate::path::TreePath;

const SHARDS: usize = 64;

/// A file below the root of a tree that is to get a name in the pool.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub dir: Arc<TreePath>,
    pub name: Box<[u8]>,
    pub ino: u64,
    pub size: u64,
    pub mtime: Time,
    /// Of the metadata the file has.
    pub fingerprint: Option<u64>,
}

impl Candidate {
    pub fn new(dir: &Arc<TreePath>, name: &[u8], stat: &Stat, fingerprint: Option<u64>) -> Candidate {
        let (ino, size, mtime) = (stat.ino, stat.size, stat.mtime);
        Candidate { dir: dir.clone(), name: name.into(), ino, size, mtime, fingerprint }
    }
}

/// The links to be made into one pool.
pub(super) struct Adoptions {
    shards: Box<[Mutex<HashMap<Key, Candidate>>]>,
}

impl Default for Adoptions {
    fn default() -> Self {
        Adoptions { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Adoptions {
    /// All pending links of blobs that fall together with this one, locked.
    pub fn shard(&self, id: &ObjectId) -> std::sync::MutexGuard<'_, HashMap<Key, Candidate>> {
        let shard = usize::from(id.as_bytes()[1]) % SHARDS;
        self.shards[shard].lock().expect("no holder of this lock panics")
    }

    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().expect("no holder of this lock panics").is_empty())
    }

    /// Links everything collected into the pool. The caller has synced the
    /// contents. Returns the candidates that are no longer what they were, which
    /// therefore have no place in the pool; a name that is taken is no such case.
    pub fn link_all(&self, root: &Dir, pool: &Pool, monitor: &dyn Monitor) -> Result<Vec<(Key, Candidate)>> {
        let mut links: Vec<(Key, Candidate)> = Vec::new();
        for shard in &self.shards {
            links.extend(shard.lock().expect("no holder of this lock panics").drain());
        }
        links.par_sort_unstable_by(|a, b| (&a.1.dir, &a.1.name).cmp(&(&b.1.dir, &b.1.name)));
        let by_dir: Vec<_> = links.chunk_by(|a, b| a.1.dir == b.1.dir).collect();
        let changed: Result<Vec<_>> = by_dir
            .par_iter()
            .map(|links| {
                let dir = root.open_below(&links[0].1.dir)?;
                let mut changed = Vec::new();
                for (key, candidate) in *links {
                    monitor.check()?;
                    if !link(&dir, pool, key, candidate)? {
                        changed.push((*key, candidate.clone()));
                    }
                }
                Ok(changed)
            })
            .collect();
        Ok(changed?.concat())
    }
}

fn link(dir: &Dir, pool: &Pool, key: &Key, candidate: &Candidate) -> Result<bool> {
    let shard = pool.shard_for_writing(key.blob.as_bytes()[0])?;
    let name = key.name();
    match shard.link_from(dir, &candidate.name, &name) {
        Ok(()) => {}
        Err(e) if e.is_exists() => return Ok(true),
        Err(e) if e.is_vanished() => return Ok(false),
        Err(e) => return Err(e.into()),
    }
    let stat = shard.stat(&name)?;
    if stat.ino == candidate.ino && stat.size == candidate.size && stat.mtime == candidate.mtime {
        return Ok(true);
    }
    // Replaced by somebody since: not the file that was hashed.
    shard.remove_file(&name)?;
    Ok(false)
}
