//! The index of a pack: from ids to offsets.

use std::path::Path;

use super::{Class, INDEX_MAGIC, TRAILER_LEN, VERSION};
use crate::disk::map::Map;
use crate::disk::{self};
use crate::id::{ObjectId, hash_bytes};
use crate::odb::DamagedFile;

const FAN_OUT: usize = 256;
const HEAD_LEN: usize = 8 + 1 + 1 + 32 + 8 + 8;
const ENTRIES_AT: usize = HEAD_LEN + FAN_OUT * 4;
const KEY_LEN: usize = 7;
const ENTRY_LEN: usize = KEY_LEN + 5;
/// Offsets have 40 bits.
pub(super) const MAX_OFFSET: u64 = (1 << 40) - 1;

/// A mapped index file.
pub struct Index {
    map: Map,
    class: Class,
    count: usize,
}

impl Index {
    /// Writes the index of a pack. `entries` are ids and offsets, in any order.
    pub fn encode(class: Class, pack: ObjectId, pack_len: u64, entries: &mut [(ObjectId, u64)]) -> Vec<u8> {
        entries.sort_unstable();
        let mut out = Vec::with_capacity(ENTRIES_AT + entries.len() * ENTRY_LEN + TRAILER_LEN);
        out.extend_from_slice(INDEX_MAGIC);
        out.push(VERSION);
        out.push(class.number());
        out.extend_from_slice(pack.as_bytes());
        out.extend_from_slice(&pack_len.to_be_bytes());
        out.extend_from_slice(&(entries.len() as u64).to_be_bytes());
        let mut fan_out = [0u32; FAN_OUT];
        for (id, _) in &*entries {
            fan_out[usize::from(id.as_bytes()[0])] += 1;
        }
        let mut sum = 0;
        for count in fan_out {
            sum += count;
            out.extend_from_slice(&sum.to_be_bytes());
        }
        for (id, offset) in entries {
            debug_assert!(*offset <= MAX_OFFSET);
            out.extend_from_slice(&id.as_bytes()[1..=KEY_LEN]);
            out.extend_from_slice(&offset.to_be_bytes()[3..]);
        }
        let checksum = hash_bytes(&out);
        out.extend_from_slice(checksum.as_bytes());
        out
    }

    /// Opens an index for the pack of that name. The structure is checked, the
    /// checksum is not: see [`Index::verify`].
    pub fn open(map: Map, pack: ObjectId) -> Result<Index, DamagedFile> {
        if map.len() < ENTRIES_AT + TRAILER_LEN || !map.starts_with(INDEX_MAGIC) {
            return Err(DamagedFile::NotA("pack index"));
        }
        if map[8] != VERSION {
            return Err(DamagedFile::TooNew(map[8]));
        }
        let class = Class::from_number(map[9])?;
        if map[10..42] != *pack.as_bytes() {
            return Err(DamagedFile::Inconsistent("names another pack"));
        }
        let count = u64::from_be_bytes(map[50..58].try_into().expect("eight bytes"));
        let room = (map.len() - ENTRIES_AT - TRAILER_LEN) / ENTRY_LEN;
        if count != room as u64 || map.len() != ENTRIES_AT + room * ENTRY_LEN + TRAILER_LEN {
            return Err(DamagedFile::Inconsistent("has another length than its count says"));
        }
        let index = Index { map, class, count: room };
        let ascending = (1..FAN_OUT).all(|i| index.fan_out(i - 1) <= index.fan_out(i));
        if !ascending || index.fan_out(FAN_OUT - 1) != room {
            return Err(DamagedFile::Inconsistent("has a fan-out that does not fit its entries"));
        }
        Ok(index)
    }

    /// Opens the file at `path`.
    pub fn open_file(file: &std::fs::File, path: &Path) -> disk::Result<Map> {
        Map::open(file, path)
    }

    /// What kinds of objects it leads to.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Length of the pack in bytes.
    pub fn pack_len(&self) -> u64 {
        u64::from_be_bytes(self.map[42..50].try_into().expect("eight bytes"))
    }

    /// Number of objects.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Offsets of the records whose ids agree with `id` in their first 8 bytes;
    /// nearly always none or one.
    pub fn candidates(&self, id: &ObjectId) -> impl Iterator<Item = u64> + '_ {
        let key: [u8; KEY_LEN] = id.as_bytes()[1..=KEY_LEN].try_into().expect("seven bytes");
        let first = usize::from(id.as_bytes()[0]);
        let low = if first == 0 { 0 } else { self.fan_out(first - 1) };
        let high = self.fan_out(first);
        let start = low + partition_point(high - low, |i| self.entry(low + i).0 < &key[..]);
        (start..high).map(|i| self.entry(i)).take_while(move |(found, _)| *found == key).map(|(_, offset)| offset)
    }

    /// Offsets of the records whose ids begin with these 4 to 8 bytes.
    pub fn with_prefix(&self, prefix: &[u8]) -> Vec<u64> {
        let Some((&first, rest)) = prefix.split_first() else { return Vec::new() };
        let rest = &rest[..rest.len().min(KEY_LEN)];
        let first = usize::from(first);
        let low = if first == 0 { 0 } else { self.fan_out(first - 1) };
        let high = self.fan_out(first);
        let start = low + partition_point(high - low, |i| &self.entry(low + i).0[..rest.len()] < rest);
        let found = (start..high).map(|i| self.entry(i)).take_while(|(key, _)| key.starts_with(rest));
        found.map(|(_, offset)| offset).collect()
    }

    /// The first 8 bytes of each id, as a number, with its offset; in order.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        (0..FAN_OUT).flat_map(move |first| {
            let low = if first == 0 { 0 } else { self.fan_out(first - 1) };
            (low..self.fan_out(first)).map(move |i| {
                let (key, offset) = self.entry(i);
                (key.iter().fold(first as u64, |value, &byte| value << 8 | u64::from(byte)), offset)
            })
        })
    }

    /// The offsets of all records, in the order of ids.
    pub fn offsets(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.count).map(|i| self.entry(i).1)
    }

    /// Checks every byte: the checksum, and the order of entries.
    pub fn verify(&self) -> Result<(), DamagedFile> {
        let (body, checksum) = self.map.split_at(self.map.len() - TRAILER_LEN);
        if hash_bytes(body).as_bytes() != checksum {
            return Err(DamagedFile::Checksum);
        }
        for first in 0..FAN_OUT {
            let low = if first == 0 { 0 } else { self.fan_out(first - 1) };
            let bucket = low..self.fan_out(first);
            if !bucket.map(|i| self.entry(i)).is_sorted() {
                return Err(DamagedFile::Inconsistent("has entries that are not in order"));
            }
        }
        Ok(())
    }

    fn fan_out(&self, first: usize) -> usize {
        let at = HEAD_LEN + first * 4;
        u32::from_be_bytes(self.map[at..at + 4].try_into().expect("four bytes")) as usize
    }

    fn entry(&self, i: usize) -> (&[u8], u64) {
        let at = ENTRIES_AT + i * ENTRY_LEN;
        let (key, offset) = self.map[at..at + ENTRY_LEN].split_at(KEY_LEN);
        (key, offset.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

/// The first of `len` positions where `before` no longer holds.
fn partition_point(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
