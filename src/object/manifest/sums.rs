//! `SHA256SUMS`: regular files and their digests, for `sha256sum -c` to check a
//! checkout by.
//!
//! ```text
//! <64 hex><blank><blank><path>
//! \<64 hex><blank><blank><path with \\ for a backslash, \n and \r for line ends>
//! ```
//!
//! The second form is written for paths that contain such a byte. A file `-` at
//! the root is written `./-`: bare, it would mean standard input.
//!
//! Read are these, `*` for the second blank (binary mode), `SHA256 (path) = hex`
//! as BSD writes it, a leading `./`, comments (`#`) and empty lines.

use std::io::{self, Write};

use super::super::{Entry, Metadata, Node};
use super::lines::{Lines, sha256};
use super::{Error, Item, ItemKind};
use crate::id::ID_HEX_LEN;
use crate::path::TreePath;

pub(super) fn write_entry(out: &mut dyn Write, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let Node::File { blob, .. } = &entry.node else { return Ok(()) };
    let path = path.as_bytes();
    if path == b"-" {
        return writeln!(out, "{blob}  ./-");
    }
    let mut escaped = Vec::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            _ => escaped.push(byte),
        }
    }
    let mark = if escaped.len() > path.len() { "\\" } else { "" };
    write!(out, "{mark}{blob}  ")?;
    out.write_all(&escaped)?;
    out.write_all(b"\n")
}

pub(super) fn read_item(lines: &mut Lines<'_>) -> Result<Option<Item>, Error> {
    loop {
        let Some(line) = lines.next()? else { return Ok(None) };
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (escaped, line) = match line.strip_prefix(b"\\") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let Some((digest, path)) = split_gnu(line).or_else(|| split_bsd(line)) else {
            return Err(lines.syntax("not a SHA-256 and a path"));
        };
        let Some(blob) = sha256(digest) else {
            return Err(lines.syntax("not a SHA-256 and a path"));
        };
        let path = if escaped { unescape(path) } else { Some(path.to_vec()) };
        let path = path.ok_or_else(|| lines.syntax("unknown escape in path"))?;
        let kind = ItemKind::File { blob: Some(blob), size: None };
        return Ok(Some(Item { path: lines.path(&path)?, metadata: Metadata::default(), kind }));
    }
}

/// Whether a line is a digest and a path.
pub(super) fn is_entry(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\\").unwrap_or(line);
    split_gnu(line).or_else(|| split_bsd(line)).is_some_and(|(digest, _)| sha256(digest).is_some())
}

fn split_gnu(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digest, rest) = line.split_at_checked(ID_HEX_LEN)?;
    let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
    Some((digest, path))
}

fn split_bsd(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"SHA256 (")?;
    let (front, digest) = rest.split_at_checked(rest.len().checked_sub(ID_HEX_LEN)?)?;
    Some((digest, front.strip_suffix(b") = ")?))
}

fn unescape(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(plain)
}
