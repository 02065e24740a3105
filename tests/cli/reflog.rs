use crate::support::TestRepo;

#[test]
fn undo_takes_back_the_last_move_and_can_be_undone() {
    let repo = TestRepo::holding("a = 1");
    let first = repo.chasm("log --ids").ok().line();
    repo.write("a = 2");
    let second = repo.commit();
    repo.chasm("undo").ok();
    assert_eq!(repo.chasm("log --ids").ok().line(), first);
    assert_eq!(repo.chasm("log --ids -n 1 main@{1}").ok().line(), second);
    repo.fsck().ok();
}

#[test]
fn the_reflog_tells_every_move() {
    let repo = TestRepo::holding("a = 1");
    repo.write("a = 2");
    repo.commit();
    repo.chasm("tag v1").ok();
    assert_eq!(repo.chasm("reflog --json").ok().json().len(), 3);
    assert_eq!(repo.chasm("reflog main --json").ok().json().len(), 2);
    assert_eq!(repo.chasm("reflog -n 1 --json").ok().json().len(), 1);
    repo.chasm("reflog nowhere").exits(2);
}

#[test]
fn with_nothing_to_undo_it_says_so() {
    TestRepo::new().chasm("undo").exits(2);
}
