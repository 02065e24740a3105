//! Objects at rest: one database, two sources, one way in.
//!
//! - The [`pool`](Pool) holds large blobs, and small ones that a checkout links, as plain
//!   files that `sha256sum` can audit.
//! - [`pack`]s hold trees, commits and small blobs, compressed.
//! - A [`Batch`] is the transaction through which objects enter.
//!
//! The promise: an object that is handed out has the id it was asked for by,
//! whatever happened to the disk; having an object means having everything it
//! refers to; and what [`Batch::finish`] has returned for survives a power cut.
//! It holds because every object is hashed when it is read, because a batch is
//! invisible until all of it is synced, and because it is published children
//! first. Files are written once and never changed; readers take no lock.
//!
//! Every lookup is by kind and id: a file may hold the very bytes of a tree.

mod adopt;
mod batch;
pub mod checksums;
pub mod fsck;
pub mod gc;
pub mod pack;
mod place;
mod pool;
pub mod reach;
pub mod tree;

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

pub use batch::{Batch, BatchStats, Ingest};
pub use place::{FileSpec, Placement, Placer, Placing};
pub use pool::Pool;

use self::pack::{Pack, ReadError};
use crate::compress;
use crate::disk::durable::{DIR_MODE, Lock, LockMode};
use crate::disk::{self, Dir};
use crate::id::{BlobId, CommitId, Kind, ObjectId, TreeId, hash_bytes};
use crate::object::{Commit, DecodeError, Page};

/// Blobs of at least so many bytes lie in the pool as they are.
pub const DEFAULT_POOL_THRESHOLD: u64 = 32 << 10;
/// Bytes of decoded trees that are kept at hand.
const TREE_CACHE_LEN: usize = 16 << 20;

/// The result of reading or writing objects.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an object could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The object is not in the database.
    #[error("{kind} {id} is missing")]
    Missing {
        /// Kind of the object.
        kind: Kind,
        /// Its id.
        id: ObjectId,
    },
    /// Every copy of the object is damaged.
    #[error("{kind} {id} is damaged in '{place}': {why}")]
    Corrupt {
        /// Kind of the object.
        kind: Kind,
        /// Its id.
        id: ObjectId,
        /// The file that holds the last copy tried.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The object has the right bytes, and they are no valid object of its kind.
    #[error("{kind} {id} {source}")]
    Invalid {
        /// Kind of the object.
        kind: Kind,
        /// Its id.
        id: ObjectId,
        /// Why it is not valid.
        source: DecodeError,
    },
    /// A file of the database is damaged.
    #[error("'{path}' {source}")]
    DamagedFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: DamagedFile,
    },
    /// A value cannot become an object.
    #[error("cannot store {what}: it {source}")]
    Unstorable {
        /// What was to be stored.
        what: String,
        /// The limit it exceeds, or what else is wrong with it.
        source: DecodeError,
    },
    /// A file changed while it was read.
    #[error("'{0}' changes while it is read")]
    Unstable(String),
    /// A hard link was demanded and could not be had.
    #[error("cannot hard-link '{path}' out of the pool: {why}")]
    NoLink {
        /// The file to be.
        path: String,
        /// What stands against it.
        why: String,
    },
    /// Somebody else holds the lock.
    #[error("the repository is locked by {0}")]
    Busy(&'static str),
    /// The caller wanted to stop.
    #[error(transparent)]
    Interrupted(#[from] crate::monitor::Interrupted),
}

/// A pack or an index is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedFile {
    /// Not such a file at all.
    #[error("is no {0}")]
    NotA(&'static str),
    /// Written by a newer chasm.
    #[error("is of format version {0}, newer than this program")]
    TooNew(u8),
    /// Its parts contradict each other.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// Its bytes are not those that were written.
    #[error("does not have the checksum it was written with")]
    Checksum,
    /// A compressed record cannot be undone.
    #[error(transparent)]
    Frame(#[from] compress::Error),
}

/// Proof that its holder may write: taken together with other writers, and kept
/// until the refs have moved, so that nothing is deleted in between.
#[derive(Debug)]
pub struct WriteLock(#[allow(dead_code, reason = "held, never read")] Lock);

/// Proof that nobody else writes.
#[derive(Debug)]
pub struct DeleteLock(#[allow(dead_code, reason = "held, never read")] Lock);

/// The object database of one repository.
pub struct Odb {
    root: Dir,
    packs_dir: Dir,
    packs: RwLock<Arc<Vec<Arc<Pack>>>>,
    damaged_packs: Mutex<Vec<(String, DamagedFile)>>,
    pool: Pool,
    trees: Mutex<TreeCache>,
    pool_threshold: u64,
}

impl Odb {
    /// Makes the directories of a new database in `root`.
    pub fn create(root: &Dir) -> Result<()> {
        for name in [&b"pool"[..], b"packs", b"incoming", b"cache"] {
            root.ensure_dir(name, DIR_MODE)?;
        }
        Ok(())
    }

    /// Opens the database in `root`.
    pub fn open(root: &Dir, pool_threshold: u64) -> Result<Odb> {
        let odb = Odb {
            root: root.try_clone()?,
            packs_dir: root.open_dir(b"packs")?,
            packs: RwLock::default(),
            damaged_packs: Mutex::default(),
            pool: Pool::open(root)?,
            trees: Mutex::default(),
            pool_threshold,
        };
        odb.reload()?;
        Ok(odb)
    }

    /// Looks for packs that were added or removed since. A pack that cannot be
    /// opened is passed over: what it holds may lie elsewhere as well, and is
    /// reported missing otherwise.
    pub fn reload(&self) -> Result<()> {
        let present = self.packs();
        let mut packs = Vec::new();
        let mut damaged = Vec::new();
        for (name, _) in self.packs_dir.names()? {
            let Some(id) = name.strip_suffix(b".idx").and_then(|hex| ObjectId::from_hex(hex).ok()) else { continue };
            if let Some(pack) = present.iter().find(|pack| pack.id() == id) {
                packs.push(pack.clone());
                continue;
            }
            match Pack::open(&self.packs_dir, id) {
                Ok(pack) => packs.push(Arc::new(pack)),
                // Replaced by another between listing and opening.
                Err(ReadError::Disk(e)) if e.is_not_found() => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
                Err(ReadError::Damaged(e)) => damaged.push((format!("packs/{id}.pack"), e)),
            }
        }
        // Larger packs first: they answer most questions.
        packs.sort_by_key(|pack| std::cmp::Reverse((pack.index().count(), pack.id())));
        *self.packs.write().expect("no holder of this lock panics") = Arc::new(packs);
        *self.damaged_packs.lock().expect("no holder of this lock panics") = damaged;
        Ok(())
    }

    /// The packs, as of the last look.
    pub fn packs(&self) -> Arc<Vec<Arc<Pack>>> {
        self.packs.read().expect("no holder of this lock panics").clone()
    }

    /// Packs that could not be opened at the last look, and why.
    pub fn damaged_packs(&self) -> Vec<(String, DamagedFile)> {
        self.damaged_packs.lock().expect("no holder of this lock panics").clone()
    }

    /// The directory the packs lie in.
    pub fn packs_dir(&self) -> &Dir {
        &self.packs_dir
    }

    /// Blobs as plain files.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Blobs of at least so many bytes enter the pool.
    pub fn pool_threshold(&self) -> u64 {
        self.pool_threshold
    }

    /// Takes the right to write, together with other writers. What a gc has
    /// taken away before is no longer believed to be there.
    pub fn lock_for_writing(&self, patience: Duration) -> Result<WriteLock> {
        let lock = Lock::take(&self.root, b"lock", LockMode::Shared, patience)?;
        let lock = lock.map(WriteLock).ok_or(Error::Busy("a running gc"))?;
        self.reload()?;
        Ok(lock)
    }

    /// Takes the right to delete, alone, and looks at what is there by then.
    pub fn lock_for_deletion(&self, patience: Duration) -> Result<DeleteLock> {
        let lock = Lock::take(&self.root, b"lock", LockMode::Exclusive, patience)?;
        let lock = lock.map(DeleteLock).ok_or(Error::Busy("a command that writes"))?;
        self.reload()?;
        Ok(lock)
    }

    /// Begins a transaction through which objects enter. `tree` is the directory
    /// that files come from, if the pool is to link them.
    pub fn begin<'a>(&'a self, lock: &'a WriteLock, tree: Option<&'a Dir>) -> Result<Batch<'a>> {
        Batch::begin(self, lock, tree)
    }

    /// Begins a transaction that stores nothing, to learn what would change.
    pub fn begin_dry(&self) -> Batch<'_> {
        Batch::dry(self)
    }

    /// Whether the database has this object.
    pub fn contains(&self, kind: Kind, id: &ObjectId) -> Result<bool> {
        for pack in self.packs().iter() {
            match pack.find(kind, id) {
                Ok(Some(_)) => return Ok(true),
                Ok(None) | Err(ReadError::Damaged(_)) => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
            }
        }
        Ok(kind == Kind::Blob && self.pool.plain_stat(id)?.is_some())
    }

    /// What an object takes up: the first record of it, and its plain file in the
    /// pool. Twins belong to checkouts and are not counted. `None` if there is no such object.
    pub fn stored(&self, kind: Kind, id: &ObjectId) -> Result<Option<Stored>> {
        let mut stored = Stored::default();
        let mut is_there = false;
        for pack in self.packs().iter() {
            match pack.find(kind, id) {
                Ok(Some(record)) => {
                    stored.packed = record.stored;
                    is_there = true;
                    break;
                }
                Ok(None) | Err(ReadError::Damaged(_)) => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
            }
        }
        if kind == Kind::Blob
            && let Some(stat) = self.pool.plain_stat(id)?
        {
            stored.pooled = stat.allocated;
            is_there = true;
        }
        Ok(is_there.then_some(stored))
    }

    /// The bytes of a tree, a commit, or a small blob, checked against its id;
    /// `None` if there is no such object. A damaged copy is passed over if there
    /// is another.
    pub fn find(&self, kind: Kind, id: &ObjectId) -> Result<Option<Arc<[u8]>>> {
        if kind == Kind::Tree
            && let Some(bytes) = self.trees.lock().expect("no holder of this lock panics").get(id)
        {
            return Ok(Some(bytes));
        }
        match self.find_in_packs(kind, id, &self.packs())? {
            Some(bytes) => Ok(Some(bytes)),
            // A pack may have been replaced by another since the last look.
            None if self.packs_changed()? => {
                self.reload()?;
                self.find_in_packs(kind, id, &self.packs())
            }
            None => Ok(None),
        }
    }

    fn packs_changed(&self) -> Result<bool> {
        let known = self.packs();
        let listed = self.packs_dir.names()?;
        let ids = listed.iter().filter_map(|(name, _)| ObjectId::from_hex(name.strip_suffix(b".idx")?).ok());
        let (mut count, mut new) = (0, false);
        for id in ids {
            count += 1;
            new |= !known.iter().any(|pack| pack.id() == id);
        }
        Ok(new || count != known.len())
    }

    fn find_in_packs(&self, kind: Kind, id: &ObjectId, packs: &[Arc<Pack>]) -> Result<Option<Arc<[u8]>>> {
        let mut damage = None;
        for pack in packs {
            let bytes = match self.read_from_pack(pack, kind, id) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(e @ (Error::Disk(_) | Error::Interrupted(_))) => return Err(e),
                Err(e) => {
                    damage = Some(e);
                    continue;
                }
            };
            if kind == Kind::Tree {
                self.trees.lock().expect("no holder of this lock panics").put(*id, bytes.clone());
            }
            return Ok(Some(bytes));
        }
        damage.map_or(Ok(None), Err)
    }

    fn read_from_pack(&self, pack: &Pack, kind: Kind, id: &ObjectId) -> Result<Option<Arc<[u8]>>> {
        let corrupt = |why: String| Error::Corrupt { kind, id: *id, place: pack.path().display().to_string(), why };
        let (record, bytes) = match pack.read(kind, id) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(ReadError::Disk(e)) => return Err(e.into()),
            Err(ReadError::Damaged(e)) => return Err(corrupt(format!("the pack {e}"))),
        };
        let bytes = self.unpack(&record, bytes, pack)?;
        if hash_bytes(&bytes) != *id {
            return Err(corrupt("its bytes have another id".into()));
        }
        Ok(Some(bytes.into()))
    }

    /// Undoes the form of a record, following deltas to their bases without
    /// recursion: first down to a whole object, then up again.
    pub(crate) fn unpack(&self, record: &pack::Record, bytes: Vec<u8>, pack: &Pack) -> Result<Vec<u8>> {
        let corrupt = |why: String| {
            let place = pack.path().display().to_string();
            Error::Corrupt { kind: record.kind, id: record.id, place, why }
        };
        let mut base: Option<Arc<[u8]>> = None;
        let mut chain = vec![(record.clone(), bytes)];
        while let Some((_, base_id)) = chain.last().expect("never empty").0.base {
            if chain.len() > 2 * usize::from(pack::MAX_DELTA_DEPTH) {
                return Err(corrupt("its chain of deltas has no end".into()));
            }
            if record.kind == Kind::Tree {
                base = self.trees.lock().expect("no holder of this lock panics").get(&base_id);
            }
            if base.is_some() {
                break;
            }
            let found = self.find_record(record.kind, &base_id)?;
            chain.push(found.ok_or_else(|| corrupt(format!("its delta base {base_id} is missing")))?);
        }
        loop {
            let (link, bytes) = chain.pop().expect("the first link returns");
            let whole = link.unpack(bytes, base.as_deref()).map_err(|e| corrupt(e.to_string()))?;
            if chain.is_empty() {
                return Ok(whole);
            }
            if hash_bytes(&whole) != link.id {
                return Err(corrupt(format!("its delta base {} is damaged", link.id)));
            }
            let whole: Arc<[u8]> = whole.into();
            if link.kind == Kind::Tree {
                self.trees.lock().expect("no holder of this lock panics").put(link.id, whole.clone());
            }
            base = Some(whole);
        }
    }

    /// The record of an object with its bytes, from the first pack that has it.
    fn find_record(&self, kind: Kind, id: &ObjectId) -> Result<Option<(pack::Record, Vec<u8>)>> {
        for pack in self.packs().iter() {
            match pack.read(kind, id) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) | Err(ReadError::Damaged(_)) => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
            }
        }
        Ok(None)
    }

    /// How many deltas lie between a stored tree and a whole one; `None` if it is
    /// not in a pack.
    pub(crate) fn delta_depth(&self, kind: Kind, id: &ObjectId) -> Result<Option<u8>> {
        for pack in self.packs().iter() {
            match pack.find(kind, id) {
                Ok(Some(record)) => return Ok(Some(record.base.map_or(0, |(depth, _)| depth))),
                Ok(None) | Err(ReadError::Damaged(_)) => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
            }
        }
        Ok(None)
    }

    /// As [`Odb::find`], for an object that must be there.
    pub fn get(&self, kind: Kind, id: &ObjectId) -> Result<Arc<[u8]>> {
        self.find(kind, id)?.ok_or(Error::Missing { kind, id: *id })
    }

    /// Reads a commit.
    pub fn commit(&self, id: CommitId) -> Result<Commit> {
        let bytes = self.get(Kind::Commit, &id.0)?;
        Commit::decode(&bytes).map_err(|source| Error::Invalid { kind: Kind::Commit, id: id.0, source })
    }

    /// Ids of objects of `kind` that begin with these hexadecimal digits, at
    /// least 8 and an even or odd number of them. Blobs of the pool included.
    pub fn with_prefix(&self, kind: Kind, hex: &str) -> Result<Vec<ObjectId>> {
        let whole_bytes: Vec<u8> =
            (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()).collect();
        let mut found = Vec::new();
        for pack in self.packs().iter().filter(|pack| pack.index().class() == pack::Class::of(kind)) {
            for offset in pack.index().with_prefix(&whole_bytes) {
                match pack.record(offset, 0) {
                    Ok((record, _)) if record.kind == kind && record.id.has_hex_prefix(hex) => found.push(record.id),
                    Ok(_) | Err(ReadError::Damaged(_)) => {}
                    Err(ReadError::Disk(e)) => return Err(e.into()),
                }
            }
        }
        if kind == Kind::Blob {
            found.extend(self.pool.with_prefix(hex)?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Length of a blob, by the word of its pack or of the file system; `None` if
    /// the database does not have it.
    pub fn blob_len(&self, id: BlobId) -> Result<Option<u64>> {
        for pack in self.packs().iter() {
            match pack.find(Kind::Blob, &id.0) {
                Ok(Some(record)) => return Ok(Some(record.size)),
                Ok(None) | Err(ReadError::Damaged(_)) => {}
                Err(ReadError::Disk(e)) => return Err(e.into()),
            }
        }
        Ok(self.pool.plain_stat(&id.0)?.map(|stat| stat.size))
    }

    /// Opens a blob for reading from its beginning; `size` comes from its entry.
    /// The reader gives an error at the end if the bytes have another id or
    /// another length.
    pub fn open_blob(&self, id: BlobId, size: u64) -> Result<BlobReader> {
        if size == 0 && id.0 == hash_bytes(b"") {
            return Ok(BlobReader(Source::Memory(std::io::Cursor::new(Arc::new([])))));
        }
        // Large blobs lie in the pool, small ones in packs; either may be found
        // at the other place as well, and packs check what they give.
        if size >= self.pool_threshold {
            match self.open_in_pool(id, size) {
                Ok(Some(reader)) => return Ok(reader),
                Err(e @ Error::Disk(_)) => return Err(e),
                // Missing or damaged there: perhaps a pack has it.
                Ok(None) | Err(_) => {}
            }
        }
        let packed = if size <= pack::MAX_PACKED_LEN { self.find(Kind::Blob, &id.0) } else { Ok(None) };
        match packed {
            Ok(Some(bytes)) if bytes.len() as u64 == size => {
                Ok(BlobReader(Source::Memory(std::io::Cursor::new(bytes))))
            }
            Ok(Some(bytes)) => Err(wrong_size(id, size, bytes.len() as u64)),
            Err(e @ Error::Disk(_)) => Err(e),
            Ok(None) => self.open_in_pool(id, size)?.ok_or(Error::Missing { kind: Kind::Blob, id: id.0 }),
            Err(damage) => self.open_in_pool(id, size)?.ok_or(damage),
        }
    }

    fn open_in_pool(&self, id: BlobId, size: u64) -> Result<Option<BlobReader>> {
        let Some((file, stat, place)) = self.pool.find(&id.0, size)? else { return Ok(None) };
        if stat.size != size {
            let why = format!("it has {} bytes instead of {size}", stat.size);
            return Err(Error::Corrupt { kind: Kind::Blob, id: id.0, place, why });
        }
        Ok(Some(BlobReader(Source::File { file, hasher: crate::id::Hasher::new(), left: size, id, place })))
    }
}

fn wrong_size(id: BlobId, declared: u64, found: u64) -> Error {
    Error::Corrupt {
        kind: Kind::Blob,
        id: id.0,
        place: "its entry".into(),
        why: format!("the tree declares {declared} bytes, the blob has {found}"),
    }
}

/// Bytes that an object takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// In a pack.
    pub packed: u64,
    /// In the pool, on disk.
    pub pooled: u64,
}

impl Stored {
    /// In all.
    pub fn bytes(self) -> u64 {
        self.packed + self.pooled
    }
}

/// Trees for whoever walks them: the database's own, or those of a batch that
/// is not finished.
pub trait TreeSource: Sync {
    /// The canonical bytes of a tree, checked against its id.
    fn tree_bytes(&self, id: TreeId) -> Result<Arc<[u8]>>;

    /// One page of a directory.
    fn page(&self, id: TreeId) -> Result<Page> {
        let bytes = self.tree_bytes(id)?;
        Page::decode(&bytes).map_err(|source| Error::Invalid { kind: Kind::Tree, id: id.0, source })
    }
}

impl TreeSource for Odb {
    fn tree_bytes(&self, id: TreeId) -> Result<Arc<[u8]>> {
        self.get(Kind::Tree, &id.0)
    }
}

/// The bytes of a blob, hashed as they go by.
pub struct BlobReader(Source);

enum Source {
    Memory(std::io::Cursor<Arc<[u8]>>),
    File { file: std::fs::File, hasher: crate::id::Hasher, left: u64, id: BlobId, place: String },
}

impl BlobReader {
    /// The whole blob, if it lies in memory already.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Source::Memory(cursor) => Some(cursor.get_ref()),
            Source::File { .. } => None,
        }
    }
}

impl BlobReader {
    /// Reads to the end, to learn whether the blob is what its id says.
    pub fn check(&mut self) -> Result<()> {
        let place = match &self.0 {
            Source::Memory(_) => return Ok(()),
            Source::File { place, .. } => place.clone(),
        };
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) => {
                    return Err(e.downcast().unwrap_or_else(|e| disk::Error::new("read", place, e).into()));
                }
            }
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.0 {
            Source::Memory(cursor) => cursor.read(buffer),
            Source::File { file, hasher, left, id, place } => {
                if *left == 0 || buffer.is_empty() {
                    return Ok(0);
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                let count = file.read(&mut buffer[..most])?;
                hasher.update(&buffer[..count]);
                *left -= count as u64;
                if count == 0 || (*left == 0 && std::mem::take(hasher).finish() != id.0) {
                    let (kind, id, place) = (Kind::Blob, id.0, place.clone());
                    let why = "its bytes have another id".into();
                    return Err(std::io::Error::other(Error::Corrupt { kind, id, place, why }));
                }
                Ok(count)
            }
        }
    }
}

/// Recently read trees: two generations, of which the older is dropped when the
/// younger is full. Bounded by bytes, with no bookkeeping for each use.
#[derive(Default)]
struct TreeCache {
    young: HashMap<ObjectId, Arc<[u8]>>,
    old: HashMap<ObjectId, Arc<[u8]>>,
    young_len: usize,
}

impl TreeCache {
    fn get(&mut self, id: &ObjectId) -> Option<Arc<[u8]>> {
        if let Some(bytes) = self.young.get(id) {
            return Some(bytes.clone());
        }
        let bytes = self.old.remove(id)?;
        self.put(*id, bytes.clone());
        Some(bytes)
    }

    fn put(&mut self, id: ObjectId, bytes: Arc<[u8]>) {
        self.young_len += bytes.len() + 64;
        self.young.insert(id, bytes);
        if self.young_len > TREE_CACHE_LEN / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_len = 0;
        }
    }
}
