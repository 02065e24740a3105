//! The pool: blobs as plain files.
//!
//! `pool/ab/<62 hex digits>` holds the blob whose id they make, byte for byte.
//! An inode has one mode, one time, one owner, so a pool file serves exactly the
//! entries that agree with it in all of that. Entries that differ get a *twin*:
//! `<62 hex>.<16 hex of the SHA-256 of the metadata>`, found without a search
//! however many there are. A name that has as many links as the file system
//! allows, or that must not be shared (see [`Key::instance`]), goes on as
//! `<twin>-1`, `<twin>-2`, and so on.
//!
//! The pool is made of other people's links: whoever edits a checkout in place
//! edits the pool. So a file is looked at before it is linked, hashed whenever it
//! is copied, and audited by fsck.

use std::fs::File;
use std::sync::OnceLock;

use super::Result;
use crate::disk::durable::DIR_MODE;
use crate::disk::meta::read_xattrs;
use crate::disk::{Dir, FileKind, Stat};
use crate::id::{BlobId, ObjectId, hash_bytes};
use crate::object::Metadata;

/// The blobs of one repository that lie as plain files.
pub struct Pool {
    dir: Dir,
    shards: Box<[OnceLock<Dir>]>,
    may_link: bool,
}

/// Which pool file serves an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub blob: BlobId,
    /// Of the metadata; `None` for the blob's plain file.
    pub fingerprint: Option<u64>,
    /// 0, or how many files of the same content and metadata stand before this.
    pub instance: u32,
}

impl Key {
    /// The file with just this metadata.
    pub fn twin(blob: BlobId, metadata: &Metadata, instance: u32) -> Key {
        let metadata = Metadata { link: None, ..metadata.clone() };
        let digest = hash_bytes(&metadata.encode());
        let first = digest.as_bytes().first_chunk().expect("a digest has 32 bytes");
        Key { blob, fingerprint: Some(u64::from_be_bytes(*first)), instance }
    }

    /// The file that a blob enters with.
    pub fn plain(blob: BlobId) -> Key {
        Key { blob, fingerprint: None, instance: 0 }
    }

    /// The file's name in its shard.
    pub fn name(&self) -> Vec<u8> {
        let hex = self.blob.to_string();
        let mut name = hex[2..].to_owned();
        if let Some(fingerprint) = self.fingerprint {
            name.push_str(&format!(".{fingerprint:016x}"));
        }
        if self.instance > 0 {
            name.push_str(&format!("-{}", self.instance));
        }
        name.into_bytes()
    }
}

impl Pool {
    pub(super) fn open(root: &Dir) -> Result<Pool> {
        let dir = root.open_dir(b"pool")?;
        let owner = dir.stat_self()?.uid;
        let own = rustix::process::geteuid().as_raw();
        let shards = (0..256).map(|_| OnceLock::new()).collect();
        // What somebody else owns he can change under our name.
        Ok(Pool { dir, shards, may_link: owner == own || owner == 0 || own == 0 })
    }

    /// The directory it lies in.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Whether checkouts may share inodes with this pool.
    pub fn may_link(&self) -> bool {
        self.may_link
    }

    /// The directory of all blobs whose ids begin with the byte `first`.
    pub fn shard(&self, first: u8) -> Result<Option<&Dir>> {
        let slot = &self.shards[usize::from(first)];
        if let Some(dir) = slot.get() {
            return Ok(Some(dir));
        }
        match self.dir.open_dir(format!("{first:02x}").as_bytes()) {
            Ok(dir) => Ok(Some(slot.get_or_init(|| dir))),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// As [`Pool::shard`], making the directory if need be.
    pub(super) fn shard_for_writing(&self, first: u8) -> Result<&Dir> {
        if let Some(dir) = self.shard(first)? {
            return Ok(dir);
        }
        let dir = self.dir.ensure_dir(format!("{first:02x}").as_bytes(), DIR_MODE)?;
        Ok(self.shards[usize::from(first)].get_or_init(|| dir))
    }

    /// Opens a file that holds a blob of this length: the plain one, else any twin,
    /// else a plain one that is damaged. Also returns its path within the
    /// repository.
    pub(super) fn find(&self, id: &ObjectId, size: u64) -> Result<Option<(File, Stat, String)>> {
        let first = id.as_bytes()[0];
        let Some(shard) = self.shard(first)? else { return Ok(None) };
        let open = |name: &[u8]| match shard.open_file(name) {
            Ok((file, stat)) => {
                let place = format!("pool/{first:02x}/{}", String::from_utf8_lossy(name));
                Ok(Some((file, stat, place)))
            }
            // A directory or a fifo in its place holds no blob.
            Err(e) if e.is_vanished() => Ok(None),
            Err(e) => Err(e),
        };
        let plain_name = Key::plain(BlobId(*id)).name();
        let plain = open(&plain_name)?;
        if plain.as_ref().is_some_and(|(_, stat, _)| stat.size == size) {
            return Ok(plain);
        }
        let twins = [&plain_name[..], b"."].concat();
        for (name, _) in shard.names()?.iter().filter(|(name, _)| name.starts_with(&twins)) {
            if let Some(twin) = open(name)?.filter(|(_, stat, _)| stat.size == size) {
                return Ok(Some(twin));
            }
        }
        Ok(plain)
    }

    /// What the file system says of the plain file of a blob.
    pub(super) fn plain_stat(&self, id: &ObjectId) -> Result<Option<Stat>> {
        let Some(shard) = self.shard(id.as_bytes()[0])? else { return Ok(None) };
        Ok(shard.find(&Key::plain(BlobId(*id)).name())?.filter(|stat| stat.kind == FileKind::File))
    }

    /// Ids of plain files that begin with these hexadecimal digits.
    pub(super) fn with_prefix(&self, hex: &str) -> Result<Vec<ObjectId>> {
        let Some(first) = hex.get(..2).and_then(|two| u8::from_str_radix(two, 16).ok()) else { return Ok(Vec::new()) };
        let Some(shard) = self.shard(first)? else { return Ok(Vec::new()) };
        let names = shard.names()?;
        let whole = names.iter().filter_map(|(name, _)| Pool::id_of(first, name));
        Ok(whole.filter(|id| id.has_hex_prefix(hex)).collect())
    }

    /// The id of the blob that the file `name` in the shard `first` should hold.
    pub fn id_of(first: u8, name: &[u8]) -> Option<ObjectId> {
        let hex = name.split(|&b| b == b'.').next()?;
        ObjectId::from_hex(&[format!("{first:02x}").as_bytes(), hex].concat()).ok()
    }
}

/// Whether a file's metadata is what an entry wants of it. What the entry leaves
/// open agrees with anything.
pub(super) fn agrees(
    dir: &Dir,
    name: &[u8],
    stat: &Stat,
    size: u64,
    wanted: &Metadata,
    with_xattrs: bool,
) -> Result<bool> {
    let plainly = stat.kind == FileKind::File
        && stat.size == size
        && wanted.mode.is_none_or(|mode| mode == stat.mode)
        && wanted.mtime.is_none_or(|mtime| mtime == stat.mtime)
        && wanted.owner.is_none_or(|owner| owner == (stat.uid, stat.gid));
    if !plainly || !with_xattrs {
        return Ok(plainly);
    }
    Ok(read_xattrs(dir, Some(name), |_| true)? == wanted.xattrs)
}
