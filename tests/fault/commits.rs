//! T: commits that no chasm would write.

use chasm::id::{CommitId, Kind, hash_bytes};
use chasm::object::{Commit, Totals};

use crate::support::TestRepo;
use crate::support::forge::{Forge, commit_of, point};

/// The branch `forged` names a commit of these bytes, over an empty tree.
fn forged(text: impl FnOnce(String) -> String) -> (TestRepo, CommitId) {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let tree = forge.tree(&[]);
    let honest = commit_of(tree, Totals::default()).encode().unwrap();
    let bytes = text(String::from_utf8(honest).unwrap());
    let id = CommitId(forge.add(Kind::Commit, bytes.as_bytes()));
    forge.store(&repo);
    point(&repo, "forged", id);
    (repo, id)
}

#[track_caller]
fn refused(code: i32, text: impl FnOnce(String) -> String) {
    let (repo, _) = forged(text);
    for verb in ["log forged", "show forged", "checkout forged out"] {
        repo.chasm(verb).exits(code).tells_in_one_line();
    }
    repo.fsck().exits(code);
    assert_eq!(repo.leftovers(), [""; 0]);
    repo.chasm("log main").ok();
}

#[test]
fn the_honest_commit_that_the_others_are_made_of_is_accepted() {
    let (repo, id) = forged(|text| text);
    assert_eq!(repo.chasm("log forged --ids").ok().line(), id.to_string());
    repo.chasm("checkout forged out").ok();
    repo.fsck().ok();
}

#[test]
fn t21_sums_of_a_commit_that_are_not_its_trees_are_refused() {
    for (from, to) in [("files 0", "files 1"), ("bytes 0", "bytes 1"), ("files 0", "files 18446744073709551615")] {
        let (repo, _) = forged(|text| text.replacen(from, to, 1));
        // More names than any disk has room for are refused for want of that.
        let code = repo.chasm("checkout forged out").code();
        assert!(code == 3 || (code == 6 && to.len() > 10), "ended with {code}");
        repo.chasm("ls -R forged").exits(3);
        repo.fsck().exits(3);
        assert_eq!(repo.leftovers(), [""; 0]);
    }
}

#[test]
fn t30_more_than_64_parents_are_refused() {
    let parents =
        |count: u32| -> String { (0..count).map(|n| format!("parent {}\n", hash_bytes(&n.to_be_bytes()))).collect() };
    refused(3, |text| text.replacen("time ", &format!("{}time ", parents(65)), 1));
}

#[test]
fn t30_a_parent_that_is_missing_or_no_commit_is_damage() {
    let (repo, _) = forged(|text| {
        let tree = text.lines().nth(1).unwrap().replace("tree", "parent");
        text.replacen("time ", &format!("{tree}\ntime "), 1)
    });
    repo.chasm("log forged").exits(3).tells_in_one_line();
    repo.fsck().exits(3);
    repo.chasm("checkout forged out").ok();
    let missing = hash_bytes(b"never made");
    let (repo, _) = forged(|text| text.replacen("time ", &format!("parent {missing}\ntime "), 1));
    repo.chasm("log forged").exits(3).names(&missing.to_string());
    repo.fsck().exits(3).names(&missing.to_string());
}

#[test]
fn t31_lines_that_do_not_belong_into_a_header_are_refused() {
    refused(3, |text| text.replacen("author forger", "author for\nger", 1));
    refused(3, |text| text.replacen("files 0", "files 00", 1));
    refused(3, |text| text.replacen("files 0", "files 0\nfiles 0", 1));
    refused(3, |text| text.replacen("policy", "police", 1));
    refused(3, |text| text.replacen("\n", "\r\n", 1));
    refused(3, |text| text.replacen("2026-11-21T00:00:00Z", "2026-13-21T00:00:00Z", 1));
    refused(3, |text| text + &"m".repeat(2 << 20));
    refused(3, |text| text[..20].to_owned());
    refused(3, |_| String::new());
}

#[test]
fn t31_what_people_say_has_limits_and_strange_times_are_kept() {
    let repo = TestRepo::holding("a/x = hello");
    repo.run(["commit", "tree", "--allow-empty", "--author", "two\nlines"]).exits(2);
    let long = "m".repeat(100_000);
    repo.run(["commit", "tree", "--allow-empty", "-m", &long]).ok();
    for time in ["0001-01-01T00:00:00Z", "9999-12-30T00:00:00Z", "1969-12-31T23:59:59Z"] {
        repo.run(["commit", "tree", "--allow-empty", "--time", time]).ok();
    }
    repo.chasm("log").ok();
    repo.chasm("log --json").ok().json();
    repo.fsck().ok();
}

#[test]
fn o10_a_commit_of_a_newer_version_is_too_new_for_this_program() {
    refused(8, |text| text.replacen("chasm commit 1", "chasm commit 2", 1));
}

#[test]
fn o6_a_tree_is_no_commit_though_the_bytes_are_there() {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let tree = forge.tree(&[]);
    forge.store(&repo);
    point(&repo, "forged", CommitId(tree.0));
    repo.chasm("log forged").exits(3).tells_in_one_line();
    repo.fsck().exits(3);
}

#[test]
fn t32_a_commit_bound_to_another_name_is_not_trusted() {
    let repo = TestRepo::holding("a/x = hello");
    let mut forge = Forge::new();
    let tree = forge.tree(&[]);
    let commit = Commit { refs: vec!["heads/elsewhere".into()], ..commit_of(tree, Totals::default()) };
    let id = CommitId(forge.add(Kind::Commit, &commit.encode().unwrap()));
    forge.store(&repo);
    point(&repo, "elsewhere", id);
    repo.chasm("checkout elsewhere fine").ok();
    point(&repo, "forged", id);
    repo.chasm("checkout forged out").exits(4);
}
