//! One blob put into a tree: as a hard link into the pool, a reflink, or a copy.
//!
//! A link shares the pool's inode, so the pool file must agree with the entry in
//! everything the entry fixes; if none does, the file is made in the tree, and
//! the pool links it when the checkout is finished. Links that cannot be had
//! (another file system, one without links, a pool of somebody else) become
//! copies and are counted; a name with as many links as the file system allows
//! goes on with a further file. Empty files are never shared.
//!
//! Contents that are copied are hashed on the way, and a file that fails is
//! removed before anybody sees it under its name.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::io::Errno;

use super::adopt::{Adoptions, Candidate, is_link_refused};
use super::pool::{Key, agrees};
use super::{Error, Odb, Result};
use crate::disk::meta::write_xattr;
use crate::disk::{self, Dir, Stat, place};
use crate::id::{BlobId, Hasher, Kind};
use crate::monitor::Monitor;
use crate::object::Metadata;
use crate::path::TreePath;

/// How files get their contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// By hard link where possible.
    Link,
    /// By hard link, or not at all.
    RequireLink,
    /// With blocks shared where the file system can, but an inode of their own.
    Reflink,
    /// With blocks and inode of their own.
    Copy,
}

/// How one file got its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is a link to a pool file, or will be once the checkout is finished.
    Linked,
    /// It shares blocks with a pool file.
    Reflinked,
    /// It was copied.
    Copied,
    /// It is empty.
    Empty,
}

/// Puts blobs into one tree, from several threads.
pub struct Placer<'a> {
    odb: &'a Odb,
    root: &'a Dir,
    placing: Placing,
    /// Whether entries fix all extended attributes.
    exact_xattrs: bool,
    adoptions: Adoptions,
    links_work: AtomicBool,
    reflinks_work: AtomicBool,
    bytes_written: AtomicU64,
}

/// What one file is to be.
#[derive(Clone, Copy)]
pub struct FileSpec<'m> {
    /// Its content.
    pub blob: BlobId,
    /// Length of the content in bytes.
    pub size: u64,
    /// The metadata it gets; `None` fields are left as they come.
    pub metadata: &'m Metadata,
    /// How many files with this content and metadata must stand beside it in this
    /// tree without being the same inode.
    pub instance: u32,
    /// The name it will have once the caller is done, which may rename it.
    pub final_name: &'m [u8],
}

impl<'a> Placer<'a> {
    /// Prepares to fill the tree below `root`.
    pub fn new(odb: &'a Odb, root: &'a Dir, placing: Placing, exact_xattrs: bool) -> Result<Placer<'a>> {
        let same_device = root.stat_self()?.dev == odb.pool.dir().stat_self()?.dev;
        Ok(Placer {
            odb,
            root,
            placing,
            exact_xattrs,
            adoptions: Adoptions::default(),
            links_work: AtomicBool::new(same_device && odb.pool.may_link()),
            reflinks_work: AtomicBool::new(same_device),
            bytes_written: AtomicU64::new(0),
        })
    }

    /// Content bytes that were written, not shared.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// Makes the file `name`, which must not exist, in `dir`, which lies at `at`.
    pub fn place(&self, dir: &Dir, at: &Arc<TreePath>, name: &[u8], spec: FileSpec<'_>) -> Result<Placement> {
        if spec.size == 0 {
            if spec.blob.0 != crate::id::hash_bytes(b"") {
                let found = self.odb.blob_len(spec.blob)?;
                let found = found.ok_or(Error::Missing { kind: Kind::Blob, id: spec.blob.0 })?;
                return Err(super::wrong_size(spec.blob, spec.size, found));
            }
            let file = dir.create(name, 0o600)?;
            self.finish_file(dir, name, &file, spec)?;
            return Ok(Placement::Empty);
        }
        if !matches!(self.placing, Placing::Link | Placing::RequireLink) {
            return self.write(dir, name, spec).map(|(placement, _)| placement);
        }
        if self.links_work.load(Ordering::Relaxed) {
            match self.link(dir, at, name, spec) {
                Err(Error::Disk(e)) if is_link_refused(&e) => {
                    if self.placing == Placing::RequireLink {
                        return Err(no_link(dir, name, e.io().to_string()));
                    }
                    self.links_work.store(false, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        if self.placing == Placing::RequireLink {
            return Err(no_link(dir, name, "the pool lies on another file system or belongs to another user".into()));
        }
        self.write(dir, name, spec).map(|(placement, _)| placement)
    }

    fn link(&self, dir: &Dir, at: &Arc<TreePath>, name: &[u8], spec: FileSpec<'_>) -> Result<Placement> {
        let mut pending = self.adoptions.shard(&spec.blob.0);
        let mut key = Key::plain(spec.blob);
        let mut twin = Key::twin(spec.blob, spec.metadata, spec.instance);
        let mut plain_is_free = false;
        if spec.instance > 0 {
            key = twin;
        }
        loop {
            let linked = match pending.get(&key) {
                Some(made) if made.fingerprint == twin.fingerprint => {
                    let made_dir = self.root.open_below(&made.dir)?;
                    Some(dir.link_from(&made_dir, &made.name, name))
                }
                Some(_) => None,
                None => self.link_from_pool(dir, name, &key, spec, &mut plain_is_free)?,
            };
            match linked {
                Some(Ok(())) => return Ok(Placement::Linked),
                Some(Err(e)) if e.is(Errno::MLINK) => {
                    twin.instance += u32::from(key.fingerprint.is_some());
                    key = twin;
                }
                Some(Err(e)) => return Err(e.into()),
                None if key != twin => key = twin,
                None => break,
            }
        }
        let (_, stat) = self.write(dir, name, spec)?;
        let key = if plain_is_free { Key::plain(spec.blob) } else { twin };
        let candidate = Candidate::new(at, spec.final_name, &stat, twin.fingerprint);
        let is_full = self.adoptions.insert(&mut pending, key, candidate);
        drop(pending);
        // A staged name is not the final one yet, so an update waits for its end.
        if is_full && spec.final_name == name {
            self.adopt(&crate::monitor::Silent)?;
        }
        Ok(Placement::Linked)
    }

    /// Links a pool file that agrees with the entry; `None` if there is none.
    fn link_from_pool(
        &self,
        dir: &Dir,
        name: &[u8],
        key: &Key,
        spec: FileSpec<'_>,
        plain_is_free: &mut bool,
    ) -> Result<Option<disk::Result<()>>> {
        let pool_name = key.name();
        let free = key.fingerprint.is_none();
        let Some(shard) = self.odb.pool.shard(spec.blob.as_bytes()[0])? else {
            *plain_is_free |= free;
            return Ok(None);
        };
        match shard.find(&pool_name)? {
            Some(stat) if agrees(shard, &pool_name, &stat, spec.size, spec.metadata, self.exact_xattrs)? => {
                Ok(Some(dir.link_from(shard, &pool_name, name)))
            }
            Some(_) => Ok(None),
            None => {
                *plain_is_free |= free;
                Ok(None)
            }
        }
    }

    /// Makes the file with an inode of its own, and gives it its metadata.
    fn write(&self, dir: &Dir, name: &[u8], spec: FileSpec<'_>) -> Result<(Placement, Stat)> {
        let file = dir.create(name, 0o600)?;
        let written = self.fill(dir, name, &file, spec).and_then(|placement| {
            self.finish_file(dir, name, &file, spec)?;
            Ok((placement, dir.stat(name)?))
        });
        if written.is_err() {
            let _ = dir.remove_file(name);
        }
        written
    }

    fn fill(&self, dir: &Dir, name: &[u8], file: &File, spec: FileSpec<'_>) -> Result<Placement> {
        let from_pool = |damage: Error| match self.odb.pool.find(&spec.blob.0, spec.size)? {
            Some((pool_file, stat, place)) => self.copy_from_pool(dir, name, file, spec, &pool_file, &stat, place),
            None => Err(damage),
        };
        let missing = Error::Missing { kind: Kind::Blob, id: spec.blob.0 };
        if spec.size >= self.odb.pool_threshold {
            match from_pool(missing) {
                Ok(placement) => return Ok(placement),
                Err(Error::Disk(e)) => return Err(e.into()),
                // Damaged or missing there: a pack may have it.
                Err(e) => {
                    rustix::fs::ftruncate(file, 0).map_err(|e| disk::Error::new("write", dir.path_of(name), e))?;
                    let mut reader = match self.odb.find(Kind::Blob, &spec.blob.0)? {
                        Some(_) => self.odb.open_blob(spec.blob, spec.size)?,
                        None => return Err(e),
                    };
                    return self.copy_bytes(dir, name, file, &mut reader);
                }
            }
        }
        match self.odb.find(Kind::Blob, &spec.blob.0) {
            Ok(Some(bytes)) if bytes.len() as u64 == spec.size => {
                file.write_all_at(&bytes, 0).map_err(|e| disk::Error::new("write", dir.path_of(name), e))?;
                self.bytes_written.fetch_add(spec.size, Ordering::Relaxed);
                Ok(Placement::Copied)
            }
            Ok(Some(bytes)) => Err(super::wrong_size(spec.blob, spec.size, bytes.len() as u64)),
            Ok(None) => from_pool(missing),
            Err(Error::Disk(e)) => Err(e.into()),
            Err(damage) => from_pool(damage),
        }
    }

    fn copy_bytes(&self, dir: &Dir, name: &[u8], mut file: &File, reader: &mut dyn Read) -> Result<Placement> {
        let fail = |e| disk::Error::new("write", dir.path_of(name), e);
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = reader.read(&mut buffer).map_err(fail)?;
            if count == 0 {
                return Ok(Placement::Copied);
            }
            file.write_all(&buffer[..count]).map_err(fail)?;
            self.bytes_written.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one file on either side")]
    fn copy_from_pool(
        &self,
        dir: &Dir,
        name: &[u8],
        file: &File,
        spec: FileSpec<'_>,
        pool_file: &File,
        stat: &Stat,
        place: String,
    ) -> Result<Placement> {
        let corrupt = |why: String| Error::Corrupt { kind: Kind::Blob, id: spec.blob.0, place: place.clone(), why };
        if stat.size != spec.size {
            return Err(corrupt(format!("it has {} bytes instead of {}", stat.size, spec.size)));
        }
        let path = dir.path_of(name);
        let mut hasher = Hasher::new();
        if self.placing != Placing::Copy
            && self.reflinks_work.load(Ordering::Relaxed)
            && place::reflink(pool_file, file, &path)?
        {
            std::io::copy(&mut &*file, &mut HashSink(&mut hasher)).map_err(|e| disk::Error::new("read", &path, e))?;
            return if hasher.finish() == spec.blob.0 {
                Ok(Placement::Reflinked)
            } else {
                Err(corrupt("its bytes have another id".into()))
            };
        }
        if self.placing != Placing::Copy {
            self.reflinks_work.store(false, Ordering::Relaxed);
        }
        let sparse = stat.allocated < stat.size;
        let pool_path = self.odb.root.path().join(&place);
        let copied = place::copy(pool_file, &pool_path, file, &path, spec.size, sparse, |bytes| hasher.update(bytes))?;
        self.bytes_written.fetch_add(copied, Ordering::Relaxed);
        if copied != spec.size || hasher.finish() != spec.blob.0 {
            return Err(corrupt("its bytes have another id".into()));
        }
        Ok(Placement::Copied)
    }

    fn finish_file(&self, dir: &Dir, name: &[u8], file: &File, spec: FileSpec<'_>) -> Result<()> {
        let metadata = spec.metadata;
        let path = dir.path_of(name);
        // The owner first: changing it drops set-id bits and capabilities.
        place::set_file_meta(file, &path, None, metadata.owner, None)?;
        for xattr in &metadata.xattrs {
            write_xattr(dir, Some(name), xattr)?;
        }
        place::set_file_meta(file, &path, Some(metadata.mode.unwrap_or(0o644)), None, metadata.mtime)?;
        Ok(())
    }

    /// Whether anything is to be linked into the pool.
    pub fn has_adoptions(&self) -> bool {
        !self.adoptions.is_empty()
    }

    /// Links what was made in the tree into the pool, so that the next checkout
    /// finds it there.
    pub fn adopt(&self, monitor: &dyn Monitor) -> Result<()> {
        // What somebody has replaced meanwhile simply is not adopted.
        match self.adoptions.link_all(self.root, &self.odb.pool, false, monitor) {
            // A pool that is only to be read: the tree is whole without it.
            Err(Error::Disk(e)) if e.is(Errno::ACCESS) || e.is(Errno::ROFS) || is_link_refused(&e) => Ok(()),
            linked => linked.map(drop),
        }
    }
}

struct HashSink<'h>(&'h mut Hasher);

impl Write for HashSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn no_link(dir: &Dir, name: &[u8], why: String) -> Error {
    Error::NoLink { path: crate::path::Escaped(dir.path_of(name).as_os_str().as_encoded_bytes()).to_string(), why }
}
