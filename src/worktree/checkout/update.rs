//! A directory brought from one tree to another in place.
//!
//! Only paths that differ between the two trees are looked at. First all of them
//! are compared with what is on disk, and a local change refuses the whole before
//! anything was touched. Then, so that a client never sees an index that speaks of
//! what is not there yet: new files; replaced files, each by one rename; index
//! files; one sync; deletions; and the metadata of directories last.
//!
//! A run that was cut off is continued by the next: [`Known::also`] is where it
//! was going, and a path that agrees with that is done already.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::build::Maker;
use super::local::{Local, look};
use super::{CheckoutOptions, CheckoutReport};
use crate::diff::{Change, Differ};
use crate::disk::{Dir, FileKind};
use crate::id::TreeId;
use crate::monitor::{Amount, Finding, Monitor};
use crate::object::{Commit, Entry, Metadata, Node};
use crate::odb::{Odb, TreeSource, tree};
use crate::path::TreePath;
use crate::worktree::{Error, Result};

/// The guard against removing too much looks at trees of at least so many files.
pub const GUARD_FROM: u64 = 100;

/// What a directory is known to hold.
pub struct Known<'a> {
    /// Where its tree can be read.
    pub source: &'a dyn TreeSource,
    /// The tree.
    pub tree: TreeId,
    /// A tree that an earlier run, which did not finish, was bringing it to.
    pub also: Option<TreeId>,
    /// If `tree` was found there, and not put there: what was put there. Anything
    /// else is foreign, and stays unless all that is foreign shall go.
    pub tracked: Option<TreeId>,
}

pub(super) fn update(
    odb: &Odb,
    old: Known<'_>,
    commit: &Commit,
    root: &Dir,
    options: &CheckoutOptions,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport> {
    let maker = Maker::new(odb, commit, root, options, monitor)?;
    let (mut changes, mut dirs) = differences(&old, odb, commit.tree)?;
    if let Some(also) = old.also {
        // What the cut-off run made or changed and this one would not touch.
        let midway = Known { source: odb, tree: also, also: None, tracked: None };
        let (back, more) = differences(&midway, odb, commit.tree)?;
        let known: std::collections::HashSet<_> = changes.iter().map(|change| change.path.clone()).collect();
        changes.extend(back.into_iter().filter(|change| !known.contains(&change.path)));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        dirs.extend(more);
    }
    changes.retain(|change| maker.wants(&change.path));
    if let (Some(tracked), false) = (old.tracked, options.delete) {
        let mut kept = Vec::with_capacity(changes.len());
        for change in changes {
            if change.new.is_some() || tree::find_path(odb, tracked, &change.path)?.is_some() {
                kept.push(change);
            }
        }
        changes = kept;
    }
    let update = Update { maker, old, commit, options, dirs: Dirs::new(root)? };
    update.run(changes, dirs)
}

type DirMetadata = BTreeMap<TreePath, Metadata>;

fn differences(old: &Known<'_>, odb: &Odb, new: TreeId) -> Result<(Vec<Change>, DirMetadata)> {
    let mut differ = Differ::new(old.source, Some(old.tree), odb, Some(new))?;
    let mut changes = Vec::new();
    while let Some(change) = differ.next_change()? {
        changes.push(change);
    }
    let dirs = differ.take_visited().into_iter().map(|(path, entry)| (path, entry.metadata)).collect();
    Ok((changes, dirs))
}

struct Update<'a> {
    maker: Maker<'a>,
    old: Known<'a>,
    commit: &'a Commit,
    options: &'a CheckoutOptions,
    dirs: Dirs<'a>,
}

/// What has to be done at one path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Add,
    Replace,
    Index,
    Remove,
}

impl Update<'_> {
    fn run(mut self, changes: Vec<Change>, mut dirs: DirMetadata) -> Result<CheckoutReport> {
        let monitor = self.maker.monitor;
        let changes = self.preflight(changes)?;
        self.guard(&changes)?;
        self.know_standing_links(&changes)?;
        let bytes =
            changes.iter().filter_map(|c| c.new.as_ref()).map(|e| if e.is_dir() { 0 } else { e.totals().bytes });
        monitor.begin("checking out", Some(Amount { files: changes.len() as u64, bytes: bytes.sum() }));
        if !changes.is_empty() {
            dirs.insert(TreePath::root(), self.commit.root.clone());
        }
        for change in &changes {
            // A parent that is on neither list changed by nothing but this path.
            if let Some(Entry { node: Node::Dir { .. }, metadata, .. }) = &change.new {
                dirs.insert(change.path.clone(), metadata.clone());
            }
        }
        for step in [Step::Add, Step::Replace, Step::Index] {
            for change in &changes {
                if self.step(change) != step {
                    continue;
                }
                monitor.check()?;
                self.put(change)?;
                monitor
                    .advance(Amount::file(change.new.as_ref().filter(|e| !e.is_dir()).map_or(0, |e| e.totals().bytes)));
            }
        }
        self.dirs.forget();
        if self.maker.placer.has_adoptions() {
            self.maker.placer.adopt(monitor)?;
        } else if !changes.is_empty() {
            self.maker.root.sync_file_system()?;
        }
        // Children before their directories.
        for change in changes.iter().rev().filter(|change| self.step(change) == Step::Remove) {
            monitor.check()?;
            self.remove(change)?;
            monitor.advance(Amount::file(0));
        }
        if self.options.delete {
            self.remove_foreign(&mut dirs)?;
        }
        for (path, metadata) in dirs.iter().rev() {
            match self.maker.root.open_below(path) {
                Ok(dir) => self.maker.finish_dir(&dir, metadata)?,
                Err(e) if e.is_vanished() => {}
                Err(e) => return Err(e.into()),
            }
        }
        monitor.end();
        Ok(self.maker.counters.report(self.maker.placer.bytes_written()))
    }

    fn step(&self, change: &Change) -> Step {
        match (&change.old, &change.new) {
            (_, None) => Step::Remove,
            (_, Some(new)) if !new.is_dir() && self.options.index_files.contains(&change.path) => Step::Index,
            (None, _) => Step::Add,
            // What is to lie in it is added, and finds it there.
            (Some(old), Some(new)) if new.is_dir() && !old.is_dir() => Step::Add,
            _ => Step::Replace,
        }
    }

    /// Compares every path with what is on disk. Paths that are done already are
    /// dropped; local changes refuse the whole.
    fn preflight(&mut self, changes: Vec<Change>) -> Result<Vec<Change>> {
        let mut left = Vec::with_capacity(changes.len());
        let mut local = Vec::new();
        for change in changes {
            self.maker.monitor.check()?;
            let Some(dir) = self.dirs.find(&change.path.parent().unwrap_or_default())? else {
                match (&change.old, &change.new) {
                    // Its directory is new as well, or gone as well.
                    (None, Some(_)) => left.push(change),
                    (_, None) => {}
                    (Some(_), Some(_)) if self.options.force => left.push(change),
                    (Some(_), Some(_)) => local.push((change.path, "is gone")),
                }
                continue;
            };
            let name = change.path.file_name().unwrap_or_default();
            let rights = self.maker.rights;
            let as_new = match &change.new {
                Some(entry) if self.maker.rights.makes(entry) => Some(look(dir, name, entry, rights)?),
                _ => None,
            };
            let is_dir = change.new.as_ref().is_some_and(Entry::is_dir);
            let resuming = self.old.also.is_some();
            if as_new == Some(Local::Same) && !is_dir && (resuming || change.old.is_none()) {
                continue;
            }
            let as_old = match &change.old {
                Some(entry) if self.maker.rights.makes(entry) => look(dir, name, entry, rights)?,
                _ if dir.find(name)?.is_some() => Local::Different,
                _ => Local::Absent,
            };
            let refused = match (&change.old, as_old) {
                (_, Local::Same) => None,
                (None, Local::Different) if is_dir && as_new == Some(Local::Same) => None,
                (None, Local::Absent) => None,
                (None, Local::Different) => Some("is in the way: it is no part of the last checkout"),
                (Some(_), Local::Absent) if change.new.is_none() || resuming => None,
                (Some(entry), Local::Absent) if !self.maker.rights.makes(entry) => None,
                (Some(_), Local::Absent) => Some("is gone"),
                (Some(_), Local::Different) => Some("was changed since the last checkout"),
            };
            match refused {
                Some(what) if !self.options.force => local.push((change.path, what)),
                _ => left.push(change),
            }
        }
        self.dirs.forget();
        let more = local.len().saturating_sub(1);
        match local.into_iter().next() {
            Some((path, what)) => Err(Error::LocalChange { path, what, more }),
            None => Ok(left),
        }
    }

    fn guard(&self, changes: &[Change]) -> Result<()> {
        let Some(percent) = self.options.delete_guard else { return Ok(()) };
        let total = self.old.source.page(self.old.tree)?.totals().map_or(0, |totals| totals.files);
        let removed = changes.iter().filter(|c| c.new.is_none() && c.old.as_ref().is_some_and(|e| !e.is_dir())).count();
        check_guard(removed as u64, total, percent)
    }

    /// Where a policy keeps hard links: members of groups that stay as they are
    /// serve those that are made.
    fn know_standing_links(&self, changes: &[Change]) -> Result<()> {
        let Some(exact) = &self.maker.exact else { return Ok(()) };
        let groups: std::collections::HashSet<u64> =
            changes.iter().filter_map(|change| change.new.as_ref()?.metadata.link).collect();
        if groups.is_empty() {
            return Ok(());
        }
        let changed: std::collections::HashSet<_> = changes.iter().map(|change| &change.path).collect();
        let mut pending = vec![(TreePath::root(), self.commit.tree)];
        while let Some((at, id)) = pending.pop() {
            for entry in tree::read_dir(self.maker.odb, id, None)? {
                let path = at.join(&entry.name);
                match (&entry.node, entry.metadata.link) {
                    (Node::Dir { tree, .. }, _) => pending.push((path, *tree)),
                    (_, Some(group)) if groups.contains(&group) && !changed.contains(&path) => {
                        exact.stands(group, path)
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Makes or replaces what lies at one path.
    fn put(&mut self, change: &Change) -> Result<()> {
        let entry = change.new.as_ref().expect("removals are another step");
        let at = Arc::new(change.path.parent().unwrap_or_default());
        let Some(dir) = self.dirs.find(&at)? else {
            self.maker.monitor.finding(Finding::partial(change.path.clone(), "has no directory to lie in; not made"));
            return Ok(());
        };
        let there = dir.find(&entry.name)?;
        if entry.is_dir() {
            match there {
                Some(stat) if stat.kind == FileKind::Dir => {}
                Some(_) => {
                    dir.remove_file(&entry.name)?;
                    dir.make_dir(&entry.name, 0o700)?;
                }
                None => dir.make_dir(&entry.name, 0o700)?,
            }
            return Ok(());
        }
        let Some(there) = there else { return self.maker.make(dir, &at, &entry.name, entry) };
        if there.kind == FileKind::Dir {
            // What was tracked in it goes; what was not is in the way.
            if !self.clear_dir(change)? {
                let what = "is a directory with files that no commit knows; not replaced";
                self.maker.monitor.finding(Finding::partial(change.path.clone(), what));
                return Ok(());
            }
            let dir = self.dirs.find(&at)?.expect("it was there a moment ago");
            return self.maker.make(dir, &at, &entry.name, entry);
        }
        let mut staged = b".chasm-".to_vec();
        staged.extend_from_slice(std::process::id().to_string().as_bytes());
        if dir.find(&staged)?.is_some() {
            dir.remove_file(&staged)?;
        }
        self.maker.make(dir, &at, &staged, entry)?;
        // A special file that is not made leaves nothing to rename.
        match dir.find(&staged)? {
            // Renaming a link over another of the same inode does nothing.
            Some(new) if new.inode() == there.inode() => dir.remove_file(&staged)?,
            Some(_) => dir.rename_from(dir, &staged, &entry.name)?,
            None => dir.remove_file(&entry.name)?,
        }
        Ok(())
    }

    /// Removes a directory that becomes something else, with what was tracked in
    /// it. False if anything else is left.
    fn clear_dir(&mut self, change: &Change) -> Result<bool> {
        self.dirs.forget();
        let parent = self.maker.root.open_below(&change.path.parent().unwrap_or_default())?;
        let name = change.path.file_name().unwrap_or_default();
        if self.options.delete {
            parent.remove_all(name)?;
            return Ok(true);
        }
        let Some(Entry { node: Node::Dir { tree, .. }, .. }) = &change.old else { return Ok(false) };
        let differ = Differ::within(self.old.source, Some(*tree), None)?;
        let below = differ.collect::<std::result::Result<Vec<_>, _>>()?;
        for removed in below.iter().rev() {
            let path = change.path.names().chain(removed.path.names()).fold(TreePath::root(), |p, n| p.join(n));
            let gone = Change { path, old: removed.old.clone(), new: None };
            self.remove(&gone)?;
        }
        Ok(parent.remove_dir(name).is_ok())
    }

    /// Removes what lies at one path. Directories go only when they are empty.
    fn remove(&self, change: &Change) -> Result<()> {
        let parent = match self.maker.root.open_below(&change.path.parent().unwrap_or_default()) {
            Ok(dir) => dir,
            Err(e) if e.is_vanished() => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let name = change.path.file_name().unwrap_or_default();
        let was_dir = change.old.as_ref().is_some_and(Entry::is_dir);
        let removed = match parent.find(name)? {
            None => return Ok(()),
            Some(stat) if (stat.kind == FileKind::Dir) != was_dir => return Ok(()),
            Some(_) if was_dir => parent.remove_dir(name),
            Some(_) => parent.remove_file(name),
        };
        match removed {
            Ok(()) => {
                self.maker.counters.removed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(e) if e.is_not_found() => Ok(()),
            Err(e) if e.io().kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                let what = "is kept: it holds files that no commit knows";
                self.maker.monitor.finding(Finding::note(change.path.clone(), what));
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Removes whatever the commit does not have.
    fn remove_foreign(&self, dirs: &mut DirMetadata) -> Result<()> {
        let mut pending = vec![(TreePath::root(), self.commit.tree, self.commit.root.clone())];
        while let Some((at, id, metadata)) = pending.pop() {
            self.maker.monitor.check()?;
            let dir = self.maker.root.open_below(&at)?;
            let entries = tree::read_dir(self.maker.odb, id, None)?;
            for (name, _) in dir.names()? {
                let path = at.join(&name);
                let known = entries.binary_search_by(|entry| entry.name.cmp(&name)).is_ok();
                let is_repository = at.is_root() && name == b".chasm";
                if !known && !is_repository && self.maker.wants(&path) {
                    dir.remove_all(&name)?;
                    self.maker.counters.removed.fetch_add(1, Ordering::Relaxed);
                    dirs.insert(at.clone(), metadata.clone());
                }
            }
            for entry in entries {
                if let Node::Dir { tree, .. } = entry.node {
                    pending.push((at.join(&entry.name), tree, entry.metadata));
                }
            }
        }
        Ok(())
    }
}

/// Refuses to remove more than `percent` of `total` files; small trees may.
pub fn check_guard(removed: u64, total: u64, percent: u8) -> Result<()> {
    if total >= GUARD_FROM && u128::from(removed) * 100 > u128::from(total) * u128::from(percent) {
        return Err(Error::TooManyRemoved { removed, total });
    }
    Ok(())
}

/// The directories of a tree, opened along the way of paths that come in order.
struct Dirs<'a> {
    root: &'a Dir,
    path: TreePath,
    open: Vec<Dir>,
}

impl<'a> Dirs<'a> {
    fn new(root: &'a Dir) -> Result<Dirs<'a>> {
        Ok(Dirs { root, path: TreePath::root(), open: Vec::new() })
    }

    fn forget(&mut self) {
        self.path = TreePath::root();
        self.open.clear();
    }

    /// The directory at `path`; `None` if there is none. Links are not followed.
    fn find(&mut self, path: &TreePath) -> Result<Option<&Dir>> {
        let common = self.path.names().zip(path.names()).take_while(|(a, b)| a == b).count();
        self.open.truncate(common);
        let mut reached = path.names().take(common).fold(TreePath::root(), |p, name| p.join(name));
        for name in path.names().skip(common) {
            let above = self.open.last().unwrap_or(self.root);
            match above.open_dir(name) {
                Ok(dir) => self.open.push(dir),
                Err(e) if e.is_vanished() => {
                    self.path = reached;
                    return Ok(None);
                }
                Err(e) => return Err(e.into()),
            }
            reached.push(name);
        }
        self.path = reached;
        Ok(Some(self.open.last().unwrap_or(self.root)))
    }
}
