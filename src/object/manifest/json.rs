//! chasm's own manifest: a JSON object a line.
//!
//! ```text
//! {"chasm":"manifest","version":1,"commit":"64 hex","tree":"64 hex","time":"2026-11-20T06:00:00Z","policy":"mirror"}
//! {"path":".","kind":"dir","mode":"0755","mtime":"1795154400.000000000"}
//! {"path":"a","kind":"file","mode":"0644","mtime":"-1.750000000","size":2,"sha256":"64 hex"}
//! {"entries":2}
//! ```
//!
//! | key                    | value                                                             |
//! |------------------------|-------------------------------------------------------------------|
//! | `path`                 | relative to the root, which is `.`; if it is not UTF-8: `path_hex` |
//! | `kind`                 | `file`, `dir`, `symlink`, `fifo`, `socket`, `char`, `block`       |
//! | `mode`                 | permission bits, four octal digits                                |
//! | `mtime`                | seconds rounded down, dot, nine digits of nanoseconds to add      |
//! | `uid`, `gid`           | numbers                                                           |
//! | `size`, `sha256`       | of files: length and digest of the content                        |
//! | `target`, `target_hex` | of symlinks: where it points; in hex if it is not UTF-8           |
//! | `rdev`                 | of devices: `[major,minor]`                                       |
//! | `xattrs`               | `[[name,value],...]` in hex, sorted by name                       |
//! | `link`                 | 16 hex digits: entries with the same are names of one inode       |
//!
//! A key whose value is unknown is absent. The last line counts the entries, so
//! that a manifest cut short is not taken for a smaller tree. Unknown keys are
//! refused, and so is every value that is not in the one form written here.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::super::commit::{hex, unhex};
use super::super::{Entry, Metadata};
use super::lines::{Lines, sha256, time_text};
use super::{Error, Header, Item, ItemKind};
use crate::disk::Time;
use crate::id::{CommitId, TreeId};
use crate::path::{Escaped, TreePath};

const MAGIC: &str = "manifest";
const VERSION: u64 = 1;

/// What is read of a header before its version is known.
#[derive(Deserialize)]
struct Magic {
    chasm: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    chasm: String,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<CommitId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<TreeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    policy: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    entries: u64,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EntryLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rdev: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    xattrs: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl EntryLine {
    fn of(item: &Item) -> EntryLine {
        let path = if item.path.is_root() { b"." } else { item.path.as_bytes() };
        let (path, path_hex) = text_or_hex(path);
        let metadata = &item.metadata;
        let mut line = EntryLine {
            path,
            path_hex,
            mode: metadata.mode.map(|mode| format!("{mode:04o}")),
            mtime: metadata.mtime.map(time_text),
            uid: metadata.owner.map(|owner| owner.0),
            gid: metadata.owner.map(|owner| owner.1),
            xattrs: metadata.xattrs.iter().map(|(name, value)| (hex(name), hex(value))).collect(),
            link: metadata.link.map(|link| format!("{link:016x}")),
            ..EntryLine::default()
        };
        let kind = match &item.kind {
            ItemKind::File { blob, size } => {
                line.sha256 = blob.map(|blob| blob.to_string());
                line.size = *size;
                "file"
            }
            ItemKind::Dir => "dir",
            ItemKind::Symlink { target } => {
                (line.target, line.target_hex) = text_or_hex(target);
                "symlink"
            }
            ItemKind::Fifo => "fifo",
            ItemKind::Socket => "socket",
            ItemKind::CharDevice { rdev } => {
                line.rdev = Some(*rdev);
                "char"
            }
            ItemKind::BlockDevice { rdev } => {
                line.rdev = Some(*rdev);
                "block"
            }
        };
        line.kind = kind.to_owned();
        line
    }

    fn item(&self, lines: &Lines<'_>) -> Result<Item, Error> {
        let missing = |key: &str| lines.syntax(format!("{} without {key}", Escaped(self.kind.as_bytes())));
        let path = bytes_of(&self.path, &self.path_hex).ok_or_else(|| lines.syntax("entry without path"))?;
        let path = lines.path(&path)?;
        let rdev = || self.rdev.ok_or_else(|| missing("rdev"));
        let kind = match &self.kind[..] {
            "file" => {
                let blob = self.sha256.as_ref().and_then(|text| sha256(text.as_bytes()));
                ItemKind::File { blob, size: self.size }
            }
            "dir" => ItemKind::Dir,
            "symlink" => {
                let target = bytes_of(&self.target, &self.target_hex).ok_or_else(|| missing("target"))?;
                ItemKind::Symlink { target }
            }
            "fifo" => ItemKind::Fifo,
            "socket" => ItemKind::Socket,
            "char" => ItemKind::CharDevice { rdev: rdev()? },
            "block" => ItemKind::BlockDevice { rdev: rdev()? },
            other => return Err(lines.syntax(format!("unknown kind '{}'", Escaped(other.as_bytes())))),
        };
        let xattrs = self.xattrs.iter().filter_map(|(name, value)| Some((unhex(name)?, unhex(value)?)));
        let metadata = Metadata {
            mode: self.mode.as_ref().and_then(|text| u16::from_str_radix(text, 8).ok()),
            mtime: self.mtime.as_ref().and_then(|text| time(text)),
            owner: self.uid.zip(self.gid),
            xattrs: xattrs.collect(),
            link: self.link.as_ref().and_then(|text| u64::from_str_radix(text, 16).ok()),
        };
        let item = Item { path, metadata, kind };
        // What could not be read, is not in its one form, or does not belong to
        // this kind of entry, does not come out again.
        if EntryLine::of(&item) == *self {
            Ok(item)
        } else {
            Err(lines.syntax("a value is not in its one valid form, or its key does not belong to this kind"))
        }
    }
}

fn text_or_hex(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(hex(bytes))),
    }
}

fn bytes_of(text: &Option<String>, hex: &Option<String>) -> Option<Vec<u8>> {
    match text {
        Some(text) => Some(text.clone().into_bytes()),
        None => unhex(hex.as_ref()?),
    }
}

fn time(text: &str) -> Option<Time> {
    let (secs, nanos) = text.split_once('.')?;
    Some(Time { secs: secs.parse().ok()?, nanos: nanos.parse().ok()? })
}

fn write_line(out: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line).map_err(io::Error::from)?;
    text.push(b'\n');
    out.write_all(&text)
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| {
        // Each line is a document of its own: "at line 1" would mislead.
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(&text[..], |(reason, _)| reason);
        Escaped(reason.as_bytes()).to_string()
    })
}

pub(super) fn write_header(out: &mut dyn Write, header: &Header) -> io::Result<()> {
    let (commit, tree) = (header.commit, header.tree);
    let time = header.time.map(|time| time.to_string());
    let policy = header.policy.to_string();
    write_line(out, &HeaderLine { chasm: MAGIC.to_owned(), version: VERSION, commit, tree, time, policy })
}

pub(super) fn write_entry(out: &mut dyn Write, path: &TreePath, entry: &Entry) -> io::Result<()> {
    write_line(out, &EntryLine::of(&Item::of(path, entry)))
}

pub(super) fn write_end(out: &mut dyn Write, entries: u64) -> io::Result<()> {
    write_line(out, &EndLine { entries })
}

pub(super) fn read_header(lines: &mut Lines<'_>) -> Result<Header, Error> {
    let line = lines.next()?.unwrap_or_default().to_vec();
    match parse::<Magic>(&line) {
        Ok(magic) if magic.chasm == MAGIC => match magic.version {
            VERSION => {}
            version if version > VERSION => return Err(Error::TooNew { version }),
            _ => return Err(lines.syntax("unknown version")),
        },
        _ => return Err(lines.syntax("not the header of a manifest")),
    }
    let line: HeaderLine = parse(&line).map_err(|reason| lines.syntax(reason))?;
    let time = line.time.map(|text| text.parse().map_err(|_| lines.syntax("invalid time"))).transpose()?;
    let policy = line.policy.parse().map_err(|_| lines.syntax("unknown policy"))?;
    Ok(Header { commit: line.commit, tree: line.tree, time, policy })
}

pub(super) fn read_item(lines: &mut Lines<'_>, entries: &mut u64) -> Result<Option<Item>, Error> {
    let truncated = |line, entries: &u64| Error::Truncated { line, entries: *entries };
    let Some(line) = lines.next()? else { return Err(truncated(lines.number(), entries)) };
    match parse::<EntryLine>(line) {
        Ok(line) => {
            *entries += 1;
            line.item(lines).map(Some)
        }
        Err(reason) => match parse::<EndLine>(line) {
            Ok(end) if end.entries != *entries => Err(truncated(lines.number(), entries)),
            Ok(_) if lines.next()?.is_some() => Err(lines.syntax("text after the last line")),
            Ok(_) => Ok(None),
            Err(_) => Err(lines.syntax(reason)),
        },
    }
}
