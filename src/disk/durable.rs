//! What must survive a power cut.
//!
//! A file is written under a temporary name, synced, renamed to its own name,
//! and its directory synced; only then may anything refer to it. A sync that
//! fails is never tried again on the same file: the kernel may have dropped the
//! bytes already, so the whole transaction is given up.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Context, Dir, Error, Result};

/// Mode of plain files that chasm keeps for itself.
pub const FILE_MODE: u16 = 0o644;
/// Mode of directories that chasm keeps for itself.
pub const DIR_MODE: u16 = 0o755;
/// From so many files on, one `syncfs` is cheaper than syncing each.
pub const SYNCFS_FROM: usize = 64;

impl Dir {
    /// Makes the names in this directory durable.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::fsync(self.as_fd()).map_err(|e| Error::new("sync directory", self.path(), e))
    }

    /// Makes everything written to this file system durable.
    pub fn sync_file_system(&self) -> Result<()> {
        rustix::fs::syncfs(self.as_fd()).map_err(|e| Error::new("sync file system of", self.path(), e))
    }

    /// Replaces the file `name` in one step, durably: whenever the power goes,
    /// the old or the new contents are there, and the new once this returns.
    pub fn replace_durably(&self, name: &[u8], bytes: &[u8]) -> Result<()> {
        let mut staged = name.to_vec();
        staged.extend_from_slice(format!(".new-{}", std::process::id()).as_bytes());
        match self.remove_file(&staged) {
            Err(e) if !e.is_not_found() => return Err(e),
            _ => {}
        }
        let written = self.create(&staged, FILE_MODE).and_then(|mut file| {
            let path = self.path_of(&staged);
            file.write_all(bytes).context("write", &path)?;
            sync(&file, &path)
        });
        if let Err(e) = written.and_then(|()| self.rename_from(self, &staged, name)) {
            let _ = self.remove_file(&staged);
            return Err(e);
        }
        self.sync()
    }
}

/// Makes the contents of a file durable.
pub fn sync(file: &File, path: &Path) -> Result<()> {
    file.sync_all().context("sync", path)
}

/// A lock that dies with the process: a file's existence never means "locked".
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

impl Lock {
    /// Takes the lock on file `name` in `dir`, creating the file if need be.
    /// Waits for at most `patience`; `None` if others still hold it then.
    pub fn take(dir: &Dir, name: &[u8], mode: LockMode, patience: Duration) -> Result<Option<Lock>> {
        let file = dir.append(name, FILE_MODE)?;
        Self::take_file(file, &dir.path_of(name), mode, patience)
    }

    /// As [`Lock::take`], on a file that is open already.
    pub fn take_file(file: File, path: &Path, mode: LockMode, patience: Duration) -> Result<Option<Lock>> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        loop {
            let attempt = match mode {
                LockMode::Shared => file.try_lock_shared(),
                LockMode::Exclusive => file.try_lock(),
            };
            match attempt {
                Ok(()) => return Ok(Some(Lock { _file: file })),
                Err(std::fs::TryLockError::WouldBlock) => {}
                Err(std::fs::TryLockError::Error(e)) => return Err(e).context("lock", path),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Bytes free for ordinary users, and in all, on the file system of `dir`.
pub fn free_space(dir: &Dir) -> Result<(u64, u64)> {
    let stat = rustix::fs::fstatvfs(dir.as_fd()).map_err(|e| Error::new("look at file system of", dir.path(), e))?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}
