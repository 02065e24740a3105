//! A directory becomes a tree.
//!
//! Each directory is a task: it is listed, each entry looked at, and what the
//! checksum cache does not know is hashed and stored. When all that lies in a
//! directory is done, its pages are made and its own entry goes to its parent, so
//! trees are built from below. Tasks run on all cores, the last begun first, so
//! that open directories and waiting work stay few however large the tree is.
//!
//! The directory may change meanwhile. A file is looked at before and after it is
//! read; if it changed it is read again, and if it keeps changing, its last
//! committed state stands and a finding says so. What vanishes between listing
//! and opening is gone. What cannot be read fails the whole: a commit never
//! records as deleted what it could not see.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::Scope;

use super::links::LinkGroups;
use super::metadata::metadata_of;
use super::pages::DirStore;
use super::{Error, Result, Select};
use crate::disk::{Dir, FileKind, Stat, Time};
use crate::id::{Kind, TreeId};
use crate::monitor::{Amount, Finding, Monitor};
use crate::object::{Entry, Feature, Metadata, Node as EntryNode, Policy, Totals, paginate};
use crate::odb::checksums::{Checksums, DirRecord, FileRecord};
use crate::odb::{self, Batch, Ingest, tree};
use crate::path::{InvalidPath, MAX_DEPTH, TreePath, check_name};

/// A file that changes while it is read is read so often.
const ATTEMPTS: usize = 3;
/// Files hashed in one task, at most, and their bytes.
const CHUNK_FILES: usize = 64;
const CHUNK_BYTES: u64 = 4 << 20;

/// What a snapshot takes up, and how.
pub struct SnapshotOptions {
    /// What metadata it keeps.
    pub policy: Policy,
    /// What it leaves out.
    pub select: Select,
    /// Whether the pool links large files instead of copying them.
    pub link: bool,
    /// Whether directories on other file systems are entered.
    pub cross_mounts: bool,
    /// The repository's own directory, which is never part of a tree.
    pub repository: Option<Stat>,
}

/// A directory as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The root directory.
    pub tree: TreeId,
    /// The root directory's own metadata.
    pub root: Metadata,
    /// What lies below it.
    pub totals: Totals,
    /// Entries of kinds that the policy does not keep.
    pub skipped: u64,
    /// Files that were hashed; all others were known.
    pub files_hashed: u64,
}

/// Makes a tree of the directory `root`, storing through `batch`. `base` is the
/// tree it most likely resembles: what it was last time.
pub fn snapshot(
    batch: &Batch<'_>,
    root: &Dir,
    base: Option<TreeId>,
    options: &SnapshotOptions,
    checksums: &Checksums,
    monitor: &dyn Monitor,
) -> Result<Snapshot> {
    let root_stat = root.stat_self()?;
    let mut walk = Walk {
        batch,
        options,
        checksums,
        monitor,
        root_dev: root_stat.dev,
        dirs: DirStore::new(batch, base),
        groups: LinkGroups::default(),
        failure: Mutex::default(),
        stopped: AtomicBool::new(false),
        skipped: AtomicU64::new(0),
        files_hashed: AtomicU64::new(0),
        result: Mutex::default(),
    };
    if options.policy.keeps(Feature::HardLinks) {
        let skip = |stat: &Stat| walk.is_foreign(stat) || walk.is_repository(stat);
        walk.groups = LinkGroups::find(root, &options.select, &skip, monitor)?;
    }
    let metadata = metadata_of(options.policy, root, None, &root_stat, &TreePath::root())?;
    let directory = Arc::new(Directory {
        parent: None,
        dir: root.try_clone()?,
        at: Arc::new(TreePath::root()),
        depth: 0,
        unfinished: AtomicUsize::new(1),
        contents: Mutex::default(),
    });
    rayon::scope(|scope| {
        let walk = &walk;
        scope.spawn(move |scope| walk.run(scope, |scope| walk.scan(scope, directory)));
    });
    if let Some(error) = walk.failure.into_inner().expect("no holder of this lock panics") {
        return Err(error);
    }
    let (tree, totals) = walk.result.into_inner().expect("no holder of this lock panics").expect("all tasks succeeded");
    let (skipped, files_hashed) = (walk.skipped.into_inner(), walk.files_hashed.into_inner());
    Ok(Snapshot { tree, root: metadata, totals, skipped, files_hashed })
}

struct Walk<'w> {
    batch: &'w Batch<'w>,
    options: &'w SnapshotOptions,
    checksums: &'w Checksums,
    monitor: &'w dyn Monitor,
    root_dev: (u32, u32),
    dirs: DirStore<'w>,
    groups: LinkGroups,
    failure: Mutex<Option<Error>>,
    stopped: AtomicBool,
    skipped: AtomicU64,
    files_hashed: AtomicU64,
    result: Mutex<Option<(TreeId, Totals)>>,
}

/// A directory that is being taken up.
struct Directory {
    /// The directory it lies in, its place there, and its own entry but for the
    /// tree id.
    parent: Option<(Arc<Directory>, usize, Entry)>,
    dir: Dir,
    at: Arc<TreePath>,
    depth: usize,
    /// Tasks that have yet to fill an entry, and one for the listing itself.
    unfinished: AtomicUsize,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    /// In the order of names; `None` until its task is done, or for good if there
    /// is nothing to record.
    entries: Vec<Option<Entry>>,
    /// What the checksum cache will know.
    record: DirRecord,
    /// Whether that is anything new.
    record_changed: bool,
    /// Whether any blob id was taken from the cache.
    from_cache: bool,
}

/// A file whose content has to be read.
struct ToHash {
    slot: usize,
    name: Vec<u8>,
    stat: Stat,
    metadata: Metadata,
}

impl<'w> Walk<'w> {
    /// Runs a task unless one has failed; keeps the first failure.
    fn run<'s>(&'s self, scope: &Scope<'s>, task: impl FnOnce(&Scope<'s>) -> Result<()>) {
        if self.stopped.load(Ordering::Relaxed) {
            return;
        }
        let result = self.monitor.check().map_err(Error::from).and_then(|()| task(scope));
        if let Err(error) = result {
            self.stopped.store(true, Ordering::Relaxed);
            self.failure.lock().expect("no holder of this lock panics").get_or_insert(error);
        }
    }

    fn is_foreign(&self, stat: &Stat) -> bool {
        stat.dev != self.root_dev && !self.options.cross_mounts
    }

    fn is_repository(&self, stat: &Stat) -> bool {
        self.options.repository.as_ref().is_some_and(|own| own.inode() == stat.inode())
    }

    /// Lists a directory and looks at each entry.
    fn scan<'s>(&'s self, scope: &Scope<'s>, directory: Arc<Directory>) -> Result<()> {
        let Directory { dir, at, .. } = &*directory;
        let policy = self.options.policy;
        let known = self.checksums.read(at);
        let mut known_files = known.files.into_iter().peekable();
        let mut contents = Contents::default();
        let mut dirs = Vec::new();
        let mut to_hash = Vec::new();
        let mut unchanged = Amount::default();
        for (name, kind) in dir.names()? {
            if self.options.select.excludes(at, &name, kind == Some(FileKind::Dir)) {
                continue;
            }
            let Some(stat) = dir.find(&name)? else {
                self.vanished(at, &name);
                continue;
            };
            if kind.is_none() && self.options.select.excludes(at, &name, stat.kind == FileKind::Dir) {
                continue;
            }
            if stat.kind == FileKind::Dir && self.is_repository(&stat) {
                continue;
            }
            let found = metadata_of(policy, dir, Some(&name), &stat, at);
            let mut metadata = match found {
                Err(Error::Disk(e)) if e.is_vanished() => {
                    self.vanished(at, &name);
                    continue;
                }
                other => other?,
            };
            metadata.link = self.groups.of(&stat).filter(|_| stat.kind != FileKind::Dir);
            let slot = contents.entries.len();
            let node = match stat.kind {
                FileKind::File => {
                    while known_files.next_if(|file| file.name < name).is_some() {
                        contents.record_changed = true;
                    }
                    match known_files.next_if(|file| file.name == name) {
                        Some(file) if file.matches(&stat) => {
                            let node = EntryNode::File { blob: file.blob, size: stat.size };
                            unchanged = Amount { files: unchanged.files + 1, bytes: unchanged.bytes + stat.size };
                            contents.from_cache = true;
                            contents.record.files.push(file);
                            Some(node)
                        }
                        _ => {
                            contents.record_changed = true;
                            to_hash.push(ToHash { slot, name, stat, metadata });
                            contents.entries.push(None);
                            continue;
                        }
                    }
                }
                FileKind::Dir => {
                    dirs.push((slot, name, stat, metadata));
                    contents.entries.push(None);
                    continue;
                }
                FileKind::Symlink if policy.keeps(Feature::Symlinks) => match dir.read_link(&name) {
                    Ok(target) => Some(EntryNode::Symlink { target }),
                    Err(e) if e.is_vanished() || e.is(rustix::io::Errno::INVAL) => {
                        self.vanished(at, &name);
                        continue;
                    }
                    Err(e) => return Err(e.into()),
                },
                FileKind::Fifo if policy.keeps(Feature::Fifos) => Some(EntryNode::Fifo),
                FileKind::Socket if policy.keeps(Feature::Sockets) => Some(EntryNode::Socket),
                FileKind::CharDevice if policy.keeps(Feature::DeviceNodes) => {
                    Some(EntryNode::CharDevice { rdev: stat.rdev })
                }
                FileKind::BlockDevice if policy.keeps(Feature::DeviceNodes) => {
                    Some(EntryNode::BlockDevice { rdev: stat.rdev })
                }
                _ => None,
            };
            match node {
                Some(node) => {
                    if stat.kind != FileKind::File {
                        unchanged.files += 1;
                    }
                    contents.entries.push(Some(Entry { name, metadata, node }));
                }
                None => {
                    self.skipped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        contents.record_changed |= known_files.next().is_some();
        self.monitor.advance(unchanged);

        let chunks = chunk(to_hash);
        directory.unfinished.fetch_add(dirs.len() + chunks.len(), Ordering::Relaxed);
        *directory.contents.lock().expect("no holder of this lock panics") = contents;
        // Rayon takes the newest task first; the first directory shall be next.
        for (slot, name, stat, metadata) in dirs.into_iter().rev() {
            let parent = directory.clone();
            scope.spawn(move |scope| self.run(scope, |scope| self.descend(scope, parent, slot, name, stat, metadata)));
        }
        let mut chunks = chunks.into_iter();
        let first = chunks.next();
        for files in chunks.rev() {
            let directory = directory.clone();
            scope.spawn(move |scope| {
                self.run(scope, |_| {
                    self.hash_all(&directory, files)?;
                    self.done(directory)
                });
            });
        }
        if let Some(files) = first {
            self.hash_all(&directory, files)?;
            self.done(directory.clone())?;
        }
        self.done(directory)
    }

    /// Opens a directory below another and scans it.
    fn descend<'s>(
        &'s self,
        scope: &Scope<'s>,
        parent: Arc<Directory>,
        slot: usize,
        name: Vec<u8>,
        stat: Stat,
        metadata: Metadata,
    ) -> Result<()> {
        let at = Arc::new(parent.at.join(&name));
        let depth = parent.depth + 1;
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { path: (*parent.at).clone(), source: InvalidPath::TooDeep(depth) });
        }
        check_name(&name).map_err(|source| Error::TooDeep { path: (*parent.at).clone(), source })?;
        let empty = EntryNode::Dir { tree: empty_tree(), totals: Totals::default() };
        let entry = Entry { name, metadata, node: empty };
        if self.is_foreign(&stat) {
            self.monitor
                .finding(Finding::note((*at).clone(), "is a mount point, recorded without what is mounted there"));
            self.dirs.store(&at, &[])?;
            parent.contents.lock().expect("no holder of this lock panics").entries[slot] = Some(entry);
            return self.done(parent);
        }
        let dir = match parent.dir.open_dir(&entry.name) {
            Err(e) if e.is_vanished() => {
                self.vanished(&parent.at, &entry.name);
                return self.done(parent);
            }
            opened => opened?,
        };
        let directory = Directory {
            parent: Some((parent, slot, entry)),
            dir,
            at,
            depth,
            unfinished: AtomicUsize::new(1),
            contents: Mutex::default(),
        };
        self.scan(scope, Arc::new(directory))
    }

    fn hash_all(&self, directory: &Directory, files: Vec<ToHash>) -> Result<()> {
        let mut hashed = Vec::with_capacity(files.len());
        for file in files {
            self.monitor.check()?;
            let slot = file.slot;
            if let Some((entry, record)) = self.hash(directory, file)? {
                self.monitor.advance(Amount::file(entry.totals().bytes));
                hashed.push((slot, entry, record));
            }
        }
        let mut contents = directory.contents.lock().expect("no holder of this lock panics");
        for (slot, entry, record) in hashed {
            contents.entries[slot] = Some(entry);
            contents.record.files.extend(record);
        }
        Ok(())
    }

    /// Reads and stores one file. `None` if there is nothing to record.
    fn hash(&self, directory: &Directory, file: ToHash) -> Result<Option<(Entry, Option<FileRecord>)>> {
        let Directory { dir, at, .. } = directory;
        let ToHash { name, mut stat, mut metadata, .. } = file;
        for _ in 0..ATTEMPTS {
            let hashed_at = Time::now();
            let (open, before) = match dir.open_file(&name) {
                Err(e) if e.is_vanished() => {
                    self.vanished(at, &name);
                    return Ok(None);
                }
                opened => opened?,
            };
            if !is_same(&before, &stat) {
                let link = metadata.link;
                metadata = Metadata { link, ..metadata_of(self.options.policy, dir, Some(&name), &before, at)? };
            }
            let ingest = Ingest {
                dir,
                at,
                name: &name,
                file: &open,
                stat: &before,
                metadata: &metadata,
                link: self.options.link,
            };
            let stored = match self.batch.add_file(&ingest) {
                Err(odb::Error::Unstable(_)) => None,
                stored => Some(stored?),
            };
            let after = dir.find(&name)?;
            if let (Some((blob, size)), Some(after)) = (stored, after)
                && size == before.size
                && is_same(&before, &after)
            {
                self.files_hashed.fetch_add(1, Ordering::Relaxed);
                let record = FileRecord::new(&name, &before, blob, hashed_at);
                return Ok(Some((Entry { name, metadata, node: EntryNode::File { blob, size } }, record)));
            }
            stat = before;
        }
        self.unstable(at, name)
    }

    /// A file that never holds still: its last committed state stands.
    fn unstable(&self, at: &TreePath, name: Vec<u8>) -> Result<Option<(Entry, Option<FileRecord>)>> {
        let before = match self.dirs.base_dir(at)? {
            Some(tree) => tree::find_entry(self.batch.odb(), tree, &name)?,
            None => None,
        };
        let what = match &before {
            Some(_) => "changes while it is read; kept as it was in the last commit",
            None => "changes while it is read; left out",
        };
        self.monitor.finding(Finding::partial(at.join(&name), what));
        Ok(before.map(|entry| (entry, None)))
    }

    fn vanished(&self, at: &TreePath, name: &[u8]) {
        self.monitor.finding(Finding::partial(at.join(name), "vanished while the directory was read"));
    }

    /// One task of a directory is done; with the last one, so is the directory,
    /// and perhaps the one it lies in.
    fn done(&self, mut directory: Arc<Directory>) -> Result<()> {
        while directory.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut contents = std::mem::take(&mut *directory.contents.lock().expect("no holder of this lock panics"));
            let mut entries: Vec<Entry> = contents.entries.into_iter().flatten().collect();
            if contents.record_changed {
                contents.record.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                self.checksums.write(&directory.at, &contents.record);
            }
            if contents.from_cache && !self.dirs.is_known(&directory.at, &entries)? {
                self.store_missing_blobs(&directory, &mut entries)?;
            }
            let (tree, totals) = self.dirs.store(&directory.at, &entries)?;
            let Some((parent, slot, entry)) = &directory.parent else {
                *self.result.lock().expect("no holder of this lock panics") = Some((tree, totals));
                return Ok(());
            };
            let entry = Entry { node: EntryNode::Dir { tree, totals }, ..entry.clone() };
            parent.contents.lock().expect("no holder of this lock panics").entries[*slot] = Some(entry);
            directory = parent.clone();
        }
        Ok(())
    }

    /// Stores files that the cache knew and the database does not.
    fn store_missing_blobs(&self, directory: &Directory, entries: &mut Vec<Entry>) -> Result<()> {
        if self.batch.is_dry() {
            return Ok(());
        }
        let odb = self.batch.odb();
        let mut at = 0;
        while at < entries.len() {
            let missing = match &entries[at].node {
                EntryNode::File { blob, size } => *size > 0 && !odb.contains(Kind::Blob, &blob.0)?,
                _ => false,
            };
            if missing {
                let Entry { name, metadata, .. } = entries[at].clone();
                let Some(stat) = directory.dir.find(&name)? else {
                    self.vanished(&directory.at, &name);
                    entries.remove(at);
                    continue;
                };
                match self.hash(directory, ToHash { slot: at, name, stat, metadata })? {
                    Some((entry, _)) => entries[at] = entry,
                    None => {
                        entries.remove(at);
                        continue;
                    }
                }
            }
            at += 1;
        }
        Ok(())
    }
}

/// Whether a file is the same inode with the same stamps.
fn is_same(a: &Stat, b: &Stat) -> bool {
    a.inode() == b.inode() && a.size == b.size && a.mtime == b.mtime && (a.ctime == b.ctime || a.nlink != b.nlink)
}

/// Cuts work into tasks that are neither too many nor too long.
fn chunk(files: Vec<ToHash>) -> Vec<Vec<ToHash>> {
    let mut chunks = Vec::new();
    let mut current = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.stat.size;
        current.push(file);
        if current.len() >= CHUNK_FILES || bytes >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut current));
            bytes = 0;
        }
    }
    if !current.is_empty() {
        chunks.push(current);
    }
    chunks
}

fn empty_tree() -> TreeId {
    paginate(&[]).expect("an empty directory is within all limits").root()
}
