//! The contents of one file brought into another: by reflink, else by copy.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{self, Mode, SeekFrom};
use rustix::io::Errno;

use super::dir::timestamps;
use super::{Context, Error, Result, Time};

/// Bytes copied in one step.
const STEP: usize = 256 << 10;

/// Makes `to`, an empty file, share the blocks of `from`. `false` if the file
/// system cannot.
pub fn reflink(from: &File, to: &File, path: &Path) -> Result<bool> {
    match fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(true),
        Err(
            Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM | Errno::TXTBSY,
        ) => Ok(false),
        Err(e) => Err(Error::new("reflink to", path, e)),
    }
}

/// Copies the first `size` bytes of `from`, from its beginning, to the empty file
/// `to`, and shows them to `seen` on the way. Holes stay holes; `seen` gets
/// their zeros. Returns how many bytes there were, at most `size`.
pub fn copy(
    from: &File,
    from_path: &Path,
    to: &File,
    to_path: &Path,
    size: u64,
    sparse: bool,
    mut seen: impl FnMut(&[u8]),
) -> Result<u64> {
    let mut buffer = vec![0; STEP.min(usize::try_from(size).unwrap_or(STEP)).max(1)];
    let mut at = 0;
    while at < size {
        let (data, end) = if sparse { next_data(from, from_path, at, size)? } else { (at, size) };
        if data > at {
            let zeros = vec![0; STEP.min(usize::try_from(data - at).unwrap_or(STEP))];
            let mut left = data - at;
            while left > 0 {
                let step = left.min(zeros.len() as u64);
                seen(&zeros[..usize::try_from(step).unwrap_or(zeros.len())]);
                left -= step;
            }
            at = data;
        }
        if sparse {
            fs::seek(from, SeekFrom::Start(at)).map_err(|e| Error::new("read", from_path, e))?;
            fs::seek(to, SeekFrom::Start(at)).map_err(|e| Error::new("write", to_path, e))?;
        }
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(STEP).min(buffer.len());
            let count = (&mut &*from).read(&mut buffer[..want]).context("read", from_path)?;
            if count == 0 {
                return Ok(at);
            }
            seen(&buffer[..count]);
            (&mut &*to).write_all(&buffer[..count]).context("write", to_path)?;
            at += count as u64;
        }
    }
    if sparse {
        fs::ftruncate(to, at).map_err(|e| Error::new("write", to_path, e))?;
    }
    Ok(at)
}

/// The next stretch of data at or after `at`: where it begins and ends.
fn next_data(from: &File, path: &Path, at: u64, size: u64) -> Result<(u64, u64)> {
    match fs::seek(from, SeekFrom::Data(at)) {
        Ok(data) if data >= size => Ok((size, size)),
        Ok(data) => match fs::seek(from, SeekFrom::Hole(data)) {
            Ok(hole) => Ok((data, hole.min(size))),
            Err(e) => Err(Error::new("read", path, e)),
        },
        Err(Errno::NXIO) => Ok((size, size)),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok((at, size)),
        Err(e) => Err(Error::new("read", path, e)),
    }
}

/// Sets mode, owner and modification time of an open file, in the order in
/// which they do not undo each other.
pub fn set_file_meta(
    file: &File,
    path: &Path,
    mode: Option<u16>,
    owner: Option<(u32, u32)>,
    mtime: Option<Time>,
) -> Result<()> {
    if let Some((uid, gid)) = owner {
        fs::fchown(file, Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)))
            .map_err(|e| Error::new("change owner of", path, e))?;
    }
    if let Some(mode) = mode {
        fs::fchmod(file, Mode::from_raw_mode(mode.into())).map_err(|e| Error::new("change mode of", path, e))?;
    }
    if let Some(mtime) = mtime {
        fs::futimens(file.as_fd(), &timestamps(mtime)).map_err(|e| Error::new("change time of", path, e))?;
    }
    Ok(())
}
