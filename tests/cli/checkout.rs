use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{TestRepo, listing};

const OLD: &str = "Release = old\na/x = 1\na/y = 40000 * y\nb/gone = 1\nempty/\nl -> a/x\n";

fn repo() -> TestRepo {
    let repo = TestRepo::holding(OLD);
    fs::remove_dir_all(repo.path("tree/b")).unwrap();
    repo.write("Release = new\na/x = 22\nc/new = 1");
    repo.commit();
    repo
}

#[test]
fn a_commit_becomes_a_directory_and_comes_back_the_same() {
    let repo = repo();
    repo.chasm("checkout main out").ok();
    assert_eq!(listing(&repo.path("out")), listing(&repo.path("tree")));
    assert_eq!(repo.chasm("commit out").ok().line(), repo.chasm("log --ids -n 1").ok().line());
}

#[test]
fn an_update_touches_only_what_changed() {
    let repo = repo();
    repo.chasm("checkout main~1 out").ok();
    let inode = fs::metadata(repo.path("out/a/y")).unwrap().ino();
    let report = &repo.chasm("checkout main out --json").ok().json()[0];
    assert_eq!(listing(&repo.path("out")), listing(&repo.path("tree")));
    assert_eq!(fs::metadata(repo.path("out/a/y")).unwrap().ino(), inode);
    assert_eq!(report["linked"], 3, "{report}");
    repo.chasm("checkout main out").ok();
    repo.chasm("checkout main~1 out").ok();
    repo.chasm("diff out main~1 --exit-code").ok();
}

#[test]
fn two_checkouts_share_inodes_unless_copied() {
    let repo = repo();
    repo.chasm("checkout main one").ok();
    repo.chasm("checkout main two --require-link").ok();
    repo.chasm("checkout main three --copy").ok();
    let inode = |path: &str| fs::metadata(repo.path(path)).unwrap().ino();
    for name in ["a/x", "a/y", "Release"] {
        assert_eq!(inode(&format!("one/{name}")), inode(&format!("two/{name}")));
        assert_ne!(inode(&format!("one/{name}")), inode(&format!("three/{name}")));
    }
}

#[test]
fn an_exchange_swaps_the_whole_tree() {
    let repo = repo();
    repo.chasm("checkout main~1 out").ok();
    let inode = fs::metadata(repo.path("out")).unwrap().ino();
    repo.chasm("checkout main out --exchange").ok();
    assert_ne!(fs::metadata(repo.path("out")).unwrap().ino(), inode);
    assert_eq!(listing(&repo.path("out")), listing(&repo.path("tree")));
    assert_eq!(repo.leftovers(), ["out"]);
}

#[test]
fn single_paths_can_be_had() {
    let repo = repo();
    repo.chasm("checkout main out -- a").ok();
    assert_eq!(listing(&repo.path("out")), "a/\na/x = 22\na/y = 40000 bytes\n");
    repo.chasm("checkout main out2 -- nowhere").exits(2);
    repo.chasm("checkout main out2 -- ../canary").exits(2);
}

#[test]
fn a_removal_of_most_files_is_refused_unless_allowed() {
    let repo = TestRepo::new();
    for n in 0..120 {
        repo.write(&format!("f{n} = {n}"));
    }
    repo.commit();
    repo.chasm("checkout main out").ok();
    fs::remove_dir_all(repo.path("tree")).unwrap();
    repo.write("only = 1");
    repo.commit();
    repo.chasm("checkout main out").exits(1);
    assert_eq!(fs::read_dir(repo.path("out")).unwrap().count(), 120);
    repo.chasm("checkout main out --allow-delete").ok();
    assert_eq!(listing(&repo.path("out")), "only = 1\n");
}

#[test]
fn what_does_not_exist_cannot_be_checked_out() {
    let repo = repo();
    repo.chasm("checkout nowhere out").exits(2);
    repo.chasm("checkout main~9 out").exits(2);
    repo.chasm("checkout main").exits(2);
    assert_eq!(repo.leftovers(), [""; 0]);
}
