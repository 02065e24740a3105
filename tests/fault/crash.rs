//! K: several commands at once, and commands that die.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use crate::support::TestRepo;
use crate::support::run::Running;

fn history(repo: &TestRepo) -> Vec<String> {
    repo.chasm("log main --ids").ok().text().lines().map(str::to_owned).collect()
}

#[test]
fn k1_of_two_commits_at_once_none_is_lost_silently() {
    let repo = TestRepo::holding("a = 1");
    for name in ["one", "two"] {
        fs::create_dir(repo.path(name)).unwrap();
    }
    let mut won = 0;
    for round in 0..20 {
        let start = |name: &str| {
            fs::write(repo.path(name).join("f"), format!("{name} {round}")).unwrap();
            Running::start(repo.command(["commit", name, "-b", "main", "--allow-delete"]))
        };
        let both = [start("one"), start("two")].map(Running::wait);
        let known: HashSet<_> = history(&repo).into_iter().collect();
        for run in both {
            match run.code() {
                0 => {
                    won += 1;
                    assert!(known.contains(&run.line()), "acknowledged, and gone\n{run}");
                }
                7 => {}
                _ => panic!("{run}"),
            }
        }
    }
    assert!(won >= 20, "only {won} of 40 commits went through");
    assert_eq!(history(&repo).len(), won + 1);
    repo.fsck().ok();
}

#[test]
fn k1_a_branch_and_a_commit_at_once_both_count() {
    let repo = TestRepo::holding("a = 1");
    for round in 0..20 {
        repo.write(&format!("f = {round}"));
        let commit = Running::start(repo.command(["commit", "tree"]));
        let name = format!("side{round}");
        let branch = Running::start(repo.command(["branch", &name, "main"]));
        for run in [commit.wait(), branch.wait()] {
            assert!([0, 7].contains(&run.code()), "{run}");
        }
    }
    repo.fsck().ok();
}

#[test]
fn k2_two_commits_of_the_same_new_content_store_it_once() {
    let repo = TestRepo::holding("a = 1");
    for round in 0..10 {
        for name in ["one", "two"] {
            let dir = repo.path(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("big"), format!("{round:05}").repeat(10_000)).unwrap();
        }
        let start = |name| Running::start(repo.command(["commit", name, "-b", name]));
        for running in [start("one"), start("two")] {
            running.wait().ok();
        }
    }
    repo.fsck().ok();
    let pool = repo.files("pool", "").len();
    assert_eq!(pool, 10, "one pool file for each content");
}

#[test]
fn k3_what_a_commit_reuses_is_not_swept_away_under_it() {
    let repo = TestRepo::holding("a = 1");
    for round in 0..10 {
        // Left without a name, then wanted again while gc looks for such things.
        repo.write(&format!("again = {round}\nbig = 40000 * {round}"));
        repo.commit();
        repo.chasm("undo").ok();
        let gc = Running::start(repo.command(["gc", "--grace", "0"]));
        let commit = Running::start(repo.command(["commit", "tree"]));
        let run = gc.wait();
        assert!([0, 7].contains(&run.code()), "{run}");
        let run = commit.wait();
        assert!([0, 7].contains(&run.code()), "{run}");
        repo.fsck().ok();
        repo.chasm("checkout main out --copy --delete").ok();
        repo.chasm("checkout main~1 out --copy --delete --allow-delete").ok();
    }
}

#[test]
fn k4_gc_during_a_checkout_takes_nothing_that_it_needs() {
    let repo = TestRepo::new();
    for n in 0..800 {
        repo.write(&format!("d{}/f{n} = {n}", n % 20));
    }
    repo.commit();
    for round in 0..6 {
        let name = format!("out{round}");
        let checkout = Running::start(repo.command(["checkout", "main", &name]));
        std::thread::sleep(Duration::from_millis(5 * round));
        let gc = Running::start(repo.command(["gc", "--grace", "0"]));
        let run = gc.wait();
        assert!([0, 7].contains(&run.code()), "{run}");
        let run = checkout.wait();
        assert!([0, 7].contains(&run.code()), "{run}");
        if run.code() == 0 {
            repo.run(["diff", &name, "main", "--exit-code"]).ok();
        }
    }
    repo.fsck().ok();
}

#[test]
fn k6_a_commit_killed_at_any_time_loses_nothing_and_the_next_just_works() {
    let repo = TestRepo::holding("a = 1");
    let mut known = vec![repo.chasm("log --ids").ok().line()];
    for round in 0..15 {
        for n in 0..60 {
            repo.write(&format!("f{n} = {round} {n}"));
        }
        repo.write(&format!("big = 300000 * {}", round % 10));
        let mut running = Running::start(repo.command(["commit", "tree"]));
        std::thread::sleep(Duration::from_millis(2 + 3 * round));
        let _ = running.child.kill();
        let run = running.wait();
        if run.code() == 0 {
            known.push(run.line());
        }
        repo.fsck().ok();
        let listed = history(&repo);
        assert!(known.iter().all(|id| listed.contains(id)), "an acknowledged commit is gone");
        known.push(repo.commit());
    }
    assert!(repo.files("incoming", "").is_empty(), "{:?}", repo.files("incoming", ""));
}

#[test]
fn k9_a_commit_that_was_stopped_for_a_while_goes_on() {
    let repo = TestRepo::holding("a = 1");
    repo.write("big = 30000000 * z");
    let running = Running::start(repo.command(["commit", "tree"]));
    std::thread::sleep(Duration::from_millis(30));
    running.signal(rustix::process::Signal::STOP);
    std::thread::sleep(Duration::from_millis(300));
    repo.chasm("log").ok();
    running.signal(rustix::process::Signal::CONT);
    running.wait().ok();
    repo.fsck().ok();
}

#[test]
fn k11_a_lock_file_left_behind_locks_nothing() {
    let repo = TestRepo::holding("a = 1");
    for name in ["lock", "refs.lock", "incoming/lock"] {
        let path = repo.path("repo").join(name);
        if !path.exists() {
            fs::write(path, "4711").unwrap();
        }
    }
    repo.write("b = 2");
    let run = repo.chasm("commit tree").ok();
    assert!(run.took.as_secs() < 5, "{run}");
}

#[test]
fn k18_a_copy_made_while_commits_go_on_opens_and_is_whole() {
    let repo = TestRepo::holding("a = 1");
    for round in 0..5 {
        repo.write(&format!("f = {round}\nbig = 40000 * {round}"));
        let commit = Running::start(repo.command(["commit", "tree"]));
        repo.shell(&format!("cp -a repo copy{round}"));
        commit.wait().ok();
        let run = repo.chasm(&format!("-R copy{round} log"));
        // A copy of a moving thing may be torn; it says so then.
        assert!([0, 3].contains(&run.code()), "{run}");
    }
}
