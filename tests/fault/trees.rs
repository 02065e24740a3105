//! T: trees that no chasm would write. Every reader refuses them before it makes
//! anything.

use chasm::disk::Time;
use chasm::id::{BlobId, Kind, TreeId, hash_bytes};
use chasm::object::{Branch, Entry, Metadata, Node, Page, Totals};

use crate::support::TestRepo;
use crate::support::forge::{Forge, entry, readers_refuse};

fn repo() -> TestRepo {
    TestRepo::holding("a/x = hello")
}

fn file(forge: &mut Forge, name: impl AsRef<[u8]>, content: &str) -> Entry {
    let blob = forge.blob(content.as_bytes());
    entry(name, Node::File { blob, size: content.len() as u64 })
}

/// A commit whose root has these entries, with right sums.
fn forged(entries: impl FnOnce(&mut Forge) -> Vec<Entry>) -> TestRepo {
    let repo = repo();
    let mut forge = Forge::new();
    let entries = entries(&mut forge);
    let totals = entries.iter().fold(Totals::default(), |sum, e| sum.checked_add(e.totals()).unwrap());
    let tree = forge.tree(&entries);
    forge.commit(&repo, tree, totals);
    repo
}

/// A tree with one entry of that name is refused, at the root and further down.
#[track_caller]
fn name_is_refused(name: &[u8]) {
    readers_refuse(&forged(|forge| vec![file(forge, name, "evil")]), 3);
    let below = forged(|forge| {
        let inner = file(forge, name, "evil");
        let tree = forge.tree(std::slice::from_ref(&inner));
        vec![entry("d", Node::Dir { tree, totals: inner.totals() })]
    });
    readers_refuse(&below, 3);
    let as_dir = forged(|forge| {
        let inner = file(forge, "file", "evil");
        let tree = forge.tree(std::slice::from_ref(&inner));
        vec![entry(name, Node::Dir { tree, totals: inner.totals() })]
    });
    readers_refuse(&as_dir, 3);
}

#[test]
fn t1_an_entry_that_is_the_directory_above_is_refused() {
    name_is_refused(b"..");
}

#[test]
fn t2_an_entry_that_is_the_directory_itself_is_refused() {
    name_is_refused(b".");
}

#[test]
fn t3_an_entry_without_a_name_is_refused() {
    name_is_refused(b"");
}

#[test]
fn t4_a_name_with_a_slash_is_refused() {
    for name in [&b"a/b"[..], b"../canary/file", b"/etc/passwd", b"a/", b"/"] {
        name_is_refused(name);
    }
}

#[test]
fn t5_a_name_with_a_nul_is_refused() {
    name_is_refused(b"a\0b");
}

#[test]
fn t6_a_name_of_255_bytes_is_the_longest() {
    name_is_refused(&[b'n'; 256]);
    name_is_refused(&[b'n'; 65_535]);
    let longest = forged(|forge| vec![file(forge, [b'n'; 255], "fine")]);
    longest.chasm("checkout forged out").ok();
    assert_eq!(std::fs::read(longest.path("out").join("n".repeat(255))).unwrap(), b"fine");
}

#[test]
fn t7_two_entries_of_one_name_are_refused() {
    readers_refuse(&forged(|forge| vec![file(forge, "a", "one"), file(forge, "a", "two")]), 3);
}

#[test]
fn t8_entries_in_any_order_but_that_of_bytes_are_refused() {
    // As a locale sorts, as git sorts directories, and backwards.
    for names in [["a", "B"], ["a.b", "a"], ["b", "a"]] {
        readers_refuse(&forged(|forge| names.iter().map(|name| file(forge, name, name)).collect()), 3);
    }
}

#[test]
fn t14_a_symlink_to_nowhere_or_with_a_nul_is_refused_and_any_other_stored_exactly() {
    for target in [&b""[..], b"a\0b", &[b'x'; 4096]] {
        readers_refuse(&forged(|_| vec![entry("l", Node::Symlink { target: target.to_vec() })]), 3);
    }
    for target in ["../canary", "../../../etc", "/etc/passwd", &"x".repeat(4095)] {
        let repo = forged(|_| vec![entry("l", Node::Symlink { target: target.as_bytes().to_vec() })]);
        repo.chasm("checkout forged out").ok();
        assert_eq!(std::fs::read_link(repo.path("out/l")).unwrap().to_str().unwrap(), target);
        repo.canary_is_untouched();
    }
}

#[test]
fn t11_a_name_that_is_link_and_directory_at_once_is_refused() {
    let repo = forged(|forge| {
        let inner = file(forge, "file", "evil");
        let tree = forge.tree(std::slice::from_ref(&inner));
        let link = entry("d", Node::Symlink { target: b"../canary".to_vec() });
        vec![link, entry("d", Node::Dir { tree, totals: inner.totals() })]
    });
    readers_refuse(&repo, 3);
}

#[test]
fn t16_a_forged_tree_deeper_than_the_limit_is_made_or_refused_without_using_the_stack() {
    let repo = repo();
    let mut forge = Forge::new();
    let mut inner = file(&mut forge, "bottom", "deep");
    for _ in 0..5000 {
        let tree = forge.tree(std::slice::from_ref(&inner));
        inner = entry("d", Node::Dir { tree, totals: inner.totals() });
    }
    let tree = forge.tree(std::slice::from_ref(&inner));
    forge.commit(&repo, tree, inner.totals());
    for verb in ["checkout forged out", "ls -R forged", "diff main forged", "fsck"] {
        let code = repo.chasm(verb).code();
        assert!([0, 2, 3].contains(&code), "{verb} ended with {code}");
    }
    // Done, or refused; never a part.
    if repo.path("out").exists() {
        assert_eq!(crate::world::read_deep(&repo.path("out"), 5000, "d"), b"deep");
    }
}

/// So many levels, each with the next one twice, and one file at the bottom.
fn laughs(levels: usize, totals: impl Fn(Totals) -> Totals) -> TestRepo {
    let repo = repo();
    let mut forge = Forge::new();
    let mut sum = Totals { files: 1, bytes: 4 };
    let leaf = file(&mut forge, "ha", "haha");
    let mut tree = forge.tree(&[leaf]);
    for _ in 0..levels {
        let dir = |name| entry(name, Node::Dir { tree, totals: totals(sum) });
        let entries = [dir("a"), dir("b")];
        sum = sum.checked_add(sum).unwrap();
        tree = forge.tree(&entries);
    }
    forge.commit(&repo, tree, totals(sum));
    repo
}

#[test]
fn t19_a_billion_laughs_that_hide_their_number_end_at_the_number_they_give() {
    let repo = laughs(60, |_| Totals { files: 2, bytes: 8 });
    for verb in ["checkout forged out", "ls -R forged", "diff main forged", "fsck"] {
        let run = repo.chasm(verb).exits(3);
        assert!(run.took.as_secs() < 20, "{run}");
    }
    assert_eq!(repo.leftovers(), [""; 0]);
}

#[test]
fn t19_a_billion_honest_laughs_are_checked_once_each_and_never_written_out() {
    let repo = laughs(60, |sum| sum);
    let run = repo.fsck().ok();
    assert!(run.took.as_secs() < 20, "{run}");
    let run = repo.chasm("checkout forged out").exits(6);
    assert!(run.took.as_secs() < 20, "{run}");
    assert_eq!(repo.leftovers(), [""; 0]);
}

#[test]
fn t19_sums_beyond_all_numbers_are_refused() {
    let repo = forged(|forge| {
        let tree = forge.tree(&[]);
        vec![entry("a", Node::Dir { tree, totals: Totals { files: u64::MAX, bytes: u64::MAX } })]
    });
    // No disk holds so many names; nobody has to look whether it is true.
    repo.chasm("checkout forged out").exits(6);
    repo.chasm("ls -R forged").exits(3);
    repo.fsck().exits(3);
    let mut forge = Forge::new();
    let huge = |name| entry(name, Node::File { blob: BlobId(hash_bytes(b"x")), size: u64::MAX });
    let tree = forge.tree(&[huge("a"), huge("b")]);
    forge.commit(&repo, tree, Totals { files: 2, bytes: 0 });
    repo.chasm("checkout forged out").exits(3);
    repo.fsck().exits(3);
}

#[test]
fn t20_a_size_that_is_not_the_files_is_refused() {
    for size in [0, 4, 6, 1 << 40, u64::MAX] {
        let repo = forged(|forge| vec![entry("f", Node::File { blob: forge.blob(b"12345"), size })]);
        // More than any disk has may as well be refused for want of space.
        let code = repo.chasm("checkout forged out").tells_in_one_line().code();
        assert!(code == 3 || (code == 6 && size >= 1 << 40), "a size of {size}: {code}");
        assert_eq!(repo.leftovers(), [""; 0]);
        repo.chasm("cat forged:f").exits(3);
        repo.fsck().exits(3);
    }
}

#[test]
fn t20_a_size_that_is_not_a_pool_files_is_refused() {
    let content = "z".repeat(40_000);
    for size in [39_999, 40_001] {
        let repo = TestRepo::holding("a/x = 40000 * z");
        let mut forge = Forge::new();
        let entries = [entry("f", Node::File { blob: BlobId(hash_bytes(content.as_bytes())), size })];
        let tree = forge.tree(&entries);
        forge.commit(&repo, tree, entries[0].totals());
        for how in ["--copy", "--link", "--require-link"] {
            repo.run(["checkout", "forged", "out", how]).exits(3);
        }
        assert_eq!(repo.leftovers(), [""; 0]);
        repo.chasm("cat forged:f").exits(3);
        repo.fsck().exits(3);
    }
}

#[test]
fn t21_sums_of_a_directory_that_are_not_its_contents_are_refused() {
    for totals in [(1, 5), (3, 4), (0, 0), (2, 3)] {
        let repo = forged(|forge| {
            let inner = [file(forge, "f", "ab"), file(forge, "g", "cd")];
            let tree = forge.tree(&inner);
            vec![entry("d", Node::Dir { tree, totals: Totals { files: totals.0, bytes: totals.1 } })]
        });
        repo.chasm("checkout forged out").exits(3);
        repo.chasm("ls -R forged").exits(3);
        repo.fsck().exits(3);
        assert_eq!(repo.leftovers(), [""; 0]);
    }
}

#[test]
fn t22_bits_of_a_mode_that_do_not_exist_are_refused() {
    for mode in [0o10000, 0o100_644, 0o177_777, 0o40755] {
        let repo = forged(|forge| {
            let mut entry = file(forge, "f", "x");
            entry.metadata.mode = Some(mode);
            vec![entry]
        });
        readers_refuse(&repo, 3);
    }
    let mode_on_link = forged(|_| {
        let mut link = entry("l", Node::Symlink { target: b"x".to_vec() });
        link.metadata.mode = Some(0o777);
        vec![link]
    });
    readers_refuse(&mode_on_link, 3);
}

#[test]
fn t24_device_numbers_out_of_range_are_refused() {
    for rdev in [(4096, 0), (0, 1 << 20), (u32::MAX, u32::MAX)] {
        readers_refuse(&forged(|_| vec![entry("d", Node::CharDevice { rdev })]), 3);
        readers_refuse(&forged(|_| vec![entry("d", Node::BlockDevice { rdev })]), 3);
    }
}

#[test]
fn t25_nanoseconds_are_fewer_than_a_second() {
    for nanos in [1_000_000_000, u32::MAX] {
        let repo = forged(|forge| {
            let mut entry = file(forge, "f", "x");
            entry.metadata.mtime = Some(Time { secs: 0, nanos });
            vec![entry]
        });
        readers_refuse(&repo, 3);
    }
}

#[test]
fn t25_times_far_away_come_back_or_are_told_of() {
    for secs in [-1, i64::MIN, i64::MAX, 0, 1 << 34] {
        let repo = forged(|forge| {
            let mut entry = file(forge, "f", "x");
            entry.metadata.mtime = Some(Time { secs, nanos: 999_999_999 });
            vec![entry]
        });
        repo.chasm("ls -lR forged").ok();
        repo.chasm("ls -lR forged --json").ok().json();
        repo.fsck().ok();
        let run = repo.chasm("checkout forged out");
        let code = run.code();
        let made = std::os::unix::fs::MetadataExt::mtime(&std::fs::metadata(repo.path("out/f")).unwrap());
        assert!(code == 0 && made == secs || code == 9, "{secs} became {made}\n{run}");
    }
}

#[test]
fn t26_extended_attributes_that_no_system_has_are_refused() {
    let long = [b'n'; 252];
    let long = [b"user", &long[..]].concat();
    let set = |pairs: &[(&[u8], usize)]| -> Vec<(Vec<u8>, Vec<u8>)> {
        pairs.iter().map(|(name, len)| (name.to_vec(), vec![b'v'; *len])).collect()
    };
    let sets = [
        set(&[(b"nonamespace", 1)]),
        set(&[(b"", 1)]),
        set(&[(b"user.", 1)]),
        set(&[(b".name", 1)]),
        set(&[(b"user.a\0b", 1)]),
        set(&[(&long, 1)]),
        set(&[(b"user.a", (64 << 10) + 1)]),
        set(&[(b"user.a", 1), (b"user.a", 1)]),
        set(&[(b"user.b", 1), (b"user.a", 1)]),
        set(&[(b"user.a", 60 << 10), (b"user.b", 60 << 10), (b"user.c", 60 << 10)]),
    ];
    for xattrs in sets {
        let repo = forged(|forge| {
            let mut entry = file(forge, "f", "x");
            entry.metadata.xattrs = xattrs;
            vec![entry]
        });
        readers_refuse(&repo, 3);
    }
}

#[test]
fn t28_a_directory_is_in_no_link_group() {
    let repo = forged(|forge| {
        let tree = forge.tree(&[]);
        let mut dir = entry("d", Node::Dir { tree, totals: Totals::default() });
        dir.metadata.link = Some(1);
        vec![dir]
    });
    readers_refuse(&repo, 3);
}

#[test]
fn t28_names_of_one_inode_that_differ_never_get_each_others_content() {
    let repo = forged(|forge| {
        let mut entries = vec![file(forge, "a", "one"), file(forge, "b", "two")];
        for entry in &mut entries {
            entry.metadata = Metadata { link: Some(7), ..entry.metadata.clone() };
        }
        entries
    });
    let code = repo.chasm("checkout forged out").code();
    assert!([0, 3].contains(&code), "ended with {code}");
    if code == 0 {
        assert_eq!(crate::support::listing(&repo.path("out")), "a = one\nb = two\n");
    }
}

#[test]
fn pages_that_do_not_fit_their_fork_are_refused() {
    type Spoil = fn(&mut Vec<Branch>);
    let spoils: [Spoil; 6] = [
        |branches| branches[0].entries += 1,
        |branches| branches[0].totals.bytes += 1,
        |branches| branches[0].last = b"a1".to_vec(),
        |branches| branches.swap(0, 1),
        |branches| branches[1].page = branches[0].page,
        |branches| branches[1].page = TreeId(hash_bytes(b"nowhere")),
    ];
    for spoil in spoils {
        let repo = repo();
        let mut forge = Forge::new();
        let mut branches = Vec::new();
        for letter in ["a", "b"] {
            let entries: Vec<_> = (0..3).map(|n| file(&mut forge, format!("{letter}{n}"), letter)).collect();
            let totals = Totals { files: 3, bytes: 3 };
            branches.push(Branch { last: entries[2].name.clone(), entries: 3, totals, page: forge.tree(&entries) });
        }
        spoil(&mut branches);
        let bytes = Page::Fork { level: 1, branches }.encode();
        let tree = forge.tree_bytes(&bytes);
        forge.commit(&repo, tree, Totals { files: 6, bytes: 6 });
        readers_refuse(&repo, 3);
    }
}

#[test]
fn a_fork_that_leads_to_itself_by_levels_is_refused() {
    let repo = repo();
    let mut forge = Forge::new();
    let leaf = forge.tree(&[]);
    for level in [0, 2, 8, 9, 255] {
        let branch = Branch { last: b"x".to_vec(), entries: 1, totals: Totals::default(), page: leaf };
        let bytes = Page::Fork { level, branches: vec![branch] }.encode();
        let mut forge = Forge::new();
        forge.add(Kind::Tree, &Page::Leaf(Vec::new()).encode());
        let tree = forge.tree_bytes(&bytes);
        forge.commit(&repo, tree, Totals::default());
        repo.chasm("checkout forged out").exits(3);
        repo.chasm("ls -R forged").exits(3);
    }
}
