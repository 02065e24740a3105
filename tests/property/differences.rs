//! The differ against a comparison of everything with everything.

use std::collections::BTreeMap;

use chasm::diff::{Change, Differ};
use chasm::disk::Dir;
use chasm::id::{BlobId, TreeId, hash_bytes};
use chasm::object::{Entry, Metadata, Node, paginate};
use chasm::odb::{Batch, Odb, tree};
use chasm::path::TreePath;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

pub fn file(name: &str, content: u8) -> Entry {
    let node = Node::File { blob: BlobId(hash_bytes(&[content])), size: 1 };
    Entry { name: name.into(), metadata: Metadata::default(), node }
}

/// What lies in a directory.
#[derive(Clone, Debug)]
enum Thing {
    File(u8),
    /// With a mode, for changes of that alone.
    Dir(u8, BTreeMap<String, Thing>),
}

fn things() -> impl Strategy<Value = BTreeMap<String, Thing>> {
    let names = || proptest::sample::select(&["a", "a-b", "a.d", "b", "c", "d"][..]).prop_map(str::to_owned);
    let leaf = (0..3u8).prop_map(Thing::File);
    let thing = leaf.prop_recursive(3, 40, 6, move |inner| {
        prop_oneof![
            (0..3u8).prop_map(Thing::File),
            (0..2u8, btree_map(names(), inner, 0..5)).prop_map(|(mode, below)| Thing::Dir(mode, below)),
        ]
    });
    btree_map(names(), thing, 0..6)
}

/// A wide directory, and some changes to it.
fn wide() -> impl Strategy<Value = (BTreeMap<String, Thing>, BTreeMap<String, Thing>)> {
    (0..1800u32, vec((0..2000u32, 0..4u8), 0..12)).prop_map(|(count, changes)| {
        let old: BTreeMap<_, _> = (0..count).map(|i| (format!("{i:05}"), Thing::File(0))).collect();
        let mut new = old.clone();
        for (at, change) in changes {
            match change {
                0 => drop(new.remove(&format!("{at:05}"))),
                1 => drop(new.insert(format!("{at:05}"), Thing::Dir(0, BTreeMap::new()))),
                content => drop(new.insert(format!("{at:05}"), Thing::File(content))),
            }
        }
        (old, new)
    })
}

fn store(batch: &Batch<'_>, things: &BTreeMap<String, Thing>) -> chasm::object::Pages {
    let mut entries = Vec::new();
    for (name, thing) in things {
        entries.push(match thing {
            Thing::File(content) => file(name, *content),
            Thing::Dir(mode, below) => {
                let pages = store(batch, below);
                let node = Node::Dir { tree: pages.root(), totals: pages.totals };
                let metadata = Metadata { mode: Some(u16::from(*mode)), ..Metadata::default() };
                Entry { name: name.clone().into_bytes(), metadata, node }
            }
        });
    }
    let pages = paginate(&entries).unwrap();
    for (id, bytes) in &pages.pages {
        batch.add_tree(*id, bytes, None).unwrap();
    }
    pages
}

fn all(batch: &Batch<'_>, root: TreeId) -> BTreeMap<TreePath, Entry> {
    let mut found = BTreeMap::new();
    let mut pending = vec![(TreePath::root(), root)];
    while let Some((at, id)) = pending.pop() {
        for entry in tree::read_dir(batch, id, None).unwrap() {
            let path = at.join(&entry.name);
            if let Node::Dir { tree, .. } = entry.node {
                pending.push((path.clone(), tree));
            }
            found.insert(path, entry);
        }
    }
    found
}

fn compare(old: &BTreeMap<TreePath, Entry>, new: &BTreeMap<TreePath, Entry>) -> Vec<Change> {
    let mut paths: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
    paths.sort();
    paths.dedup();
    let changes =
        paths.into_iter().map(|path| Change { old: old.get(&path).cloned(), new: new.get(&path).cloned(), path });
    let differs = |change: &Change| match (&change.old, &change.new) {
        (Some(old), Some(new)) if old.is_dir() && new.is_dir() => old.metadata != new.metadata,
        (old, new) => old != new,
    };
    changes.filter(differs).collect()
}

fn check(old: &BTreeMap<String, Thing>, new: &BTreeMap<String, Thing>) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let root = Dir::open(dir.path()).unwrap();
    Odb::create(&root).unwrap();
    let odb = Odb::open(&root, 4096).unwrap();
    let batch = odb.begin_dry();
    let (old, new) = (store(&batch, old).root(), store(&batch, new).root());
    let changes: Vec<_> = Differ::within(&batch, Some(old), Some(new)).unwrap().map(|change| change.unwrap()).collect();
    let (old_all, new_all) = (all(&batch, old), all(&batch, new));
    prop_assert_eq!(&changes, &compare(&old_all, &new_all));
    // Files and directories of one side, changes applied, are those of the other.
    let mut applied: BTreeMap<_, _> = old_all.iter().map(|(path, entry)| (path.clone(), flat(entry))).collect();
    for change in changes {
        match change.new {
            Some(entry) => applied.insert(change.path, flat(&entry)),
            None => applied.remove(&change.path),
        };
    }
    let expected: BTreeMap<_, _> = new_all.iter().map(|(path, entry)| (path.clone(), flat(entry))).collect();
    prop_assert_eq!(applied, expected);
    let from_nothing = Differ::within(&batch, None, Some(new)).unwrap().count();
    prop_assert_eq!(from_nothing, new_all.len());
    Ok(())
}

/// An entry without what lies below it.
fn flat(entry: &Entry) -> (Metadata, Option<BlobId>) {
    let blob = match entry.node {
        Node::File { blob, .. } => Some(blob),
        _ => None,
    };
    (entry.metadata.clone(), blob)
}

proptest! {
    #[test]
    fn deep_trees(old in things(), new in things()) {
        check(&old, &new)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn wide_directories((old, new) in wide()) {
        check(&old, &new)?;
    }
}
