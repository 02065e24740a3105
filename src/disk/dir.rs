//! An open directory, and what can be done with the names in it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, StatxFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::{Context, Error, FileKind, Result, Stat, Time};
use crate::path::{TreePath, check_name};

/// Where a directory was opened, as a chain, so that a deep tree does not cost
/// the square of its depth in path bytes.
#[derive(Debug)]
enum Place {
    Root(PathBuf),
    Below(Arc<Place>, Vec<u8>),
}

impl Place {
    fn path(&self) -> PathBuf {
        let mut names = Vec::new();
        let mut place = self;
        let mut path = loop {
            match place {
                Place::Root(path) => break path.clone(),
                Place::Below(parent, name) => {
                    names.push(OsStr::from_bytes(name));
                    place = parent;
                }
            }
        };
        path.extend(names.into_iter().rev());
        path
    }
}

/// An open directory. Names given to its methods must be single names; they are
/// checked again here, and symbolic links are never followed.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    place: Arc<Place>,
}

/// How a new file is opened by [`Dir::create`].
pub type NewFile = File;

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const READ_BUFFER: usize = 32 << 10;

impl Dir {
    /// Opens a directory by a path that the user has named; links in it are
    /// followed as usual.
    pub fn open(path: &Path) -> Result<Dir> {
        let fd = fs::open(path, OPEN_DIR, Mode::empty()).context("open directory", path)?;
        Ok(Dir { fd, place: Arc::new(Place::Root(path.to_path_buf())) })
    }

    /// Makes a directory and all that lead to it, and opens it.
    pub fn create_all(path: &Path) -> Result<Dir> {
        std::fs::create_dir_all(path).context("create directory", path)?;
        Dir::open(path)
    }

    /// The path it was opened by; for messages.
    pub fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// The path of a name in it; for messages.
    pub fn path_of(&self, name: &[u8]) -> PathBuf {
        self.path().join(OsStr::from_bytes(name))
    }

    fn fail(&self, action: &'static str, name: &[u8], errno: Errno) -> Error {
        Error::new(action, self.path_of(name), errno)
    }

    fn checked<'a>(&self, action: &'static str, name: &'a [u8]) -> Result<&'a OsStr> {
        match check_name(name) {
            Ok(()) => Ok(OsStr::from_bytes(name)),
            Err(e) => Err(Error::new(action, self.path_of(name), io::Error::other(e))),
        }
    }

    /// A second handle on the same directory.
    pub fn try_clone(&self) -> Result<Dir> {
        let fd = self.fd.try_clone().context("duplicate handle of", &self.path())?;
        Ok(Dir { fd, place: self.place.clone() })
    }

    /// The directory opened once more, as a file that can be locked.
    pub fn reopen(&self) -> Result<File> {
        fs::openat(&self.fd, c".", OPEN_DIR, Mode::empty())
            .map(File::from)
            .map_err(|e| Error::new("open directory", self.path(), e))
    }

    /// Opens the directory `name` in this one.
    pub fn open_dir(&self, name: &[u8]) -> Result<Dir> {
        let file = self.checked("open directory", name)?;
        let fd = fs::openat(&self.fd, file, OPEN_DIR | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|e| self.fail("open directory", name, e))?;
        Ok(Dir { fd, place: Arc::new(Place::Below(self.place.clone(), name.to_vec())) })
    }

    /// Opens a directory below this one, name by name.
    pub fn open_below(&self, path: &TreePath) -> Result<Dir> {
        let mut dir = self.try_clone()?;
        for name in path.names() {
            dir = dir.open_dir(name)?;
        }
        Ok(dir)
    }

    /// The names in it, sorted by bytes, with their kinds where the file system
    /// tells them for free.
    pub fn names(&self) -> Result<Vec<(Vec<u8>, Option<FileKind>)>> {
        thread_local! {
            static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        // A handle of its own, so that two listings do not share a position.
        let fd = fs::openat(&self.fd, c".", OPEN_DIR, Mode::empty())
            .map_err(|e| Error::new("read directory", self.path(), e))?;
        let mut names = Vec::new();
        BUFFER.with_borrow_mut(|buffer| -> Result<()> {
            buffer.clear();
            buffer.reserve(READ_BUFFER);
            let space: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
            let mut listing = RawDir::new(&fd, space);
            while let Some(entry) = listing.next() {
                let entry = entry.map_err(|e| Error::new("read directory", self.path(), e))?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push((name.to_vec(), kind_of(entry.file_type())));
                }
            }
            Ok(())
        })?;
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    /// What the file system says of `name`.
    pub fn stat(&self, name: &[u8]) -> Result<Stat> {
        let file = self.checked("look at", name)?;
        fs::statx(&self.fd, file, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
            .map(Stat::from)
            .map_err(|e| self.fail("look at", name, e))
    }

    /// As [`Dir::stat`]; `None` if there is no such name.
    pub fn find(&self, name: &[u8]) -> Result<Option<Stat>> {
        match self.stat(name) {
            Ok(stat) => Ok(Some(stat)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// What the file system says of the directory itself.
    pub fn stat_self(&self) -> Result<Stat> {
        stat_fd(&self.fd).map_err(|e| Error::new("look at", self.path(), e))
    }

    /// Opens a regular file for reading. Anything else (a fifo, a device, a link)
    /// is refused without waiting for it, as if it had vanished.
    pub fn open_file(&self, name: &[u8]) -> Result<(File, Stat)> {
        let file = self.checked("open", name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, file, flags, Mode::empty()).map_err(|e| self.fail("open", name, e))?;
        let stat = stat_fd(&fd).map_err(|e| self.fail("look at", name, e))?;
        if stat.kind != FileKind::File {
            return Err(self.fail("open as a regular file", name, Errno::NXIO));
        }
        Ok((File::from(fd), stat))
    }

    /// Reads a whole file of at most `limit` bytes; `None` if it does not exist.
    pub fn read(&self, name: &[u8], limit: u64) -> Result<Option<Vec<u8>>> {
        let (file, stat) = match self.open_file(name) {
            Ok(opened) => opened,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e),
        };
        let too_large =
            || Error::new("read", self.path_of(name), io::Error::other(format!("larger than {limit} bytes")));
        if stat.size > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stat.size).map_err(|_| too_large())?);
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| Error::new("read", self.path_of(name), e))?;
        if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(Some(bytes)) }
    }

    /// Creates a file that must not exist yet, readable and writable.
    pub fn create(&self, name: &[u8], mode: u16) -> Result<NewFile> {
        let file = self.checked("create", name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, file, flags, Mode::from_raw_mode(mode.into()))
            .map(File::from)
            .map_err(|e| self.fail("create", name, e))
    }

    /// Opens a file to append to it, creating it if it is missing.
    pub fn append(&self, name: &[u8], mode: u16) -> Result<File> {
        let file = self.checked("open", name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, file, flags, Mode::from_raw_mode(mode.into()))
            .map(File::from)
            .map_err(|e| self.fail("open", name, e))
    }

    /// Makes the directory `name`.
    pub fn make_dir(&self, name: &[u8], mode: u16) -> Result<()> {
        let file = self.checked("create directory", name)?;
        fs::mkdirat(&self.fd, file, Mode::from_raw_mode(mode.into()))
            .map_err(|e| self.fail("create directory", name, e))
    }

    /// Opens the directory `name`, making it first if it is missing.
    pub fn ensure_dir(&self, name: &[u8], mode: u16) -> Result<Dir> {
        match self.open_dir(name) {
            Err(e) if e.is_not_found() => {
                match self.make_dir(name, mode) {
                    Err(e) if !e.is_exists() => return Err(e),
                    _ => {}
                }
                self.open_dir(name)
            }
            opened => opened,
        }
    }

    /// Makes a symbolic link.
    pub fn make_symlink(&self, name: &[u8], target: &[u8]) -> Result<()> {
        let file = self.checked("create link", name)?;
        fs::symlinkat(OsStr::from_bytes(target), &self.fd, file).map_err(|e| self.fail("create link", name, e))
    }

    /// Makes a fifo, a socket's name or a device.
    pub fn make_node(&self, name: &[u8], kind: FileKind, mode: u16, rdev: (u32, u32)) -> Result<()> {
        let file = self.checked("create", name)?;
        let kind = match kind {
            FileKind::Fifo => FileType::Fifo,
            FileKind::Socket => FileType::Socket,
            FileKind::CharDevice => FileType::CharacterDevice,
            FileKind::BlockDevice => FileType::BlockDevice,
            FileKind::File | FileKind::Dir | FileKind::Symlink => return Err(self.fail("create", name, Errno::INVAL)),
        };
        let device = fs::makedev(rdev.0, rdev.1);
        fs::mknodat(&self.fd, file, kind, Mode::from_raw_mode(mode.into()), device)
            .map_err(|e| self.fail("create", name, e))
    }

    /// Reads the target of a symbolic link.
    pub fn read_link(&self, name: &[u8]) -> Result<Vec<u8>> {
        let file = self.checked("read link", name)?;
        fs::readlinkat(&self.fd, file, Vec::new())
            .map(|target| target.into_bytes())
            .map_err(|e| self.fail("read link", name, e))
    }

    /// Gives the inode `name` in `from` a further name here; links are linked,
    /// not followed.
    pub fn link_from(&self, from: &Dir, old: &[u8], new: &[u8]) -> Result<()> {
        let (old, file) = (from.checked("link", old)?, self.checked("link", new)?);
        fs::linkat(&from.fd, old, &self.fd, file, AtFlags::empty()).map_err(|e| self.fail("link", new, e))
    }

    /// Moves `old` in `from` to `new` here, over what may be there.
    pub fn rename_from(&self, from: &Dir, old: &[u8], new: &[u8]) -> Result<()> {
        let (old, file) = (from.checked("rename", old)?, self.checked("rename", new)?);
        fs::renameat(&from.fd, old, &self.fd, file).map_err(|e| self.fail("rename to", new, e))
    }

    /// Moves `old` in `from` to `new` here, unless that name is taken.
    pub fn rename_new_from(&self, from: &Dir, old: &[u8], new: &[u8]) -> Result<()> {
        let (old_name, file) = (from.checked("rename", old)?, self.checked("rename", new)?);
        match fs::renameat_with(&from.fd, old_name, &self.fd, file, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            // File systems without the flag: the same by link and unlink.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                // Directories have no links, but replace none but empty ones either.
                if from.stat(old)?.kind == FileKind::Dir {
                    return match self.find(new)? {
                        Some(_) => Err(self.fail("rename to", new, Errno::EXIST)),
                        None => self.rename_from(from, old, new),
                    };
                }
                self.link_from(from, old, new)?;
                from.remove_file(old)
            }
            Err(e) => Err(self.fail("rename to", new, e)),
        }
    }

    /// Removes a name that is not a directory.
    pub fn remove_file(&self, name: &[u8]) -> Result<()> {
        let file = self.checked("remove", name)?;
        fs::unlinkat(&self.fd, file, AtFlags::empty()).map_err(|e| self.fail("remove", name, e))
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> Result<()> {
        let file = self.checked("remove directory", name)?;
        fs::unlinkat(&self.fd, file, AtFlags::REMOVEDIR).map_err(|e| self.fail("remove directory", name, e))
    }

    /// Removes `name` and all below it, staying on this file system and out of
    /// links. What vanishes meanwhile is no error.
    pub fn remove_all(&self, name: &[u8]) -> Result<()> {
        let gone = |result: Result<()>| match result {
            Err(e) if e.is_not_found() => Ok(()),
            other => other,
        };
        let Some(stat) = self.find(name)? else { return Ok(()) };
        if stat.kind != FileKind::Dir {
            return gone(self.remove_file(name));
        }
        // An explicit stack: the depth of the tree must not be that of ours.
        let mut stack = vec![(self.open_dir_writable(name)?, name.to_vec(), None::<Vec<(Vec<u8>, Option<FileKind>)>>)];
        while let Some((dir, _, names)) = stack.last_mut() {
            let names = match names {
                Some(names) => names,
                None => names.insert(dir.names()?),
            };
            match names.pop() {
                Some((child, kind)) => {
                    let kind = match kind {
                        Some(kind) => kind,
                        None => match dir.find(&child)? {
                            Some(stat) => stat.kind,
                            None => continue,
                        },
                    };
                    if kind == FileKind::Dir {
                        let child_dir = dir.open_dir_writable(&child)?;
                        stack.push((child_dir, child, None));
                    } else {
                        gone(dir.remove_file(&child))?;
                    }
                }
                None => {
                    let (_, done, _) = stack.pop().expect("the loop saw it");
                    let parent = stack.last().map_or(self, |(dir, _, _)| dir);
                    gone(parent.remove_dir(&done))?;
                }
            }
        }
        Ok(())
    }

    /// Opens a directory that is about to be emptied, giving its owner the rights
    /// for that.
    fn open_dir_writable(&self, name: &[u8]) -> Result<Dir> {
        let dir = match self.open_dir(name) {
            Err(e) if e.io().kind() == io::ErrorKind::PermissionDenied => {
                let file = self.checked("change mode of", name)?;
                fs::chmodat(&self.fd, file, Mode::RWXU, AtFlags::empty())
                    .map_err(|e| self.fail("change mode of", name, e))?;
                self.open_dir(name)?
            }
            opened => opened?,
        };
        if dir.stat_self()?.mode & 0o300 != 0o300 {
            dir.set_own_mode(0o700)?;
        }
        Ok(dir)
    }

    /// Sets the mode of the directory itself.
    pub fn set_own_mode(&self, mode: u16) -> Result<()> {
        fs::fchmod(&self.fd, Mode::from_raw_mode(mode.into())).map_err(|e| Error::new("change mode of", self.path(), e))
    }

    /// Sets the owner of the directory itself.
    pub fn set_own_owner(&self, uid: u32, gid: u32) -> Result<()> {
        fs::fchown(&self.fd, Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)))
            .map_err(|e| Error::new("change owner of", self.path(), e))
    }

    /// Sets the modification time of the directory itself.
    pub fn set_own_mtime(&self, time: Time) -> Result<()> {
        fs::futimens(&self.fd, &timestamps(time)).map_err(|e| Error::new("change time of", self.path(), e))
    }

    /// Sets the modification time of `name`, of a link itself.
    pub fn set_mtime(&self, name: &[u8], time: Time) -> Result<()> {
        let file = self.checked("change time of", name)?;
        fs::utimensat(&self.fd, file, &timestamps(time), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| self.fail("change time of", name, e))
    }

    /// Sets the mode of `name`, which is no symbolic link.
    pub fn set_mode(&self, name: &[u8], mode: u16) -> Result<()> {
        let file = self.checked("change mode of", name)?;
        let fail = |e| self.fail("change mode of", name, e);
        // Changing a mode by name follows links; by a handle on the entry itself, which
        // opens no device, it does not.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entry = fs::openat(&self.fd, file, flags, Mode::empty()).map_err(fail)?;
        if stat_fd(&entry).map_err(fail)?.kind == FileKind::Symlink {
            return Err(fail(Errno::LOOP));
        }
        let path = format!("/proc/self/fd/{}", entry.as_raw_fd());
        fs::chmod(path, Mode::from_raw_mode(mode.into())).map_err(fail)
    }

    /// Sets the owner of `name`, of a link itself.
    pub fn set_owner(&self, name: &[u8], uid: u32, gid: u32) -> Result<()> {
        let file = self.checked("change owner of", name)?;
        fs::chownat(
            &self.fd,
            file,
            Some(fs::Uid::from_raw(uid)),
            Some(fs::Gid::from_raw(gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|e| self.fail("change owner of", name, e))
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Leaves the access time alone, sets the other.
pub(super) fn timestamps(mtime: Time) -> Timestamps {
    const UTIME_OMIT: i64 = 0x3fff_fffe;
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: mtime.to_timespec() }
}

pub(super) fn stat_fd(fd: impl AsFd) -> std::result::Result<Stat, Errno> {
    fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map(Stat::from)
}

fn kind_of(file_type: FileType) -> Option<FileKind> {
    Some(match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        _ => return None,
    })
}
