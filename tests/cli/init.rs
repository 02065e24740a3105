use crate::support::TestRepo;

#[test]
fn a_repository_lies_in_its_tree_or_is_bare() {
    let repo = TestRepo::without_repository();
    repo.chasm("init tree").ok();
    assert!(repo.path("tree/.chasm/format").is_file());
    repo.chasm("init --bare bare").ok();
    assert!(repo.path("bare/format").is_file());
    repo.chasm("-C tree log").ok();
}

#[test]
fn what_is_there_is_not_made_again() {
    let repo = TestRepo::holding("a = 1");
    repo.chasm("init --bare repo").exits(2);
    repo.chasm("log").ok();
    repo.chasm("init --bare canary").exits(6);
    repo.canary_is_untouched();
}

#[test]
fn defaults_are_taken_into_its_config() {
    let repo = TestRepo::without_repository();
    repo.chasm("init --bare --policy full --pool-threshold 1 --link -b trunk repo").ok();
    assert_eq!(repo.chasm("config get commit.policy").ok().line(), "full");
    assert_eq!(repo.chasm("config get commit.link").ok().line(), "true");
    repo.write("a = 1");
    repo.chasm("commit tree").ok();
    assert_eq!(repo.chasm("branch --json").ok().json()[0]["name"], "trunk");
    repo.chasm("init --policy nonsense other").exits(2);
    repo.chasm("init -b .. other").exits(2);
}
