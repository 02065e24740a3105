use std::fs;

use crate::support::TestRepo;

#[test]
fn the_first_commit_stores_all_and_the_next_only_what_changed() {
    let repo = TestRepo::new();
    repo.write("a/x = hello\na/y = 40000 * y\nl -> a/x");
    let first = &repo.chasm("commit tree -m first --json").ok().json()[0];
    assert_eq!((&first["added"], &first["files"], &first["new"]), (&3.into(), &3.into(), &true.into()));
    repo.write("a/x = other");
    let second = &repo.chasm("commit tree -m second --json").ok().json()[0];
    assert_eq!((&second["added"], &second["changed"], &second["removed"]), (&0.into(), &1.into(), &0.into()));
    assert_eq!(repo.chasm("log --ids").ok().text().lines().count(), 2);
}

#[test]
fn without_a_change_there_is_no_commit_unless_asked_for() {
    let repo = TestRepo::holding("a = 1");
    let id = repo.chasm("log --ids").ok().line();
    assert_eq!(repo.chasm("commit tree --tag stands").ok().line(), id);
    assert_eq!(repo.chasm("log stands --ids").ok().line(), id);
    assert_ne!(repo.chasm("commit tree --allow-empty").ok().line(), id);
}

#[test]
fn a_dry_run_tells_and_stores_nothing() {
    let repo = TestRepo::holding("a = 1");
    let before = repo.files("", "").len();
    repo.write("b = 2");
    let told = &repo.chasm("commit tree --dry-run --json").ok().json()[0];
    assert_eq!((&told["added"], &told["dry_run"]), (&1.into(), &true.into()));
    assert_eq!(repo.chasm("log --ids").ok().text().lines().count(), 1);
    assert_eq!(repo.files("packs", "").len() + repo.files("pool", "").len(), before_of(&repo, before));
}

/// Files of the store, given how many files the repository had in all.
fn before_of(repo: &TestRepo, all: usize) -> usize {
    let others = repo.files("", "").len() - repo.files("packs", "").len() - repo.files("pool", "").len();
    all.saturating_sub(others).max(repo.files("packs", "").len())
}

#[test]
fn branches_of_one_repository_keep_several_trees() {
    let repo = TestRepo::new();
    repo.write("a = debian");
    repo.chasm("commit tree -b debian").ok();
    repo.write("a = fedora");
    repo.chasm("commit tree -b fedora").ok();
    assert_eq!(repo.chasm("cat debian:a").ok().text(), "debian");
    assert_eq!(repo.chasm("cat fedora:a").ok().text(), "fedora");
}

#[test]
fn what_is_excluded_is_left_out() {
    let repo = TestRepo::new();
    repo.write("a/x = 1\na/x.tmp = 2\nb/keep = 3\nb/cache/c = 4");
    fs::write(repo.path("list"), "# comment\n\nb/cache\n").unwrap();
    repo.run(["commit", "tree", "--exclude", "*.tmp", "--exclude-from", "list"]).ok();
    assert_eq!(repo.chasm("ls -R main").ok().text(), "a/\na/x\nb/\nb/keep\n");
}

#[test]
fn init_makes_the_repository_on_the_way() {
    let repo = TestRepo::without_repository();
    repo.write("a = 1");
    repo.chasm("commit tree").exits(2);
    repo.chasm("-C tree commit --init -m first").ok();
    assert_eq!(repo.chasm("-C tree ls").ok().text(), "a\n");
    repo.chasm("-C tree commit --init").ok();
}

#[test]
fn the_pool_may_take_over_the_files_of_the_tree() {
    use std::os::unix::fs::MetadataExt;
    let repo = TestRepo::new();
    repo.write("big = 40000 * b");
    repo.chasm("commit tree --link").ok();
    assert_eq!(fs::metadata(repo.path("tree/big")).unwrap().nlink(), 2);
    repo.fsck().ok();
    repo.chasm("status tree --exit-code").ok();
}

#[test]
fn time_author_and_message_are_as_given() {
    let repo = TestRepo::new();
    repo.write("a = 1");
    repo.run(["commit", "tree", "-m", "one\n\nmore", "--author", "Ann <a@b>", "--time", "2026-01-02T03:04:05Z"]).ok();
    let commit = &repo.chasm("show --json").ok().json()[0];
    assert_eq!(commit["author"], "Ann <a@b>");
    assert_eq!(commit["time"], "2026-01-02T03:04:05Z");
    assert_eq!(commit["message"], "one\n\nmore");
    repo.chasm("commit tree --time nonsense").exits(2);
}

#[test]
fn metadata_is_kept_as_the_policy_says() {
    let repo = TestRepo::new();
    repo.write("a = 1");
    for (policy, has_owner) in [("mirror", false), ("unix", true), ("full", true)] {
        repo.run(["commit", "tree", "--policy", policy, "--allow-empty"]).ok();
        let entry = &repo.chasm("ls main --json").ok().json()[0];
        assert_eq!(
            entry.get("owner").is_some_and(|o| !o.is_null()) || entry.get("uid").is_some(),
            has_owner,
            "{entry}"
        );
    }
    repo.chasm("commit tree --with nonsense").exits(2);
}

#[test]
fn a_bare_repository_wants_a_tree() {
    TestRepo::new().chasm("commit").exits(2);
}
