//! Two directories exchanged in one step.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, RenameFlags};

use super::{Dir, Error, Result};

/// Exchanges `a` and `b`, both in `dir`: nobody sees either name missing.
pub fn exchange(dir: &Dir, a: &[u8], b: &[u8]) -> Result<()> {
    fs::renameat_with(dir, OsStr::from_bytes(a), dir, OsStr::from_bytes(b), RenameFlags::EXCHANGE)
        .map_err(|e| Error::new("exchange", dir.path_of(b), e))
}
