//! What the file system says of one entry.

use rustix::fs::{FileType, Statx, StatxTimestamp};

/// A moment as file systems keep it: seconds since 1970, which may be negative,
/// and nanoseconds within that second (0 to 999,999,999).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: i64,
    /// Nanoseconds to add; always below 10^9, before 1970 too.
    pub nanos: u32,
}

impl Time {
    /// The present.
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Time { secs: now.tv_sec, nanos: u32::try_from(now.tv_nsec).unwrap_or(0) }
    }

    pub(crate) fn to_timespec(self) -> rustix::fs::Timespec {
        rustix::fs::Timespec { tv_sec: self.secs, tv_nsec: self.nanos.into() }
    }
}

impl From<StatxTimestamp> for Time {
    fn from(time: StatxTimestamp) -> Self {
        Time { secs: time.tv_sec, nanos: time.tv_nsec }
    }
}

/// The kinds of directory entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// What the file system says of one entry, symbolic links not followed.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Kind of the entry.
    pub kind: FileKind,
    /// Permission bits, set-id and sticky bits: at most `0o7777`.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Bytes allocated on disk.
    pub allocated: u64,
    /// When the contents last changed, by the word of their owner.
    pub mtime: Time,
    /// When the inode last changed, by the word of the kernel.
    pub ctime: Time,
    /// Number of the inode.
    pub ino: u64,
    /// The file system.
    pub dev: (u32, u32),
    /// Number of names.
    pub nlink: u32,
    /// Major and minor number of a device.
    pub rdev: (u32, u32),
}

impl Stat {
    /// What the kernel calls this inode; equal for names of one file only.
    pub fn inode(&self) -> ((u32, u32), u64) {
        (self.dev, self.ino)
    }
}

impl From<Statx> for Stat {
    fn from(s: Statx) -> Self {
        let kind = match FileType::from_raw_mode(s.stx_mode.into()) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Dir,
            FileType::Symlink => FileKind::Symlink,
            FileType::Fifo => FileKind::Fifo,
            FileType::CharacterDevice => FileKind::CharDevice,
            FileType::BlockDevice => FileKind::BlockDevice,
            _ => FileKind::Socket,
        };
        Stat {
            kind,
            mode: s.stx_mode & 0o7777,
            uid: s.stx_uid,
            gid: s.stx_gid,
            size: s.stx_size,
            allocated: s.stx_blocks.saturating_mul(512),
            mtime: s.stx_mtime.into(),
            ctime: s.stx_ctime.into(),
            ino: s.stx_ino,
            dev: (s.stx_dev_major, s.stx_dev_minor),
            nlink: s.stx_nlink,
            rdev: (s.stx_rdev_major, s.stx_rdev_minor),
        }
    }
}
