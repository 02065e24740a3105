use crate::support::TestRepo;

#[test]
fn keys_are_set_read_listed_and_taken_away() {
    let repo = TestRepo::new();
    repo.chasm("config get commit.author").exits(1);
    repo.run(["config", "set", "commit.author", "Ann Other"]).ok();
    assert_eq!(repo.chasm("config get commit.author").ok().line(), "Ann Other");
    repo.chasm("config list").ok().names("commit.author");
    repo.chasm("config unset commit.author").ok();
    repo.chasm("config get commit.author").exits(1);
}

#[test]
fn a_key_or_value_that_would_not_be_read_is_not_written() {
    let repo = TestRepo::holding("a = 1");
    for (key, value) in
        [("commit.nonsense", "1"), ("nonsense.policy", "full"), ("commit.link", "maybe"), ("policy", "x")]
    {
        repo.chasm(&format!("config set {key} {value}")).exits(2);
        repo.chasm("log").ok();
    }
    repo.chasm("config").exits(2);
}
