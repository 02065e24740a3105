//! The whole tree as one sorted list: a view, not an object.
//!
//! A manifest is written for others to read, and read to make a commit of what
//! others have listed. Entries come in the order of [`TreePath`], the root first
//! and each directory before its contents; they are written and read one by one,
//! so memory does not grow with the tree.
//!
//! | format             | holds                                                       | read |
//! |--------------------|-------------------------------------------------------------|------|
//! | `json`             | everything an entry holds                                   | yes  |
//! | `mtree`            | all but extended attributes and which names are one inode   | yes  |
//! | `sha256sums`       | paths and ids of regular files                              | yes  |
//! | `fullfiletimelist` | paths, kinds, sizes and whole seconds; what Fedora publishes | no   |
//!
//! What a format has no place for is left out; what would come out as something
//! else is an error. Ids of directories are not listed: they follow from the
//! contents.
//!
//! Reading takes no line longer than [`Limits::line_len`], gives only entries
//! that a tree can hold, and never panics. It does not check that entries are
//! sorted, that a path comes once, or that it lies in a directory: whoever builds
//! the tree sees that.

mod error;
mod item;
mod json;
mod lines;
mod mtree;
mod sums;
#[cfg(test)]
mod tests;
mod timelist;
mod vis;

use std::fmt;
use std::io::{BufRead, Write};
use std::str::FromStr;

use jiff::Timestamp;

pub use error::Error;
pub use item::{Item, ItemKind};
use lines::Lines;

use super::{Entry, Policy};
use crate::id::{CommitId, TreeId};
use crate::path::TreePath;

/// A way to write a tree as a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// chasm's own: a JSON object a line.
    Json,
    /// BSD's mtree(5), with full paths.
    Mtree,
    /// What `sha256sum` writes and checks.
    Sha256sums,
    /// What quick-fedora-mirror reads; written only.
    Fullfiletimelist,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 4] = [Format::Json, Format::Mtree, Format::Sha256sums, Format::Fullfiletimelist];

    /// The format of a manifest that begins like this: `json` if with a brace,
    /// `mtree` if with `#mtree` or if its first line that is no comment is one of
    /// mtree, `sha256sums` otherwise.
    pub fn guess(beginning: &[u8]) -> Format {
        if beginning.starts_with(b"{") {
            return Format::Json;
        }
        if beginning.starts_with(b"#mtree") {
            return Format::Mtree;
        }
        let lines = beginning.split(|&b| b == b'\n').map(<[u8]>::trim_ascii_start);
        let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
        let has_type = first.windows(6).any(|word| word == b" type=" || word == b"\ttype=");
        if first.starts_with(b"/set") || (has_type && !sums::is_entry(first)) {
            Format::Mtree
        } else {
            Format::Sha256sums
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Json => "json",
            Format::Mtree => "mtree",
            Format::Sha256sums => "sha256sums",
            Format::Fullfiletimelist => "fullfiletimelist",
        })
    }
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no manifest format; there are {formats}", formats = Format::ALL.map(|f| f.to_string()).join(", "))]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let named = Format::ALL.into_iter().find(|format| format.to_string() == text);
        named.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// What is said of the tree as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The commit that was listed, if it was one.
    pub commit: Option<CommitId>,
    /// The root directory.
    pub tree: Option<TreeId>,
    /// When the commit was made.
    pub time: Option<Timestamp>,
    /// What metadata the tree keeps.
    pub policy: Policy,
}

/// What a reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a line, and of lines joined into one.
    pub line_len: usize,
}

impl Default for Limits {
    /// Room for the deepest path, every byte of it escaped.
    fn default() -> Self {
        Limits { line_len: 8 << 20 }
    }
}

/// Writes a manifest: [`Writer::begin`] once, [`Writer::entry`] for each, and
/// [`Writer::finish`]; without the last it is not complete.
pub struct Writer<'a> {
    format: Format,
    out: &'a mut dyn Write,
    entries: u64,
}

impl<'a> Writer<'a> {
    /// Writes what comes before the entries. The output is not buffered here.
    pub fn begin(format: Format, out: &'a mut dyn Write, header: &Header) -> Result<Self, Error> {
        let written = match format {
            Format::Json => json::write_header(out, header),
            Format::Mtree => mtree::write_header(out, header),
            Format::Sha256sums => Ok(()),
            Format::Fullfiletimelist => timelist::write_header(out),
        };
        written.map_err(|source| Error::Write { format, source })?;
        Ok(Writer { format, out, entries: 0 })
    }

    /// Writes one entry, or nothing if the format does not list its kind. The
    /// name is taken from the path; that of the root is [`TreePath::root`].
    pub fn entry(&mut self, path: &TreePath, entry: &Entry) -> Result<(), Error> {
        let format = self.format;
        if let Some(reason) = match format {
            Format::Fullfiletimelist => timelist::refuses(path, entry),
            _ => None,
        } {
            return Err(Error::CannotHold { format, path: path.clone(), reason });
        }
        self.entries += 1;
        match format {
            Format::Json => json::write_entry(self.out, path, entry),
            Format::Mtree => mtree::write_entry(self.out, path, entry),
            Format::Sha256sums => sums::write_entry(self.out, path, entry),
            Format::Fullfiletimelist => timelist::write_entry(self.out, path, entry),
        }
        .map_err(|source| Error::Write { format, source })
    }

    /// Writes what comes after the entries, and flushes.
    pub fn finish(self) -> Result<(), Error> {
        let written = match self.format {
            Format::Json => json::write_end(self.out, self.entries),
            Format::Mtree | Format::Sha256sums => Ok(()),
            Format::Fullfiletimelist => timelist::write_end(self.out),
        };
        written.and_then(|()| self.out.flush()).map_err(|source| Error::Write { format: self.format, source })
    }
}

/// Begins to read a manifest. Fails if it does not begin as the format does.
pub fn read(format: Format, input: &mut dyn BufRead, limits: Limits) -> Result<Reader<'_>, Error> {
    let mut lines = Lines::new(input, limits);
    let (header, source) = match format {
        Format::Json => (Some(json::read_header(&mut lines)?), Source::Json { entries: 0 }),
        Format::Mtree => (None, Source::Mtree(mtree::Reader::default())),
        Format::Sha256sums => (None, Source::Sums),
        Format::Fullfiletimelist => return Err(Error::WriteOnly { format }),
    };
    Ok(Reader { lines, header, source, done: false })
}

/// Gives the entries of a manifest as they come. Nothing follows an error.
pub struct Reader<'a> {
    lines: Lines<'a>,
    header: Option<Header>,
    source: Source,
    done: bool,
}

enum Source {
    Json { entries: u64 },
    Mtree(mtree::Reader),
    Sums,
}

impl Reader<'_> {
    /// What is said of the tree as a whole; only `json` says it.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    fn read_item(&mut self) -> Result<Option<Item>, Error> {
        let item = match &mut self.source {
            Source::Json { entries } => json::read_item(&mut self.lines, entries)?,
            Source::Mtree(reader) => reader.read_item(&mut self.lines)?,
            Source::Sums => sums::read_item(&mut self.lines)?,
        };
        if let Some(item) = &item {
            let line = self.lines.number();
            item.check().map_err(|source| Error::Entry { line, path: item.path.clone(), source })?;
        }
        Ok(item)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = self.read_item().transpose();
        self.done = !matches!(read, Some(Ok(_)));
        read
    }
}
