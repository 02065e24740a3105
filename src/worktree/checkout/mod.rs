//! A tree becomes a directory.
//!
//! A directory that does not exist is built beside its place by all cores
//! ([`create`]) and gets its name when it is whole. One that was checked out before
//! is updated in place ([`update`]), touching only what changed, in the order that
//! mirror users need: new files first, then replaced ones, then the files that
//! tell clients what there is, deletions last. Or it is exchanged in one step.
//!
//! Nothing is ever followed out of the directory. Without [`CheckoutOptions::as_is`]
//! nothing that gives rights is made: no set-id bits, devices, capabilities,
//! foreign owners.

mod build;
mod exact;
mod local;
mod rights;
mod update;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Error, Result};
use crate::diff::{ChangeKind, Differ};
use crate::disk::durable::{Lock, LockMode, free_space};
use crate::disk::{self, Dir, swap};
use crate::id::TreeId;
use crate::monitor::Monitor;
use crate::object::Commit;
use crate::odb::{self, Odb, Placement, Placing};
use crate::path::TreePath;

pub use update::{GUARD_FROM, Known, check_guard};

/// File names by which archives of known kinds tell clients what there is: they
/// must not be seen before what they speak of.
pub const INDEX_FILES: [&str; 16] = [
    "InRelease",
    "Release",
    "Release.gpg",
    "Packages*",
    "Sources*",
    "repomd.xml*",
    "index.html",
    "index.json",
    "simple.json",
    "SHA256SUMS*",
    "MD5SUMS*",
    "02packages.details.txt*",
    "ls-lR*",
    "fullfiletimelist*",
    "APKINDEX.tar.gz",
    "*.db",
];

/// Bytes that a name takes in a directory, at the very least.
const MIN_NAME_COST: u64 = 8;

/// How a tree becomes a directory.
#[derive(Clone, Debug)]
pub struct CheckoutOptions {
    /// How files get their contents.
    pub placing: Placing,
    /// Whether what gives rights is made as well.
    pub as_is: bool,
    /// Whether local changes are overwritten.
    pub force: bool,
    /// Whether files that no commit knows are removed.
    pub delete: bool,
    /// Whether the new tree is built beside and exchanged in one step.
    pub exchange: bool,
    /// Most files that may be removed, in percent; `None` for any number.
    pub delete_guard: Option<u8>,
    /// Which files are replaced last.
    pub index_files: IndexFiles,
    /// Only what lies at or below these paths; everything, if empty.
    pub paths: Vec<TreePath>,
}

impl Default for CheckoutOptions {
    fn default() -> Self {
        CheckoutOptions {
            placing: Placing::Link,
            as_is: false,
            force: false,
            delete: false,
            exchange: false,
            delete_guard: Some(50),
            index_files: IndexFiles::default(),
            paths: Vec::new(),
        }
    }
}

/// Names of files that tell clients what there is.
#[derive(Clone, Debug)]
pub struct IndexFiles(GlobSet);

impl IndexFiles {
    /// Takes globs over file names.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> std::result::Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(GlobBuilder::new(pattern.as_ref()).literal_separator(true).build()?);
        }
        Ok(IndexFiles(set.build()?))
    }

    fn contains(&self, path: &TreePath) -> bool {
        use std::os::unix::ffi::OsStrExt;
        path.file_name().is_some_and(|name| self.0.is_match(std::ffi::OsStr::from_bytes(name)))
    }
}

impl Default for IndexFiles {
    fn default() -> Self {
        IndexFiles::new(&INDEX_FILES).expect("these are valid globs")
    }
}

/// What a checkout did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckoutReport {
    /// Files that are hard links into the pool.
    pub linked: u64,
    /// Files that share blocks with the pool.
    pub reflinked: u64,
    /// Files that were copied.
    pub copied: u64,
    /// Empty files, symbolic links, and special files.
    pub others: u64,
    /// Files and directories that were removed.
    pub removed: u64,
    /// Content bytes that were written, not shared.
    pub bytes_written: u64,
    /// Entries that were made without what gives rights.
    pub rights_dropped: u64,
    /// Special files that were not made.
    pub specials_skipped: u64,
}

#[derive(Default)]
struct Counters {
    linked: AtomicU64,
    reflinked: AtomicU64,
    copied: AtomicU64,
    others: AtomicU64,
    removed: AtomicU64,
    rights_dropped: AtomicU64,
    specials_skipped: AtomicU64,
}

impl Counters {
    fn placed(&self, placement: Placement) {
        let counter = match placement {
            Placement::Linked => &self.linked,
            Placement::Reflinked => &self.reflinked,
            Placement::Copied => &self.copied,
            Placement::Empty => &self.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn report(&self, bytes_written: u64) -> CheckoutReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CheckoutReport {
            linked: get(&self.linked),
            reflinked: get(&self.reflinked),
            copied: get(&self.copied),
            others: get(&self.others),
            removed: get(&self.removed),
            bytes_written,
            rights_dropped: get(&self.rights_dropped),
            specials_skipped: get(&self.specials_skipped),
        }
    }
}

/// Builds the directory `target`, which must not exist, be empty, or (with
/// [`CheckoutOptions::exchange`]) is exchanged for what is built. Whatever
/// happens, `target` is what it was or the whole new tree.
pub fn create(
    odb: &Odb,
    commit: &Commit,
    target: &Path,
    options: &CheckoutOptions,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport> {
    let (parent, name) = split(target)?;
    if options.paths.is_empty() {
        check_space(&parent, commit)?;
    }
    let mut staged = b".".to_vec();
    staged.extend_from_slice(&name[..name.len().min(200)]);
    staged.extend_from_slice(b".chasm-new");
    let root = parent.ensure_dir(&staged, 0o700)?;
    // Two checkouts to one place: the second must not clear away the first's.
    let lock = Lock::take_file(root.reopen()?, &root.path(), LockMode::Exclusive, std::time::Duration::ZERO)?;
    let _lock = lock.ok_or(odb::Error::Busy("another checkout to the same place"))?;
    for (left, _) in root.names()? {
        root.remove_all(&left)?;
    }
    let built = build::build(odb, commit, &root, options, monitor).and_then(|report| {
        match parent.find(&name)? {
            None => parent.rename_new_from(&parent, &staged, &name)?,
            Some(_) if parent.remove_dir(&name).is_ok() => parent.rename_new_from(&parent, &staged, &name)?,
            Some(_) => swap::exchange(&parent, &staged, &name)?,
        }
        parent.sync()?;
        Ok(report)
    });
    match built {
        Ok(report) => {
            // After an exchange, the old tree.
            parent.remove_all(&staged)?;
            Ok(report)
        }
        Err(e) => {
            let _ = parent.remove_all(&staged);
            Err(e)
        }
    }
}

/// Brings the directory `target` from what it is known to be to `commit`.
pub fn update(
    odb: &Odb,
    old: Known<'_>,
    commit: &Commit,
    target: &Path,
    options: &CheckoutOptions,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport> {
    let root = Dir::open(target)?;
    update::update(odb, old, commit, &root, options, monitor)
}

/// Refuses a tree that cannot fit, before anything is written. Its names alone
/// take space; what its files take nobody knows, for they may be links or sparse.
fn check_space(parent: &Dir, commit: &Commit) -> Result<()> {
    let (free, all) = free_space(parent)?;
    if all > 0 && commit.totals.files.saturating_mul(MIN_NAME_COST) > free {
        let e = std::io::Error::from(std::io::ErrorKind::StorageFull);
        return Err(disk::Error::new("check out below", parent.path(), e).into());
    }
    Ok(())
}

/// The directory that `target` lies in, open, and its name there.
fn split(target: &Path) -> Result<(Dir, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt;
    let absolute = std::path::absolute(target).map_err(|e| disk::Error::new("find", target, e))?;
    let name = absolute.file_name().map(|name| name.as_bytes().to_vec());
    let parent = absolute.parent().map(Path::to_path_buf);
    match (parent, name) {
        (Some(parent), Some(name)) => Ok((Dir::open(&parent)?, name)),
        _ => {
            let e = std::io::Error::other("it has no directory above it");
            Err(disk::Error::new("check out to", PathBuf::from(target), e).into())
        }
    }
}

/// Refuses if what a checkout of single paths would overwrite is not what the
/// last checkout, of `was`, put there. `state` is what is there.
pub fn refuse_local_changes(
    odb: &Odb,
    was: TreeId,
    state: &Known<'_>,
    new: TreeId,
    options: &CheckoutOptions,
) -> Result<()> {
    let is_asked_for = |path: &TreePath| options.paths.iter().any(|asked| path.starts_with(asked));
    let mut edited = std::collections::HashSet::new();
    for change in Differ::new(odb, Some(was), state.source, Some(state.tree))? {
        let change = change?;
        if change.kind() != ChangeKind::Metadata && change.new.is_some() && is_asked_for(&change.path) {
            edited.insert(change.path);
        }
    }
    let mut local = Vec::new();
    for change in Differ::new(state.source, Some(state.tree), odb, Some(new))? {
        let path = change?.path;
        if edited.contains(&path) {
            local.push(path);
        }
    }
    let more = local.len().saturating_sub(1);
    match local.into_iter().next() {
        Some(path) => Err(Error::LocalChange { path, what: "was changed since the last checkout", more }),
        None => Ok(()),
    }
}
