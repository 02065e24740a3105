//! Where unreferenced files go, and when they go for good.
//!
//! `trash/<seconds since 1970>/` mirrors the layout of the repository, so that
//! moving things back revives them. A rename needs no space, deleting gives some
//! back: both work on a full disk.

use super::super::Result;
use crate::disk::durable::{DIR_MODE, Lock, LockMode};
use crate::disk::{self, Dir, FileKind};
use crate::monitor::Monitor;
use crate::odb::Error;

/// The trash of one repository, with the right to fill and empty it.
pub struct Trash {
    dir: Dir,
    _lock: Lock,
}

/// What lies in the trash, or was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrashStats {
    /// Files.
    pub files: u64,
    /// Bytes they take up on disk; files that checkouts hold as well count none.
    pub bytes: u64,
    /// When the oldest were put there, in seconds since 1970.
    pub oldest: Option<i64>,
}

/// What happens to unreferenced files.
pub(super) enum Fate {
    /// They are moved to this directory of the trash.
    Move(Dir),
    /// They are removed at once.
    Remove,
}

impl Trash {
    /// Opens the trash in the repository directory `root`, as the only one.
    pub fn open(root: &Dir) -> Result<Trash> {
        let dir = root.ensure_dir(b"trash", DIR_MODE)?;
        let lock = Lock::take_file(dir.reopen()?, &dir.path(), LockMode::Exclusive, std::time::Duration::ZERO)?;
        Ok(Trash { dir, _lock: lock.ok_or(Error::Busy("another gc"))? })
    }

    /// Deletes what was put there at `until` or before, in seconds since 1970;
    /// with `dry`, only tells.
    pub fn empty(&self, until: i64, dry: bool, monitor: &dyn Monitor) -> Result<TrashStats> {
        let mut stats = TrashStats::default();
        for (name, _) in self.dir.names()? {
            monitor.check()?;
            if seconds(&name).is_none_or(|time| time > until) {
                continue;
            }
            add_usage(&self.dir, &name, &mut stats)?;
            if !dry {
                self.dir.remove_all(&name)?;
            }
        }
        Ok(stats)
    }

    /// Removes directories that nothing was put into.
    pub fn prune(&self) -> Result<()> {
        for (name, _) in self.dir.names()? {
            if seconds(&name).is_some() {
                // One that is not empty stays.
                let _ = self.dir.remove_dir(&name);
            }
        }
        Ok(())
    }

    pub(super) fn subdirectory(&self, now: i64) -> Result<Dir> {
        Ok(self.dir.ensure_dir(now.to_string().as_bytes(), DIR_MODE)?)
    }
}

/// What lies in the trash in the repository directory `root`.
pub fn trash_stats(root: &Dir) -> Result<TrashStats> {
    let mut stats = TrashStats::default();
    let dir = match root.open_dir(b"trash") {
        Ok(dir) => dir,
        Err(e) if e.is_vanished() => return Ok(stats),
        Err(e) => return Err(e.into()),
    };
    for (name, _) in dir.names()? {
        let Some(time) = seconds(&name) else { continue };
        let before = stats.files;
        add_usage(&dir, &name, &mut stats)?;
        if stats.files > before {
            stats.oldest = Some(stats.oldest.map_or(time, |oldest| oldest.min(time)));
        }
    }
    Ok(stats)
}

impl Fate {
    /// Takes the file `name` out of `dir`, which lies at `at` in the repository.
    /// That it is gone already is no error.
    pub fn discard(&self, dir: &Dir, at: &[&[u8]], name: &[u8]) -> Result<()> {
        let done: disk::Result<()> = match self {
            Fate::Remove => dir.remove_file(name),
            Fate::Move(trash) => {
                let mut to = trash.try_clone()?;
                for step in at {
                    to = to.ensure_dir(step, DIR_MODE)?;
                }
                to.rename_from(dir, name, name)
            }
        };
        match done {
            Err(e) if !e.is_not_found() => Err(e.into()),
            _ => Ok(()),
        }
    }
}

fn seconds(name: &[u8]) -> Option<i64> {
    std::str::from_utf8(name).ok()?.parse().ok().filter(|seconds| *seconds >= 0)
}

fn add_usage(parent: &Dir, name: &[u8], stats: &mut TrashStats) -> Result<()> {
    let mut pending = match parent.open_dir(name) {
        Ok(dir) => vec![dir],
        Err(e) if e.is_vanished() => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    while let Some(dir) = pending.pop() {
        for (name, _) in dir.names()? {
            let Some(stat) = dir.find(&name)? else { continue };
            if stat.kind == FileKind::Dir {
                pending.push(dir.open_dir(&name)?);
                continue;
            }
            stats.files += 1;
            stats.bytes += if stat.nlink == 1 { stat.allocated } else { 0 };
        }
    }
    Ok(())
}
