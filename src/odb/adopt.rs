//! Files of a tree that become files of the pool, by a further hard link.
//!
//! Two things end here: a commit with links instead of copies, and the first
//! checkout of small blobs, which creates them in the tree. Nothing may have a
//! name in the pool before its contents are on disk, so links are collected, the
//! file system is synced once, and then the links are made. What a pending link
//! will be is known meanwhile, so that a second entry of the same content and
//! metadata can share the inode.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::Result;
use super::pool::{Key, Pool};
use crate::disk::durable::sync;
use crate::disk::{self, Dir, Stat, Time, place};
use crate::id::{Hasher, ObjectId};
use crate::monitor::Monitor;
use crate::path::TreePath;

const SHARDS: usize = 64;
/// So many links wait at most: what they are takes memory, and a sync for fewer
/// would cost more than it saves.
const MAX_PENDING: usize = 100_000;

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
    pending: AtomicUsize,
}

impl Default for Adoptions {
    fn default() -> Self {
        Adoptions { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), pending: AtomicUsize::new(0) }
    }
}

impl Adoptions {
    /// All pending links of blobs that fall together with this one, locked.
    pub fn shard(&self, id: &ObjectId) -> std::sync::MutexGuard<'_, HashMap<Key, Candidate>> {
        let shard = usize::from(id.as_bytes()[1]) % SHARDS;
        self.shards[shard].lock().expect("no holder of this lock panics")
    }

    /// Adds a link to the shard that its blob belongs to. True if so many are
    /// pending now that it is time to make them.
    pub fn insert(&self, shard: &mut HashMap<Key, Candidate>, key: Key, candidate: Candidate) -> bool {
        shard.insert(key, candidate);
        // Exactly one caller gets to see the number.
        self.pending.fetch_add(1, Ordering::Relaxed) + 1 == MAX_PENDING
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.pending.load(Ordering::Relaxed) == 0
    }

    /// Syncs the tree below `root` and links everything collected into the pool.
    /// Returns the candidates that are no longer what they were, which therefore
    /// have no place in the pool; a name that is taken is no such case. What the
    /// pool `must_have` it copies where it cannot link.
    pub fn link_all(
        &self,
        root: &Dir,
        pool: &Pool,
        must_have: bool,
        monitor: &dyn Monitor,
    ) -> Result<Vec<(Key, Candidate)>> {
        // Nobody adds to a shard until its links are made, or an entry of the same
        // content would find it neither here nor there.
        let mut shards: Vec<_> =
            self.shards.iter().map(|shard| shard.lock().expect("no holder of this lock panics")).collect();
        let mut links: Vec<(Key, Candidate)> = shards.iter_mut().flat_map(|shard| shard.drain()).collect();
        self.pending.store(0, Ordering::Relaxed);
        root.sync_file_system()?;
        links.sort_unstable_by(|a, b| (&a.1.dir, &a.1.name).cmp(&(&b.1.dir, &b.1.name)));
        let by_dir: Vec<_> = links.chunk_by(|a, b| a.1.dir == b.1.dir).collect();
        // Threads of its own: a worker of the common pool that waits here would
        // take up a task that waits for one of the shards.
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let share = by_dir.len().div_ceil(workers).max(1);
        std::thread::scope(|scope| {
            let run = |groups: &[&[(Key, Candidate)]]| -> Result<Vec<(Key, Candidate)>> {
                let mut changed = Vec::new();
                for links in groups {
                    monitor.check()?;
                    link_dir(root, pool, links, must_have, &mut changed)?;
                }
                Ok(changed)
            };
            let workers: Vec<_> = by_dir.chunks(share).map(|groups| scope.spawn(move || run(groups))).collect();
            let mut changed = Vec::new();
            for worker in workers {
                changed.extend(worker.join().expect("linking does not panic")?);
            }
            Ok(changed)
        })
    }
}

fn link_dir(
    root: &Dir,
    pool: &Pool,
    links: &[(Key, Candidate)],
    must_have: bool,
    changed: &mut Vec<(Key, Candidate)>,
) -> Result<()> {
    let Some((_, first)) = links.first() else { return Ok(()) };
    let dir = match root.open_below(&first.dir) {
        Ok(dir) => dir,
        Err(e) if e.is_vanished() => {
            changed.extend_from_slice(links);
            return Ok(());
        }
        Err(e) => return Err(e.into()),
    };
    for (key, candidate) in links {
        if !link(&dir, pool, key, candidate, must_have)? {
            changed.push((*key, candidate.clone()));
        }
    }
    Ok(())
}

fn link(dir: &Dir, pool: &Pool, key: &Key, candidate: &Candidate, must_have: bool) -> Result<bool> {
    let shard = pool.shard_for_writing(key.blob.as_bytes()[0])?;
    let name = key.name();
    match shard.link_from(dir, &candidate.name, &name) {
        Ok(()) => {}
        Err(e) if e.is_exists() => {
            if shard.stat(&name)?.size == candidate.size {
                return Ok(true);
            }
            // Another length than the blob has: damaged, and here is a whole one.
            shard.remove_file(&name)?;
            shard.link_from(dir, &candidate.name, &name)?;
        }
        Err(e) if (is_link_refused(&e) || e.is(Errno::MLINK)) && must_have => {
            return copy(dir, shard, key, &name, candidate);
        }
        Err(e) if e.is_vanished() || e.is(Errno::MLINK) => return Ok(false),
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

/// Brings in by copy what cannot be linked: it lies on another file system, or
/// has as many names as its own allows.
fn copy(dir: &Dir, shard: &Dir, key: &Key, name: &[u8], candidate: &Candidate) -> Result<bool> {
    let (source, stat) = match dir.open_file(&candidate.name) {
        Ok(opened) => opened,
        Err(e) if e.is_vanished() => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    let staged = [name, format!(".new-{}", std::process::id()).as_bytes()].concat();
    if shard.find(&staged)?.is_some() {
        shard.remove_file(&staged)?;
    }
    let file = shard.create(&staged, 0o600)?;
    let path = shard.path_of(&staged);
    let mut hasher = Hasher::new();
    let sparse = stat.allocated < stat.size;
    let from = dir.path_of(&candidate.name);
    let size = place::copy(&source, &from, &file, &path, stat.size, sparse, |bytes| hasher.update(bytes))?;
    if size != candidate.size || hasher.finish() != key.blob.0 {
        shard.remove_file(&staged)?;
        return Ok(false);
    }
    place::set_file_meta(&file, &path, Some(stat.mode), None, Some(stat.mtime))?;
    sync(&file, &path)?;
    shard.rename_from(shard, &staged, name)?;
    Ok(true)
}

/// Whether hard links cannot be had here, whatever the file.
pub(super) fn is_link_refused(e: &disk::Error) -> bool {
    e.is(Errno::XDEV) || e.is(Errno::PERM) || e.is(Errno::OPNOTSUPP) || e.is(Errno::NOSYS)
}
