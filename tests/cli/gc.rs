use std::fs;

use crate::support::TestRepo;

#[test]
fn what_nothing_names_goes_after_its_time_and_the_rest_stays() {
    let repo = TestRepo::holding("a = 1\nbig = 40000 * 1");
    repo.write("a = 2\nbig = 40000 * 2");
    repo.commit();
    repo.chasm("gc").ok();
    repo.chasm("checkout main~1 out --copy").ok();
    repo.chasm("gc --dry-run").ok();
    repo.chasm("gc --grace 0").ok();
    repo.fsck().ok();
    repo.chasm("checkout main out --copy").ok();
    repo.chasm("gc --grace nonsense").exits(2);
}

#[test]
fn a_sound_repository_is_found_sound() {
    let repo = TestRepo::holding("a = 1\nbig = 40000 * 1\nl -> a");
    repo.chasm("fsck").ok();
    repo.chasm("fsck --quick").ok();
    repo.chasm("fsck --json").ok().json();
    TestRepo::new().chasm("fsck").ok();
}

#[test]
fn damage_is_named_with_the_paths_it_serves() {
    let repo = TestRepo::holding("dir/big = 40000 * 1");
    let pool = repo.files("pool", "").remove(0);
    fs::write(&pool, "short").unwrap();
    repo.chasm("fsck").exits(3).names("dir/big");
    fs::remove_file(&pool).unwrap();
    repo.chasm("fsck --quick").exits(3);
    repo.chasm("fsck").exits(3).names("dir/big");
}
