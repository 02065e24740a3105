use crate::support::TestRepo;

fn repo() -> TestRepo {
    let repo = TestRepo::new();
    for (n, time) in ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"].iter().enumerate() {
        repo.write(&format!("f{n} = {n}"));
        repo.run(["commit", "tree", "-m", &format!("number {n}"), "--time", time]).ok();
    }
    repo
}

#[test]
fn the_newest_comes_first() {
    let log = repo().chasm("log --json").ok().json();
    let messages: Vec<_> = log.iter().map(|commit| commit["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["number 2", "number 1", "number 0"]);
}

#[test]
fn numbers_times_and_paths_narrow_it() {
    let repo = repo();
    let count = |args: &str| repo.chasm(&format!("log --ids {args}")).ok().text().lines().count();
    assert_eq!(count("-n 2"), 2);
    assert_eq!(count("main~1"), 2);
    assert_eq!(count("main f1"), 1);
    assert_eq!(count("main f0"), 1);
    assert_eq!(count("--since 2026-01-02"), 2);
    assert_eq!(count("--until 2026-01-02"), 2);
    assert_eq!(repo.chasm("log --oneline").ok().text().lines().count(), 3);
    repo.chasm("log --stat").ok();
}

#[test]
fn an_empty_branch_has_no_history_and_that_is_no_error() {
    let run = TestRepo::new().chasm("log").ok();
    assert!(run.stdout.is_empty());
    TestRepo::new().chasm("log nowhere").exits(2);
}

#[test]
fn every_form_of_a_revision_leads_to_its_commit() {
    let repo = repo();
    let ids: Vec<String> = repo.chasm("log --ids").ok().text().lines().map(str::to_owned).collect();
    repo.chasm("tag v0 main~2").ok();
    let of = |rev: &str| repo.run(["log", "--ids", "-n", "1", rev]).ok().line();
    for rev in ["main", "HEAD", "@", "heads/main", "main@{0}", &format!("@{}", &ids[0][..8]), &format!("@{}", ids[0])] {
        assert_eq!(of(rev), ids[0], "{rev}");
    }
    for rev in ["main~1", "HEAD~", "main@{1}", "@{1}", "@{1 second ago}~1"] {
        assert_eq!(of(rev), ids[1], "{rev}");
    }
    for rev in ["v0", "tags/v0", "main~2", "main~1~1", "v0~0"] {
        assert_eq!(of(rev), ids[2], "{rev}");
    }
    for rev in ["main~3", "nothing", "@12345", "main@{99}", "@{2001-01-01}"] {
        repo.run(["log", rev]).exits(2);
    }
}
