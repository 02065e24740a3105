//! The transaction through which objects enter.
//!
//! Objects are collected in a directory of their own below `incoming`, where
//! nobody looks. [`Batch::finish`] syncs their contents, gives them their names
//! (packs before the pool's files is as good as the other way round, for nothing
//! refers to them yet), and syncs the names. Only then may a ref move. Dropping a
//! batch unfinished removes what it staged; after a crash the next batch does,
//! for a staging directory is alive only while its lock is held.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::adopt::{Adoptions, Candidate};
use super::pack::{Class, FinishedPack, MAX_DELTA_DEPTH, PackWriter};
use super::pool::{Key, agrees};
use super::{Error, Odb, Result, TreeSource, WriteLock};
use crate::compress::DEFAULT_LEVEL;
use crate::disk::durable::{DIR_MODE, Lock, LockMode, SYNCFS_FROM, sync};
use crate::disk::meta::write_xattr;
use crate::disk::{self, Dir, Stat, Time, place};
use crate::id::{BlobId, CommitId, Hasher, Kind, ObjectId, TreeId, hash_bytes};
use crate::monitor::Monitor;
use crate::object::{Commit, Metadata};
use crate::path::TreePath;

/// A pack is closed and the next begun at about this length.
const PACK_LEN: u64 = 1 << 30;
/// How often a staging directory may be swept away by others before it is ours.
const STAGING_ATTEMPTS: u32 = 16;

/// What a batch has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchStats {
    /// Blobs that were new.
    pub new_blobs: u64,
    /// Trees that were new.
    pub new_trees: u64,
    /// Content bytes that were hashed.
    pub bytes_hashed: u64,
    /// Bytes that the repository grew by; linked files count nothing.
    pub bytes_stored: u64,
}

/// Objects on their way into the database.
pub struct Batch<'a> {
    odb: &'a Odb,
    staging: Option<Staging>,
    tree: Option<&'a Dir>,
    content: Mutex<Vec<PackWriter>>,
    structure: Mutex<Vec<PackWriter>>,
    /// Blobs and trees that were new, so that each is stored once.
    new_blobs: Mutex<HashSet<ObjectId>>,
    new_trees: Mutex<HashSet<ObjectId>>,
    /// The bytes of new trees, where nothing is stored.
    dry_trees: Mutex<HashMap<ObjectId, Arc<[u8]>>>,
    files: Mutex<Vec<StagedFile>>,
    links: Adoptions,
    next_name: AtomicU64,
    bytes_hashed: AtomicU64,
    bytes_stored: AtomicU64,
}

/// A directory in which objects wait for their names; alive while it is locked.
pub(super) struct Staging {
    pub dir: Dir,
    incoming: Dir,
    name: Vec<u8>,
    _lock: Lock,
}

struct StagedFile {
    name: Vec<u8>,
    blob: BlobId,
    size: u64,
}

/// A file of a tree that is to be stored.
pub struct Ingest<'f> {
    /// The directory it lies in, and where that lies in the tree.
    pub dir: &'f Dir,
    /// Path of that directory in the tree.
    pub at: &'f Arc<TreePath>,
    /// Its name.
    pub name: &'f [u8],
    /// The open file, at its beginning.
    pub file: &'f File,
    /// What the file system says of it.
    pub stat: &'f Stat,
    /// The metadata its entry will have.
    pub metadata: &'f Metadata,
    /// Whether the pool may link the file itself.
    pub link: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn begin(odb: &'a Odb, _lock: &'a WriteLock, tree: Option<&'a Dir>) -> Result<Batch<'a>> {
        let incoming = odb.root.ensure_dir(b"incoming", DIR_MODE)?;
        sweep(&incoming)?;
        let mut batch = Batch::dry(odb);
        batch.staging = Some(Staging::create(incoming)?);
        // What lies elsewhere as a whole is stored as if nobody had asked for links.
        let device = odb.pool.dir().stat_self()?.dev;
        batch.tree = match tree {
            Some(tree) if tree.stat_self()?.dev == device => Some(tree),
            _ => None,
        };
        Ok(batch)
    }

    pub(super) fn dry(odb: &'a Odb) -> Batch<'a> {
        Batch {
            odb,
            staging: None,
            tree: None,
            content: Mutex::default(),
            structure: Mutex::default(),
            new_blobs: Mutex::default(),
            new_trees: Mutex::default(),
            dry_trees: Mutex::default(),
            files: Mutex::default(),
            links: Adoptions::default(),
            next_name: AtomicU64::new(0),
            bytes_hashed: AtomicU64::new(0),
            bytes_stored: AtomicU64::new(0),
        }
    }

    /// Whether nothing is stored, only learned.
    pub fn is_dry(&self) -> bool {
        self.staging.is_none()
    }

    /// The database it adds to.
    pub fn odb(&self) -> &'a Odb {
        self.odb
    }

    /// What was stored so far.
    pub fn stats(&self) -> BatchStats {
        BatchStats {
            new_blobs: self.new_blobs.lock().expect("no holder of this lock panics").len() as u64,
            new_trees: self.new_trees.lock().expect("no holder of this lock panics").len() as u64,
            bytes_hashed: self.bytes_hashed.load(Ordering::Relaxed),
            bytes_stored: self.bytes_stored.load(Ordering::Relaxed),
        }
    }

    /// Stores the content of a file; returns its id and length. Reads until the
    /// end, so a file that grew or shrank meanwhile is stored as it was read: it
    /// is for the caller to look again whether it stayed the same.
    pub fn add_file(&self, ingest: &Ingest<'_>) -> Result<(BlobId, u64)> {
        if ingest.link && self.tree.is_some() && ingest.stat.size > 0 {
            return self.link_to_pool(ingest);
        }
        if ingest.stat.size < self.odb.pool_threshold {
            return self.add_small_file(ingest);
        }
        match &self.staging {
            Some(staging) => self.copy_to_pool(staging, ingest),
            None => self.link_to_pool(ingest),
        }
    }

    fn add_small_file(&self, ingest: &Ingest<'_>) -> Result<(BlobId, u64)> {
        thread_local! {
            static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            // One byte more than expected: a file that grew is seen without a
            // second read for those that did not.
            let most = self.odb.pool_threshold + 1;
            buffer.reserve(usize::try_from(most.min(ingest.stat.size + 1)).unwrap_or_default());
            ingest.file.take(most).read_to_end(buffer).map_err(|e| read_error(ingest, e))?;
            if buffer.len() as u64 == most {
                return Err(unstable(ingest));
            }
            self.add_blob(buffer).map(|id| (id, buffer.len() as u64))
        })
    }

    /// Stores a blob that lies in memory.
    pub fn add_blob(&self, bytes: &[u8]) -> Result<BlobId> {
        let id = BlobId(hash_bytes(bytes));
        self.bytes_hashed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if bytes.is_empty() || !self.claim_blob(&id, bytes.len() as u64)? {
            return Ok(id);
        }
        if let Some(staging) = &self.staging {
            let object = super::pack::Packed::whole(bytes, DEFAULT_LEVEL);
            self.add_packed(staging, &self.content, Kind::Blob, id.0, &object)?;
        }
        Ok(id)
    }

    /// Whether this caller is the first to bring the blob, here and in the
    /// database. It then has to store it. A file of the pool that has another
    /// length is damaged, and is as good as none.
    fn claim_blob(&self, id: &BlobId, size: u64) -> Result<bool> {
        if self.new_blobs.lock().expect("no holder of this lock panics").contains(&id.0)
            || self.odb.blob_len(*id)? == Some(size)
        {
            return Ok(false);
        }
        Ok(self.new_blobs.lock().expect("no holder of this lock panics").insert(id.0))
    }

    fn copy_to_pool(&self, staging: &Staging, ingest: &Ingest<'_>) -> Result<(BlobId, u64)> {
        let name = self.fresh_name();
        let path = staging.dir.path_of(&name);
        let staged = staging.dir.create(&name, 0o600)?;
        let mut hasher = Hasher::new();
        let source = ingest.dir.path_of(ingest.name);
        let size = if place::reflink(ingest.file, &staged, &path)? {
            hash_file(&staged, u64::MAX, &mut hasher).map_err(|e| disk::Error::new("read", &path, e))?
        } else {
            let sparse = ingest.stat.allocated < ingest.stat.size;
            let update = |bytes: &[u8]| hasher.update(bytes);
            place::copy(ingest.file, &source, &staged, &path, ingest.stat.size, sparse, update)?
        };
        let id = BlobId(hasher.finish());
        self.bytes_hashed.fetch_add(size, Ordering::Relaxed);
        if size != ingest.stat.size {
            staging.dir.remove_file(&name)?;
            return Err(unstable(ingest));
        }
        if !self.claim_blob(&id, size)? {
            staging.dir.remove_file(&name)?;
            return Ok((id, size));
        }
        let metadata = ingest.metadata;
        place::set_file_meta(&staged, &path, None, metadata.owner, None)?;
        for xattr in &metadata.xattrs {
            write_xattr(&staging.dir, Some(&name), xattr)?;
        }
        place::set_file_meta(&staged, &path, Some(metadata.mode.unwrap_or(0o644)), None, metadata.mtime)?;
        self.bytes_stored.fetch_add(ingest.stat.allocated.min(size), Ordering::Relaxed);
        self.files.lock().expect("no holder of this lock panics").push(StagedFile { name, blob: id, size });
        Ok((id, size))
    }

    /// Hashes a file that the pool will link, or that is not stored at all.
    fn link_to_pool(&self, ingest: &Ingest<'_>) -> Result<(BlobId, u64)> {
        let mut hasher = Hasher::new();
        let size = hash_file(ingest.file, ingest.stat.size, &mut hasher).map_err(|e| read_error(ingest, e))?;
        let id = BlobId(hasher.finish());
        self.bytes_hashed.fetch_add(size, Ordering::Relaxed);
        if size != ingest.stat.size {
            return Err(unstable(ingest));
        }
        let is_new = self.claim_blob(&id, size)?;
        if self.is_dry() {
            return Ok((id, size));
        }
        // A file whose content is known serves as the twin for its own metadata, so
        // that a checkout of this tree has nothing left to write.
        let twin = Key::twin(id, ingest.metadata, 0);
        let mut pending = self.links.shard(&id.0);
        if is_new || !self.is_served(&pending, &twin, ingest)? {
            let key = if is_new { Key::plain(id) } else { twin };
            let candidate = Candidate::new(ingest.at, ingest.name, ingest.stat, twin.fingerprint);
            let is_full = self.links.insert(&mut pending, key, candidate);
            drop(pending);
            if is_full {
                self.make_links(&crate::monitor::Silent)?;
            }
        }
        Ok((id, size))
    }

    /// Whether the pool has, or will have, a file of this content and metadata.
    fn is_served(&self, pending: &HashMap<Key, Candidate>, twin: &Key, ingest: &Ingest<'_>) -> Result<bool> {
        let shard = self.odb.pool.shard(twin.blob.as_bytes()[0])?;
        for key in [Key::plain(twin.blob), *twin] {
            if pending.get(&key).is_some_and(|candidate| candidate.fingerprint == twin.fingerprint) {
                return Ok(true);
            }
            let name = key.name();
            if let Some(shard) = shard
                && let Some(stat) = shard.find(&name)?
            {
                let wanted = ingest.metadata;
                if agrees(shard, &name, &stat, ingest.stat.size, wanted, !wanted.xattrs.is_empty())? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Links the files collected so far into the pool.
    fn make_links(&self, monitor: &dyn Monitor) -> Result<()> {
        let Some(tree) = self.tree.filter(|_| !self.links.is_empty()) else { return Ok(()) };
        match self.links.link_all(tree, &self.odb.pool, true, monitor)?.first() {
            Some((_, candidate)) => Err(Error::Unstable(candidate.dir.join(&candidate.name).to_string())),
            None => Ok(()),
        }
    }

    /// Stores one page of a directory, given its canonical bytes. `base` is the
    /// same page as it was before, if there was one.
    pub fn add_tree(&self, id: TreeId, bytes: &[u8], base: Option<TreeId>) -> Result<()> {
        if self.odb.contains(Kind::Tree, &id.0)?
            || !self.new_trees.lock().expect("no holder of this lock panics").insert(id.0)
        {
            return Ok(());
        }
        let Some(staging) = &self.staging else {
            self.dry_trees.lock().expect("no holder of this lock panics").insert(id.0, bytes.into());
            return Ok(());
        };
        let object = match base.filter(|base| *base != id) {
            Some(base) => match self.odb.delta_depth(Kind::Tree, &base.0)? {
                Some(depth) if depth < MAX_DELTA_DEPTH => {
                    let base_bytes = self.odb.get(Kind::Tree, &base.0)?;
                    super::pack::Packed::delta(bytes, base.0, &base_bytes, depth + 1, DEFAULT_LEVEL)
                }
                _ => super::pack::Packed::whole(bytes, DEFAULT_LEVEL),
            },
            None => super::pack::Packed::whole(bytes, DEFAULT_LEVEL),
        };
        self.add_packed(staging, &self.structure, Kind::Tree, id.0, &object)
    }

    /// Stores a commit.
    pub fn add_commit(&self, commit: &Commit) -> Result<CommitId> {
        let bytes = commit.encode().map_err(|source| Error::Unstorable { what: "the commit".into(), source })?;
        let id = Commit::id_of(&bytes);
        if let Some(staging) = &self.staging
            && !self.odb.contains(Kind::Commit, &id.0)?
        {
            let object = super::pack::Packed::whole(&bytes, DEFAULT_LEVEL);
            self.add_packed(staging, &self.structure, Kind::Commit, id.0, &object)?;
        }
        Ok(id)
    }

    fn add_packed(
        &self,
        staging: &Staging,
        writers: &Mutex<Vec<PackWriter>>,
        kind: Kind,
        id: ObjectId,
        object: &super::pack::Packed,
    ) -> Result<()> {
        let mut writers = writers.lock().expect("no holder of this lock panics");
        if writers.last().is_none_or(|writer| writer.len() >= PACK_LEN) {
            writers.push(PackWriter::create(&staging.dir, &self.fresh_name(), Class::of(kind))?);
        }
        let writer = writers.last_mut().expect("there is one now");
        let stored = writer.add(&staging.dir, kind, id, object)?;
        self.bytes_stored.fetch_add(stored, Ordering::Relaxed);
        Ok(())
    }

    fn fresh_name(&self) -> Vec<u8> {
        format!("{:x}", self.next_name.fetch_add(1, Ordering::Relaxed)).into_bytes()
    }

    /// Makes everything durable and visible.
    pub fn finish(mut self, monitor: &dyn Monitor) -> Result<BatchStats> {
        let Some(staging) = self.staging.take() else { return Ok(self.stats()) };
        let take = |writers: &Mutex<Vec<PackWriter>>| {
            std::mem::take(&mut *writers.lock().expect("no holder of this lock panics"))
        };
        let mut packs = Vec::new();
        for writer in take(&self.content).into_iter().chain(take(&self.structure)) {
            monitor.check()?;
            packs.push(writer.finish(&staging.dir)?);
        }
        let files = std::mem::take(&mut *self.files.lock().expect("no holder of this lock panics"));
        let has_links = self.tree.is_some();
        let many = files.len() >= SYNCFS_FROM;
        if many {
            staging.dir.sync_file_system()?;
        }
        let mut shards = HashSet::new();
        for staged in &files {
            monitor.check()?;
            if !many {
                let (file, _) = staging.dir.open_file(&staged.name)?;
                sync(&file, &staging.dir.path_of(&staged.name))?;
            }
        }
        for staged in &files {
            self.publish_file(&staging, staged)?;
            shards.insert(staged.blob.as_bytes()[0]);
        }
        self.make_links(monitor)?;
        if many || has_links {
            self.odb.pool.dir().sync_file_system()?;
        } else if !shards.is_empty() {
            for first in shards {
                if let Some(shard) = self.odb.pool.shard(first)? {
                    shard.sync()?;
                }
            }
            self.odb.pool.dir().sync()?;
        }
        publish_packs(&self.odb.packs_dir, &staging, &packs)?;
        staging.remove();
        self.odb.reload()?;
        Ok(self.stats())
    }

    fn publish_file(&self, staging: &Staging, staged: &StagedFile) -> Result<()> {
        let shard = self.odb.pool.shard_for_writing(staged.blob.as_bytes()[0])?;
        let name = Key::plain(staged.blob).name();
        match shard.rename_new_from(&staging.dir, &staged.name, &name) {
            Ok(()) => Ok(()),
            Err(e) if e.is_exists() => {
                // Somebody else brought it meanwhile: the same bytes, unless that
                // file is damaged.
                if shard.stat(&name)?.size == staged.size {
                    return Ok(staging.dir.remove_file(&staged.name)?);
                }
                Ok(shard.rename_from(&staging.dir, &staged.name, &name)?)
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// Gives finished packs their names, durably.
pub(super) fn publish_packs(packs_dir: &Dir, staging: &Staging, packs: &[FinishedPack]) -> Result<()> {
    for pack in packs {
        // The pack before its index: what has no index is not looked at.
        for (staged, ending) in [(&pack.staged_pack, "pack"), (&pack.staged_index, "idx")] {
            let name = format!("{}.{ending}", pack.id);
            packs_dir.rename_from(&staging.dir, staged, name.as_bytes())?;
        }
    }
    if !packs.is_empty() {
        packs_dir.sync()?;
    }
    Ok(())
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take() {
            staging.remove();
        }
    }
}

impl TreeSource for Batch<'_> {
    fn tree_bytes(&self, id: TreeId) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self.dry_trees.lock().expect("no holder of this lock panics").get(&id.0) {
            return Ok(bytes.clone());
        }
        self.odb.tree_bytes(id)
    }
}

impl Staging {
    pub fn create(incoming: Dir) -> Result<Staging> {
        for attempt in 0..STAGING_ATTEMPTS {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let name = format!("{}-{:x}-{attempt}", std::process::id(), now.as_nanos()).into_bytes();
            incoming.make_dir(&name, 0o700)?;
            let dir = match incoming.open_dir(&name) {
                Err(e) if e.is_not_found() => continue,
                dir => dir?,
            };
            // A sweep may find the lock between its creation and its locking, and
            // take all of it away.
            let lock = match Lock::take(&dir, b"lock", LockMode::Exclusive, Duration::from_secs(1)) {
                Err(e) if e.is_not_found() => continue,
                lock => lock?,
            };
            let Some(lock) = lock else { continue };
            if dir.find(b"lock")?.is_some() {
                return Ok(Staging { dir, incoming, name, _lock: lock });
            }
        }
        Err(Error::Busy("another command that cleans up"))
    }

    pub fn remove(self) {
        // What cannot be removed now is swept by the next batch.
        let _ = self.incoming.remove_all(&self.name);
    }
}

/// Removes what dead processes have left in `incoming`.
pub(super) fn sweep(incoming: &Dir) -> Result<()> {
    for (name, _) in incoming.names()? {
        let Ok(dir) = incoming.open_dir(&name) else { continue };
        // Not locked yet, perhaps: its owner is between two system calls.
        let fresh = dir.stat_self()?.mtime.secs + 60 > Time::now().secs;
        if fresh && dir.find(b"lock")?.is_none() {
            continue;
        }
        let dead = match Lock::take(&dir, b"lock", LockMode::Exclusive, Duration::ZERO) {
            Ok(lock) => lock,
            Err(_) => continue,
        };
        if dead.is_some() {
            incoming.remove_all(&name)?;
        }
    }
    Ok(())
}

pub(super) fn hash_file(mut file: &File, most: u64, hasher: &mut Hasher) -> std::io::Result<u64> {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 256 << 10]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut length = 0;
        while length < most {
            let count = file.read(buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            length += count as u64;
        }
        Ok(length)
    })
}

fn read_error(ingest: &Ingest<'_>, e: std::io::Error) -> Error {
    disk::Error::new("read", ingest.dir.path_of(ingest.name), e).into()
}

fn unstable(ingest: &Ingest<'_>) -> Error {
    Error::Unstable(ingest.at.join(ingest.name).to_string())
}
