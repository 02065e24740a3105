//! P: packs, their indexes, and the caches.

use std::fs;
use std::path::PathBuf;

use chasm::id::{BlobId, CommitId, Kind, ObjectId, hash_bytes};
use chasm::object::{Node, Totals};

use crate::support::TestRepo;
use crate::support::forge::{Forge, Pack, commit_of, entry, tag, varint};
use crate::support::run::overwrite;

/// `main` in packs of chasm's own; they are not touched.
fn repo() -> TestRepo {
    TestRepo::holding("a/x = hello")
}

/// A second branch `forged` with a file `f`, whose blob lies in a pack alone.
fn with_second_pack() -> (TestRepo, PathBuf, PathBuf) {
    let repo = repo();
    let before = repo.files("packs", "");
    repo.write("f = 3000 * f");
    repo.chasm("commit tree -b forged").ok();
    let new: Vec<_> = repo.files("packs", "").into_iter().filter(|path| !before.contains(path)).collect();
    let find = |ending: &str| {
        let content = |path: &&PathBuf| {
            let pack = fs::read(path.with_extension("pack")).unwrap();
            path.extension().unwrap() == ending && pack[9] == 0
        };
        new.iter().find(content).cloned().unwrap_or_else(|| panic!("no content pack among {new:?}"))
    };
    let (pack, index) = (find("pack"), find("idx"));
    (repo, pack, index)
}

/// `main` stands on packs that are whole; the other file does not.
#[track_caller]
fn only_the_other_is_lost(repo: &TestRepo, pack: &std::path::Path) {
    let found = repo.fsck();
    assert!([3, 8].contains(&found.code()), "not found\n{found}");
    found.names(&pack.file_stem().unwrap().to_string_lossy());
    let run = repo.chasm("checkout main out --copy").ok();
    assert_eq!(crate::support::listing(&repo.path("out")), "a/\na/x = hello\n", "{run}");
    fs::remove_dir_all(repo.path("out")).unwrap();
}

#[test]
fn p1_a_pack_cut_anywhere_is_damage_and_whole_ones_are_used() {
    let (repo, pack, _) = with_second_pack();
    let whole = fs::read(&pack).unwrap();
    let step = (whole.len() / 16).max(1);
    let mut lengths: Vec<_> = (0..whole.len()).step_by(step).collect();
    lengths.extend([whole.len() - 1, whole.len() - 32]);
    for length in lengths {
        fs::write(&pack, &whole[..length]).unwrap();
        only_the_other_is_lost(&repo, &pack);
    }
    fs::write(&pack, &whole).unwrap();
    repo.fsck().ok();
}

#[test]
fn p1_an_index_cut_anywhere_is_damage_and_whole_ones_are_used() {
    let (repo, _, index) = with_second_pack();
    let whole = fs::read(&index).unwrap();
    for length in [0, 1, 8, 10, 42, 58, 500, whole.len() - 33, whole.len() - 1] {
        fs::write(&index, &whole[..length]).unwrap();
        only_the_other_is_lost(&repo, &index);
    }
}

#[test]
fn p1_a_pack_that_is_gone_is_damage() {
    let (repo, pack, _) = with_second_pack();
    fs::remove_file(&pack).unwrap();
    repo.chasm("checkout main out --copy").ok();
    repo.fsck().exits(3);
}

/// Both branches, `f` in a pack that `spoil` may change before it is indexed.
fn forged(spoil: impl FnOnce(&mut Pack, ObjectId)) -> TestRepo {
    let repo = repo();
    let content = "f".repeat(3000);
    let id = hash_bytes(content.as_bytes());
    let mut forge = Forge::new();
    let file = entry("f", Node::File { blob: BlobId(id), size: 3000 });
    let tree = forge.tree(std::slice::from_ref(&file));
    forge.commit(&repo, tree, file.totals());
    let mut pack = Pack::begin(0);
    pack.record(Kind::Blob, hash_bytes(b"first"), b"first");
    spoil(&mut pack, id);
    pack.store(&repo);
    repo
}

#[track_caller]
fn f_is_refused(repo: &TestRepo, code: i32) {
    repo.chasm("cat forged:f").exits(code).tells_in_one_line();
    repo.chasm("checkout forged out").exits(code).tells_in_one_line();
    assert_eq!(repo.leftovers(), [""; 0]);
    repo.fsck().exits(code);
    repo.chasm("checkout main fine").ok();
}

#[test]
fn p2_an_index_that_points_anywhere_reads_nothing_outside() {
    for offset in [0, 1, 9, 10, 11, 40, 100, 3000, 1 << 20, 1 << 32, (1 << 40) - 1] {
        let repo = forged(|pack, id| {
            pack.record(Kind::Blob, id, "f".repeat(3000).as_bytes());
            pack.entries[1].1 = offset;
        });
        f_is_refused(&repo, 3);
    }
}

#[test]
fn p3_an_index_in_disorder_is_damage() {
    let (repo, pack, index) = with_second_pack();
    let whole = fs::read(&index).unwrap();
    let damage = |at: usize, bytes: &[u8]| {
        let mut spoiled = whole.clone();
        spoiled[at..at + bytes.len()].copy_from_slice(bytes);
        let end = spoiled.len() - 32;
        let sum = hash_bytes(&spoiled[..end]);
        spoiled[end..].copy_from_slice(sum.as_bytes());
        fs::write(&index, spoiled).unwrap();
    };
    // Count, fan-out, pack name, pack length, class, version.
    let cases: [(usize, &[u8]); 6] = [
        (50, &[0, 0, 0, 0, 0, 0, 0, 99]),
        (58, &[255, 255, 255, 255]),
        (10, &[0; 32]),
        (42, &[0, 0, 0, 0, 0, 0, 0, 1]),
        (9, &[1]),
        (8, &[9]),
    ];
    for (at, bytes) in cases {
        damage(at, bytes);
        only_the_other_is_lost(&repo, &pack);
    }
}

#[test]
fn p4_a_pack_exchanged_for_another_is_damage() {
    let (repo, pack, _) = with_second_pack();
    let length = fs::metadata(&pack).unwrap().len();
    overwrite(&pack, 10, &vec![0x55; usize::try_from(length).unwrap() - 42]);
    only_the_other_is_lost(&repo, &pack);
    repo.chasm("cat forged:f").exits(3);
}

/// A record in form 1 or 2 with any frame, declared to be of `size`.
fn compressed(id: ObjectId, size: u64, base: Option<(u8, ObjectId)>, frame: &[u8]) -> Vec<u8> {
    let mut record = vec![tag(Kind::Blob, if base.is_some() { 2 } else { 1 })];
    record.extend(id.as_bytes());
    varint(&mut record, size);
    varint(&mut record, frame.len() as u64);
    if let Some((depth, base)) = base {
        record.push(depth);
        record.extend(base.as_bytes());
    }
    record.extend(frame);
    record
}

#[test]
fn p5_frames_that_lie_about_what_is_in_them_are_refused_in_little_memory() {
    let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
    let honest = zstd::bulk::compress("f".repeat(3000).as_bytes(), 1).unwrap();
    let mut two = honest.clone();
    two.extend(&honest);
    let mut bad_sum = honest.clone();
    let last = bad_sum.len() - 1;
    bad_sum[last] ^= 1;
    // Window of 2 GiB and a content size of 16 EiB, in the frame's own head.
    let mut huge = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8];
    huge.extend([0xff; 8]);
    huge.extend([1, 0, 0]);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x7f][..], &[0; 40]].concat();
    let frames = [zeros, two, honest[..last].to_vec(), huge, skippable, b"no frame at all".to_vec(), Vec::new()];
    for frame in frames {
        let repo = forged(|pack, id| pack.raw(id, &compressed(id, 3000, None, &frame)));
        let run = repo.shell("ulimit -v 400000; $CHASM cat forged:f").exits(3);
        assert!(run.stdout.len() <= 3001, "{run}");
        f_is_refused(&repo, 3);
    }
}

#[test]
fn p5_a_size_that_is_not_the_frames_is_refused_before_memory_is_taken() {
    let honest = zstd::bulk::compress("f".repeat(3000).as_bytes(), 1).unwrap();
    for size in [0, 1, 2999, 3001, 1 << 40, i64::MAX as u64, u64::MAX] {
        let repo = forged(|pack, id| pack.raw(id, &compressed(id, size, None, &honest)));
        repo.shell("ulimit -v 400000; $CHASM cat forged:f").exits(3);
        f_is_refused(&repo, 3);
    }
}

#[test]
fn p6_deltas_without_a_base_or_in_a_circle_are_refused() {
    let frame = zstd::bulk::compress("f".repeat(3000).as_bytes(), 1).unwrap();
    let other = hash_bytes(b"other");
    type Spoil<'s> = &'s dyn Fn(&mut Pack, ObjectId);
    let cases: [Spoil<'_>; 6] = [
        // The base is missing; itself; a circle of two.
        &|pack, id| pack.raw(id, &compressed(id, 3000, Some((1, other)), &frame)),
        &|pack, id| pack.raw(id, &compressed(id, 3000, Some((1, id)), &frame)),
        &|pack, id| {
            pack.raw(id, &compressed(id, 3000, Some((2, other)), &frame));
            pack.raw(other, &compressed(other, 3000, Some((1, id)), &frame));
        },
        // Depths that are none.
        &|pack, id| pack.raw(id, &compressed(id, 3000, Some((0, hash_bytes(b"first"))), &frame)),
        &|pack, id| pack.raw(id, &compressed(id, 3000, Some((17, hash_bytes(b"first"))), &frame)),
        &|pack, id| pack.raw(id, &compressed(id, 3000, Some((255, id)), &frame)),
    ];
    for spoil in cases {
        f_is_refused(&forged(spoil), 3);
    }
}

#[test]
fn p7_one_damaged_object_leaves_the_others_of_its_pack() {
    let repo = TestRepo::new();
    let contents: Vec<_> = (0..9).map(|n| format!("{n}").repeat(500)).collect();
    let mut forge = Forge::new();
    let entries: Vec<_> = contents
        .iter()
        .enumerate()
        .map(|(n, content)| entry(format!("f{n}"), Node::File { blob: forge.blob(content.as_bytes()), size: 500 }))
        .collect();
    let tree = forge.tree(&entries);
    forge.commit(&repo, tree, Totals { files: 9, bytes: 4500 });
    let pack = repo.files("packs", ".pack").into_iter().find(|pack| fs::read(pack).unwrap()[9] == 0).unwrap();
    let at = fs::read(&pack).unwrap().windows(9).position(|window| window == b"444444444").unwrap();
    overwrite(&pack, at as u64, b"5");
    for n in 0..9 {
        repo.chasm(&format!("cat forged:f{n}")).exits(if n == 4 { 3 } else { 0 });
    }
    repo.fsck().exits(3).names("f4");
}

#[test]
fn a_pack_of_a_newer_version_is_too_new() {
    let repo = repo();
    let mut pack = Pack::begin(0);
    pack.bytes[8] = 2;
    pack.head[0] = 2;
    pack.record(Kind::Blob, hash_bytes(b"new"), b"new");
    pack.store(&repo);
    let mut forge = Forge::new();
    let file = entry("f", Node::File { blob: BlobId(hash_bytes(b"new")), size: 3 });
    let tree = forge.tree(std::slice::from_ref(&file));
    forge.commit(&repo, tree, file.totals());
    let run = repo.chasm("cat forged:f");
    assert!([3, 8].contains(&run.code()), "{run}");
    // What is missing may well lie in what this program cannot read.
    repo.fsck().exits(8).names("newer");
    repo.chasm("checkout main out").ok();
}

#[test]
fn a_record_of_the_wrong_kind_for_its_pack_does_not_confuse() {
    let repo = repo();
    let mut forge = Forge::new();
    let tree = forge.tree(&[]);
    let bytes = commit_of(tree, Totals::default()).encode().unwrap();
    let id = hash_bytes(&bytes);
    let mut pack = Pack::begin(0);
    pack.record(Kind::Commit, id, &bytes);
    pack.store(&repo);
    forge.store(&repo);
    crate::support::forge::point(&repo, "forged", CommitId(id));
    let run = repo.chasm("log forged");
    assert!([0, 3].contains(&run.code()), "{run}");
    repo.fsck().exits(3);
}

#[test]
fn p8_caches_may_be_deleted_damaged_or_cut_at_any_time() {
    let repo = TestRepo::holding("a/x = hello\na/y = 40000 * y");
    repo.chasm("commit tree --allow-empty").ok();
    let spoil: [fn(&std::path::Path); 5] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, [0x5a; 5000]).unwrap(),
        |path| fs::File::options().write(true).open(path).unwrap().set_len(3000).unwrap(),
        |path| {
            let length = fs::metadata(path).unwrap().len();
            for page in (4096..length).step_by(4096 * 7) {
                overwrite(path, page, &[0; 512]);
            }
        },
    ];
    for (n, spoil) in spoil.into_iter().enumerate() {
        for cache in repo.files("cache", "") {
            spoil(&cache);
        }
        repo.write(&format!("n{n} = {n}"));
        repo.commit();
        repo.chasm("status tree --exit-code").ok();
        repo.fsck().ok();
    }
    fs::remove_dir_all(repo.path("repo/cache")).unwrap();
    repo.chasm("status tree --exit-code").ok();
    repo.chasm("commit tree --allow-empty").ok();
    repo.fsck().ok();
}

#[test]
fn p10_a_cache_that_somebody_else_holds_is_done_without() {
    let repo = TestRepo::holding("a/x = hello");
    repo.chasm("commit tree --allow-empty").ok();
    let caches = repo.files("cache", ".redb");
    assert!(!caches.is_empty(), "there is no cache");
    let _held: Vec<_> = caches.iter().map(|cache| redb::Builder::new().create(cache).unwrap()).collect();
    repo.write("b = new");
    let run = repo.chasm("commit tree").ok();
    assert!(run.took.as_secs() < 10, "{run}");
    repo.chasm("status tree --exit-code").ok();
    repo.fsck().ok();
}

#[test]
fn a_repository_of_a_newer_format_is_left_alone() {
    let repo = TestRepo::holding("a/x = hello");
    let format = repo.path("repo/format");
    for text in ["chasm repository 2\n", "chasm repository 1\nfuture-feature\n"] {
        fs::write(&format, text).unwrap();
        for verb in ["log", "commit tree --allow-empty", "checkout main out", "status tree", "fsck", "branch x"] {
            repo.chasm(verb).exits(8).tells_in_one_line();
        }
        assert_eq!(fs::read_to_string(&format).unwrap(), text);
    }
    for text in ["", "chasm", "something else\n", "\0\0\0\0"] {
        fs::write(&format, text).unwrap();
        let code = repo.chasm("log").code();
        assert!([2, 3].contains(&code), "'{text}': {code}");
    }
}
