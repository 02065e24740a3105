//! Which files of the pool go.

use rayon::prelude::*;

use super::super::pool::Pool;
use super::super::{Error, Odb, Result};
use super::mark::Mark;
use crate::disk::{Dir, FileKind, Stat};
use crate::id::{Hasher, Kind, ObjectId};
use crate::monitor::Monitor;

/// A file of the pool that need not stay.
pub(super) struct Candidate {
    pub first: u8,
    pub name: Vec<u8>,
    pub id: ObjectId,
    pub stat: Stat,
    /// Whether it is a copy of something live that lies elsewhere as well.
    pub is_spare: bool,
}

impl Candidate {
    /// Whether it still is what it was when it was chosen.
    pub fn stands(&self, shard: &Dir, mark: &Mark<'_>) -> Result<bool> {
        let Some(stat) = shard.find(&self.name)? else { return Ok(false) };
        if !self.is_spare {
            return Ok(stat.kind == FileKind::File && !mark.has(Kind::Blob, &self.id));
        }
        let is_same = stat.inode() == self.stat.inode() && stat.ctime == self.stat.ctime && stat.nlink == 1;
        Ok(is_same)
    }

    /// Bytes that deleting it gives back.
    pub fn bytes(&self) -> u64 {
        if self.stat.nlink == 1 { self.stat.allocated } else { 0 }
    }
}

/// Looks through the pool: files of blobs that are not marked, and copies of
/// marked ones that no checkout uses and that are whole elsewhere.
pub(super) fn candidates(odb: &Odb, mark: &Mark<'_>, monitor: &dyn Monitor) -> Result<Vec<Candidate>> {
    let shards: Vec<Vec<Candidate>> =
        (0..=u8::MAX).into_par_iter().map(|first| in_shard(odb, first, mark, monitor)).collect::<Result<_>>()?;
    Ok(shards.into_iter().flatten().collect())
}

fn in_shard(odb: &Odb, first: u8, mark: &Mark<'_>, monitor: &dyn Monitor) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let Some(shard) = odb.pool.shard(first)? else { return Ok(found) };
    let names = shard.names()?;
    let known: Vec<(ObjectId, Vec<u8>)> =
        names.into_iter().filter_map(|(name, _)| Some((Pool::id_of(first, &name)?, name))).collect();
    // Sorted names: the plain file of a blob comes before its twins.
    for files in known.chunk_by(|a, b| a.0 == b.0) {
        monitor.check()?;
        let id = files[0].0;
        let mut stats = Vec::new();
        for (_, name) in files {
            if let Some(stat) = shard.find(name)?
                && stat.kind == FileKind::File
            {
                stats.push((name, stat));
            }
        }
        if !mark.has(Kind::Blob, &id) {
            let dead = stats.into_iter();
            found.extend(dead.map(|(name, stat)| Candidate { first, name: name.clone(), id, stat, is_spare: false }));
            continue;
        }
        found.extend(spares(odb, shard, first, id, stats)?);
    }
    Ok(found)
}

fn spares(odb: &Odb, shard: &Dir, first: u8, id: ObjectId, mut files: Vec<(&Vec<u8>, Stat)>) -> Result<Vec<Candidate>> {
    let is_plain = |name: &[u8]| name.len() == 62;
    if files.iter().all(|(name, stat)| stat.nlink > 1 || (is_plain(name) && stat.size >= odb.pool_threshold())) {
        return Ok(Vec::new());
    }
    let packed = files[0].1.size < odb.pool_threshold()
        && match odb.find(Kind::Blob, &id) {
            Ok(found) => found.is_some(),
            Err(e @ (Error::Disk(_) | Error::Interrupted(_))) => return Err(e),
            Err(_) => false,
        };
    if !packed {
        // The plain file stays, and must be whole for the others to go.
        let plain = files.iter().position(|(name, _)| is_plain(name));
        let Some(plain) = plain.map(|i| files.remove(i)) else { return Ok(Vec::new()) };
        if files.iter().all(|(_, stat)| stat.nlink > 1) || !is_whole(shard, plain.0, &id)? {
            return Ok(Vec::new());
        }
    }
    let free = files.into_iter().filter(|(_, stat)| stat.nlink == 1);
    Ok(free.map(|(name, stat)| Candidate { first, name: name.clone(), id, stat, is_spare: true }).collect())
}

fn is_whole(shard: &Dir, name: &[u8], id: &ObjectId) -> Result<bool> {
    let (file, _) = match shard.open_file(name) {
        Ok(opened) => opened,
        Err(e) if e.is_vanished() => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    let mut hasher = Hasher::new();
    super::super::batch::hash_file(&file, u64::MAX, &mut hasher)
        .map_err(|e| crate::disk::Error::new("read", shard.path_of(name), e))?;
    Ok(hasher.finish() == *id)
}
