//! Whatever happens to a file of the repository, fsck says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use chasm::id::hash_bytes;
use chasm::monitor::Silent;
use chasm::object::{Branch, Commit, Entry, Metadata, Node, Page, Totals};
use chasm::odb::fsck::Severity;
use chasm::repo::{FsckOptions, FsckReport};

use crate::support::{Fixture, noise, serious};

fn small() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("a", b"first");
    fixture.write("d/b", b"second");
    // Above the threshold of the pool, and yet all of its bits can be tried.
    fixture.repository.write_config("[pool]\nthreshold = 40\n").unwrap();
    let fixture = Fixture::reopened(fixture);
    fixture.write("d/c", &noise(3, 50));
    fixture.commit("main");
    fixture
}

impl Fixture {
    fn reopened(mut self) -> Fixture {
        self.repository = self.reopen();
        self
    }
}

fn stored(fixture: &Fixture) -> Vec<PathBuf> {
    [fixture.files("packs"), fixture.files("pool")].concat()
}

fn damage(report: &FsckReport) -> Vec<String> {
    serious(report).map(ToString::to_string).collect()
}

fn assert_damaged(fixture: &Fixture, what: &str) -> FsckReport {
    let report = fixture.fsck();
    assert!(report.is_damaged(), "{what}: {:?}", report.problems);
    report
}

#[test]
fn a_sound_repository_is_clean() {
    let fixture = small();
    fixture.assert_clean();
    assert_eq!(fixture.fsck().problems, []);
    let quick = fixture.reopen().fsck(&FsckOptions { quick: true }, &Silent).unwrap();
    assert_eq!((quick.problems.len(), quick.reached), (0, fixture.fsck().reached));
}

#[test]
fn every_flipped_bit_of_packs_indexes_and_pool_is_found() {
    let fixture = small();
    for path in stored(&fixture) {
        let good = fs::read(&path).unwrap();
        // All bits where it is short, one of each byte where it is long.
        for at in 0..good.len() {
            let bits: &[u8] = if good.len() < 100 { &[0, 1, 2, 3, 4, 5, 6, 7] } else { &[(at % 8) as u8] };
            for bit in bits {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(&path, &bad).unwrap();
                assert_damaged(&fixture, &format!("{} byte {at} bit {bit}", path.display()));
            }
        }
        fs::write(&path, good).unwrap();
    }
    fixture.assert_clean();
}

#[test]
fn a_file_that_is_cut_empty_gone_or_another_is_found() {
    let fixture = small();
    let files = stored(&fixture);
    for path in &files {
        let good = fs::read(path).unwrap();
        for len in (0..good.len()).step_by(1 + good.len() / 16) {
            fs::write(path, &good[..len]).unwrap();
            assert_damaged(&fixture, &format!("{} cut to {len}", path.display()));
        }
        fs::write(path, [&good[..], b"x"].concat()).unwrap();
        assert_damaged(&fixture, &format!("{} with a byte more", path.display()));
        fs::remove_file(path).unwrap();
        assert_damaged(&fixture, &format!("{} gone", path.display()));
        fs::write(path, good).unwrap();
    }
    for (a, b) in files.iter().zip(files.iter().skip(1)) {
        let (in_a, in_b) = (fs::read(a).unwrap(), fs::read(b).unwrap());
        fs::write(a, &in_b).unwrap();
        fs::write(b, &in_a).unwrap();
        assert_damaged(&fixture, &format!("{} and {} swapped", a.display(), b.display()));
        fs::write(a, in_a).unwrap();
        fs::write(b, in_b).unwrap();
    }
    fixture.assert_clean();
}

#[test]
fn what_is_no_file_in_the_pool_is_damage_and_not_waited_for() {
    let fixture = small();
    let path = fixture.files("pool").remove(0);
    let good = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let elsewhere = fixture.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_damaged(&fixture, "a symlink to the right bytes");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_damaged(&fixture, "a directory");
    fs::remove_dir(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_damaged(&fixture, "a fifo");
}

#[test]
fn damage_is_named_with_the_paths_it_serves() {
    let fixture = small();
    let path = fixture.files("pool").remove(0);
    fs::write(&path, noise(4, 50)).unwrap();
    let report = assert_damaged(&fixture, "changed in place");
    let text = damage(&report).join("\n");
    assert!(text.contains("heads/main:d/c") && text.contains("another id"), "{text}");
    fs::remove_file(&path).unwrap();
    let text = damage(&assert_damaged(&fixture, "gone")).join("\n");
    assert!(text.contains("is missing; needed by heads/main:d/c"), "{text}");
    let quick = fixture.reopen().fsck(&FsckOptions { quick: true }, &Silent).unwrap();
    assert!(damage(&quick).join("\n").contains("heads/main:d/c"));
}

#[test]
fn damage_through_a_checkout_is_found_and_the_good_copy_told() {
    let fixture = small();
    let id = fixture.repository.refs().read().unwrap().head_commit().unwrap();
    let co = fixture.checkout(id, "co");
    // A small blob: the pool has a link to it, a pack has it too.
    fs::write(co.join("a"), b"edited").unwrap();
    let text = damage(&assert_damaged(&fixture, "edited in a checkout")).join("\n");
    assert!(text.contains("another copy is whole; needed by heads/main:a"), "{text}");
}

#[test]
fn leftovers_and_unreferenced_objects_are_notes() {
    let fixture = small();
    fixture.write("e", b"third");
    fixture.commit("gone");
    fixture.delete_branch("gone");
    fs::create_dir(fixture.repo_path().join("incoming/1-2")).unwrap();
    fs::write(fixture.repo_path().join("pool/stray"), b"").unwrap();
    fs::write(fixture.repo_path().join("refs.new-1"), b"").unwrap();
    fixture.assert_clean();
    let places: Vec<_> = fixture.fsck().problems.into_iter().filter_map(|problem| problem.place).collect();
    for place in ["incoming/1-2", "pool/stray", "refs.new-1"] {
        assert!(places.iter().any(|found| found == place), "{place}: {places:?}");
    }
    // A commit that only the journal names is needed by it.
    fs::remove_file(fixture.repo_path().join("journal")).unwrap();
    assert_damaged(&fixture, "no journal");
}

#[test]
fn refs_and_records_are_checked() {
    let fixture = small();
    for name in ["refs", "journal"] {
        let path = fixture.repo_path().join(name);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let report = fixture.fsck();
            assert!(report.worst() >= Some(Severity::TooNew), "{name} byte {at}: {:?}", report.problems);
        }
        fs::write(&path, good).unwrap();
    }
    let id = fixture.repository.refs().read().unwrap().head_commit().unwrap();
    fixture.checkout(id, "co");
    let record: &Path = &fixture.files("checkouts")[0];
    fs::write(record, b"nonsense").unwrap();
    assert_damaged(&fixture, "a record");
}

/// Commits a tree that no honest program would write.
fn forge(fixture: &Fixture, make: impl FnOnce(&chasm::odb::Batch<'_>) -> (chasm::id::TreeId, Totals)) {
    let repository = &fixture.repository;
    let lock = repository.odb().lock_for_writing(crate::support::PATIENCE).unwrap();
    let batch = repository.odb().begin(&lock, None).unwrap();
    let (tree, totals) = make(&batch);
    let head = repository.refs().read().unwrap().head_commit().unwrap();
    let commit = Commit { tree, totals, ..repository.commit(head).unwrap() };
    let id = batch.add_commit(&commit).unwrap();
    batch.finish(&Silent).unwrap();
    fixture.set_branch("forged", Some(id));
}

fn leaf(batch: &chasm::odb::Batch<'_>, entries: Vec<Entry>) -> chasm::id::TreeId {
    let bytes = Page::Leaf(entries).encode();
    let id = chasm::id::TreeId(hash_bytes(&bytes));
    batch.add_tree(id, &bytes, None).unwrap();
    id
}

fn file(batch: &chasm::odb::Batch<'_>, name: &str, content: &[u8], size: u64) -> Entry {
    let blob = batch.add_blob(content).unwrap();
    Entry { name: name.into(), metadata: Metadata::default(), node: Node::File { blob, size } }
}

#[test]
fn a_size_that_is_not_the_blobs_is_damage() {
    let fixture = small();
    forge(&fixture, |batch| {
        let entry = file(batch, "lie", b"12345", 6);
        (leaf(batch, vec![entry]), Totals { files: 1, bytes: 6 })
    });
    let text = damage(&assert_damaged(&fixture, "a wrong size")).join("\n");
    assert!(text.contains("'lie' has 6 bytes") && text.contains("heads/forged:"), "{text}");
    let quick = fixture.reopen().fsck(&FsckOptions { quick: true }, &Silent).unwrap();
    assert!(quick.is_damaged());
}

#[test]
fn sums_that_are_not_those_of_the_tree_are_damage() {
    let fixture = small();
    forge(&fixture, |batch| {
        let entry = file(batch, "f", b"12345", 5);
        let below = leaf(batch, vec![entry]);
        let totals = Totals { files: 7, bytes: 5 };
        let dir = Entry { name: b"d".to_vec(), metadata: Metadata::default(), node: Node::Dir { tree: below, totals } };
        (leaf(batch, vec![dir]), Totals { files: 1, bytes: 5 })
    });
    let text = damage(&assert_damaged(&fixture, "wrong sums")).join("\n");
    assert!(text.contains("says that 7 files of 5 bytes") && text.contains("says that 1 files of 5 bytes"), "{text}");
}

#[test]
fn a_directory_that_is_cut_otherwise_than_by_its_names_is_damage() {
    let fixture = small();
    forge(&fixture, |batch| {
        let entries: Vec<Entry> = (0..513).map(|i| file(batch, &format!("{i:04}"), b"x", 1)).collect();
        (leaf(batch, entries), Totals { files: 513, bytes: 513 })
    });
    let text = damage(&assert_damaged(&fixture, "a leaf too wide")).join("\n");
    assert!(text.contains("more than 512 entries"), "{text}");

    let fixture = small();
    forge(&fixture, |batch| {
        let entry = file(batch, "f", b"x", 1);
        let page = leaf(batch, vec![entry]);
        let totals = Totals { files: 1, bytes: 1 };
        let fork = Page::Fork { level: 1, branches: vec![Branch { last: b"f".to_vec(), entries: 1, totals, page }] };
        let bytes = fork.encode();
        let id = chasm::id::TreeId(hash_bytes(&bytes));
        batch.add_tree(id, &bytes, None).unwrap();
        (id, totals)
    });
    let text = damage(&assert_damaged(&fixture, "a fork too narrow")).join("\n");
    assert!(text.contains("one valid way"), "{text}");
}

#[test]
fn a_tree_that_unfolds_to_more_than_any_disk_holds_is_visited_once() {
    let fixture = small();
    forge(&fixture, |batch| {
        let entry = file(batch, "f", b"x", 1);
        let mut tree = leaf(batch, vec![entry]);
        let mut totals = Totals { files: 1, bytes: 1 };
        for _ in 0..60 {
            let dir = |name: &str| Entry {
                name: name.into(),
                metadata: Metadata::default(),
                node: Node::Dir { tree, totals },
            };
            tree = leaf(batch, vec![dir("a"), dir("b")]);
            totals = totals.checked_add(totals).unwrap();
        }
        (tree, totals)
    });
    fixture.assert_clean();
}
