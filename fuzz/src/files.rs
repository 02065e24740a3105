//! Formats that are read from files, never as a whole.

use std::fs::{self, File};
use std::path::Path;

use chasm::disk::Dir;
use chasm::id::{Hasher, Kind, ObjectId, hash_bytes};
use chasm::odb::Odb;
use chasm::odb::pack::{Index, Pack};
use chasm::refs::Refs;
use tempfile::TempDir;

/// A directory in memory, kept for the whole run.
fn scratch(fill: impl FnOnce(&Path)) -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let dir = tempfile::Builder::new().prefix("chasm-fuzz").tempdir_in(place).expect("a directory can be made");
    fill(dir.path());
    dir
}

thread_local! {
    static PLAIN: TempDir = scratch(|_| ());
    static ODB: TempDir = scratch(|dir| {
        Odb::create(&Dir::open(dir).expect("it was just made")).expect("it is empty");
    });
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file in memory can be written");
}

/// Replaces the last 32 bytes by the SHA-256 of all before.
fn sealed(bytes: &[u8]) -> Option<(Vec<u8>, ObjectId)> {
    let body = &bytes[..bytes.len().checked_sub(32)?];
    let id = hash_bytes(body);
    Some(([body, &id.as_bytes()[..]].concat(), id))
}

/// The index of a pack.
pub fn pack_index(bytes: &[u8]) {
    let Some((bytes, _)) = sealed(bytes) else { return };
    let Some(pack) = bytes.get(10..42).and_then(ObjectId::from_slice) else { return };
    PLAIN.with(|dir| {
        let path = dir.path().join("index");
        let _ = fs::remove_file(&path);
        write(&path, &bytes);
        let map = Index::open_file(&File::open(&path).expect("it is there"), &path).expect("it can be mapped");
        let Ok(index) = Index::open(map, pack) else { return };
        let offsets: Vec<u64> = index.offsets().collect();
        assert_eq!(offsets.len(), index.count());
        let whole = index.verify().is_ok();
        for first in 0..=255u8 {
            let found = index.with_prefix(&[first]);
            assert!(!whole || found.iter().all(|offset| offsets.contains(offset)));
            let _ = index.candidates(&ObjectId::from_bytes([first; 32])).count();
        }
        if whole {
            assert_eq!((0..=255u8).map(|first| index.with_prefix(&[first]).len()).sum::<usize>(), index.count());
        }
    });
}

/// A pack, and the objects in it.
pub fn pack(bytes: &[u8]) {
    let Some((bytes, id)) = sealed(bytes) else { return };
    ODB.with(|dir| {
        let packs = dir.path().join("packs");
        let (pack, index) = (packs.join(format!("{id}.pack")), packs.join(format!("{id}.idx")));
        write(&pack, &bytes);
        read_pack(dir.path(), id, &index);
        fs::remove_file(&pack).expect("it is there");
        let _ = fs::remove_file(&index);
    });
}

fn read_pack(root: &Path, id: ObjectId, index: &Path) {
    let packs = Dir::open(&root.join("packs")).expect("it was made");
    let Ok((class, len, mut entries)) = Pack::scan(&packs, id) else { return };
    let ids: Vec<ObjectId> = entries.iter().map(|(id, _)| *id).collect();
    write(index, &Index::encode(class, id, len, &mut entries));
    let odb = Odb::open(&Dir::open(root).expect("it was made"), 4096).expect("it was made");
    assert_eq!(odb.packs().len(), 1);
    for id in ids {
        for kind in Kind::ALL {
            if let Ok(Some(object)) = odb.find(kind, &id) {
                assert_eq!(hash_bytes(&object), id);
            }
        }
    }
}

fn is_checksum(line: &&[u8]) -> bool {
    line.starts_with(b"checksum ")
}

/// The refs file, beside a journal that tells the same.
pub fn refs(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').filter(|line| !is_checksum(line)).collect();
    let body = lines.concat();
    let file = format!("checksum {}\n", hash_bytes(&body));
    let file = [&body[..], file.as_bytes()].concat();
    let head = lines.get(2).and_then(|line| line.strip_prefix(b"HEAD ")).unwrap_or(b"heads/main\n");
    let fresh = [b"chasm refs 1\ntransaction 0\nHEAD ", head].concat();
    let fresh = [&fresh[..], format!("checksum {}\n", hash_bytes(&fresh)).as_bytes()].concat();
    let header = [b"chasm journal 1\nhead ", head].concat();
    let first = hash_bytes(&header);
    let mut record = b"transaction 1\ntime 2026-11-20T06:00:00Z\nwho a\nwhy b\n".to_vec();
    for line in lines.iter().skip(3) {
        record.extend_from_slice(b"ref - ");
        record.extend_from_slice(line);
    }
    record.extend_from_slice(format!("before {}\nafter {}\n", hash_bytes(&fresh), hash_bytes(&file)).as_bytes());
    let journal = [&header[..], format!("checksum {first}\n").as_bytes(), &record, &link(first, &record)].concat();
    PLAIN.with(|dir| {
        write(&dir.path().join("refs"), &file);
        write(&dir.path().join("journal"), &journal);
        let refs = Refs::open(&Dir::open(dir.path()).expect("it was made")).expect("it was opened");
        let Ok(set) = refs.read() else { return };
        let mut text = format!("chasm refs 1\ntransaction {}\nHEAD {}\n", set.sequence(), set.head());
        for (name, commit) in set.iter() {
            text.push_str(&format!("{commit} {name}\n"));
        }
        assert_eq!(text.as_bytes(), body);
    });
}

/// The line that ends a record after one with the checksum `previous`.
fn link(previous: ObjectId, record: &[u8]) -> Vec<u8> {
    format!("checksum {}\n", chained(previous, record)).into_bytes()
}

fn chained(previous: ObjectId, record: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new();
    hasher.update(previous.to_string().as_bytes());
    hasher.update(record);
    hasher.finish()
}

/// The journal of refs, record by record.
pub fn journal(bytes: &[u8]) {
    let lines = bytes.split_inclusive(|&b| b == b'\n').filter(|line| !is_checksum(line));
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    for line in lines {
        if line.starts_with(b"transaction ") {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("never empty").extend_from_slice(line);
    }
    let mut checksum = hash_bytes(&parts[0]);
    let mut text = [&parts[0][..], format!("checksum {checksum}\n").as_bytes()].concat();
    for record in &parts[1..] {
        text.extend_from_slice(record);
        text.extend_from_slice(&link(checksum, record));
        checksum = chained(checksum, record);
    }
    PLAIN.with(|dir| {
        write(&dir.path().join("refs"), b"");
        write(&dir.path().join("journal"), &text);
        let refs = Refs::open(&Dir::open(dir.path()).expect("it was made")).expect("it was opened");
        // Reads and replays every record; the refs file is not looked at.
        let Ok(recovered) = refs.recover_from_journal() else { return };
        let restored = refs.restore_from_journal().expect("what can be recovered can be restored");
        assert_eq!(restored, recovered);
        assert_eq!(refs.read().expect("it was just restored"), recovered);
        let sequences = refs.transactions().expect("it was just read").map(|t| t.expect("it was just read").sequence);
        assert!(sequences.eq((1..=recovered.sequence()).rev()), "they count down to the first");
    });
}
