//! A directory built from nothing, by all cores.
//!
//! Each directory is a task, as in a snapshot, and gets its own metadata when all
//! in it is done, so that its time stays what it is set to. Until then only its
//! owner can enter it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::Scope;

use super::exact::ExactLinks;
use super::rights::Rights;
use super::{CheckoutOptions, CheckoutReport, Counters};
use crate::disk::meta::write_xattr;
use crate::disk::{Dir, FileKind};
use crate::id::TreeId;
use crate::monitor::{Amount, Finding, Monitor};
use crate::object::{Commit, Entry, Feature, Metadata, Node, Totals};
use crate::odb::{FileSpec, Odb, Placer, tree};
use crate::path::TreePath;
use crate::worktree::{Error, Result, metadata};

/// Entries made in one task, at most.
const CHUNK: usize = 256;

/// Seconds that every file system with Unix times can keep.
const EVERYWHERE: std::ops::RangeInclusive<i64> = -(1 << 31)..=(1 << 31) - 1;

/// Fills the empty directory `root` with a commit's tree.
pub(super) fn build(
    odb: &Odb,
    commit: &Commit,
    root: &Dir,
    options: &CheckoutOptions,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport> {
    monitor.begin("checking out", Some(Amount { files: commit.totals.files, bytes: commit.totals.bytes }));
    let maker = Maker::new(odb, commit, root, options, monitor)?;
    let build = Build { maker: &maker, failure: Mutex::default(), stopped: AtomicBool::new(false) };
    let directory = Arc::new(Building {
        parent: None,
        dir: root.try_clone()?,
        at: Arc::new(TreePath::root()),
        metadata: commit.root.clone(),
        unfinished: AtomicUsize::new(1),
    });
    rayon::scope(|scope| {
        let build = &build;
        let totals = options.paths.is_empty().then_some(commit.totals);
        scope.spawn(move |scope| build.run(scope, |scope| build.fill(scope, directory, commit.tree, totals)));
    });
    if let Some(error) = build.failure.into_inner().expect("no holder of this lock panics") {
        return Err(error);
    }
    // One sync for all, before the pool links anything.
    if maker.placer.has_adoptions() {
        maker.placer.adopt(monitor)?;
    } else {
        root.sync_file_system()?;
    }
    monitor.end();
    Ok(maker.counters.report(maker.placer.bytes_written()))
}

/// Makes single entries; shared with the update in place.
pub(super) struct Maker<'a> {
    pub odb: &'a Odb,
    pub root: &'a Dir,
    pub placer: Placer<'a>,
    pub counters: Counters,
    pub rights: Rights,
    pub exact: Option<ExactLinks>,
    pub monitor: &'a dyn Monitor,
    only: &'a [TreePath],
}

impl<'a> Maker<'a> {
    pub fn new(
        odb: &'a Odb,
        commit: &Commit,
        root: &'a Dir,
        options: &'a CheckoutOptions,
        monitor: &'a dyn Monitor,
    ) -> Result<Maker<'a>> {
        let exact_xattrs = metadata::keeps_xattrs(commit.policy);
        Ok(Maker {
            odb,
            root,
            placer: Placer::new(odb, root, options.placing, exact_xattrs)?,
            counters: Counters::default(),
            rights: Rights { as_is: options.as_is },
            exact: commit.policy.keeps(Feature::HardLinks).then(ExactLinks::default),
            monitor,
            only: &options.paths,
        })
    }

    /// Whether a path is asked for, lies below one that is, or leads to one.
    pub fn wants(&self, path: &TreePath) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| path.starts_with(only) || only.starts_with(path))
    }

    /// Makes an entry that is no directory under the name `name`.
    pub fn make(&self, dir: &Dir, at: &Arc<TreePath>, name: &[u8], entry: &Entry) -> Result<()> {
        if !self.rights.makes(entry) {
            self.counters.specials_skipped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let (metadata, dropped) = self.rights.apply(&entry.metadata);
        if dropped {
            self.counters.rights_dropped.fetch_add(1, Ordering::Relaxed);
        }
        match (&self.exact, entry.metadata.link) {
            (Some(exact), Some(group)) => exact.in_group(
                group,
                &at.join(&entry.name),
                |first| {
                    let first_dir = self.root.open_below(&first.parent().unwrap_or_default())?;
                    dir.link_from(&first_dir, first.file_name().unwrap_or_default(), name)?;
                    self.counters.others.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
                || self.make_alone(dir, at, name, entry, &metadata),
            ),
            _ => self.make_alone(dir, at, name, entry, &metadata),
        }?;
        self.check_time(dir, at, name, entry)
    }

    /// Tells of a time that the file system has put within its range.
    fn check_time(&self, dir: &Dir, at: &TreePath, name: &[u8], entry: &Entry) -> Result<()> {
        if let Some(mtime) = entry.metadata.mtime.filter(|mtime| !EVERYWHERE.contains(&mtime.secs))
            && dir.find(name)?.is_some_and(|stat| stat.mtime != mtime)
        {
            let what = "has a time that the file system cannot keep";
            self.monitor.finding(Finding::partial(at.join(&entry.name), what));
        }
        Ok(())
    }

    fn make_alone(&self, dir: &Dir, at: &Arc<TreePath>, name: &[u8], entry: &Entry, metadata: &Metadata) -> Result<()> {
        match &entry.node {
            Node::File { blob, size } => {
                let instance = self.exact.as_ref().map_or(0, |exact| exact.next_instance(*blob, metadata));
                let spec = FileSpec { blob: *blob, size: *size, metadata, instance, final_name: &entry.name };
                self.counters.placed(self.placer.place(dir, at, name, spec)?);
                return Ok(());
            }
            Node::Symlink { target } => dir.make_symlink(name, target)?,
            Node::Fifo => dir.make_node(name, FileKind::Fifo, metadata.mode.unwrap_or(0o644), (0, 0))?,
            Node::Socket => dir.make_node(name, FileKind::Socket, metadata.mode.unwrap_or(0o644), (0, 0))?,
            Node::CharDevice { rdev } => {
                dir.make_node(name, FileKind::CharDevice, metadata.mode.unwrap_or(0o600), *rdev)?;
            }
            Node::BlockDevice { rdev } => {
                dir.make_node(name, FileKind::BlockDevice, metadata.mode.unwrap_or(0o600), *rdev)?;
            }
            Node::Dir { .. } => unreachable!("directories are made by their own task"),
        }
        self.counters.others.fetch_add(1, Ordering::Relaxed);
        if let Some((uid, gid)) = metadata.owner {
            dir.set_owner(name, uid, gid)?;
        }
        for xattr in &metadata.xattrs {
            write_xattr(dir, Some(name), xattr)?;
        }
        // Making it is subject to the umask, and a new owner takes set-id bits away.
        if let (Some(mode), false) = (metadata.mode, matches!(entry.node, Node::Symlink { .. })) {
            dir.set_mode(name, mode)?;
        }
        if let Some(mtime) = metadata.mtime {
            dir.set_mtime(name, mtime)?;
        }
        Ok(())
    }

    /// Gives a directory that is done its own metadata.
    pub fn finish_dir(&self, dir: &Dir, metadata: &Metadata) -> Result<()> {
        let (metadata, dropped) = self.rights.apply(metadata);
        if dropped {
            self.counters.rights_dropped.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((uid, gid)) = metadata.owner {
            dir.set_own_owner(uid, gid)?;
        }
        for xattr in &metadata.xattrs {
            write_xattr(dir, None, xattr)?;
        }
        dir.set_own_mode(metadata.mode.unwrap_or(0o755))?;
        if let Some(mtime) = metadata.mtime {
            dir.set_own_mtime(mtime)?;
        }
        Ok(())
    }

    /// A name that another entry has taken: the file system does not tell them
    /// apart.
    pub fn collision(&self, dir: &Dir, at: &TreePath, name: &[u8]) -> Result<()> {
        let inode = dir.find(name)?.map(|stat| stat.inode());
        let mut what = "is the same name as another on this file system; not made".to_owned();
        for (other, _) in dir.names()? {
            if other != name && dir.find(&other)?.map(|stat| stat.inode()) == inode {
                let other = crate::path::Escaped(&other);
                what = format!("is the same name as '{other}' on this file system; not made");
            }
        }
        self.monitor.finding(Finding::partial(at.join(name), what));
        Ok(())
    }
}

struct Build<'b, 'a> {
    maker: &'b Maker<'a>,
    failure: Mutex<Option<Error>>,
    stopped: AtomicBool,
}

struct Building {
    parent: Option<Arc<Building>>,
    dir: Dir,
    at: Arc<TreePath>,
    metadata: Metadata,
    unfinished: AtomicUsize,
}

impl Build<'_, '_> {
    fn run<'s>(&'s self, scope: &Scope<'s>, task: impl FnOnce(&Scope<'s>) -> Result<()>) {
        if self.stopped.load(Ordering::Relaxed) {
            return;
        }
        let result = self.maker.monitor.check().map_err(Error::from).and_then(|()| task(scope));
        if let Err(error) = result {
            self.stopped.store(true, Ordering::Relaxed);
            self.failure.lock().expect("no holder of this lock panics").get_or_insert(error);
        }
    }

    fn fill<'s>(
        &'s self,
        scope: &Scope<'s>,
        directory: Arc<Building>,
        id: TreeId,
        totals: Option<Totals>,
    ) -> Result<()> {
        let mut dirs = Vec::new();
        let mut others = Vec::new();
        for entry in tree::read_dir(self.maker.odb, id, totals)? {
            if !self.maker.wants(&directory.at.join(&entry.name)) {
                continue;
            }
            if entry.is_dir() { dirs.push(entry) } else { others.push(entry) }
        }
        let mut chunks = Vec::new();
        while others.len() > CHUNK {
            chunks.push(others.split_off(others.len() - CHUNK));
        }
        directory.unfinished.fetch_add(dirs.len() + chunks.len(), Ordering::Relaxed);
        for entry in dirs.into_iter().rev() {
            let parent = directory.clone();
            scope.spawn(move |scope| self.run(scope, |scope| self.descend(scope, parent, entry)));
        }
        for chunk in chunks {
            let directory = directory.clone();
            scope.spawn(move |scope| {
                self.run(scope, |_| {
                    self.make_all(&directory, &chunk)?;
                    self.done(directory)
                });
            });
        }
        self.make_all(&directory, &others)?;
        self.done(directory)
    }

    fn descend<'s>(&'s self, scope: &Scope<'s>, parent: Arc<Building>, entry: Entry) -> Result<()> {
        let Node::Dir { tree, totals } = entry.node else { return self.done(parent) };
        let at = parent.at.join(&entry.name);
        if let Err(e) = parent.dir.make_dir(&entry.name, 0o700) {
            if !e.is_exists() {
                return Err(e.into());
            }
            self.maker.collision(&parent.dir, &parent.at, &entry.name)?;
            return self.done(parent);
        }
        let dir = parent.dir.open_dir(&entry.name)?;
        let (at, metadata) = (Arc::new(at), entry.metadata);
        let directory = Building { parent: Some(parent), dir, at, metadata, unfinished: AtomicUsize::new(1) };
        self.fill(scope, Arc::new(directory), tree, Some(totals))
    }

    fn make_all(&self, directory: &Building, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            self.maker.monitor.check()?;
            match self.maker.make(&directory.dir, &directory.at, &entry.name, entry) {
                Err(Error::Disk(e) | Error::Odb(crate::odb::Error::Disk(e))) if e.is_exists() => {
                    self.maker.collision(&directory.dir, &directory.at, &entry.name)?;
                }
                made => made?,
            }
            self.maker.monitor.advance(Amount::file(entry.totals().bytes));
        }
        Ok(())
    }

    fn done(&self, mut directory: Arc<Building>) -> Result<()> {
        while directory.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.maker.finish_dir(&directory.dir, &directory.metadata)?;
            match &directory.parent {
                Some(parent) => directory = parent.clone(),
                None => break,
            }
        }
        Ok(())
    }
}
