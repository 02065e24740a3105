//! The checksum cache: which blob a file was, last time it was hashed.
//!
//! A cache in one redb file for each tree, one record a directory. It may be
//! deleted at any time; when another process holds it, or it is damaged, work
//! goes on without it and everything is hashed.
//!
//! A record is believed only if it cannot be wrong:
//!
//! - inode, size and modification time are those of the file when it was hashed;
//!   and its change time too, unless it has (or had) several names: linking a
//!   file changes that without touching the contents.
//! - *Racy files.* A file can change twice within one tick of the clock that
//!   stamps it, and look the same as after the first change. So a file is
//!   recorded only when its stamps were [`RACY_SECS`] old as it was read: any
//!   later change then gets another stamp.
//! - every record carries a checksum, for redb verifies its pages only after a
//!   crash.
//!
//! What it says a file is need not be in the database: whoever stores a new tree
//! checks that.

use std::path::Path;
use std::sync::Mutex;

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition};

use crate::disk::durable::FILE_MODE;
use crate::disk::{Dir, Stat, Time};
use crate::id::{BlobId, ObjectId, hash_bytes};
use crate::path::TreePath;

/// Stamps must be so many seconds old to be trusted: the coarsest in use, FAT's.
pub const RACY_SECS: i64 = 2;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("directories-1");
/// redb's page cache. What is read is read once.
const CACHE_LEN: usize = 8 << 20;
/// Records waiting to be written are flushed when they take so many bytes.
const PENDING_LEN: usize = 8 << 20;
const CHECKSUM_LEN: usize = 8;

/// What was hashed in one directory. Files are sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirRecord {
    /// The regular files.
    pub files: Vec<FileRecord>,
}

/// What one file was when it was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its name.
    pub name: Vec<u8>,
    /// Its content.
    pub blob: BlobId,
    ino: u64,
    size: u64,
    mtime: Time,
    /// `None` if it had several names.
    ctime: Option<Time>,
}

impl FileRecord {
    /// Records that a file, looked at before it was hashed, is this blob. `None`
    /// if it changed too recently to be told from a later change.
    pub fn new(name: &[u8], stat: &Stat, blob: BlobId, hashed_at: Time) -> Option<FileRecord> {
        let ctime = (stat.nlink == 1).then_some(stat.ctime);
        let newest = stat.mtime.max(ctime.unwrap_or(stat.mtime));
        let settled = newest.secs.checked_add(RACY_SECS)? < hashed_at.secs;
        settled.then(|| FileRecord {
            name: name.to_vec(),
            blob,
            ino: stat.ino,
            size: stat.size,
            mtime: stat.mtime,
            ctime,
        })
    }

    /// Whether a file that looks like this is still the same.
    pub fn matches(&self, stat: &Stat) -> bool {
        self.ino == stat.ino
            && self.size == stat.size
            && self.mtime == stat.mtime
            && (stat.nlink > 1 || self.ctime.is_none_or(|ctime| ctime == stat.ctime))
    }
}

impl DirRecord {
    /// Writes the bytes of this record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; CHECKSUM_LEN];
        for file in &self.files {
            out.push(u8::try_from(file.name.len()).expect("names have at most 255 bytes"));
            out.extend_from_slice(&file.name);
            out.extend_from_slice(file.blob.as_bytes());
            for number in [file.ino, file.size] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.push(file.ctime.is_some().into());
            for time in [Some(file.mtime), file.ctime].into_iter().flatten() {
                out.extend_from_slice(&time.secs.to_le_bytes());
                out.extend_from_slice(&time.nanos.to_le_bytes());
            }
        }
        let checksum = hash_bytes(&out[CHECKSUM_LEN..]);
        out[..CHECKSUM_LEN].copy_from_slice(&checksum.as_bytes()[..CHECKSUM_LEN]);
        out
    }

    /// Reads such bytes; `None` for what would not be written the same.
    pub fn decode(bytes: &[u8]) -> Option<DirRecord> {
        let (checksum, mut rest) = bytes.split_at_checked(CHECKSUM_LEN)?;
        if hash_bytes(rest).as_bytes()[..CHECKSUM_LEN] != *checksum {
            return None;
        }
        fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
            let (taken, left) = rest.split_at_checked(count)?;
            *rest = left;
            Some(taken)
        }
        let number = |rest: &mut &[u8]| take(rest, 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let time = |rest: &mut &[u8]| {
            let secs = take(rest, 8).and_then(|b| b.try_into().ok()).map(i64::from_le_bytes)?;
            let nanos = take(rest, 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)?;
            Some(Time { secs, nanos })
        };
        let mut files = Vec::new();
        while let Some((&len, after)) = rest.split_first() {
            rest = after;
            let name = take(&mut rest, len.into())?.to_vec();
            let blob = BlobId(ObjectId::from_slice(take(&mut rest, 32)?)?);
            let (ino, size) = (number(&mut rest)?, number(&mut rest)?);
            let has_ctime = match take(&mut rest, 1)?[0] {
                0 => false,
                1 => true,
                _ => return None,
            };
            let mtime = time(&mut rest)?;
            let ctime = if has_ctime { Some(time(&mut rest)?) } else { None };
            files.push(FileRecord { name, blob, ino, size, mtime, ctime });
        }
        Some(DirRecord { files })
    }
}

/// The cache of one tree, held by this process.
pub struct Checksums {
    database: Option<Database>,
    table: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    len: usize,
}

impl Checksums {
    /// Remembers nothing.
    pub fn none() -> Checksums {
        Checksums { database: None, table: None, pending: Mutex::default() }
    }

    /// Opens the cache of the tree at `tree_path` in the directory `cache`. A
    /// damaged one is begun anew; one that cannot be had is done without.
    pub fn open(cache: &Path, tree_path: &Path) -> Checksums {
        let key = hash_bytes(tree_path.as_os_str().as_encoded_bytes());
        let name = format!("checksums-{key:.16}.redb");
        let path = cache.join(&name);
        // Made here, so that it has a mode of our choice whatever the mask is.
        let made = Dir::open(cache).and_then(|dir| dir.append(name.as_bytes(), FILE_MODE));
        drop(made);
        let create = || {
            let mut builder = redb::Builder::new();
            builder.set_cache_size(CACHE_LEN);
            guarded(|| builder.create(&path))
        };
        let database = match create() {
            Some(Err(redb::DatabaseError::DatabaseAlreadyOpen)) => return Checksums::none(),
            Some(Ok(database)) => Some(database),
            _ => {
                let _ = std::fs::remove_file(&path);
                create().and_then(Result::ok)
            }
        };
        let table = database.as_ref().and_then(|database| guarded(|| open_table(database)).flatten());
        Checksums { database, table, pending: Mutex::default() }
    }

    /// What is known of one directory.
    pub fn read(&self, dir: &TreePath) -> DirRecord {
        let read = |table: &ReadOnlyTable<_, _>| {
            let value = redb::ReadableTable::get(table, dir.as_bytes()).ok()??;
            DirRecord::decode(value.value())
        };
        self.table.as_ref().and_then(|table| guarded(|| read(table)).flatten()).unwrap_or_default()
    }

    /// Records one directory; an empty record forgets it.
    pub fn write(&self, dir: &TreePath, record: &DirRecord) {
        if self.database.is_none() {
            return;
        }
        let value = (!record.files.is_empty()).then(|| record.encode());
        let mut pending = self.pending.lock().expect("no holder of this lock panics");
        pending.len += dir.as_bytes().len() + value.as_ref().map_or(0, Vec::len);
        pending.records.push((dir.as_bytes().to_vec(), value));
        if pending.len >= PENDING_LEN {
            self.flush(std::mem::take(&mut *pending).records);
        }
    }

    /// Forgets a directory and all below it.
    pub fn forget_below(&self, dir: &TreePath) {
        let Some(table) = &self.table else { return };
        let mut first = dir.as_bytes().to_vec();
        first.push(b'/');
        let mut end = dir.as_bytes().to_vec();
        end.push(b'/' + 1);
        let keys = guarded(|| {
            let range = table.range::<&[u8]>(&first[..]..&end[..]).ok()?;
            Some(range.filter_map(|entry| Some(entry.ok()?.0.value().to_vec())).collect::<Vec<_>>())
        });
        let mut pending = self.pending.lock().expect("no holder of this lock panics");
        pending.records.push((dir.as_bytes().to_vec(), None));
        pending.records.extend(keys.flatten().unwrap_or_default().into_iter().map(|key| (key, None)));
    }

    /// Writes what was recorded. A cache that cannot be written is no error.
    pub fn finish(self) {
        let pending = std::mem::take(&mut *self.pending.lock().expect("no holder of this lock panics"));
        if !pending.records.is_empty() {
            self.flush(pending.records);
        }
    }

    fn flush(&self, mut records: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        let Some(database) = &self.database else { return };
        records.sort();
        guarded(|| -> Result<(), redb::Error> {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            {
                let mut table = transaction.open_table(TABLE)?;
                for (key, value) in &records {
                    match value {
                        Some(value) => drop(table.insert(&key[..], &value[..])?),
                        None => drop(table.remove(&key[..])?),
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        });
    }
}

fn open_table(database: &Database) -> Option<ReadOnlyTable<&'static [u8], &'static [u8]>> {
    let transaction: ReadTransaction = database.begin_read().ok()?;
    transaction.open_table(TABLE).ok()
}

/// Runs something that reads a cache which may be damaged in any way; a panic in
/// there means that the cache is worth nothing, no more.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Dir;

    fn record(dir: &Path) -> (DirRecord, Stat) {
        std::fs::write(dir.join("f"), b"x").unwrap();
        let stat = Dir::open(dir).unwrap().stat(b"f").unwrap();
        let later = Time { secs: stat.ctime.secs + RACY_SECS + 1, nanos: 0 };
        let blob = BlobId(hash_bytes(b"x"));
        assert_eq!(FileRecord::new(b"f", &stat, blob, stat.ctime), None, "racy");
        (DirRecord { files: vec![FileRecord::new(b"f", &stat, blob, later).unwrap()] }, stat)
    }

    #[test]
    fn what_was_recorded_is_found_again_until_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (record, stat) = record(dir.path());
        let at = TreePath::parse(b"a/b").unwrap();
        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        cache.write(&at, &record);
        cache.finish();

        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        let found = cache.read(&at);
        assert_eq!(found, record);
        assert!(found.files[0].matches(&stat));
        assert!(!found.files[0].matches(&Stat { size: 2, ..stat.clone() }));
        assert!(!found.files[0].matches(&Stat { ino: 0, ..stat.clone() }));
        let touched = Stat { ctime: Time::now(), ..stat };
        assert!(!found.files[0].matches(&touched));
        assert!(found.files[0].matches(&Stat { nlink: 2, ..touched }), "linking changes the ctime too");
        assert_eq!(Checksums::open(dir.path(), Path::new("/other")).read(&at), DirRecord::default());
    }

    #[test]
    fn a_vanished_directory_is_forgotten_with_all_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let (record, _) = record(dir.path());
        let paths = ["a", "a/b", "a/b/c", "a-b", "a0"].map(|p| TreePath::parse(p.as_bytes()).unwrap());
        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        paths.iter().for_each(|path| cache.write(path, &record));
        cache.finish();
        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        cache.forget_below(&paths[0]);
        cache.finish();
        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        let left: Vec<_> = paths.iter().filter(|path| cache.read(path) == record).collect();
        assert_eq!(left, [&paths[3], &paths[4]]);
    }

    #[test]
    fn a_damaged_cache_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let (record, _) = record(dir.path());
        let at = TreePath::root();
        let cache = Checksums::open(dir.path(), Path::new("/tree"));
        cache.write(&at, &record);
        cache.finish();
        let held = Checksums::open(dir.path(), Path::new("/tree"));
        assert_eq!(Checksums::open(dir.path(), Path::new("/tree")).read(&at), DirRecord::default(), "held by another");
        drop(held);
        let name = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().is_some());
        for damage in [&b""[..], b"nonsense", &[0xff; 8192]] {
            std::fs::write(name.as_ref().unwrap(), damage).unwrap();
            let cache = Checksums::open(dir.path(), Path::new("/tree"));
            assert_eq!(cache.read(&at), DirRecord::default());
            cache.write(&at, &record);
            cache.finish();
            assert_eq!(Checksums::open(dir.path(), Path::new("/tree")).read(&at), record, "and works again");
        }
    }
}
