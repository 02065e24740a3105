//! O: objects that are damaged, missing, or not what they say.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use chasm::id::{Kind, hash_bytes};
use chasm::object::{Node, Totals};

use crate::support::forge::{Forge, entry, readers_refuse};
use crate::support::run::{flip, overwrite};
use crate::support::{Run, TestRepo, could_not_run, is_root};

/// Two files of 200 bytes that lie in the pool as they are, and a third.
fn pooled() -> (TestRepo, [PathBuf; 2]) {
    let repo = TestRepo::without_repository();
    repo.chasm("init --bare --pool-threshold 1 repo").ok();
    repo.write("x = 200 * x\ny = 200 * y\nz = other");
    repo.commit();
    let place = |byte: &str| {
        let id = hash_bytes(byte.repeat(200).as_bytes()).to_string();
        repo.path(format!("repo/pool/{}/{}", &id[..2], &id[2..]))
    };
    let places = [place("x"), place("y")];
    assert!(places.iter().all(|place| place.is_file()), "{:?}", repo.files("pool", ""));
    (repo, places)
}

/// `x` cannot be read in any way, all else can.
#[track_caller]
fn x_is_damaged(repo: &TestRepo, code: i32) {
    repo.chasm("cat main:x").exits(code).tells_in_one_line();
    repo.chasm("cat main:y").ok();
    repo.chasm("cat main:z").ok();
    repo.chasm("checkout main out --copy").exits(code).tells_in_one_line();
    assert_eq!(repo.leftovers(), [""; 0]);
}

#[test]
fn o1_an_empty_file_in_place_of_an_object_is_damage() {
    let (repo, [x, _]) = pooled();
    fs::write(&x, "").unwrap();
    x_is_damaged(&repo, 3);
    repo.fsck().exits(3).names(&hash_bytes(&[b'x'; 200]).to_string()).names("x");
}

#[test]
fn o2_an_object_cut_anywhere_is_damage() {
    let (repo, [x, _]) = pooled();
    for length in (0..200).rev() {
        fs::File::options().write(true).open(&x).unwrap().set_len(length).unwrap();
        let run = repo.chasm("cat main:x").exits(3);
        assert!(run.stdout.is_empty(), "{run}");
        if length % 40 == 0 {
            x_is_damaged(&repo, 3);
            repo.fsck().exits(3);
        }
    }
}

#[test]
fn o3_one_bit_flipped_in_a_pool_file_is_damage() {
    let (repo, [x, _]) = pooled();
    for bit in (0..1600).step_by(13) {
        flip(&x, bit);
        let run = repo.chasm("cat main:x").exits(3);
        assert!(run.stdout.len() < 200, "{run}");
        if bit % 5 == 0 {
            repo.fsck().exits(3);
            repo.chasm("checkout main out --copy").exits(3);
        }
        flip(&x, bit);
    }
    repo.chasm("cat main:x").ok();
    repo.fsck().ok();
}

#[test]
fn o3_one_bit_flipped_in_a_pack_or_index_is_found_and_nothing_wrong_is_read() {
    let repo = TestRepo::holding("a/x = hello\na/y = world\nl -> a/x");
    let listing = repo.chasm("ls -lR main").ok().stdout;
    let contents = repo.chasm("cat main:a/x").ok().stdout;
    for file in [repo.files("packs", ".pack"), repo.files("packs", ".idx")].concat() {
        let bits = fs::metadata(&file).unwrap().len() * 8;
        for bit in (0..bits).step_by(61) {
            flip(&file, bit);
            let shown = file.file_name().unwrap().to_string_lossy().into_owned();
            let found = repo.fsck();
            assert!([3, 8].contains(&found.code()), "bit {bit} of {shown} goes unnoticed\n{found}");
            if bit % 3 == 0 {
                for (verb, expected) in [("ls -lR main", &listing), ("cat main:a/x", &contents)] {
                    let run = repo.chasm(verb);
                    let right = run.code() == 0 && &run.stdout == expected;
                    assert!(right || [3, 8].contains(&run.code()), "bit {bit} of {shown}\n{run}");
                }
            }
            flip(&file, bit);
        }
    }
    repo.fsck().ok();
}

#[test]
fn o4_right_content_under_another_name_is_damage() {
    let (repo, [x, y]) = pooled();
    let aside = repo.path("repo/pool/aside");
    fs::rename(&x, &aside).unwrap();
    fs::rename(&y, &x).unwrap();
    fs::rename(&aside, &y).unwrap();
    repo.chasm("cat main:x").exits(3);
    repo.chasm("cat main:y").exits(3);
    repo.chasm("checkout main out --copy").exits(3);
    repo.fsck().exits(3);
}

#[test]
fn o4_a_forged_object_under_another_id_is_damage() {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let id = hash_bytes(b"what was published");
    forge.add_as(Kind::Blob, id, b"what is stored now");
    let entries = [entry("f", Node::File { blob: chasm::id::BlobId(id), size: 18 })];
    let tree = forge.tree(&entries);
    forge.commit(&repo, tree, entries[0].totals());
    repo.chasm("cat forged:f").exits(3);
    repo.chasm("checkout forged out").exits(3);
    repo.fsck().exits(3).names(&id.to_string()).names("f");
    repo.chasm("checkout main fine").ok();
}

/// A branch whose root tree has these bytes.
#[track_caller]
fn tree_is_refused(code: i32, bytes: &[u8]) {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let tree = forge.tree_bytes(bytes);
    forge.commit(&repo, tree, Totals::default());
    readers_refuse(&repo, code);
}

#[test]
fn o5_bytes_after_the_end_of_an_object_are_refused() {
    tree_is_refused(3, b"ctl\x01\x00\x00");
    tree_is_refused(3, b"ctl\x01\x00trailing");
}

#[test]
fn o6_one_name_for_two_kinds_keeps_them_apart() {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    // A file of the very bytes of an empty directory, and that directory.
    let tree = forge.tree(&[]);
    let blob = forge.blob(b"ctl\x01\x00");
    assert_eq!(tree.0, blob.0);
    let dir = entry("d", Node::Dir { tree, totals: Totals::default() });
    let file = entry("f", Node::File { blob, size: 5 });
    let totals = file.totals();
    let root = forge.tree(&[dir, file]);
    forge.commit(&repo, root, totals);
    repo.chasm("checkout forged out").ok();
    assert_eq!(crate::support::listing(&repo.path("out")), "d/\nf = ctl\u{1}\0\n");
    repo.fsck().ok();
}

#[test]
fn o6_a_blob_where_a_tree_should_be_is_missing() {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let blob = forge.blob(b"ctl\x01\x00 and more");
    forge.commit(&repo, chasm::id::TreeId(blob.0), Totals::default());
    readers_refuse(&repo, 3);
}

#[test]
fn o7_counts_that_are_not_true_are_refused_before_memory_is_taken() {
    for count in [&[1u8][..], &[0xff; 9], &[0x80, 0x80, 0x80, 0x80, 0x10]] {
        let mut bytes = b"ctl\x01".to_vec();
        bytes.extend(count);
        if count.len() == 9 {
            bytes.push(1);
        }
        tree_is_refused(3, &bytes);
    }
    // A name that is said to be longer than all there is.
    tree_is_refused(3, b"ctl\x01\x01\x7fabc");
    tree_is_refused(3, b"");
    tree_is_refused(3, b"ctl");
}

#[test]
fn o8_a_number_in_a_longer_form_is_refused() {
    tree_is_refused(3, b"ctl\x01\x80\x00");
}

#[test]
fn o9_a_number_without_end_is_refused() {
    let mut bytes = b"ctl\x01".to_vec();
    bytes.extend([0x80; 10]);
    bytes.push(1);
    tree_is_refused(3, &bytes);
    tree_is_refused(3, &[b"ctl\x01", &[0xff; 100][..]].concat());
}

#[test]
fn o10_an_unknown_version_is_too_new_and_an_unknown_object_is_damage() {
    tree_is_refused(8, b"ctl\x02\x00");
    tree_is_refused(8, b"ctf\x63\x00");
    tree_is_refused(3, b"xyz\x01\x00");
}

#[test]
fn o11_an_unknown_kind_of_entry_is_too_new() {
    tree_is_refused(8, b"ctl\x01\x01\x01a\x07");
}

#[test]
fn o12_nothing_but_a_file_is_read_as_an_object() {
    let kinds: [fn(&std::path::Path); 4] = [
        |at| symlink("/etc/passwd", at).unwrap(),
        |at| fs::create_dir(at).unwrap(),
        |at| rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap(),
        |at| drop(std::os::unix::net::UnixListener::bind(at).unwrap()),
    ];
    for make in kinds {
        let (repo, [x, _]) = pooled();
        let content = fs::read(&x).unwrap();
        fs::remove_file(&x).unwrap();
        // Socket names are short.
        let short = repo.path("repo/s");
        make(&short);
        fs::rename(&short, &x).unwrap();
        x_is_damaged(&repo, 3);
        repo.chasm("checkout main out").exits(3);
        repo.fsck().exits(3);
        repo.chasm("commit tree --allow-empty");
        if fs::symlink_metadata(&x).unwrap().is_dir() { fs::remove_dir(&x) } else { fs::remove_file(&x) }.unwrap();
        fs::write(&x, content).unwrap();
        repo.fsck().ok();
    }
}

#[test]
fn o12_a_link_to_the_right_content_is_not_followed_either() {
    let (repo, [x, _]) = pooled();
    fs::rename(&x, repo.path("elsewhere")).unwrap();
    symlink(repo.path("elsewhere"), &x).unwrap();
    repo.chasm("cat main:x").exits(3);
    repo.fsck().exits(3);
}

/// Runs the program as a user who owns nothing.
pub fn as_nobody(repo: &TestRepo, args: &str) -> Option<Run> {
    if !is_root() {
        return None;
    }
    let run = repo.shell(&format!("setpriv --reuid 65534 --regid 65534 --clear-groups $CHASM {args}"));
    if [126, 127].contains(&run.code()) {
        could_not_run(args, &String::from_utf8_lossy(&run.stderr));
        return None;
    }
    Some(run)
}

#[test]
fn o13_an_object_that_may_not_be_read_is_a_matter_of_permission() {
    let (repo, [x, _]) = pooled();
    fs::set_permissions(&x, fs::Permissions::from_mode(0o0)).unwrap();
    let name = x.file_name().unwrap().to_str().unwrap();
    match as_nobody(&repo, "cat main:x") {
        Some(run) => drop(run.exits(6).names(name)),
        None if is_root() => {}
        None => drop(repo.chasm("cat main:x").exits(6).names(name)),
    }
}

#[test]
fn o14_a_pool_file_changed_through_a_checkouts_link_is_found() {
    let (repo, _) = pooled();
    repo.chasm("checkout main out --require-link").ok();
    let linked = repo.path("out/x");
    overwrite(&linked, 3, b"!");
    repo.fsck().exits(3).names("x");
    repo.chasm("cat main:x").exits(3);
    repo.chasm("checkout main copy --copy").exits(3);
    // The tree still has the right bytes: a commit may not believe the pool's.
    repo.chasm("commit tree --allow-empty").ok();
    // Longer and shorter is seen without reading.
    fs::write(&linked, "short").unwrap();
    repo.chasm("checkout main linked").exits(3);
    repo.fsck().exits(3);
}

#[test]
fn o15_digests_of_another_length_are_no_revision() {
    let (repo, _) = pooled();
    let id = repo.chasm("log --ids").ok().line();
    for text in [format!("@{id}00"), format!("@{id}{id}"), format!("{id}{id}"), format!("@{}", &id[..7])] {
        repo.run(["show", &text]).exits(2);
    }
    repo.run(["show", &format!("@{}", "0".repeat(32))]).exits(2);
    repo.run(["show", &format!("@{}", &id[..32])]).ok();
}

#[test]
fn o17_a_missing_object_is_named_with_what_needs_it() {
    let repo = TestRepo::holding("a/x = hello");
    let gone = hash_bytes(b"gone");
    // A blob.
    let mut forge = Forge::new();
    let file = entry("f", Node::File { blob: chasm::id::BlobId(gone), size: 4 });
    let inner = forge.tree(std::slice::from_ref(&file));
    let dir = entry("d", Node::Dir { tree: inner, totals: file.totals() });
    let root = forge.tree(std::slice::from_ref(&dir));
    forge.commit(&repo, root, file.totals());
    repo.chasm("checkout forged out").exits(3).names(&gone.to_string());
    repo.chasm("cat forged:d/f").exits(3);
    repo.chasm("ls -R forged").ok();
    repo.fsck().exits(3).names(&gone.to_string()).names("d/f");
    // A tree.
    let mut forge = Forge::new();
    let dir = entry("dir", Node::Dir { tree: chasm::id::TreeId(gone), totals: Totals::default() });
    let root = forge.tree(std::slice::from_ref(&dir));
    forge.commit(&repo, root, Totals::default());
    repo.chasm("checkout forged out").exits(3).names(&gone.to_string());
    repo.chasm("ls -R forged").exits(3);
    repo.fsck().exits(3).names(&gone.to_string()).names("dir");
    // A commit.
    crate::support::forge::point(&repo, "forged", chasm::id::CommitId(gone));
    for verb in ["log forged", "checkout forged out", "show forged", "branch other forged"] {
        repo.chasm(verb).exits(3).names(&gone.to_string());
    }
    repo.fsck().exits(3).names(&gone.to_string()).names("forged");
    assert_eq!(repo.leftovers(), [""; 0]);
    repo.chasm("checkout main fine").ok();
}

#[test]
fn o17_a_pool_file_that_is_gone_comes_back_with_the_next_commit_of_it() {
    let (repo, [x, _]) = pooled();
    fs::remove_file(&x).unwrap();
    x_is_damaged(&repo, 3);
    repo.fsck().exits(3);
    fs::write(repo.path("tree/again"), "x".repeat(200)).unwrap();
    repo.commit();
    repo.fsck().ok();
    repo.chasm("cat main:x").ok();
}

#[test]
fn o18_what_dead_commands_left_is_ignored_and_swept() {
    let repo = TestRepo::holding("a/x = hello");
    let left = repo.path("repo/incoming/1-abc");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    fs::write(left.join("0"), "half").unwrap();
    repo.fsck().ok();
    repo.chasm("checkout main out").ok();
    repo.write("b = new");
    repo.commit();
    assert!(!left.exists(), "not swept");
    repo.fsck().ok();
}
