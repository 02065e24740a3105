use crate::support::TestRepo;

#[test]
fn branches_are_made_moved_renamed_and_deleted() {
    let repo = TestRepo::holding("a = 1");
    repo.write("a = 2");
    repo.commit();
    repo.chasm("branch side main~1").ok();
    repo.chasm("branch side main").exits(2);
    repo.chasm("branch side main --force").ok();
    repo.chasm("branch side -m other").ok();
    repo.chasm("log side").exits(2);
    repo.chasm("branch --delete other").ok();
    repo.chasm("branch --delete other").exits(2);
    repo.chasm("branch --delete main").exits(2);
    assert_eq!(repo.chasm("branch --json").ok().json().len(), 1);
}

#[test]
fn the_present_branch_is_where_commits_go() {
    let repo = TestRepo::holding("a = 1");
    repo.chasm("branch --switch next").ok();
    repo.write("a = 2");
    repo.chasm("commit tree").ok();
    assert_eq!(repo.chasm("cat next:a").ok().text(), "2");
    assert_eq!(repo.chasm("cat main:a").ok().text(), "1");
}

#[test]
fn tags_stay_where_they_are_put() {
    let repo = TestRepo::holding("a = 1");
    repo.chasm("tag v1").ok();
    repo.write("a = 2");
    repo.commit();
    assert_eq!(repo.chasm("cat v1:a").ok().text(), "1");
    repo.chasm("tag v1").exits(2);
    repo.chasm("tag v1 --force").ok();
    assert_eq!(repo.chasm("cat v1:a").ok().text(), "2");
    repo.chasm("tag --delete v1").ok();
    assert!(repo.chasm("tag").ok().stdout.is_empty());
}
