use crate::support::TestRepo;

fn repo() -> TestRepo {
    let repo = TestRepo::holding("a/x = 1\na/y = one\nb = moved content that is long enough");
    std::fs::rename(repo.path("tree/b"), repo.path("tree/c")).unwrap();
    repo.write("a/y = two\na/z = 3");
    std::fs::remove_file(repo.path("tree/a/x")).unwrap();
    repo.commit();
    repo
}

#[test]
fn a_difference_is_told_and_is_an_exit_code_if_asked_for() {
    let repo = repo();
    repo.chasm("diff main~1 main").ok().names("a/x").names("a/y").names("a/z");
    repo.chasm("diff main~1 main --exit-code").exits(1);
    repo.chasm("diff main main --exit-code").ok();
    let names = repo.chasm("diff main~1 main --name-only").ok().text();
    for name in ["a/x", "a/y", "a/z"] {
        assert!(names.lines().any(|line| line == name), "{names}");
    }
    assert!(!repo.chasm("diff main~1 main --json").ok().json().is_empty());
    repo.chasm("diff main~1 main --stat").ok().names("a");
}

#[test]
fn a_patch_shows_lines() {
    repo().chasm("diff main~1 main -p").ok().names("-one").names("+two");
}

#[test]
fn a_directory_may_stand_for_a_side() {
    let repo = repo();
    repo.chasm("diff main tree --exit-code").ok();
    repo.write("new = 1");
    repo.chasm("diff main tree --exit-code").exits(1).names("new");
    repo.chasm("diff tree main --exit-code").exits(1).names("new");
}

#[test]
fn only_the_paths_that_are_named_count() {
    let repo = repo();
    assert_eq!(repo.chasm("diff main~1 main a/z --name-only").ok().text(), "a/z\n");
    repo.chasm("diff main~1 main nothing --exit-code").ok();
}

#[test]
fn without_sides_it_is_the_last_commit() {
    let repo = repo();
    assert_eq!(repo.chasm("diff").ok().stdout, repo.chasm("diff main~1 main").ok().stdout);
    repo.chasm("diff nowhere main").exits(2);
}
