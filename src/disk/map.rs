//! Read-only maps of immutable files.
//!
//! One of the two places where unsafe code is allowed. A map is sound as long as
//! nobody shortens the file: chasm writes index files once, under a temporary
//! name, and never touches them again; they are replaced by other files, never
//! in place. Only indexes are mapped. Packs and blobs are read with `pread`, so
//! that a failing disk is an error there and not a signal.

#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use super::{Context, Result};

/// The bytes of an immutable file.
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps an index file of this repository, which is never changed in place.
    pub fn open(file: &File, path: &Path) -> Result<Map> {
        // SAFETY: see the module's head; index files are never modified.
        unsafe { memmap2::Mmap::map(file) }.map(Map).context("map", path)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
