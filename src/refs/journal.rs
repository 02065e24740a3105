//! The journal: every transaction of refs, appended to one file.
//!
//! ```text
//! chasm journal 1
//! head heads/main                    HEAD when the repository was made, without any refs
//! checksum <64 hex>                  SHA-256 of the lines above: the first link of the chain
//! transaction 1                      records, see the module `record`
//! ...
//! ```
//!
//! It is read from its end, a piece at a time, so that the newest record costs
//! the same however long the journal is. The last append may have been cut short
//! by a crash: whatever follows the last whole record, and at most one record
//! whose checksum is wrong, is a torn tail. Whether that is acceptable is judged
//! in the module `snapshot`, where the refs file is known.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::file::{CHECKSUM_LEN, RefSet, check_version, split_checksum};
use super::record::MAX_RECORD_LEN;
use super::{Error, JOURNAL_FILE, RefName, Result, Transaction};
use crate::disk::{self, Dir};
use crate::id::{ObjectId, hash_bytes};
use crate::object::DecodeError;

const MAGIC: &str = "chasm journal ";
const VERSION: &str = "1";
const MAX_HEADER_LEN: u64 = 2048;
const STEP: usize = 64 << 10;
const CHECKSUM_START: &[u8] = b"\nchecksum ";
const RECORD_START: &[u8] = b"\ntransaction ";

/// An open journal, and what its end is.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    pub path: PathBuf,
    /// HEAD before the first transaction.
    pub head: RefName,
    header_len: u64,
    /// Where the whole records end.
    pub end: u64,
    /// Whether bytes follow there.
    pub torn: bool,
    /// The newest whole record.
    pub last: Option<Transaction>,
    /// Its checksum, or the header's.
    pub checksum: ObjectId,
}

/// Writes a journal without records.
pub(super) fn encode_header(head: &RefName) -> Vec<u8> {
    let body = format!("{MAGIC}{VERSION}\nhead {head}\n");
    let checksum = hash_bytes(body.as_bytes());
    format!("{body}checksum {checksum}\n").into_bytes()
}

fn decode_header(bytes: &[u8]) -> std::result::Result<(RefName, ObjectId, usize), DecodeError> {
    check_version(bytes, MAGIC, VERSION, "journal")?;
    let mut line_ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let len = line_ends.nth(2).ok_or(DecodeError::Truncated)?;
    let (body, checksum) = split_checksum(&bytes[..len])?;
    if hash_bytes(body) != checksum {
        return Err(DecodeError::Invalid("checksum"));
    }
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::NotA("journal"))?;
    let head = text.lines().nth(1).and_then(|line| line.strip_prefix("head ")).and_then(|name| name.parse().ok());
    let head: RefName = head.filter(RefName::is_branch).ok_or(DecodeError::Invalid("HEAD"))?;
    if encode_header(&head) != bytes[..len] {
        return Err(DecodeError::Invalid("header"));
    }
    Ok((head, checksum, len))
}

impl Journal {
    /// Opens the journal in `dir` and finds its newest whole record.
    pub fn open(dir: &Dir) -> Result<Journal> {
        let (file, stat) = super::open_file(dir, JOURNAL_FILE)?;
        let path = dir.path_of(JOURNAL_FILE.as_bytes());
        let header = read_at(&file, &path, 0, stat.size.min(MAX_HEADER_LEN))?;
        let (head, checksum, header_len) =
            decode_header(&header).map_err(|source| Error::corrupt(path.clone(), source))?;
        let header_len = header_len as u64;
        let mut journal = Journal { file, path, head, header_len, end: header_len, torn: false, last: None, checksum };
        journal.find_end(stat.size)?;
        Ok(journal)
    }

    fn find_end(&mut self, size: u64) -> Result<()> {
        let mut tail = Tail::at(size);
        let mut failed = None;
        loop {
            tail.cut_after_checksum(self)?;
            self.end = tail.end();
            self.torn = self.end < size;
            if self.end <= self.header_len {
                return Ok(());
            }
            let read = tail.checksum(self).and_then(|checksum| Ok((checksum, tail.previous(self)?)));
            match (read, failed.take()) {
                (Ok((checksum, last)), _) => {
                    self.checksum = checksum;
                    self.last = last;
                    return Ok(());
                }
                // A crash can spoil one record, the last one.
                (Err(e), None) if e.is_damage() => {
                    failed = Some(e);
                    tail.drop_last_byte();
                }
                (Err(_), Some(e)) | (Err(e), None) => return Err(e),
            }
        }
    }

    /// All whole records, the newest first.
    pub fn transactions(self) -> Transactions {
        Transactions { tail: Tail::at(self.end), journal: self, is_done: false }
    }

    /// The refs as they were before the first transaction.
    pub fn fresh(&self) -> RefSet {
        RefSet::fresh(self.head.clone())
    }

    /// The SHA-256 of the refs file that the newest record leads to.
    pub fn after(&self) -> ObjectId {
        self.last.as_ref().map_or_else(|| hash_bytes(&self.fresh().encode()), |last| last.after)
    }

    /// The number of the newest record; 0 if there is none.
    pub fn sequence(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.sequence)
    }

    fn corrupt(&self, source: DecodeError) -> Error {
        Error::corrupt(self.path.clone(), source)
    }
}

fn read_at(file: &File, path: &std::path::Path, offset: u64, len: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, offset).map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof => Error::corrupt(path.to_path_buf(), DecodeError::Truncated),
        _ => Error::Disk(disk::Error::new("read", path, e)),
    })?;
    Ok(bytes)
}

/// The part of a journal before some point, read backwards as far as needed.
#[derive(Debug)]
struct Tail {
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
    /// Number of the record that follows, and the state before it.
    next: Option<(u64, ObjectId)>,
}

impl Tail {
    fn at(end: u64) -> Self {
        Tail { buffer: Vec::new(), start: end, next: None }
    }

    fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    fn drop_last_byte(&mut self) {
        self.buffer.pop();
    }

    /// The checksum of the record that ends here.
    fn checksum(&self, journal: &Journal) -> Result<ObjectId> {
        split_checksum(&self.buffer).map(|(_, checksum)| checksum).map_err(|e| journal.corrupt(e))
    }

    /// Reads at least as much again; a record begins within the limit, or never.
    fn grow(&mut self, journal: &Journal) -> Result<()> {
        if self.start == 0 {
            return Err(journal.corrupt(DecodeError::Truncated));
        }
        if self.buffer.len() > 2 * MAX_RECORD_LEN {
            let (len, limit) = (self.buffer.len() as u64, MAX_RECORD_LEN as u64);
            return Err(journal.corrupt(DecodeError::TooLarge { what: "record", len, limit }));
        }
        let step = self.start.min(self.buffer.len().max(STEP) as u64);
        let mut bytes = read_at(&journal.file, &journal.path, self.start - step, step)?;
        bytes.append(&mut self.buffer);
        self.buffer = bytes;
        self.start -= step;
        Ok(())
    }

    /// Drops what follows the last line that is a checksum: the header has one.
    fn cut_after_checksum(&mut self, journal: &Journal) -> Result<()> {
        loop {
            // Only where the whole line is there, and the line break before it.
            let complete = self.buffer.len().saturating_sub(1 + CHECKSUM_LEN - CHECKSUM_START.len());
            let found = rfind(&self.buffer[..complete], CHECKSUM_START);
            if let Some(at) = found {
                self.buffer.truncate(at + 1 + CHECKSUM_LEN);
                return Ok(());
            }
            self.grow(journal)?;
        }
    }

    /// The record that ends here; `None` at the header. Moves before it.
    fn previous(&mut self, journal: &Journal) -> Result<Option<Transaction>> {
        if self.end() <= journal.header_len {
            let fresh = || hash_bytes(&journal.fresh().encode());
            return match self.next {
                Some((sequence, before)) if sequence != 1 || before != fresh() => {
                    Err(journal.corrupt(DecodeError::Invalid("first transaction")))
                }
                _ => Ok(None),
            };
        }
        loop {
            match rfind(&self.buffer, RECORD_START).map(|at| at + 1) {
                Some(start) if start >= CHECKSUM_LEN => {
                    let (above, record) = self.buffer.split_at(start);
                    let read = split_checksum(above).and_then(|(_, previous)| Transaction::decode(previous, record));
                    let transaction = read.map_err(|source| journal.corrupt(source))?;
                    let (sequence, after) = (transaction.sequence, transaction.after);
                    if self.next.is_some_and(|(next, before)| sequence.checked_add(1) != Some(next) || before != after)
                    {
                        return Err(journal.corrupt(DecodeError::Invalid("order of transactions")));
                    }
                    self.next = Some((sequence, transaction.before));
                    self.buffer.truncate(start);
                    return Ok(Some(transaction));
                }
                _ => self.grow(journal)?,
            }
        }
    }
}

fn rfind(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}

/// The transactions of the journal, the newest first; ends after an error.
#[derive(Debug)]
pub struct Transactions {
    journal: Journal,
    tail: Tail,
    is_done: bool,
}

impl Iterator for Transactions {
    type Item = Result<Transaction>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.tail.previous(&self.journal);
        self.is_done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}
