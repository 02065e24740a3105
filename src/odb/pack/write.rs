//! Writing a pack: one sequential pass, then its index.

use std::fs::File;
use std::io::{BufWriter, Write};

use super::{Class, Index, MAX_PACKED_LEN, PACK_HEADER_LEN, PACK_MAGIC, VERSION};
use crate::compress;
use crate::disk::durable::{self, FILE_MODE};
use crate::disk::{Dir, Error, Result};
use crate::id::{Hasher, Kind, ObjectId};

/// An object's bytes in the form they will have in the pack.
pub(in crate::odb) struct Packed {
    form: u8,
    size: u64,
    base: Option<(u8, ObjectId)>,
    bytes: Vec<u8>,
}

impl Packed {
    /// Compresses an object whole.
    pub fn whole(data: &[u8], level: i32) -> Packed {
        debug_assert!(data.len() as u64 <= MAX_PACKED_LEN);
        let size = data.len() as u64;
        match compress::compress(data, level) {
            Some(bytes) => Packed { form: 1, size, base: None, bytes },
            None => Packed { form: 0, size, base: None, bytes: data.to_vec() },
        }
    }

    /// Compresses an object as its difference to `base`, if that is shorter than
    /// whole. `depth` counts this delta and those behind it.
    pub fn delta(data: &[u8], base_id: ObjectId, base: &[u8], depth: u8, level: i32) -> Packed {
        match compress::compress_delta(base, data, level) {
            Some(bytes) => Packed { form: 2, size: data.len() as u64, base: Some((depth, base_id)), bytes },
            None => Packed::whole(data, level),
        }
    }

    fn head(&self, kind: Kind, id: ObjectId) -> Vec<u8> {
        let mut head = Vec::with_capacity(super::MAX_HEAD_LEN);
        head.push(kind as u8 | self.form << 2);
        head.extend_from_slice(id.as_bytes());
        put_varint(&mut head, self.size);
        if self.form != 0 {
            put_varint(&mut head, self.bytes.len() as u64);
        }
        if let Some((depth, base)) = self.base {
            head.push(depth);
            head.extend_from_slice(base.as_bytes());
        }
        head
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes records to a new file; the file gets its name when it is finished.
pub struct PackWriter {
    class: Class,
    name: Vec<u8>,
    out: BufWriter<File>,
    hasher: Hasher,
    offset: u64,
    entries: Vec<(ObjectId, u64)>,
}

/// A pack that is whole, synced, and still under its temporary names.
pub(in crate::odb) struct FinishedPack {
    pub id: ObjectId,
    pub staged_pack: Vec<u8>,
    pub staged_index: Vec<u8>,
}

impl PackWriter {
    /// Starts a pack under the temporary name `name` in `staging`.
    pub fn create(staging: &Dir, name: &[u8], class: Class) -> Result<PackWriter> {
        let file = staging.create(name, FILE_MODE)?;
        let mut writer = PackWriter {
            class,
            name: name.to_vec(),
            out: BufWriter::with_capacity(1 << 20, file),
            hasher: Hasher::new(),
            offset: 0,
            entries: Vec::new(),
        };
        let mut header = PACK_MAGIC.to_vec();
        header.extend_from_slice(&[VERSION, class.number()]);
        debug_assert_eq!(header.len(), PACK_HEADER_LEN);
        writer.write(staging, &header)?;
        Ok(writer)
    }

    /// Number of objects so far.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no object in it yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of bytes so far.
    pub fn len(&self) -> u64 {
        self.offset
    }

    /// Adds an object that the pack does not hold yet; returns how many bytes that
    /// took.
    pub(in crate::odb) fn add(&mut self, staging: &Dir, kind: Kind, id: ObjectId, object: &Packed) -> Result<u64> {
        debug_assert_eq!(Class::of(kind), self.class);
        let start = self.offset;
        self.entries.push((id, start));
        self.write(staging, &object.head(kind, id))?;
        self.write(staging, &object.bytes)?;
        Ok(self.offset - start)
    }

    /// Adds a record as it stands in another pack, head and all, of an object that
    /// this pack does not hold yet.
    pub(in crate::odb) fn add_raw(&mut self, staging: &Dir, id: ObjectId, record: &[u8]) -> Result<()> {
        self.entries.push((id, self.offset));
        self.write(staging, record)
    }

    fn write(&mut self, staging: &Dir, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|e| Error::new("write", staging.path_of(&self.name), e))
    }

    /// Writes trailer and index, and syncs both files.
    pub(in crate::odb) fn finish(mut self, staging: &Dir) -> Result<FinishedPack> {
        let path = staging.path_of(&self.name);
        let id = self.hasher.finish();
        self.out.write_all(id.as_bytes()).map_err(|e| Error::new("write", &path, e))?;
        let file = self.out.into_inner().map_err(|e| Error::new("write", &path, e.into_error()))?;
        durable::sync(&file, &path)?;
        let pack_len = self.offset + super::TRAILER_LEN as u64;
        let staged_index = [&self.name[..], b".idx"].concat();
        write_index(staging, &staged_index, &Index::encode(self.class, id, pack_len, &mut self.entries))?;
        Ok(FinishedPack { id, staged_pack: self.name, staged_index })
    }
}

pub(in crate::odb) fn write_index(dir: &Dir, name: &[u8], bytes: &[u8]) -> Result<()> {
    let path = dir.path_of(name);
    let mut file = dir.create(name, FILE_MODE)?;
    file.write_all(bytes).map_err(|e| Error::new("write", &path, e))?;
    durable::sync(&file, &path)
}
