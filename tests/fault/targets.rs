//! Where a checkout goes: links in the way, racing processes, file systems that
//! cannot do all, too many names for one inode.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::support::mount::{Mount, sh};
use crate::support::run::Running;
use crate::support::{TestRepo, could_not_run, is_root, listing};

#[test]
fn t12_a_link_where_a_directory_should_be_is_never_written_through() {
    let repo = TestRepo::holding("a = 1\nd/file = evil\nd/sub/deep = evil");
    repo.shell("mkdir out && ln -s ../canary out/d").ok();
    repo.chasm("checkout main out").exits(2).tells_in_one_line();
    repo.canary_is_untouched();
    repo.chasm("checkout main out --force").ok();
    repo.canary_is_untouched();
    assert_eq!(listing(&repo.path("out")), "a = 1\nd/\nd/file = evil\nd/sub/\nd/sub/deep = evil\n");
}

#[test]
fn t12_a_link_put_in_place_of_a_directory_of_a_checkout_is_a_local_change() {
    let repo = TestRepo::holding("a = 1\nd/file = old\nd/sub/deep = old");
    repo.chasm("checkout main out").ok();
    repo.write("d/file = newer\nd/sub/deep = newer\nd/extra = new");
    repo.commit();
    for (dir, to) in [("d", "../canary"), ("d/sub", "../../canary/etc")] {
        repo.shell(&format!("rm -rf out/{dir} && ln -s {to} out/{dir}")).ok();
        repo.chasm("checkout main out").exits(1).tells_in_one_line();
        repo.canary_is_untouched();
        repo.chasm("checkout main out --force").ok();
        repo.canary_is_untouched();
        assert_eq!(fs::read(repo.path("out/d/sub/deep")).unwrap(), b"newer");
        repo.chasm("checkout main~1 out --force").ok();
    }
}

#[test]
fn t12_the_target_itself_may_be_a_link_but_what_is_below_may_not() {
    let repo = TestRepo::holding("a = 1");
    repo.shell("mkdir real && ln -s real out").ok();
    let code = repo.chasm("checkout main out").code();
    assert!([0, 2, 6].contains(&code), "ended with {code}");
    repo.canary_is_untouched();
    repo.shell("ln -s canary link").ok();
    repo.chasm("checkout main link").exits(2);
    repo.canary_is_untouched();
}

#[test]
fn t13_a_process_that_swaps_directories_for_links_gets_nothing_written_elsewhere() {
    let repo = TestRepo::new();
    for n in 0..40 {
        repo.write(&format!("d/file{n} = evil\nd/etc/passwd{n} = evil"));
    }
    repo.commit();
    repo.write("d/file = evil\nd/etc/passwd = evil");
    repo.commit();
    repo.chasm("checkout main out").ok();
    let (dir, aside, canary) = (repo.path("out/d"), repo.path("aside"), repo.path("canary"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::rename(&dir, &aside);
                let _ = symlink(&canary, &dir);
                for _ in 0..100 {
                    std::hint::spin_loop();
                }
                let _ = fs::remove_file(&dir);
                let _ = fs::rename(&aside, &dir);
            }
        });
        for round in 0..60 {
            let rev = if round % 2 == 0 { "main~1" } else { "main" };
            let run = repo.chasm(&format!("checkout {rev} out --force --delete --allow-delete"));
            if run.code() == 101 {
                done.store(true, Ordering::Relaxed);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    repo.canary_is_untouched();
    repo.fsck().ok();
}

#[test]
fn t22_and_t27_what_gives_rights_is_made_only_when_asked_for() {
    let repo = TestRepo::new();
    repo.write("suid = 40000 * s\nplain = 1");
    fs::set_permissions(repo.path("tree/suid"), fs::Permissions::from_mode(0o6755)).unwrap();
    if is_root() {
        let done = repo.shell(
            "setcap cap_net_raw+ep tree/plain && setfattr -n trusted.x -v y tree/plain && setfacl -m u:1234:rwx tree/plain",
        );
        done.ok();
    }
    repo.chasm("commit tree --policy full").ok();
    repo.chasm("checkout main out").ok();
    let mode = |path: &str| fs::metadata(repo.path(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("out/suid"), 0o755);
    repo.chasm("checkout main strict --strict").exits(9);
    let shown = |dir: &str| repo.shell(&format!("getcap {dir}/plain; getfattr -dm - {dir}/plain")).text();
    assert!(!shown("out").contains("cap_net_raw") && !shown("out").contains("trusted.x"), "{}", shown("out"));
    repo.chasm("checkout main exact --as-is").ok();
    assert_eq!(mode("exact/suid"), 0o6755);
    if is_root() {
        assert!(shown("exact").contains("cap_net_raw") && shown("exact").contains("trusted.x"), "{}", shown("exact"));
    } else {
        could_not_run("capabilities and trusted attributes", "only root can set them");
    }
    repo.fsck().ok();
}

#[test]
fn t29_more_names_than_an_inode_can_have_go_over_to_another() {
    let repo = TestRepo::new();
    let tree = repo.path("tree");
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let many = 70_000;
    for d in 0..70 {
        let dir = tree.join(format!("d{d}"));
        fs::create_dir(&dir).unwrap();
        let first = dir.join("f0");
        fs::write(&first, "the same").unwrap();
        File::options().write(true).open(&first).unwrap().set_modified(time).unwrap();
        // Links are made faster than files, and stand for files here.
        for f in 1..many / 70 {
            fs::hard_link(&first, dir.join(format!("f{f}"))).unwrap();
        }
    }
    repo.commit();
    let report = repo.run(["checkout", "main", "out", "--json"]).ok().json();
    let mut inodes: HashMap<u64, u64> = HashMap::new();
    for d in 0..70 {
        for f in fs::read_dir(repo.path("out").join(format!("d{d}"))).unwrap() {
            let meta = f.unwrap().metadata().unwrap();
            assert_eq!((meta.len(), meta.mtime()), (8, 1_700_000_000));
            *inodes.entry(meta.ino()).or_default() += 1;
        }
    }
    assert_eq!(inodes.values().sum::<u64>(), many);
    assert!(inodes.len() >= 2, "{report:?}");
    assert!(inodes.len() < 100, "{} inodes for one content: {report:?}", inodes.len());
}

/// A file system that folds case; `None`, and a line, if there is none here.
fn folding(at: &Path) -> Option<Mount> {
    let mount = folding_in_kernel(at).or_else(|| {
        let (mkfs, mount) = ("mkntfs -F -Q -q", "lowntfs-3g -o ignore_case");
        Mount::user_space(&at.with_extension("ntfs"), mkfs, 32 << 20, mount, "case folding in user space")
    })?;
    std::fs::create_dir_all(mount.path().join("fold")).ok()?;
    Some(mount)
}

fn folding_in_kernel(at: &Path) -> Option<Mount> {
    let what = "case folding in the kernel";
    let mkfs = "mkfs.ext4 -q -O casefold -E encoding=utf8";
    let mount = Mount::image(at, mkfs, 64 << 20, "", what)?;
    match sh(&format!("mkdir '{0}/fold' && chattr +F '{0}/fold'", at.display())) {
        Ok(()) => Some(mount),
        Err(why) => {
            could_not_run(what, &why);
            None
        }
    }
}

#[test]
fn t9_names_that_differ_in_case_alone_collide_loudly_where_case_is_folded() {
    let repo = TestRepo::holding("README = upper\nreadme = lower\nother = o\nDir/x = 1\ndir/y = 2");
    repo.chasm("checkout main out").ok();
    assert_eq!(listing(&repo.path("out")).lines().count(), 7);
    let Some(mount) = folding(&repo.path("mnt")) else { return };
    let target = mount.path().join("fold/out");
    let run = repo.run(["checkout".as_ref(), "main".as_ref(), target.as_os_str()]);
    assert!([3, 9].contains(&run.code()), "{run}");
    let mut run = run.names("readme");
    // A file system that forgets how names were written cannot tell the other one.
    if !mount.path().ends_with("mnt.ntfs") {
        run = run.names("README");
    }
    if target.exists() {
        let content = fs::read_to_string(target.join("README")).unwrap();
        assert!(["upper", "lower"].contains(&&content[..]), "{content}\n{run}");
        let names = fs::read_dir(&target).unwrap().count();
        assert!(names <= 3, "{names} names where case is folded");
    }
}

#[test]
fn a_target_that_is_not_empty_is_refused() {
    let repo = TestRepo::holding("a = 1");
    repo.shell("mkdir out && echo mine > out/mine").ok();
    repo.chasm("checkout main out").exits(2).tells_in_one_line();
    assert_eq!(listing(&repo.path("out")), "mine = mine\n\n");
    repo.chasm("checkout main tree/a").exits(2);
    repo.chasm("checkout main missing/below").exits(6).names("missing");
    repo.shell("mkdir empty").ok();
    repo.chasm("checkout main empty").ok();
    assert_eq!(listing(&repo.path("empty")), "a = 1\n");
}

#[test]
fn local_changes_are_found_and_nothing_is_touched() {
    let repo = TestRepo::holding("a = 1\nb = 1\nc = 1\nd/e = 1");
    repo.chasm("checkout main out --copy").ok();
    repo.write("a = 2\nb = 2\nz = 2");
    repo.commit();
    fs::write(repo.path("out/b"), "my own").unwrap();
    fs::write(repo.path("out/foreign"), "mine").unwrap();
    let before = listing(&repo.path("out"));
    repo.chasm("checkout main out").exits(1).names("b");
    assert_eq!(listing(&repo.path("out")), before);
    repo.chasm("checkout main out --force").ok();
    assert_eq!(listing(&repo.path("out")), "a = 2\nb = 2\nc = 1\nd/\nd/e = 1\nforeign = mine\nz = 2\n");
    repo.chasm("checkout main out --delete").ok();
    assert!(!repo.path("out/foreign").exists());
}

#[test]
fn a_pool_on_another_file_system_is_copied_from() {
    let repo = TestRepo::holding("a = 1\nb = 40000 * b");
    let Some(mount) = Mount::tmpfs(&repo.path("mnt"), "size=32m", "a target on another file system") else { return };
    let target = mount.path().join("out");
    repo.run(["checkout".as_ref(), "main".as_ref(), target.as_os_str()]).ok();
    assert_eq!(listing(&target), "a = 1\nb = 40000 bytes\n");
    let strict = mount.path().join("strict");
    let args = ["checkout".as_ref(), "main".as_ref(), strict.as_os_str(), "--require-link".as_ref()];
    repo.run(args).exits(6).tells_in_one_line();
    assert!(!strict.exists());
    // And a tree that is linked in from there.
    let run = repo.run(["commit".as_ref(), target.as_os_str(), "--link".as_ref(), "-bother".as_ref()]);
    run.ok();
    repo.fsck().ok();
}

#[test]
fn k12_a_target_without_space_fails_in_words_and_leaves_nothing() {
    let repo = TestRepo::holding("a = 1\nb = 3000000 * b\nc = 3000000 * c");
    let Some(mount) = Mount::tmpfs(&repo.path("mnt"), "size=4m", "a full target") else { return };
    let target = mount.path().join("out");
    repo.run(["checkout".as_ref(), "main".as_ref(), target.as_os_str()]).exits(6).tells_in_one_line();
    assert_eq!(listing(mount.path()), "");
    sh(&format!("mount -o remount,size=16m '{}'", mount.path().display())).unwrap();
    repo.run(["checkout".as_ref(), "main".as_ref(), target.as_os_str()]).ok();
}

#[test]
fn k12_a_repository_without_space_fails_in_words_and_goes_on_when_there_is_some() {
    let repo = TestRepo::without_repository();
    let at = repo.path("mnt");
    let Some(mount) = Mount::tmpfs(&at, "size=2m", "a full repository") else { return };
    let chasm = |args: &str| repo.chasm(&format!("-R mnt/repo {args}"));
    repo.chasm("init --bare mnt/repo").ok();
    repo.write("a = 1");
    chasm("commit tree").ok();
    let before = chasm("log --ids").ok().line();
    repo.write("big = 3000000 * b");
    chasm("commit tree").exits(6).names("space");
    assert_eq!(chasm("log --ids").ok().line(), before);
    chasm("fsck").ok();
    sh(&format!("mount -o remount,size=16m '{}'", mount.path().display())).unwrap();
    chasm("commit tree").ok();
    chasm("fsck").ok();
}

#[test]
fn k9_an_interrupted_checkout_leaves_nothing_half() {
    let repo = TestRepo::new();
    for n in 0..3000 {
        repo.write(&format!("d{}/f{n} = {n}", n % 40));
    }
    repo.write("big = 60000000 * z");
    repo.commit();
    let mut interrupted = 0;
    for round in 0..8 {
        let running = Running::start(repo.command(["checkout", "main", "out", "--copy"]));
        std::thread::sleep(Duration::from_millis(10 + 20 * round));
        running.signal(rustix::process::Signal::INT);
        let sent = Instant::now();
        let run = running.wait();
        assert!(sent.elapsed().as_secs() < 5, "{run}");
        if run.code() == 0 {
            break;
        }
        assert_eq!(run.code(), 130, "{run}");
        interrupted += 1;
        assert!(!repo.path("out").exists(), "a part was left\n{run}");
    }
    assert!(interrupted > 0, "it was too fast to be interrupted");
    let _ = fs::remove_dir_all(repo.path("out"));
    repo.chasm("checkout main out").ok();
    repo.chasm("diff out main --exit-code").ok();
    assert_eq!(repo.leftovers(), ["out"]);
}

#[test]
fn k9_an_interrupted_update_goes_on_where_it_was() {
    let repo = TestRepo::new();
    for n in 0..3000 {
        repo.write(&format!("d{}/f{n} = old {n}", n % 40));
    }
    repo.commit();
    repo.chasm("checkout main out").ok();
    for n in 0..3000 {
        repo.write(&format!("d{}/f{n} = newer {n}", n % 40));
    }
    repo.commit();
    for round in 0..6 {
        let running = Running::start(repo.command(["checkout", "main", "out"]));
        std::thread::sleep(Duration::from_millis(20 + 30 * round));
        running.signal(rustix::process::Signal::INT);
        let run = running.wait();
        assert!([0, 130].contains(&run.code()), "{run}");
    }
    repo.chasm("checkout main out").ok();
    repo.chasm("diff out main --exit-code").ok();
    for n in (0..3000).step_by(97) {
        let content = fs::read_to_string(repo.path(format!("out/d{}/f{n}", n % 40))).unwrap();
        assert_eq!(content, format!("newer {n}"));
    }
}
