//! Reading a pack: single records by offset, or all of them in order.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{
    Class, Index, MAX_DELTA_DEPTH, MAX_HEAD_LEN, MAX_PACKED_LEN, PACK_HEADER_LEN, PACK_MAGIC, TRAILER_LEN, VERSION,
};
use crate::compress;
use crate::disk::{Dir, Error};
use crate::id::{Hasher, Kind, ObjectId};
use crate::odb::DamagedFile;

/// A pack file and its index, open.
pub struct Pack {
    id: ObjectId,
    path: PathBuf,
    file: File,
    index: Index,
}

/// What [`Pack::scan`] finds: the class and the length of a pack, and the ids and
/// offsets of its records.
pub type Scanned = (Class, u64, Vec<(ObjectId, u64)>);

/// The head of one record, and where its bytes lie.
#[derive(Clone, Debug)]
pub struct Record {
    /// Kind of the object.
    pub kind: Kind,
    /// Its id, by the word of the head.
    pub id: ObjectId,
    /// Length of the object in bytes.
    pub size: u64,
    /// The object it is a delta against, and how many deltas lie behind.
    pub base: Option<(u8, ObjectId)>,
    /// Length of its bytes in the pack.
    pub stored: u64,
    compressed: bool,
    bytes_at: u64,
}

impl Record {
    /// Where the next record begins.
    pub fn end(&self) -> u64 {
        self.bytes_at + self.stored
    }

    /// Undoes the record's form, given the bytes of its base if it has one.
    pub(in crate::odb) fn unpack(&self, bytes: Vec<u8>, base: Option<&[u8]>) -> Result<Vec<u8>, compress::Error> {
        match (&self.base, base) {
            (Some(_), base) => compress::decompress_delta(base.unwrap_or_default(), &bytes, self.size),
            (None, _) if self.compressed => compress::decompress(&bytes, self.size),
            (None, _) => Ok(bytes),
        }
    }
}

/// Why a pack, or something in it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system failed.
    #[error(transparent)]
    Disk(#[from] Error),
    /// The bytes are not what they should be.
    #[error(transparent)]
    Damaged(#[from] DamagedFile),
}

impl Pack {
    /// Opens the pack `id` in the directory of packs.
    pub fn open(packs: &Dir, id: ObjectId) -> Result<Pack, ReadError> {
        let name = format!("{id}.pack").into_bytes();
        let index_name = format!("{id}.idx").into_bytes();
        let (index_file, _) = packs.open_file(&index_name)?;
        let index = Index::open(Index::open_file(&index_file, &packs.path_of(&index_name))?, id)?;
        let (file, stat) = packs.open_file(&name)?;
        if stat.size != index.pack_len() {
            return Err(DamagedFile::Inconsistent("has another length than its index says").into());
        }
        Ok(Pack { id, path: packs.path_of(&name), file, index })
    }

    /// Its name: the SHA-256 of its contents.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The record of an object, if the pack has it.
    pub fn find(&self, kind: Kind, id: &ObjectId) -> Result<Option<Record>, ReadError> {
        if Class::of(kind) != self.index.class() {
            return Ok(None);
        }
        for offset in self.index.candidates(id) {
            let (record, _) = self.record(offset, 0)?;
            if record.id == *id && record.kind == kind {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// As [`Pack::find`], with the record's bytes.
    pub fn read(&self, kind: Kind, id: &ObjectId) -> Result<Option<(Record, Vec<u8>)>, ReadError> {
        if Class::of(kind) != self.index.class() {
            return Ok(None);
        }
        for offset in self.index.candidates(id) {
            let (record, bytes) = self.record(offset, 8 << 10)?;
            if record.id == *id && record.kind == kind {
                let bytes = self.bytes_of(&record, bytes)?;
                return Ok(Some((record, bytes)));
            }
        }
        Ok(None)
    }

    /// The head of the record at `offset`, and what came along of its bytes
    /// when reading `ahead` bytes more than a head can have.
    pub fn record(&self, offset: u64, ahead: usize) -> Result<(Record, Vec<u8>), ReadError> {
        let end = self.index.pack_len() - TRAILER_LEN as u64;
        if offset < PACK_HEADER_LEN as u64 || offset >= end {
            return Err(DamagedFile::Inconsistent("has an index entry that points outside").into());
        }
        let want = usize::try_from(end - offset).unwrap_or(usize::MAX).min(MAX_HEAD_LEN + ahead);
        let mut buffer = vec![0; want];
        self.file.read_exact_at(&mut buffer, offset).map_err(|e| Error::new("read", &self.path, e))?;
        let (record, head_len) = parse_head(&buffer, offset)?;
        if record.end() > end {
            return Err(DamagedFile::Inconsistent("has a record that ends outside").into());
        }
        buffer.drain(..head_len);
        Ok((record, buffer))
    }

    /// The stored bytes of a record, of which `begun` were read with the head.
    pub fn bytes_of(&self, record: &Record, mut begun: Vec<u8>) -> Result<Vec<u8>, ReadError> {
        let stored = usize::try_from(record.stored).expect("limited to 64 MiB when the head was read");
        let have = begun.len();
        begun.resize(stored, 0);
        if have < stored {
            self.file
                .read_exact_at(&mut begun[have..], record.bytes_at + have as u64)
                .map_err(|e| Error::new("read", &self.path, e))?;
        }
        Ok(begun)
    }

    /// The bytes from `offset` to `end`: whole records, heads and all.
    pub(in crate::odb) fn raw(&self, offset: u64, end: u64) -> Result<Vec<u8>, ReadError> {
        let outside = DamagedFile::Inconsistent("has a record that ends outside");
        if end > self.index.pack_len() || offset > end || end - offset > MAX_PACKED_LEN + MAX_HEAD_LEN as u64 {
            return Err(outside.into());
        }
        let mut bytes = vec![0; usize::try_from(end - offset).map_err(|_| outside)?];
        self.file.read_exact_at(&mut bytes, offset).map_err(|e| Error::new("read", &self.path, e))?;
        Ok(bytes)
    }

    /// Where the last record ends.
    pub fn records_end(&self) -> u64 {
        self.index.pack_len() - TRAILER_LEN as u64
    }

    /// Whether every byte of the pack is as it was written.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<(), ReadError> {
        let mut hasher = Hasher::new();
        let mut left = self.index.pack_len() - TRAILER_LEN as u64;
        let mut buffer = vec![0; 256 << 10];
        let mut at = 0;
        let fail = |e| Error::new("read", &self.path, e);
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            self.file.read_exact_at(&mut buffer[..step], at).map_err(fail)?;
            hasher.update(&buffer[..step]);
            at += step as u64;
            left -= step as u64;
            progress(step as u64);
        }
        let mut trailer = [0; TRAILER_LEN];
        self.file.read_exact_at(&mut trailer, at).map_err(fail)?;
        let id = hasher.finish();
        if id != self.id || trailer != *id.as_bytes() { Err(DamagedFile::Checksum.into()) } else { Ok(()) }
    }

    /// Reads a pack without its index: the ids and offsets of all its records.
    /// Nothing is believed but the heads; the checksum is compared as well.
    pub fn scan(packs: &Dir, id: ObjectId) -> Result<Scanned, ReadError> {
        let name = format!("{id}.pack").into_bytes();
        let (file, stat) = packs.open_file(&name)?;
        let path = packs.path_of(&name);
        let fail = |e| Error::new("read", &path, e);
        if stat.size < (PACK_HEADER_LEN + TRAILER_LEN) as u64 {
            return Err(DamagedFile::NotA("pack").into());
        }
        let end = stat.size - TRAILER_LEN as u64;
        let mut hasher = Hasher::new();
        let mut reader = std::io::BufReader::with_capacity(1 << 20, &file);
        let mut left = end;
        let mut buffer = vec![0; 256 << 10];
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            reader.read_exact(&mut buffer[..step]).map_err(fail)?;
            hasher.update(&buffer[..step]);
            left -= step as u64;
        }
        let mut trailer = [0; TRAILER_LEN];
        reader.read_exact(&mut trailer).map_err(fail)?;
        if hasher.finish() != id || trailer != *id.as_bytes() {
            return Err(DamagedFile::Checksum.into());
        }
        let mut header = [0; PACK_HEADER_LEN];
        file.read_exact_at(&mut header, 0).map_err(fail)?;
        if !header.starts_with(PACK_MAGIC) {
            return Err(DamagedFile::NotA("pack").into());
        }
        if header[8] != VERSION {
            return Err(DamagedFile::TooNew(header[8]).into());
        }
        let class = Class::from_number(header[9])?;
        let mut entries = Vec::new();
        let mut at = PACK_HEADER_LEN as u64;
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(MAX_HEAD_LEN);
            file.read_exact_at(&mut buffer[..want], at).map_err(fail)?;
            let (record, _) = parse_head(&buffer[..want], at)?;
            entries.push((record.id, at));
            at = record.end();
        }
        if at == end {
            Ok((class, stat.size, entries))
        } else {
            Err(DamagedFile::Inconsistent("has a record that ends outside").into())
        }
    }
}

/// Reads the head of a record at `offset` of its pack; also its length.
fn parse_head(bytes: &[u8], offset: u64) -> Result<(Record, usize), DamagedFile> {
    let cut = DamagedFile::Inconsistent("has a record head that is cut off");
    let (&tag, rest) = bytes.split_first().ok_or(cut.clone())?;
    if tag & 0xf0 != 0 {
        return Err(DamagedFile::TooNew(tag));
    }
    let kind =
        *Kind::ALL.get(usize::from(tag & 3)).ok_or(DamagedFile::Inconsistent("has a record of no known kind"))?;
    let form = tag >> 2;
    if form > 2 {
        return Err(DamagedFile::TooNew(tag));
    }
    let (id, mut rest) = rest.split_at_checked(32).ok_or(cut.clone())?;
    let id = ObjectId::from_slice(id).ok_or(cut.clone())?;
    let size = take_varint(&mut rest)?;
    let stored = if form == 0 { size } else { take_varint(&mut rest)? };
    if size > MAX_PACKED_LEN || stored > size {
        return Err(DamagedFile::Inconsistent("has a record whose length is over the limit"));
    }
    let mut base = None;
    if form == 2 {
        let (fields, after) = rest.split_at_checked(33).ok_or(cut.clone())?;
        if !(1..=MAX_DELTA_DEPTH).contains(&fields[0]) {
            return Err(DamagedFile::Inconsistent("has a chain of deltas that is too long"));
        }
        base = Some((fields[0], ObjectId::from_slice(&fields[1..]).ok_or(cut)?));
        rest = after;
    }
    let head_len = bytes.len() - rest.len();
    let bytes_at = offset + head_len as u64;
    Ok((Record { kind, id, size, base, stored, compressed: form != 0, bytes_at }, head_len))
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, DamagedFile> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) =
            bytes.split_first().ok_or(DamagedFile::Inconsistent("has a record head that is cut off"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && shift > 0 {
                break;
            }
            return Ok(value);
        }
    }
    Err(DamagedFile::Inconsistent("has a record whose length is over the limit or not in its shortest form"))
}
