//! Packs: the whole file, the index, each record.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::super::pack::{Class, Pack, ReadError, Record};
use super::super::{DamagedFile, Error, Odb, Result};
use super::{Report, Severity};
use crate::disk::FileKind;
use crate::id::{Kind, ObjectId, hash_bytes};
use crate::monitor::Amount;
use crate::object::{Commit, DecodeError, Page};

/// Records that one thread checks at a stretch.
const STRETCH: usize = 64;
const MAX_INDEX_LEN: u64 = 1 << 34;

pub(super) fn check(odb: &Odb, report: &Report<'_>) -> Result<()> {
    // For each pack, whether there is a pack file and an index.
    let mut packs: BTreeMap<ObjectId, (bool, bool)> = BTreeMap::new();
    for (name, _) in odb.packs_dir.names()? {
        let place = format!("packs/{}", crate::path::Escaped(&name));
        let id = |ending: &[u8]| ObjectId::from_hex(name.strip_suffix(ending)?).ok();
        let (id, is_index) = match (id(b".pack"), id(b".idx")) {
            (Some(id), _) => (id, false),
            (_, Some(id)) => (id, true),
            _ => {
                report.flaw(Severity::Note, None, &place, "does not belong here");
                continue;
            }
        };
        let Some(stat) = odb.packs_dir.find(&name)? else { continue };
        if stat.kind != FileKind::File {
            report.flaw(Severity::Damage, None, &place, "is no regular file");
            continue;
        }
        let both = packs.entry(id).or_default();
        *(if is_index { &mut both.1 } else { &mut both.0 }) = true;
    }
    packs.into_par_iter().try_for_each(|(id, (has_pack, has_index))| {
        report.monitor.check()?;
        match (has_pack, has_index) {
            (true, true) => check_pack(odb, id, report),
            // A crash may leave one behind, for it gets its name first.
            (true, false) => {
                let what = "has no index: nothing in it can be found";
                report.flaw(Severity::Note, None, &format!("packs/{id}.pack"), what);
                Ok(())
            }
            _ => {
                report.flaw(Severity::Damage, None, &format!("packs/{id}.idx"), "belongs to a pack that is missing");
                Ok(())
            }
        }
    })
}

fn check_pack(odb: &Odb, id: ObjectId, report: &Report<'_>) -> Result<()> {
    let (place, index_place) = (format!("packs/{id}.pack"), format!("packs/{id}.idx"));
    let mut scanned = None;
    match Pack::scan(&odb.packs_dir, id) {
        Ok(found) => scanned = Some(found),
        Err(ReadError::Disk(e)) if is_short(&e) => report.flaw(Severity::Damage, None, &place, "ends too early"),
        Err(ReadError::Disk(e)) => report.unreadable(None, &place, &e),
        Err(ReadError::Damaged(DamagedFile::TooNew(version))) => {
            let what = DamagedFile::TooNew(version).to_string();
            report.flaw(Severity::TooNew, None, &place, what);
        }
        Err(ReadError::Damaged(e)) => report.flaw(Severity::Damage, None, &place, e.to_string()),
    }
    let pack = match Pack::open(&odb.packs_dir, id) {
        Ok(pack) => pack,
        Err(ReadError::Disk(e)) => {
            report.unreadable(None, &index_place, &e);
            return Ok(());
        }
        Err(ReadError::Damaged(e)) => {
            let is_new = matches!(e, DamagedFile::TooNew(_)) && is_intact(odb, id)?;
            let severity = if is_new { Severity::TooNew } else { Severity::Damage };
            let hope = if scanned.is_some() { "; the pack itself is whole" } else { "" };
            report.flaw(severity, None, &index_place, format!("{e}{hope}"));
            return Ok(());
        }
    };
    let mut index_is_whole = true;
    if let Err(e) = pack.index().verify() {
        index_is_whole = false;
        report.flaw(Severity::Damage, None, &index_place, e.to_string());
    } else if let Some((class, len, records)) = &scanned
        && !agrees(&pack, *class, *len, records)
    {
        index_is_whole = false;
        report.flaw(Severity::Damage, None, &index_place, "does not say what is in the pack");
    }
    // The records that readers can find, and those they should.
    let mut offsets: Vec<u64> = pack.index().offsets().collect();
    if !index_is_whole {
        offsets.extend(scanned.iter().flat_map(|(_, _, records)| records.iter().map(|(_, at)| *at)));
    }
    offsets.sort_unstable();
    offsets.dedup();
    offsets.par_chunks(STRETCH).try_for_each(|offsets| {
        report.monitor.check()?;
        let mut whole = Vec::new();
        for at in offsets {
            match check_record(odb, &pack, *at) {
                // What the index does not lead to is not found by anybody.
                Ok(record) if index_is_whole || is_found(&pack, &record) => {
                    whole.push((record.kind, record.id, record.size));
                }
                Ok(_) => {}
                Err(Unsound::Disk(e)) => report.unreadable(None, &place, &e),
                Err(Unsound::Record(severity, object, what)) => report.flaw(severity, object, &place, what),
                Err(Unsound::Stop(e)) => return Err(e),
            }
        }
        let bytes = whole.iter().map(|(_, _, size)| size).sum();
        report.monitor.advance(Amount { files: whole.len() as u64, bytes });
        report.whole(whole);
        Ok(())
    })
}

/// Whether the checksum of an index that looks too new is right: then it is.
fn is_intact(odb: &Odb, id: ObjectId) -> Result<bool> {
    let bytes = odb.packs_dir.read(format!("{id}.idx").as_bytes(), MAX_INDEX_LEN)?.unwrap_or_default();
    let Some(at) = bytes.len().checked_sub(32) else { return Ok(false) };
    Ok(hash_bytes(&bytes[..at]).as_bytes() == &bytes[at..])
}

fn agrees(pack: &Pack, class: Class, len: u64, records: &[(ObjectId, u64)]) -> bool {
    let prefix = |id: &ObjectId| u64::from_be_bytes(*id.as_bytes().first_chunk().expect("an id has 32 bytes"));
    let mut expected: Vec<(u64, u64)> = records.iter().map(|(id, at)| (prefix(id), *at)).collect();
    let mut found: Vec<(u64, u64)> = pack.index().entries().collect();
    expected.sort_unstable();
    found.sort_unstable();
    pack.index().class() == class && pack.index().pack_len() == len && found == expected
}

fn is_found(pack: &Pack, record: &Record) -> bool {
    matches!(pack.find(record.kind, &record.id), Ok(Some(found)) if found.end() == record.end())
}

enum Unsound {
    Disk(crate::disk::Error),
    Record(Severity, Option<(Kind, ObjectId)>, String),
    Stop(Error),
}

impl From<ReadError> for Unsound {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Disk(e) if is_short(&e) => Unsound::Record(Severity::Damage, None, "ends too early".into()),
            ReadError::Disk(e) => Unsound::Disk(e),
            ReadError::Damaged(e) => Unsound::Record(Severity::Damage, None, e.to_string()),
        }
    }
}

fn is_short(e: &crate::disk::Error) -> bool {
    e.io().kind() == std::io::ErrorKind::UnexpectedEof
}

/// Undoes one record; its bytes must have the id, and be what an object of its
/// kind is written as.
fn check_record(odb: &Odb, pack: &Pack, at: u64) -> std::result::Result<Record, Unsound> {
    let (record, begun) = pack.record(at, 8 << 10)?;
    let object = Some((record.kind, record.id));
    let damage = |what: String| Unsound::Record(Severity::Damage, object, what);
    let bytes = pack.bytes_of(&record, begun)?;
    let bytes = odb.unpack(&record, bytes, pack).map_err(|e| match e {
        Error::Disk(e) => Unsound::Disk(e),
        Error::Interrupted(e) => Unsound::Stop(e.into()),
        Error::Corrupt { why, .. } => damage(why),
        other => damage(other.to_string()),
    })?;
    if hash_bytes(&bytes) != record.id {
        return Err(damage("its bytes have another id".into()));
    }
    if Class::of(record.kind) != pack.index().class() {
        return Err(damage("it lies in a pack of another class".into()));
    }
    let again = match record.kind {
        Kind::Blob => return Ok(record),
        Kind::Tree => Page::decode(&bytes).map(|page| page.encode()),
        Kind::Commit => Commit::decode(&bytes).and_then(|commit| commit.encode()),
    };
    match again {
        Ok(again) if again == bytes => Ok(record),
        Ok(_) => Err(damage("it is not in its one valid form".into())),
        Err(e) => Err(Unsound::Record(severity(&e), object, format!("it {e}"))),
    }
}

fn severity(e: &DecodeError) -> Severity {
    if e.is_too_new() { Severity::TooNew } else { Severity::Damage }
}
