//! Lines of bounded length, counted, and the few things all formats have in
//! common.

use std::io::{BufRead, Read};

use super::{Error, Limits};
use crate::disk::Time;
use crate::id::{BlobId, ObjectId};
use crate::path::{Escaped, TreePath};

pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    limit: usize,
    number: u64,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub fn new(input: &'a mut dyn BufRead, limits: Limits) -> Self {
        Lines { input, limit: limits.line_len, number: 0, buffer: Vec::new() }
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end (a line feed, or carriage return and line
    /// feed); `None` after the last.
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.number += 1;
        self.buffer.clear();
        let mut bounded = (&mut *self.input).take((self.limit as u64).saturating_add(1));
        let read = bounded.read_until(b'\n', &mut self.buffer);
        let count = read.map_err(|source| Error::Read { line: self.number, source })?;
        if count == 0 {
            return Ok(None);
        }
        match self.buffer.strip_suffix(b"\n") {
            Some(line) => Ok(Some(line.strip_suffix(b"\r").unwrap_or(line))),
            None if count > self.limit => Err(self.too_long()),
            None => Ok(Some(&self.buffer)),
        }
    }

    /// The next line joined to the following ones where it ends in an odd number
    /// of backslashes; comments are not joined. False after the last.
    pub fn next_joined(&mut self, joined: &mut Vec<u8>) -> Result<bool, Error> {
        joined.clear();
        let limit = self.limit;
        loop {
            let Some(line) = self.next()? else { return Ok(!joined.is_empty()) };
            let is_comment = joined.is_empty() && line.trim_ascii_start().starts_with(b"#");
            if line.len() > limit - joined.len() {
                return Err(self.too_long());
            }
            joined.extend_from_slice(line);
            let backslashes = line.iter().rev().take_while(|&&b| b == b'\\').count();
            if is_comment || backslashes % 2 == 0 {
                return Ok(true);
            }
            joined.pop();
        }
    }

    pub fn syntax(&self, reason: impl Into<String>) -> Error {
        Error::Syntax { line: self.number, reason: reason.into() }
    }

    fn too_long(&self) -> Error {
        Error::LineTooLong { line: self.number, limit: self.limit }
    }

    /// A path relative to the root of the tree, with or without a leading `./`.
    /// Nothing else is made right: what another program would take for another
    /// path must not pass.
    pub fn path(&self, bytes: &[u8]) -> Result<TreePath, Error> {
        let bare = if bytes == b"." { b"" } else { bytes.strip_prefix(b"./").unwrap_or(bytes) };
        let path = TreePath::parse(bare).map_err(|source| Error::Path { line: self.number, source })?;
        if path.as_bytes() == bare && !bytes.is_empty() {
            Ok(path)
        } else {
            Err(self.syntax(format!("path '{}' is not in plain form", Escaped(bytes))))
        }
    }
}

/// A SHA-256 in hexadecimal digits of either case.
pub(super) fn sha256(hex: &[u8]) -> Option<BlobId> {
    ObjectId::from_hex(&hex.to_ascii_lowercase()).ok().map(BlobId)
}

/// Seconds, a dot, and nine digits of nanoseconds that are added to the seconds,
/// before 1970 too: a quarter second before 1970 is `-1.750000000`.
pub(super) fn time_text(time: Time) -> String {
    format!("{}.{:09}", time.secs, time.nanos)
}
