//! Golden bytes of every format: what this version writes is what the files in
//! `golden` hold, and what they hold is read; repositories of every release are
//! read, object by object, and go on.
//!
//! `CHASM_GOLDEN=write cargo test --test format` writes files that are missing. One
//! that is there is never written over: a released byte is a promise.

// Helpers of tests, too, are tests.
#![allow(clippy::unwrap_used)]

mod repository;
mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chasm::disk::{Dir, Time};
use chasm::id::{BlobId, CommitId};
use chasm::object::manifest::{self, Format, Item, ItemKind, Limits};
use chasm::object::{Commit, Metadata, Page};
use chasm::odb::checksums::DirRecord;
use chasm::odb::pack::{Class, Index};
use chasm::refs::Refs;
use chasm::repo::{CheckoutRecord, Config};
use samples::id;

/// A golden file: its name, what writes it now, and what reads it.
struct Golden {
    name: &'static str,
    write: fn() -> Vec<u8>,
    read: fn(&[u8]),
}

const GOLDEN: [Golden; 14] = [
    Golden { name: "tree-leaf", write: samples::leaf, read: read_leaf },
    Golden { name: "tree-fork", write: samples::fork, read: read_fork },
    Golden { name: "metadata", write: samples::metadata, read: read_metadata },
    Golden { name: "commit", write: || samples::commit_object().encode().unwrap(), read: read_commit },
    Golden { name: "pack-index", write: write_index, read: read_index },
    Golden { name: "refs", write: || refs_file("refs"), read: read_refs },
    Golden { name: "journal", write: || refs_file("journal"), read: read_journal },
    Golden { name: "checkout", write: || samples::checkout_record().encode(), read: read_checkout },
    Golden { name: "checksums", write: write_checksums, read: read_checksums },
    Golden {
        name: "config",
        write: || chasm::repo::seal(&samples::config().to_toml()).into_bytes(),
        read: read_config,
    },
    Golden { name: "manifest-json", write: || samples::manifest(Format::Json), read: read_json },
    Golden { name: "manifest-mtree", write: || samples::manifest(Format::Mtree), read: read_mtree },
    Golden { name: "manifest-sha256sums", write: || samples::manifest(Format::Sha256sums), read: read_sums },
    Golden {
        name: "manifest-fullfiletimelist",
        write: || samples::manifest(Format::Fullfiletimelist).to_vec(),
        read: |_| (),
    },
];

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format").join(name)
}

#[test]
fn what_is_written_is_as_ever_and_what_was_written_is_read() {
    let place = |golden: &Golden| here("golden").join(golden.name);
    if std::env::var_os("CHASM_GOLDEN").is_some() {
        for golden in GOLDEN.iter().filter(|golden| !place(golden).exists()) {
            fs::write(place(golden), (golden.write)()).unwrap();
        }
    }
    for golden in GOLDEN {
        let path = place(&golden);
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("cannot read '{}': {e}", path.display()));
        (golden.read)(&bytes);
        assert!((golden.write)() == bytes, "'{}' is written otherwise", golden.name);
    }
}

#[test]
fn every_golden_file_is_read() {
    let known: BTreeSet<String> = GOLDEN.iter().map(|golden| golden.name.to_owned()).collect();
    let listed = fs::read_dir(here("golden")).unwrap();
    let present: BTreeSet<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(present, known);
}

/// Each byte of a format is checked by something: a file that is changed is
/// refused, or is another value.
#[test]
fn a_changed_golden_file_is_refused_or_another_value() {
    for name in ["tree-leaf", "tree-fork", "metadata", "commit", "checkout", "checksums"] {
        let bytes = fs::read(here("golden").join(name)).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x11;
            let again = match name {
                "tree-leaf" | "tree-fork" => Page::decode(&changed).ok().map(|page| page.encode()),
                "metadata" => Metadata::decode(&changed).ok().map(|metadata| metadata.encode()),
                "commit" => Commit::decode(&changed).ok().map(|commit| commit.encode().unwrap()),
                "checkout" => CheckoutRecord::decode(&changed).map(|record| record.encode()),
                _ => DirRecord::decode(&changed).map(|record| record.encode()),
            };
            assert!(again.is_none_or(|again| again == changed), "{name} at {at}");
        }
    }
}

fn read_leaf(bytes: &[u8]) {
    assert_eq!(Page::decode(bytes), Ok(Page::Leaf(samples::entries())));
}

fn read_fork(bytes: &[u8]) {
    let page = Page::decode(bytes).unwrap();
    assert!(matches!(page, Page::Fork { level: 1, .. }));
    assert_eq!((page.entry_count(), page.last_name()), (2000, Some(&b"1999"[..])));
    assert_eq!(page.totals().unwrap().bytes, (0..2000u64).sum::<u64>());
}

fn read_metadata(bytes: &[u8]) {
    assert_eq!(Metadata::decode(bytes), Ok(samples::entries()[4].metadata.clone()));
}

fn read_commit(bytes: &[u8]) {
    assert_eq!(Commit::decode(bytes), Ok(samples::commit_object()));
}

fn write_index() -> Vec<u8> {
    let mut entries: Vec<_> = (0..300u64).map(|i| (id(&i.to_string()), 10 + i * 1_000_000_000)).collect();
    Index::encode(Class::Content, id("pack"), 1 << 39, &mut entries)
}

fn read_index(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    fs::write(&path, bytes).unwrap();
    let open = |pack| Index::open(Index::open_file(&fs::File::open(&path).unwrap(), &path).unwrap(), pack);
    let index = open(id("pack")).unwrap();
    index.verify().unwrap();
    assert_eq!((index.class(), index.pack_len(), index.count()), (Class::Content, 1 << 39, 300));
    for i in 0..300u64 {
        let found: Vec<u64> = index.candidates(&id(&i.to_string())).collect();
        assert_eq!(found, [10 + i * 1_000_000_000]);
    }
    assert!(open(id("another")).is_err());
}

fn refs_file(name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    samples::refs_in(dir.path());
    fs::read(dir.path().join(name)).unwrap()
}

fn read_refs(_: &[u8]) {
    // One is not read without the other.
    let dir = tempfile::tempdir().unwrap();
    for name in ["refs", "journal"] {
        fs::copy(here("golden").join(name), dir.path().join(name)).unwrap();
    }
    let refs = Refs::open(&Dir::open(dir.path()).unwrap()).unwrap();
    assert_eq!(refs.verify().unwrap(), []);
    let set = refs.read().unwrap();
    let named: Vec<_> = set.iter().map(|(name, commit)| (name.to_string(), commit)).collect();
    let one = CommitId(id("one"));
    assert_eq!(named, [("heads/main".to_owned(), one), ("tags/s0".to_owned(), one)]);
    assert_eq!(set.head().as_str(), "heads/main");
}

fn read_journal(_: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(here("golden/journal"), dir.path().join("journal")).unwrap();
    fs::copy(here("golden/refs"), dir.path().join("refs")).unwrap();
    let refs = Refs::open(&Dir::open(dir.path()).unwrap()).unwrap();
    let transactions: Vec<_> = refs.transactions().unwrap().map(|t| t.unwrap()).collect();
    let seen: Vec<_> = transactions.iter().map(|t| (t.sequence, t.undoes, t.moves.len(), &t.why[..])).collect();
    assert_eq!(seen[1..], [(2, None, 3, "why\nnot \\ \u{202e}"), (1, None, 2, "commit: first")]);
    assert_eq!((seen[0].0, seen[0].1, seen[0].2), (3, Some(2), 3));
}

fn read_checkout(bytes: &[u8]) {
    assert_eq!(CheckoutRecord::decode(bytes), Some(samples::checkout_record()));
}

/// Nothing outside makes such a record from plain values: it is read and written
/// again.
fn write_checksums() -> Vec<u8> {
    let bytes = fs::read(here("golden/checksums")).unwrap();
    DirRecord::decode(&bytes).unwrap().encode()
}

fn read_checksums(bytes: &[u8]) {
    let record = DirRecord::decode(bytes).unwrap();
    let files: Vec<_> = record.files.iter().map(|file| (&file.name[..], file.blob)).collect();
    assert_eq!(files, [(&b"f"[..], BlobId(id("f"))), (b"g", BlobId(id("g")))]);
}

fn read_config(bytes: &[u8]) {
    assert_eq!(Config::parse(bytes), Ok(samples::config()));
}

fn items(format: Format, mut bytes: &[u8]) -> Vec<Item> {
    manifest::read(format, &mut bytes, Limits::default()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn read_json(bytes: &[u8]) {
    let read = items(Format::Json, bytes);
    let entries: Vec<_> = read.iter().skip(1).filter_map(Item::entry).collect();
    let expected: Vec<_> = samples::entries().into_iter().filter(|entry| !entry.is_dir()).collect();
    assert_eq!((read.len(), entries), (8, expected));
}

fn read_mtree(bytes: &[u8]) {
    let read = items(Format::Mtree, bytes);
    assert_eq!(read.len(), 8);
    assert_eq!(read[1].metadata.mtime, Some(Time { secs: -2, nanos: 750_000_000 }));
}

fn read_sums(bytes: &[u8]) {
    let kinds: Vec<_> = items(Format::Sha256sums, bytes).into_iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [ItemKind::File { blob: Some(BlobId(id("blob"))), size: None }]);
}
