use crate::support::TestRepo;

#[test]
fn status_tells_what_a_commit_would_record() {
    let repo = TestRepo::holding("a = 1\nb = 1\nc = 1");
    repo.chasm("status tree --exit-code").ok();
    repo.write("a = 22\nd = 1");
    std::fs::remove_file(repo.path("tree/c")).unwrap();
    repo.chasm("status tree").ok().names("a").names("c").names("d");
    repo.chasm("status tree --exit-code").exits(1);
    assert_eq!(repo.chasm("status tree --json").ok().json().len(), 3);
    repo.commit();
    repo.chasm("status tree --exit-code").ok();
}

#[test]
fn status_compares_with_the_branch_that_is_named() {
    let repo = TestRepo::holding("a = 1");
    repo.chasm("status tree --exit-code -b other").exits(1);
    repo.chasm("branch other main").ok();
    repo.chasm("status tree --exit-code -b other").ok();
}
