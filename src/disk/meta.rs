//! Extended attributes, with ACLs and file capabilities among them.
//!
//! The kernel has no call for attributes relative to a directory handle that
//! works for every kind of entry, so names are reached through the handle's
//! entry in `/proc`, which resolves no path but the one name.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;

use super::{Dir, Error, Result};

/// One extended attribute: its full name and its value.
pub type Xattr = (Vec<u8>, Vec<u8>);

/// Most bytes of the list of attribute names, and of one value: the kernel's.
const MAX_LEN: usize = 64 << 10;

fn proc_path(dir: &Dir, name: Option<&[u8]>) -> PathBuf {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd()));
    // Of the directory itself: through its own `.`, for the last step must not
    // be the link in /proc.
    path.push(name.map_or(std::ffi::OsStr::new("."), std::ffi::OsStr::from_bytes));
    path
}

/// Reads the attributes of `name` (of the directory itself for `None`) whose
/// names `wanted` accepts, sorted by name.
pub fn read_xattrs(dir: &Dir, name: Option<&[u8]>, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Xattr>> {
    let path = proc_path(dir, name);
    let fail = |e: Errno| Error::new("read attributes of", name.map_or_else(|| dir.path(), |n| dir.path_of(n)), e);
    let mut list = Vec::with_capacity(1024);
    let spare = |buffer: &mut Vec<u8>, size: usize| {
        buffer.clear();
        buffer.reserve(size);
    };
    loop {
        match fs::llistxattr(&path, rustix::buffer::spare_capacity(&mut list)) {
            Ok(_) => break,
            Err(Errno::RANGE) if list.capacity() < MAX_LEN => spare(&mut list, MAX_LEN),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
            Err(e) => return Err(fail(e)),
        }
    }
    let mut xattrs = Vec::new();
    for key in list.split(|&b| b == 0).filter(|key| !key.is_empty() && wanted(key)) {
        let mut value = Vec::with_capacity(256);
        loop {
            match fs::lgetxattr(&path, key, rustix::buffer::spare_capacity(&mut value)) {
                Ok(_) => break xattrs.push((key.to_vec(), value)),
                Err(Errno::RANGE) if value.capacity() < MAX_LEN => spare(&mut value, MAX_LEN),
                // Removed meanwhile, or a name of the kernel's own without value.
                Err(Errno::NODATA | Errno::OPNOTSUPP) => break,
                Err(e) => return Err(fail(e)),
            }
        }
    }
    xattrs.sort_unstable();
    Ok(xattrs)
}

/// Sets one attribute of `name`, or of the directory itself.
pub fn write_xattr(dir: &Dir, name: Option<&[u8]>, xattr: &Xattr) -> Result<()> {
    fs::lsetxattr(proc_path(dir, name), &xattr.0[..], &xattr.1, XattrFlags::empty())
        .map_err(|e| Error::new("set attributes of", name.map_or_else(|| dir.path(), |n| dir.path_of(n)), e))
}

/// Removes one attribute of `name`, or of the directory itself.
pub fn remove_xattr(dir: &Dir, name: Option<&[u8]>, key: &[u8]) -> Result<()> {
    fs::lremovexattr(proc_path(dir, name), key)
        .map_err(|e| Error::new("remove attributes of", name.map_or_else(|| dir.path(), |n| dir.path_of(n)), e))
}
