//! S1 to S4: names of refs, and the files that hold them. Nothing is ever taken
//! back silently.

use std::fs;

use crate::support::run::flip;
use crate::support::{TestRepo, could_not_run};

fn repo() -> TestRepo {
    let repo = TestRepo::holding("a/x = hello");
    repo.write("b = more");
    repo.commit();
    repo.chasm("tag first main~1").ok();
    repo
}

#[test]
fn s1_names_that_would_confuse_are_refused() {
    let repo = repo();
    let long = "n".repeat(1024);
    let names = [
        "../../x", "/x", "a//b", "a/../b", ".", "..", "a.lock", "-x", "@", "HEAD", "a\nb", "a b", "a~b", "a^b", "a:b",
        "a?b", "a*b", "a[b", "a\\b", "", "x/", "deadbeef", &long, "a\u{7}b", "@{1}",
    ];
    for name in names {
        repo.run(["branch", "--", name, "main"]).exits(2);
        repo.run(["tag", "--", name, "main"]).exits(2);
        repo.run(["commit", "tree", "--allow-empty", &format!("--branch={name}")]).exits(2);
    }
    repo.fsck().ok();
    assert_eq!(repo.chasm("branch --json").ok().json().len(), 1);
}

#[test]
fn s2_a_name_below_another_is_refused() {
    let repo = repo();
    repo.chasm("branch a/b main").ok();
    repo.chasm("branch a main").exits(2);
    repo.chasm("branch a/b/c main").exits(2);
}

#[test]
fn s3_any_flip_in_the_refs_file_is_found_and_believed_by_nobody() {
    let repo = repo();
    let before = repo.chasm("log --ids").ok().stdout;
    for name in ["refs", "journal"] {
        let path = repo.path("repo").join(name);
        let whole = fs::read(&path).unwrap();
        for bit in (0..whole.len() as u64 * 8).step_by(37) {
            flip(&path, bit);
            let found = repo.fsck();
            assert!([3, 8].contains(&found.code()), "bit {bit} of {name} goes unnoticed\n{found}");
            let run = repo.chasm("log --ids");
            assert!([3, 8].contains(&run.code()) || run.stdout == before, "bit {bit} of {name}\n{run}");
            fs::write(&path, &whole).unwrap();
        }
    }
    repo.fsck().ok();
}

#[test]
fn s3_a_refs_file_that_is_no_such_file_is_damage() {
    let spoil: [fn(&std::path::Path, &str); 6] = [
        |path, _| fs::write(path, "").unwrap(),
        |path, text| fs::write(path, &text[..text.len() / 2]).unwrap(),
        |path, text| fs::write(path, text.replace('\n', "\r\n")).unwrap(),
        |path, text| fs::write(path, format!("{text}trailing\n")).unwrap(),
        |path, _| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        |path, _| {
            fs::rename(path, path.with_extension("aside")).unwrap();
            std::os::unix::fs::symlink(path.with_extension("aside"), path).unwrap();
        },
    ];
    for spoil in spoil {
        let repo = repo();
        let path = repo.path("repo/refs");
        spoil(&path, &fs::read_to_string(&path).unwrap());
        for verb in ["log", "branch", "checkout main out", "commit tree --allow-empty"] {
            repo.chasm(verb).exits(3).tells_in_one_line();
        }
        repo.fsck().exits(3).names("refs");
    }
}

#[test]
fn s3_refs_that_were_put_back_to_an_older_state_are_noticed() {
    let repo = repo();
    let path = repo.path("repo/refs");
    let old = fs::read(&path).unwrap();
    repo.write("c = newer");
    repo.commit();
    let journal = fs::read(repo.path("repo/journal")).unwrap();
    repo.write("d = newest");
    repo.commit();
    fs::write(&path, &old).unwrap();
    repo.chasm("log").exits(3).tells_in_one_line();
    repo.fsck().exits(3);
    // Both put back alike is an older repository, as from a backup; that is no damage.
    let _ = journal;
}

#[test]
fn s3_a_missing_refs_file_or_journal_is_damage() {
    for name in ["refs", "journal"] {
        let repo = repo();
        fs::remove_file(repo.path("repo").join(name)).unwrap();
        repo.fsck().exits(3);
        repo.chasm("commit tree --allow-empty").exits(3);
    }
}

#[test]
fn a_config_that_cannot_be_read_is_told_with_its_line() {
    let repo = repo();
    let path = repo.path("repo/config");
    let lines = [
        "[commit]\nunknown = 1\n",
        "[commit]\nlink = \"perhaps\"\n",
        "[commit\n",
        "a = 1\n",
        "[pool]\nthreshold = -1\n",
    ];
    for text in lines {
        fs::write(&path, text).unwrap();
        repo.chasm("log").exits(2).tells_in_one_line().names("config");
        repo.chasm("fsck");
    }
    fs::write(&path, [0xff, 0xfe, 0]).unwrap();
    repo.chasm("log").exits(2);
    fs::write(&path, "x".repeat(2 << 20)).unwrap();
    let code = repo.chasm("log").code();
    assert!([2, 3, 6].contains(&code), "ended with {code}");
}

#[test]
fn a_flip_in_the_config_is_found_by_fsck() {
    let repo = TestRepo::without_repository();
    repo.chasm("init --bare --pool-threshold 1234 --policy unix repo").ok();
    repo.write("a = 1");
    repo.commit();
    let path = repo.path("repo/config");
    let bits = fs::metadata(&path).unwrap().len() * 8;
    if bits == 0 {
        could_not_run("a flip in the config", "it is empty");
        return;
    }
    for bit in (0..bits).step_by(11) {
        flip(&path, bit);
        let run = repo.fsck();
        assert!(run.code() != 0, "bit {bit} goes unnoticed\n{run}");
        flip(&path, bit);
    }
    repo.fsck().ok();
}
