//! What is stored is read; what is damaged is never read as something else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chasm::disk::Dir;
use chasm::id::{Kind, ObjectId};
use chasm::monitor::Silent;
use chasm::object::{Node, paginate};
use chasm::odb::Odb;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::values::{Damage, damage};

fn open(path: &Path) -> Odb {
    Odb::open(&Dir::open(path).unwrap(), 4096).unwrap()
}

/// Stores blobs, and several versions of a directory that lists them.
fn fill(path: &Path, blobs: &[Vec<u8>]) -> BTreeMap<(u8, ObjectId), Vec<u8>> {
    Odb::create(&Dir::open(path).unwrap()).unwrap();
    let mut stored = BTreeMap::new();
    let mut base = None;
    let mut entries = Vec::new();
    for (i, blob) in blobs.iter().enumerate() {
        let odb = open(path);
        let lock = odb.lock_for_writing(Duration::ZERO).unwrap();
        let batch = odb.begin(&lock, None).unwrap();
        let id = batch.add_blob(blob).unwrap();
        if !blob.is_empty() {
            stored.insert((Kind::Blob as u8, id.0), blob.clone());
        }
        let mut entry = crate::differences::file(&format!("{i:08}"), 0);
        entry.node = Node::File { blob: id, size: blob.len() as u64 };
        entries.push(entry);
        for (id, bytes) in paginate(&entries).unwrap().pages {
            batch.add_tree(id, &bytes, base.replace(id)).unwrap();
            stored.insert((Kind::Tree as u8, id.0), bytes);
        }
        batch.finish(&Silent).unwrap();
    }
    stored
}

fn kind(number: u8) -> Kind {
    Kind::ALL[usize::from(number)]
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path.join("packs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn check(blobs: &[Vec<u8>], which: prop::sample::Index, damage: &Damage) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let stored = fill(dir.path(), blobs);
    let odb = open(dir.path());
    for ((number, id), bytes) in &stored {
        prop_assert_eq!(&*odb.get(kind(*number), id).unwrap(), &bytes[..]);
        prop_assert!(odb.contains(kind(*number), id).unwrap());
        let others = Kind::ALL.into_iter().filter(|other| *other as u8 != *number);
        for other in others.filter(|other| !stored.contains_key(&(*other as u8, *id))) {
            prop_assert!(odb.find(other, id).unwrap().is_none());
        }
    }
    let files = files(dir.path());
    let file = which.get(&files);
    let bytes = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    fs::write(file, damage.of(&bytes)).unwrap();
    let odb = open(dir.path());
    let mut seen = !odb.damaged_packs().is_empty();
    for ((number, id), bytes) in &stored {
        match odb.find(kind(*number), id) {
            Ok(Some(found)) => prop_assert_eq!(&*found, &bytes[..]),
            Ok(None) | Err(_) => seen = true,
        }
    }
    // What no reader needs is still found by whoever looks at every byte.
    for pack in odb.packs().iter() {
        seen |= pack.verify(|_| ()).is_err() || pack.index().verify().is_err();
    }
    prop_assert!(seen, "{} is damaged, and nobody sees it", file.display());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn objects_in_packs(
        blobs in vec(prop_oneof![vec(any::<u8>(), 0..200), vec(0..2u8, 0..2000)], 1..6),
        which in any::<prop::sample::Index>(),
        damage in damage(),
    ) {
        check(&blobs, which, &damage)?;
    }
}
