//! W: what can be wrong with a tree that is to be committed, and what changes
//! while chasm looks at it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::objects::as_nobody;
use crate::support::mount::Mount;
use crate::support::run::Running;
use crate::support::{TestRepo, is_root, listing};

/// Runs `disturb` again and again while commands run; gives what the last said.
fn meanwhile<T>(disturb: impl Fn() + Sync, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|e| std::panic::resume_unwind(e))
    })
}

#[test]
fn w1_a_file_that_grows_while_it_is_read_is_never_stored_half() {
    let repo = TestRepo::holding("a = 1");
    repo.write("log = 3000000 * z\nb = 2");
    let log = repo.path("tree/log");
    let grow = || {
        let file = File::options().append(true).open(&log).unwrap();
        file.write_at(b"more", 0).unwrap();
        if file.metadata().unwrap().len() > 30_000_000 {
            file.set_len(3_000_000).unwrap();
        }
        // Slow enough that the file is not simply longer each time it is looked at.
        std::thread::sleep(Duration::from_micros(50));
    };
    let run = meanwhile(grow, || repo.chasm("commit tree --allow-delete"));
    assert!([0, 9].contains(&run.code()), "{run}");
    if run.code() == 9 {
        run.names("log");
    }
    repo.fsck().ok();
    repo.commit();
    repo.fsck().ok();
}

#[test]
fn w1_a_file_rewritten_in_place_while_it_is_read_is_listed() {
    let repo = TestRepo::holding("a = 1");
    repo.write("busy = 20000000 * z\nb = 2");
    let file = File::options().write(true).open(repo.path("tree/busy")).unwrap();
    let rewrite = || {
        file.write_all_at(b"yyyy", 19_999_000).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    };
    for how in ["", "--link"] {
        let run = meanwhile(rewrite, || repo.run(["commit", "tree", how].iter().filter(|arg| !arg.is_empty())));
        run.exits(9).names("busy");
        repo.fsck().ok();
    }
    repo.commit();
    repo.fsck().ok();
}

#[test]
fn w2_names_that_come_and_go_during_the_walk_are_listed_or_left_out() {
    let repo = TestRepo::holding("a = 1");
    for n in 0..200 {
        repo.write(&format!("d{n}/f = {n}"));
    }
    let tree = repo.path("tree");
    let shuffle = || {
        for n in (0..200).step_by(7) {
            let (dir, aside) = (tree.join(format!("d{n}")), tree.join(format!("aside{n}")));
            let _ = fs::rename(&dir, &aside);
            let _ = symlink("/", &dir);
            let _ = fs::remove_file(&dir);
            let _ = fs::rename(&aside, &dir);
        }
    };
    for _ in 0..10 {
        let run = meanwhile(shuffle, || repo.chasm("commit tree --allow-delete --allow-empty"));
        assert!([0, 9].contains(&run.code()), "{run}");
        assert!(!repo.chasm("ls -R main").ok().text().contains("etc/passwd"), "something outside was read");
    }
    repo.fsck().ok();
    repo.commit();
    assert_eq!(repo.chasm("ls main").ok().text().lines().count(), 201);
}

#[test]
fn w3_a_directory_that_becomes_a_link_to_elsewhere_is_not_followed() {
    let repo = TestRepo::holding("a = 1");
    repo.write("d/sub/inner = mine");
    let (dir, aside) = (repo.path("tree/d"), repo.path("aside"));
    let canary = repo.path("canary");
    let swap = || {
        let _ = fs::rename(&dir, &aside);
        let _ = symlink(&canary, &dir);
        let _ = fs::remove_file(&dir);
        let _ = fs::rename(&aside, &dir);
    };
    for _ in 0..40 {
        meanwhile(swap, || repo.chasm("commit tree --allow-empty --allow-delete"));
        let listed = repo.chasm("ls -R main").ok().text();
        assert!(!listed.contains("passwd") && !listed.contains("d/file"), "the canary was read:\n{listed}");
    }
    repo.fsck().ok();
}

#[test]
fn w5_what_may_not_be_read_fails_the_commit_and_is_named() {
    for (name, is_dir) in [("secret", false), ("closed", true)] {
        let repo = TestRepo::holding("a = 1");
        repo.write("secret = s\nclosed/inner = c\nz = 1");
        let path = repo.path("tree").join(name);
        let mode = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
        let before = repo.chasm("log --ids").ok().line();
        let run = if is_root() {
            let own = repo.shell("chown -R 65534:65534 repo && cp -a tree theirs && chmod 755 theirs");
            own.ok();
            as_nobody(&repo, "commit theirs")
        } else {
            Some(repo.chasm("commit tree"))
        };
        if let Some(run) = run {
            run.exits(6).names(name).tells_in_one_line();
        }
        fs::set_permissions(&path, mode).unwrap();
        assert_eq!(repo.chasm("log --ids").ok().line(), before, "a commit was made (directory: {is_dir})");
        repo.commit();
        repo.fsck().ok();
    }
}

#[test]
fn w6_another_file_system_inside_the_tree_is_not_entered_unless_asked_for() {
    let repo = TestRepo::holding("a = 1");
    let at = repo.path("tree/mounted");
    let Some(mount) = Mount::tmpfs(&at, "size=1m", "a mount inside the tree") else { return };
    fs::write(mount.path().join("inside"), "x").unwrap();
    repo.commit();
    assert!(!repo.chasm("ls -R main").ok().text().contains("inside"));
    repo.chasm("commit tree --cross-mounts").ok();
    assert!(repo.chasm("ls -R main").ok().text().contains("mounted/inside"));
}

#[test]
fn w6_a_mount_that_is_missing_does_not_delete_what_was_on_it() {
    let repo = TestRepo::new();
    for n in 0..150 {
        repo.write(&format!("pool/f{n} = {n}"));
    }
    repo.commit();
    let before = repo.chasm("log --ids").ok().line();
    fs::rename(repo.path("tree/pool"), repo.path("aside")).unwrap();
    repo.write("pool/");
    repo.chasm("commit tree").exits(1).tells_in_one_line();
    assert_eq!(repo.chasm("log --ids").ok().line(), before);
    repo.chasm("commit tree --allow-delete").ok();
    repo.chasm("commit nowhere").exits(6).names("nowhere");
}

#[test]
fn w7_fifos_sockets_and_devices_are_recorded_without_being_opened() {
    let repo = TestRepo::new();
    repo.write("a = 1");
    let tree = repo.path("tree");
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(rustix::fs::CWD, tree.join(name), kind, Mode::from_raw_mode(0o644), device)
    };
    node("pipe", rustix::fs::FileType::Fifo, 0).unwrap();
    drop(std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap());
    if is_root() {
        node("device", rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3)).unwrap();
        node("whiteout", rustix::fs::FileType::CharacterDevice, 0).unwrap();
    }
    let run = repo.chasm("commit tree").ok();
    assert!(run.took.as_secs() < 20, "{run}");
    assert_eq!(repo.chasm("ls main").ok().text(), "a\n");
    repo.chasm("commit tree --policy unix").ok();
    let names = repo.chasm("ls main").ok().text();
    assert!(names.contains("pipe") && names.contains("socket"), "{names}");
    // T23: made only when asked for.
    repo.chasm("checkout main plain").ok();
    assert_eq!(listing(&repo.path("plain")), "a = 1\n");
    repo.chasm("checkout main strict --strict").exits(9);
    if is_root() {
        repo.chasm("checkout main exact --as-is").ok();
        let made = listing(&repo.path("exact"));
        for name in ["device", "pipe", "socket", "whiteout"] {
            assert!(made.contains(&format!("{name} special")), "{made}");
        }
        let device = rustix::fs::statat(rustix::fs::CWD, repo.path("exact/device"), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        assert_eq!(device.st_rdev, rustix::fs::makedev(1, 3));
    }
    repo.fsck().ok();
}

#[test]
fn w8_a_change_within_the_same_tick_as_the_commit_is_seen() {
    let repo = TestRepo::new();
    for n in 0..30 {
        repo.write(&format!("f = {n:04}"));
        let mtime = fs::metadata(repo.path("tree/f")).unwrap().modified().unwrap();
        repo.commit();
        // The same length, and the very time it had.
        repo.write(&format!("f = {:04}", n + 5000));
        File::options().write(true).open(repo.path("tree/f")).unwrap().set_modified(mtime).unwrap();
        repo.commit();
        let stored = repo.chasm("cat main:f").ok().text();
        assert_eq!(stored, format!("{:04}", n + 5000), "a racy change was missed");
    }
}

#[test]
fn w10_language_and_time_zone_change_nothing() {
    let repo = TestRepo::new();
    repo.write("I = 1\ni = 2\n\u{e4} = 3\nz = 4\n_ = 5");
    let id = repo.commit();
    let plain = repo.chasm("ls -lR main").ok().stdout;
    for (locale, zone) in [("C.UTF-8", "Asia/Tokyo"), ("tr_TR.UTF-8", "America/New_York"), ("", "Nowhere/At/All")] {
        let mut command = repo.command(["ls", "-lR", "main"]);
        command.env("LC_ALL", locale).env("LANG", locale).env("TZ", zone);
        assert_eq!(crate::support::Run::of(command).ok().stdout, plain, "{locale} {zone}");
    }
    assert_eq!(repo.commit(), id, "nothing had changed");
}

#[test]
fn t10_names_of_all_bytes_come_back_exactly() {
    let repo = TestRepo::new();
    let tree = repo.path("tree");
    let mut names: Vec<Vec<u8>> = (1..=255u8).filter(|byte| !b"/.".contains(byte)).map(|byte| vec![byte]).collect();
    names.extend(
        [&b"-rf"[..], b"\xff\xfe", b"a\nb", b"\x1b[31mred", b"\xe2\x80\xaegpj.exe", b"..."].map(<[u8]>::to_vec),
    );
    names.push(vec![0xfe; 255]);
    for name in &names {
        fs::write(tree.join(OsString::from_vec(name.clone())), name).unwrap();
    }
    repo.commit();
    repo.chasm("checkout main out").ok();
    for name in &names {
        let made = fs::read(repo.path("out").join(OsString::from_vec(name.clone())));
        assert_eq!(made.ok().as_ref(), Some(name), "{name:?}");
    }
    let shown = repo.chasm("ls -lR main").ok();
    assert!(
        !shown.stdout.iter().any(|&byte| byte < 0x20 && byte != b'\n'),
        "control bytes reach the terminal\n{shown}"
    );
    assert_eq!(repo.chasm("ls -R main --json").ok().json().len(), names.len());
    repo.chasm("diff out main --exit-code").ok();
}

/// Makes directories below each other by handles, as no path is long enough.
fn make_deep(root: &Path, levels: usize, name: &str) {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o755)).unwrap();
        dir = rustix::fs::openat(&dir, name, flags, Mode::empty()).unwrap();
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&dir, "bottom", flags, Mode::from_raw_mode(0o644)).unwrap();
    rustix::io::write(file, b"deep").unwrap();
}

/// Reads what [`make_deep`] has made.
pub fn read_deep(root: &Path, levels: usize, name: &str) -> Vec<u8> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut dir = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        dir = rustix::fs::openat(&dir, name, flags, Mode::empty()).unwrap();
    }
    let file = rustix::fs::openat(&dir, "bottom", OFlags::RDONLY, Mode::empty()).unwrap();
    let mut buffer = [0; 10];
    let length = rustix::io::read(file, &mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn t16_a_tree_deeper_than_4096_is_refused_in_words() {
    let repo = TestRepo::holding("a = 1");
    make_deep(&repo.path("tree"), 5000, "d");
    repo.chasm("commit tree").exits(2).tells_in_one_line();
    repo.shell("rm -rf tree/d").ok();
    repo.commit();
    repo.fsck().ok();
}

#[test]
fn t17_a_path_beyond_path_max_goes_round() {
    let repo = TestRepo::holding("a = 1");
    let name = "n".repeat(200);
    make_deep(&repo.path("tree"), 60, &name);
    make_deep(&repo.path("tree"), 1500, "d");
    repo.commit();
    repo.chasm("checkout main out").ok();
    assert_eq!(read_deep(&repo.path("out"), 60, &name), b"deep");
    assert_eq!(read_deep(&repo.path("out"), 1500, "d"), b"deep");
    repo.chasm("diff out main --exit-code").ok();
    repo.chasm("commit out -b again").ok();
    let tree = |rev: &str| repo.run(["show", rev, "--json"]).ok().json()[0]["tree"].clone();
    assert_eq!(tree("again"), tree("main"));
    repo.fsck().ok();
}

#[test]
fn w13_a_deep_tree_needs_no_deep_stack() {
    let repo = TestRepo::holding("a = 1");
    make_deep(&repo.path("tree"), 3000, "d");
    repo.shell("ulimit -s 1024; $CHASM commit tree && $CHASM checkout main out && $CHASM ls -R main >/dev/null").ok();
}

#[test]
fn w4_a_directory_moved_about_during_the_walk_ends_the_walk() {
    let repo = TestRepo::holding("a = 1");
    for n in 0..50 {
        repo.write(&format!("one/d{n}/f = {n}\ntwo/e{n}/g = {n}"));
    }
    let tree = repo.path("tree");
    let begun = Instant::now();
    let roam = || {
        let _ = fs::rename(tree.join("one/d7"), tree.join("two/d7"));
        let _ = fs::rename(tree.join("two/d7"), tree.join("one/d7"));
    };
    for _ in 0..10 {
        let run = meanwhile(roam, || repo.chasm("commit tree --allow-empty"));
        assert!([0, 9].contains(&run.code()), "{run}");
    }
    assert!(begun.elapsed().as_secs() < 60);
    repo.fsck().ok();
}

#[test]
fn k9_an_interrupted_commit_leaves_nothing_half() {
    let repo = TestRepo::holding("a = 1");
    let before = repo.chasm("log --ids").ok().line();
    for n in 0..4000 {
        repo.write(&format!("d{}/f{n} = {n}", n % 40));
    }
    repo.write("big = 60000000 * z");
    let mut interrupted = 0;
    for (round, signal) in [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        let running = Running::start(repo.command(["commit", "tree"]));
        std::thread::sleep(Duration::from_millis(10 + 15 * round as u64));
        running.signal(signal);
        let sent = Instant::now();
        let run = running.wait();
        assert!(sent.elapsed().as_secs() < 5, "{run}");
        if run.code() == 0 {
            break;
        }
        // The very first instants of a program belong to the system.
        assert!([130, 143, 129].contains(&run.code()), "{run}");
        interrupted += 1;
        assert_eq!(repo.chasm("log --ids").ok().line(), before);
        repo.fsck().ok();
    }
    assert!(interrupted > 0, "it was too fast to be interrupted");
    repo.commit();
    assert_eq!(repo.files("incoming", "").len(), 0);
    repo.fsck().ok();
}
