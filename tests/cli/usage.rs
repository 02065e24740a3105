use crate::support::TestRepo;

#[test]
fn what_is_no_command_line_is_wrong_usage() {
    let repo = TestRepo::new();
    for args in ["", "nonsense", "commit --nonsense", "checkout", "cat", "log --number many", "branch --delete"] {
        let run = repo.chasm(args);
        assert!(run.code() == 2 || args == "branch --delete", "{run}");
    }
}

#[test]
fn help_and_version_are_answers() {
    let repo = TestRepo::new();
    repo.chasm("--version").ok().names("chasm");
    let help = repo.chasm("--help").ok().text();
    for verb in ["init", "commit", "checkout", "fsck", "gc", "manifest"] {
        assert!(help.contains(verb), "{help}");
        repo.run([verb, "--help"]).ok();
    }
}

#[test]
fn outside_of_a_repository_it_says_so() {
    let repo = TestRepo::without_repository();
    for verb in ["log", "commit tree", "status", "fsck", "branch"] {
        repo.chasm(verb).exits(2).tells_in_one_line();
    }
    repo.chasm("-R nowhere log").exits(6);
    repo.chasm("-R canary log").exits(2);
    repo.chasm("-C nowhere log").exits(6);
}

#[test]
fn quiet_says_nothing_but_answers() {
    let repo = TestRepo::new();
    repo.write("a = 1");
    for verb in ["-q commit tree", "-q checkout main out", "-q checkout main out", "-q gc"] {
        let run = repo.chasm(verb).ok();
        assert!(run.stderr.is_empty(), "{run}");
    }
}

#[test]
fn the_repository_is_found_upwards() {
    let repo = TestRepo::without_repository();
    repo.write("a/b/c = 1");
    repo.chasm("-C tree commit --init").ok();
    let mut command = repo.command(["-C", "tree/a/b", "log"]);
    command.env_remove("CHASM_REPO");
    crate::support::Run::of(command).ok();
}
