//! BSD's mtree(5), as bsdtar and the mtree programs of FreeBSD and NetBSD read
//! and write it.
//!
//! Written: the line `#mtree`, comments that name the commit, then a line an
//! entry, with its full path from `.` on, and these keywords in this order:
//!
//! ```text
//! type=file|dir|link|fifo|socket|char|block   mode=<octal>   uid=<n> gid=<n>
//! time=<seconds>.<9 digits>   size=<n> sha256digest=<hex>   link=<target>
//! device=native,<major>,<minor>
//! ```
//!
//! In paths and targets each byte that is not printable ASCII, and each of
//! `\ # = * ? [`, is written `\ooo`: patterns and comments are never meant. The
//! digits after the dot of a time are nanoseconds to add to the seconds, before
//! 1970 too: a quarter second before 1970 is `-1.750000000`. Other programs agree
//! with that. mtree has no place for extended attributes and none that all
//! programs share for hard links: these are left out. bsdtar knows no sockets.
//!
//! Read are also `/set` and `/unset`, relative names (a word without `/` lies in
//! the directory that was named last, and a directory becomes that), `..`, lines
//! joined by a backslash, comments where a word begins with `#`, the keyword
//! `sha256`, any format of `device`, and all that vis(3) writes in names. Other
//! keywords are ignored; so is a mode of a link. An entry needs a type.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::{Entry, Metadata, Node};
use super::lines::{Lines, sha256, time_text};
use super::vis::{escape, unescape};
use super::{Error, Header, Item, ItemKind};
use crate::disk::Time;
use crate::id::BlobId;
use crate::path::{Escaped, InvalidPath, MAX_DEPTH, TreePath, check_name};

pub(super) fn write_header(out: &mut dyn Write, header: &Header) -> io::Result<()> {
    out.write_all(b"#mtree\n")?;
    if let Some(commit) = header.commit {
        writeln!(out, "# commit {commit}")?;
    }
    if let Some(tree) = header.tree {
        writeln!(out, "# tree {tree}")?;
    }
    if let Some(time) = header.time {
        writeln!(out, "# time {time}")?;
    }
    writeln!(out, "# policy {}", header.policy)
}

pub(super) fn write_entry(out: &mut dyn Write, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let (kind, rest) = match &entry.node {
        Node::File { blob, size } => ("file", format!(" size={size} sha256digest={blob}")),
        Node::Dir { .. } => ("dir", String::new()),
        Node::Symlink { target } => ("link", format!(" link={}", escape(target))),
        Node::Fifo => ("fifo", String::new()),
        Node::Socket => ("socket", String::new()),
        Node::CharDevice { rdev: (major, minor) } => ("char", format!(" device=native,{major},{minor}")),
        Node::BlockDevice { rdev: (major, minor) } => ("block", format!(" device=native,{major},{minor}")),
    };
    let slash = if path.is_root() { "" } else { "/" };
    let mut line = format!(".{slash}{} type={kind}", escape(path.as_bytes()));
    let mut add = |text: std::fmt::Arguments<'_>| line.write_fmt(text).expect("writing to a string cannot fail");
    let metadata = &entry.metadata;
    if let Some(mode) = metadata.mode {
        add(format_args!(" mode={mode:04o}"));
    }
    if let Some((uid, gid)) = metadata.owner {
        add(format_args!(" uid={uid} gid={gid}"));
    }
    if let Some(mtime) = metadata.mtime {
        add(format_args!(" time={}", time_text(mtime)));
    }
    add(format_args!("{rest}\n"));
    out.write_all(line.as_bytes())
}

/// What `/set` and a line say of an entry.
#[derive(Clone, Default)]
struct Keywords {
    kind: Option<Kind>,
    mode: Option<u16>,
    uid: Option<u32>,
    gid: Option<u32>,
    time: Option<Time>,
    size: Option<u64>,
    sha256: Option<BlobId>,
    link: Option<Vec<u8>>,
    device: Option<(u32, u32)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    File,
    Dir,
    Link,
    Fifo,
    Socket,
    Char,
    Block,
}

impl Keywords {
    /// Takes `keyword=value`. False if the value is not valid; other keywords are
    /// ignored.
    fn set(&mut self, word: &[u8]) -> bool {
        let Some(equals) = word.iter().position(|&b| b == b'=') else { return true };
        let (keyword, value) = (&word[..equals], &word[equals + 1..]);
        match keyword {
            b"link" => {
                self.link = unescape(value);
                return self.link.is_some();
            }
            b"sha256" | b"sha256digest" => {
                self.sha256 = sha256(value);
                return self.sha256.is_some();
            }
            b"type" | b"mode" | b"uid" | b"gid" | b"time" | b"size" | b"device" => {}
            _ => return true,
        }
        let Ok(value) = std::str::from_utf8(value) else { return false };
        match keyword {
            b"type" => assign(&mut self.kind, kind(value)),
            b"mode" => assign(&mut self.mode, u16::from_str_radix(value, 8).ok()),
            b"uid" => assign(&mut self.uid, value.parse().ok()),
            b"gid" => assign(&mut self.gid, value.parse().ok()),
            b"time" => assign(&mut self.time, time(value)),
            b"size" => assign(&mut self.size, value.parse().ok()),
            _ => assign(&mut self.device, device(value)),
        }
    }

    fn unset(&mut self, keyword: &[u8]) {
        match keyword {
            b"all" => *self = Keywords::default(),
            b"type" => self.kind = None,
            b"mode" => self.mode = None,
            b"uid" => self.uid = None,
            b"gid" => self.gid = None,
            b"time" => self.time = None,
            b"size" => self.size = None,
            b"sha256" | b"sha256digest" => self.sha256 = None,
            b"link" => self.link = None,
            b"device" => self.device = None,
            _ => {}
        }
    }

    fn item(self, path: TreePath) -> Result<Item, &'static str> {
        let device = self.device.ok_or("device without numbers");
        let kind = match self.kind.ok_or("entry without type")? {
            Kind::File => ItemKind::File { blob: self.sha256, size: self.size },
            Kind::Dir => ItemKind::Dir,
            Kind::Link => ItemKind::Symlink { target: self.link.ok_or("link without target")? },
            Kind::Fifo => ItemKind::Fifo,
            Kind::Socket => ItemKind::Socket,
            Kind::Char => ItemKind::CharDevice { rdev: device? },
            Kind::Block => ItemKind::BlockDevice { rdev: device? },
        };
        let owner = match (self.uid, self.gid) {
            (Some(uid), Some(gid)) => Some((uid, gid)),
            (None, None) => None,
            _ => return Err("one of uid and gid without the other"),
        };
        let mode = self.mode.filter(|_| !matches!(kind, ItemKind::Symlink { .. }));
        Ok(Item { path, metadata: Metadata { mode, mtime: self.time, owner, ..Metadata::default() }, kind })
    }
}

fn assign<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

fn kind(value: &str) -> Option<Kind> {
    Some(match value {
        "file" => Kind::File,
        "dir" => Kind::Dir,
        "link" => Kind::Link,
        "fifo" => Kind::Fifo,
        "socket" => Kind::Socket,
        "char" => Kind::Char,
        "block" => Kind::Block,
        _ => return None,
    })
}

/// What follows the dot is a number of nanoseconds, not a fraction: `1.5` is five
/// nanoseconds after 1, for all programs that read mtree.
fn time(value: &str) -> Option<Time> {
    let (secs, nanos) = value.split_once('.').unwrap_or((value, "0"));
    Some(Time { secs: secs.parse().ok()?, nanos: nanos.parse().ok()? })
}

/// `format,major,minor`. A bare number means something else on each system.
fn device(value: &str) -> Option<(u32, u32)> {
    let mut parts = value.split(',').skip(1).map(|number| match number.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    });
    let rdev = (parts.next()??, parts.next()??);
    parts.next().is_none().then_some(rdev)
}

/// What lines before say about lines after.
#[derive(Default)]
pub(super) struct Reader {
    defaults: Keywords,
    directory: TreePath,
    line: Vec<u8>,
}

impl Reader {
    pub fn read_item(&mut self, lines: &mut Lines<'_>) -> Result<Option<Item>, Error> {
        while lines.next_joined(&mut self.line)? {
            let words = self.line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
            let mut words = words.take_while(|word| !word.starts_with(b"#"));
            let invalid = |word: &[u8]| lines.syntax(format!("invalid value in '{}'", Escaped(word)));
            match words.next() {
                None => {}
                Some(b"/set") => {
                    for word in words {
                        if !self.defaults.set(word) {
                            return Err(invalid(word));
                        }
                    }
                }
                Some(b"/unset") => words.for_each(|word| self.defaults.unset(word)),
                Some(b"..") => self.directory = self.directory.parent().unwrap_or_default(),
                Some(name) => {
                    let mut keywords = self.defaults.clone();
                    for word in words {
                        if !keywords.set(word) {
                            return Err(invalid(word));
                        }
                    }
                    let is_relative = name != b"." && !name.contains(&b'/');
                    let name =
                        unescape(name).ok_or_else(|| lines.syntax(format!("unknown escape in '{}'", Escaped(name))))?;
                    let path = if is_relative { below(&self.directory, &name, lines)? } else { lines.path(&name)? };
                    if is_relative && keywords.kind == Some(Kind::Dir) {
                        self.directory = path.clone();
                    }
                    return keywords.item(path).map(Some).map_err(|reason| lines.syntax(reason));
                }
            }
        }
        Ok(None)
    }
}

fn below(directory: &TreePath, name: &[u8], lines: &Lines<'_>) -> Result<TreePath, Error> {
    let depth = directory.names().count() + 1;
    let checked = if depth > MAX_DEPTH { Err(InvalidPath::TooDeep(depth)) } else { check_name(name) };
    checked.map_err(|source| Error::Path { line: lines.number(), source })?;
    Ok(directory.join(name))
}
