//! W and P12: limits, masks, streams, and where a repository lies.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;

use crate::support::mount::Mount;
use crate::support::{TestRepo, could_not_run, is_root, listing};

#[test]
fn w11_few_open_files_are_enough_or_it_says_so() {
    let repo = TestRepo::new();
    for n in 0..300 {
        repo.write(&format!("d{n}/e/f/g = {n}\nd{n}/big = 40000 * {}", n % 10));
    }
    repo.commit();
    for limit in [64, 16, 8] {
        let limited = format!("prlimit --nofile={limit}:{limit} $CHASM");
        for verb in ["commit tree --allow-empty", "checkout main out", "ls -R main", "fsck", "log"] {
            let run = repo.shell(&format!("{limited} {verb}"));
            assert!([0, 6].contains(&run.code()), "{run}");
        }
        if repo.path("out").exists() {
            repo.chasm("diff out main --exit-code").ok();
            fs::remove_dir_all(repo.path("out")).unwrap();
        }
    }
    repo.fsck().ok();
}

#[test]
fn w11_a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let repo = TestRepo::new();
    for n in 0..3000 {
        repo.write(&format!("a-name-that-fills-the-pipe-{n} = {n}"));
    }
    repo.commit();
    let run = repo.shell("set -o pipefail; $CHASM ls -lR main | head -1").ok();
    assert!(run.stderr.is_empty(), "{run}");
    for verb in ["ls -lR main", "log", "cat main:a-name-that-fills-the-pipe-1", "diff", "--version", "branch", "show"] {
        let run = repo.shell(&format!("$CHASM {verb} > /dev/full"));
        assert!(run.code() != 0, "{verb} succeeded\n{run}");
    }
    repo.shell("echo more > tree/more; $CHASM commit tree > /dev/full").exits(6);
}

#[test]
fn w11_no_home_no_input_and_no_temporary_directory_are_needed() {
    let repo = TestRepo::new();
    repo.write("a = 1");
    repo.shell("unset HOME USER LOGNAME; export TMPDIR=/nowhere; $CHASM commit tree <&- && $CHASM log <&-").ok();
    repo.shell("env -i $CHASM -R $PWD/repo checkout main out <&-").ok();
    assert_eq!(listing(&repo.path("out")), "a = 1\n");
    // Standard streams that are closed must not become files of the repository.
    repo.write("b = 2");
    repo.shell("$CHASM commit tree <&- >&- 2>&-");
    repo.shell("$CHASM commit tree -q <&- 2>&-").ok();
    repo.fsck().ok();
}

#[test]
fn w14_masks_change_nothing_but_who_may_enter() {
    for mask in ["0777", "0000", "0022", "0077"] {
        let repo = TestRepo::without_repository();
        repo.write("a = 1\nd/big = 40000 * b");
        repo.shell("chmod 640 tree/a; chmod 755 tree/d; chmod 604 tree/d/big").ok();
        let script = "$CHASM init --bare repo && $CHASM commit tree && $CHASM checkout main out";
        repo.shell(&format!("umask {mask}; {script}")).ok();
        let mode = |path: &str| fs::metadata(repo.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("out/a"), mode("out/d"), mode("out/d/big")), (0o640, 0o755, 0o604), "umask {mask}");
        repo.shell(&format!("umask {mask}; $CHASM commit tree --allow-empty && $CHASM fsck")).ok();
        if mask == "0000" {
            let loose = repo.shell("find repo -type d -perm -o+w; find repo -type f -perm -o+w").text();
            let loose: Vec<_> = loose.lines().filter(|line| *line != "repo").collect();
            assert!(loose.is_empty(), "anybody may write {loose:?}");
        }
    }
}

#[test]
fn w15_a_repository_may_lie_anywhere() {
    let long = "l".repeat(200);
    let deep: Vec<&str> = std::iter::repeat_n(&long[..], 19).collect();
    let deep = deep.join("/");
    let names: [&OsStr; 7] = [
        "with blanks in it".as_ref(),
        "with\nnewline".as_ref(),
        OsStr::from_bytes(b"\xff\xfe not utf-8"),
        "-rf".as_ref(),
        "trailing/".as_ref(),
        "./a/../relative".as_ref(),
        deep.as_ref(),
    ];
    for name in names {
        let repo = TestRepo::without_repository();
        repo.write("a = 1\nb = 40000 * b");
        if name.to_string_lossy().contains("a/..") {
            fs::create_dir(repo.path("a")).unwrap();
        }
        let run = |args: &[&OsStr]| {
            let mut option = OsString::from("--repo=");
            option.push(name);
            let mut command = repo.command(["log"; 0]);
            command.arg(option).args(args);
            crate::support::Run::of(command)
        };
        run(&["init".as_ref(), "--bare".as_ref()]).ok();
        for verb in [&["commit", "tree"][..], &["checkout", "main", "out"], &["checkout", "main", "out"], &["fsck"]] {
            let args: Vec<&OsStr> = verb.iter().map(OsStr::new).collect();
            run(&args).ok();
        }
        assert_eq!(listing(&repo.path("out")), "a = 1\nb = 40000 bytes\n");
    }
}

#[test]
fn w15_a_repository_may_be_reached_through_a_link() {
    let repo = TestRepo::holding("a = 1");
    repo.shell("ln -s repo link; $CHASM -R link checkout main out && $CHASM -R link commit out --allow-empty").ok();
    repo.fsck().ok();
}

#[test]
fn w15_trees_and_targets_may_have_any_name() {
    let repo = TestRepo::holding("a = 1");
    for name in [&b"with\nnewline"[..], b"\xff\xfe", b"trailing/", b"./dot"] {
        let name = OsString::from_vec(name.to_vec());
        repo.run(["checkout".as_ref(), "main".as_ref(), name.as_os_str()]).ok();
        repo.run(["commit".as_ref(), name.as_os_str(), "-bother".as_ref()]).ok();
        repo.run(["status".as_ref(), name.as_os_str(), "--exit-code".as_ref()]).ok();
    }
    repo.fsck().ok();
}

#[test]
fn a_repository_inside_the_tree_it_keeps_is_not_kept_in_itself() {
    let repo = TestRepo::without_repository();
    repo.write("a = 1");
    repo.chasm("-C tree init").ok();
    repo.chasm("-C tree commit").ok();
    assert_eq!(repo.chasm("-C tree ls main").ok().text(), "a\n");
    repo.chasm("-C tree status --exit-code").ok();
    // One of a stranger is a directory like any other, or left out; never half.
    repo.chasm("init tree/sub").ok();
    let code = repo.chasm("-C tree commit").code();
    assert!([0, 9].contains(&code));
    repo.chasm("-C tree fsck").ok();
}

#[test]
fn p12_a_read_only_repository_can_be_read_and_not_written() {
    let repo = TestRepo::holding("a = 1\nb = 40000 * b");
    repo.chasm("checkout main filled").ok();
    let Some(mount) = Mount::read_only(&repo.path("repo"), &repo.path("ro"), "a read-only repository") else { return };
    assert!(mount.path().exists());
    let chasm = |args: &str| repo.chasm(&format!("-R ro {args}"));
    for verb in ["log", "ls -R main", "cat main:b", "branch", "reflog", "diff", "show", "fsck", "status tree"] {
        chasm(verb).ok();
    }
    let run = chasm("checkout main out");
    assert!([0, 9].contains(&run.code()), "{run}");
    assert_eq!(listing(&repo.path("out")), "a = 1\nb = 40000 bytes\n");
    repo.write("c = new");
    for verb in ["commit tree", "branch x main", "tag x main", "undo", "config set commit.link true", "gc"] {
        chasm(verb).exits(6).tells_in_one_line();
    }
    drop(mount);
    repo.fsck().ok();
}

#[test]
fn k13_io_errors_are_told_and_lose_nothing() {
    let repo = TestRepo::holding("a = 1");
    let has_strace = repo.shell("strace -V >/dev/null").code() == 0;
    if !has_strace {
        could_not_run("failing system calls", "strace is missing: apt-get install strace");
        return;
    }
    for (call, error, expected) in [
        ("fsync,fdatasync,syncfs", "EIO", &[6][..]),
        ("write,pwrite64,writev", "ENOSPC", &[6]),
        ("renameat2,renameat,rename", "EDQUOT", &[6]),
        ("linkat", "EMLINK", &[0]),
        ("linkat", "EPERM", &[0]),
        ("linkat", "EXDEV", &[0]),
        ("copy_file_range", "EOPNOTSUPP", &[0]),
        ("fallocate", "EOPNOTSUPP", &[0]),
        ("read", "EINTR", &[0, 6]),
    ] {
        repo.write(&format!("n{call}{error} = {call}\nbig{error} = 50000 * {}", error.len()));
        let script = format!(
            "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:error={error}:when=3+2 $CHASM commit tree"
        );
        let run = repo.shell(&script);
        if String::from_utf8_lossy(&run.stderr).contains("ptrace") {
            could_not_run("failing system calls", "strace may not trace here");
            return;
        }
        // Reads of the loader and of the tool's own start fail as they like.
        let tolerated = run.code() == 0 || call == "read";
        assert!(expected.contains(&run.code()) || tolerated, "{call} {error}\n{run}");
        repo.fsck().ok();
        repo.chasm("commit tree --allow-empty").ok();
    }
    let links = repo.shell("strace -f -qq -o /dev/null -e inject=linkat:error=EMLINK $CHASM checkout main out").ok();
    assert!(listing(&repo.path("out")).contains("a = 1"), "{links}");
}

#[test]
fn c11_another_users_repository_can_be_read_if_modes_allow() {
    let repo = TestRepo::holding("a = 1\nb = 40000 * b");
    if !is_root() {
        could_not_run("another user's repository", "only root can become another user");
        return;
    }
    let Some(run) = crate::objects::as_nobody(&repo, "log") else { return };
    run.ok();
    repo.shell("mkdir theirs && chown 65534:65534 theirs").ok();
    let Some(run) = crate::objects::as_nobody(&repo, "checkout main theirs/out") else { return };
    assert!([0, 9].contains(&run.code()), "{run}");
    assert_eq!(listing(&repo.path("theirs/out")), "a = 1\nb = 40000 bytes\n");
    let Some(run) = crate::objects::as_nobody(&repo, "commit theirs/out") else { return };
    run.exits(6);
}
