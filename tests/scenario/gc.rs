//! What gc keeps, what it frees, and what others see meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use chasm::id::Kind;
use chasm::monitor::Silent;
use chasm::odb;
use chasm::repo::GcOptions;
use jiff::{Timestamp, ToSpan};

use crate::support::{Fixture, PATIENCE, commit_with, noise, options};

/// Two branches that share most of what they hold.
fn two_branches() -> (Fixture, chasm::id::CommitId, chasm::id::CommitId) {
    let fixture = Fixture::new();
    for i in 0..700 {
        fixture.write(&format!("wide/f{i:03}"), format!("content {i}").as_bytes());
    }
    fixture.write("big", &noise(1, 100_000));
    let main = fixture.commit("main");
    fixture.write("big", &noise(2, 200_000));
    fixture.write("wide/f001", b"another");
    fixture.write("only/here", b"on the side");
    fixture.set_branch("side", Some(main));
    let side = fixture.commit("side");
    (fixture, main, side)
}

fn main_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![("big", noise(1, 100_000)), ("wide/f001", b"content 1".to_vec()), ("wide/f699", b"content 699".to_vec())]
}

fn assert_main(fixture: &Fixture, main: chasm::id::CommitId) {
    let files = main_files();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, &bytes[..])).collect();
    fixture.assert_whole(main, &files);
}

#[test]
fn what_refs_need_stays_and_the_rest_is_freed_at_once_without_grace() {
    let (fixture, main, side) = two_branches();
    let nothing = fixture.gc(&options(0));
    assert_eq!((nothing.out.unreferenced, nothing.out.packs_removed), (0, 0));
    fixture.assert_whole(side, &[("only/here", b"on the side")]);
    fixture.delete_branch("side");
    let before = fixture.files("");
    let dry = fixture.gc(&GcOptions { dry_run: true, ..options(0) });
    assert_eq!(fixture.files(""), before);
    let report = fixture.gc(&options(0));
    assert_eq!(dry.out.unreferenced, report.out.unreferenced);
    assert!(report.out.bytes_out - report.out.bytes_in >= 200_000, "{report:?}");
    assert_eq!(report.waiting.files, 0);
    assert_main(&fixture, main);
    fixture.assert_clean();
    let odb = fixture.reopen();
    assert!(!odb.odb().contains(Kind::Commit, &side.0).unwrap());
    assert!(!fixture.fsck().problems.iter().any(|problem| problem.what.contains("unreferenced")));
}

#[test]
fn with_grace_things_wait_in_the_trash_and_can_be_moved_back() {
    let (fixture, main, side) = two_branches();
    fixture.delete_branch("side");
    let now = Timestamp::now();
    let day = GcOptions { now, ..options(24 * 3600) };
    let report = fixture.gc(&day);
    assert!(report.waiting.files > 0 && report.deleted.files == 0, "{report:?}");
    assert!(report.waiting.bytes >= 200_000);
    assert_main(&fixture, main);
    // What lies there is what lay in the repository: moving it back revives it.
    let trash = fixture.repo_path().join("trash").join(now.as_second().to_string());
    for file in fixture.files("trash") {
        let back = fixture.repo_path().join(file.strip_prefix(&trash).unwrap());
        assert!(!back.exists());
        fs::rename(file, back).unwrap();
    }
    fixture.set_branch("side", Some(side));
    fixture.assert_whole(side, &[("only/here", b"on the side"), ("wide/f001", b"another")]);
    fixture.assert_clean();

    fixture.delete_branch("side");
    fixture.gc(&GcOptions { now: now + 1.second(), ..day });
    let early = fixture.gc(&GcOptions { now: now + 23.hours(), ..day });
    assert_eq!(early.deleted.files, 0);
    let late = fixture.gc(&GcOptions { now: now + 25.hours(), ..day });
    assert!(late.deleted.files > 0 && late.waiting.files == 0, "{late:?}");
    assert_main(&fixture, main);
    fixture.assert_clean();
}

#[test]
fn the_journal_and_checkouts_keep_commits() {
    let (fixture, _, side) = two_branches();
    fixture.delete_branch("side");
    let kept = GcOptions { retention: Some(Duration::from_secs(3600)), ..options(0) };
    fixture.gc(&kept);
    fixture.assert_whole(side, &[("only/here", b"on the side")]);
    let target = fixture.checkout(side, "held");
    fixture.gc(&options(0));
    fixture.assert_whole(side, &[("only/here", b"on the side")]);
    fs::remove_dir_all(target).unwrap();
    fixture.gc(&options(0));
    assert!(!fixture.reopen().odb().contains(Kind::Commit, &side.0).unwrap());
    fixture.assert_clean();
    // The journal still names it; that it is gone is no damage.
    fixture.gc(&kept);
}

#[test]
fn a_tree_that_is_live_survives_the_base_it_is_a_delta_of() {
    let (fixture, main, side) = two_branches();
    // Its trees are deltas against those of main's commit, which goes away: a
    // commit of the same tree without parents takes its place.
    let orphan = fixture.commit("orphan");
    fixture.delete_branch("side");
    fixture.set_branch("main", Some(orphan));
    fixture.gc(&options(0));
    let repository = fixture.reopen();
    assert!(!repository.odb().contains(Kind::Commit, &main.0).unwrap());
    assert!(!repository.odb().contains(Kind::Commit, &side.0).unwrap());
    fixture.assert_whole(orphan, &[("only/here", b"on the side"), ("wide/f002", b"content 2")]);
    fixture.assert_clean();
    assert!(!fixture.fsck().problems.iter().any(|problem| problem.what.contains("unreferenced")));
}

#[test]
fn having_a_tree_means_having_its_blobs_after_gc_too() {
    let (fixture, _, _) = two_branches();
    fixture.delete_branch("side");
    fixture.gc(&options(0));
    // The same state again, its files known from the checksum cache.
    let again = fixture.commit("side");
    fixture.assert_whole(again, &[("only/here", b"on the side"), ("big", &noise(2, 200_000))]);
    fixture.assert_clean();
}

#[test]
fn a_writer_that_waited_for_gc_does_not_believe_in_what_is_gone() {
    let (fixture, _, _) = two_branches();
    // Opened before: its list of packs is the old one.
    let writer = fixture.reopen();
    fixture.delete_branch("side");
    fixture.gc(&options(0));
    let again = commit_with(&writer, &fixture.tree(), "side", PATIENCE).unwrap();
    fixture.assert_whole(again, &[("only/here", b"on the side"), ("big", &noise(2, 200_000))]);
    fixture.assert_clean();
}

#[test]
fn gc_waits_for_writers_and_says_so() {
    let (fixture, _, side) = two_branches();
    fixture.delete_branch("side");
    let writer = fixture.reopen();
    let lock = writer.odb().lock_for_writing(PATIENCE).unwrap();
    let hasty = GcOptions { patience: Duration::from_millis(50), ..options(0) };
    let busy = fixture.reopen().gc(&hasty, &Silent).unwrap_err();
    assert!(matches!(busy, chasm::repo::Error::Odb(odb::Error::Busy(_))), "{busy}");
    // The writer makes the old commit live again before it lets go.
    let gc = std::thread::spawn({
        let repository = fixture.reopen();
        move || repository.gc(&options(0), &Silent).unwrap()
    });
    std::thread::sleep(Duration::from_millis(300));
    fixture.set_branch("side", Some(side));
    drop(lock);
    gc.join().unwrap();
    fixture.assert_whole(side, &[("only/here", b"on the side"), ("big", &noise(2, 200_000))]);
    fixture.assert_clean();
}

#[test]
fn commits_go_on_beside_gc_and_nothing_of_them_is_lost() {
    let (fixture, main, _) = two_branches();
    fixture.delete_branch("side");
    let repository = fixture.reopen();
    let gc = std::thread::spawn(move || {
        for _ in 0..15 {
            repository.gc(&options(0), &Silent).unwrap();
        }
    });
    for round in 0..8 {
        fixture.write("big", &noise(2 + round % 3, 200_000));
        fixture.write("wide/f001", format!("round {}", round % 2).as_bytes());
        let writer = fixture.reopen();
        let id =
            commit_with(&writer, &fixture.tree(), &format!("side-{}", round % 3), Duration::from_secs(60)).unwrap();
        let read = writer.odb().commit(id).unwrap();
        assert!(writer.odb().contains(Kind::Tree, &read.tree.0).unwrap());
        if round % 3 == 2 {
            fixture.delete_branch("side-0");
        }
    }
    gc.join().unwrap();
    assert_main(&fixture, main);
    fixture.assert_clean();
}

#[test]
fn a_reader_that_misses_a_pack_finds_the_new_one() {
    let (fixture, main, _) = two_branches();
    let reader = fixture.reopen();
    fixture.delete_branch("side");
    fixture.gc(&options(0));
    let second = fixture.reopen();
    fixture.write("new", b"more");
    fixture.commit("other");
    fixture.delete_branch("other");
    fixture.gc(&options(0));
    for repository in [reader, second] {
        let target = tempfile::tempdir_in(fixture.path()).unwrap();
        let commit = repository.commit(main).unwrap();
        let to = target.path().join("co");
        chasm::worktree::checkout::create(repository.odb(), &commit, &to, &Default::default(), &Silent).unwrap();
        assert_eq!(fs::read(to.join("big")).unwrap(), noise(1, 100_000));
    }
}

#[test]
fn placement_caches_go_and_the_last_copy_stays() {
    let fixture = Fixture::new();
    fixture.write("small", b"small content");
    fixture.write("big", &noise(1, 100_000));
    let id = fixture.commit("main");
    let co = fixture.checkout(id, "co");
    fs::remove_dir_all(fixture.tree().join("big")).ok();
    // Another mode: the pool file no longer serves, a twin does.
    fixture.write("big", &noise(1, 100_000));
    fs::set_permissions(fixture.tree().join("big"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let second = fixture.commit("main");
    let co2 = fixture.checkout(second, "co2");
    let before = fixture.files("pool").len();
    assert_eq!(fixture.gc(&options(0)).out.spares, 0, "checkouts use them");
    assert_eq!(fixture.files("pool").len(), before);
    fs::remove_dir_all(co).unwrap();
    fs::remove_dir_all(co2).unwrap();
    let report = fixture.gc(&options(0));
    assert!(report.out.spares > 0, "{report:?}");
    let left = fixture.files("pool");
    assert_eq!(left.len(), 1, "the plain file of the big blob: {left:?}");
    assert_eq!(fs::metadata(&left[0]).unwrap().nlink(), 1);
    fixture.assert_whole(id, &[("small", b"small content"), ("big", &noise(1, 100_000))]);
    fixture.assert_clean();
}

#[test]
fn a_twin_stays_when_the_plain_file_is_damaged() {
    let fixture = Fixture::new();
    fixture.write("big", &noise(1, 100_000));
    let first = fixture.commit("main");
    fs::set_permissions(fixture.tree().join("big"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let second = fixture.commit("main");
    assert_ne!(first, second);
    let co = fixture.checkout(second, "co");
    fs::remove_dir_all(co).unwrap();
    let files = fixture.files("pool");
    assert_eq!(files.len(), 2, "{files:?}");
    fs::write(&files[0], noise(9, 100_000)).unwrap();
    fixture.gc(&options(0));
    assert_eq!(fixture.files("pool").len(), 2);
}

#[test]
fn gc_refuses_when_it_cannot_tell_what_is_needed() {
    let (fixture, _, _) = two_branches();
    let files = fixture.files("pool").len();
    for pack in fixture.files("packs").into_iter().filter(|path| path.extension().is_some_and(|e| e == "pack")) {
        let mut bytes = fs::read(&pack).unwrap();
        if bytes[9] == 1 {
            let middle = bytes.len() / 2;
            bytes[60..middle].fill(0);
            fs::write(&pack, bytes).unwrap();
        }
    }
    fixture.delete_branch("side");
    assert!(fixture.reopen().gc(&options(0), &Silent).is_err());
    assert_eq!(fixture.files("pool").len(), files);
}

#[test]
fn what_a_killed_gc_leaves_is_made_good_by_the_next() {
    let (fixture, main, _) = two_branches();
    fixture.delete_branch("side");
    // Killed after the index of a pack was moved away, before the pack was.
    let clone = |name: &str| {
        let to = fixture.path().join(name);
        copy_all(&fixture.repo_path(), &to);
        to
    };
    let before = clone("before");
    fixture.gc(&options(0));
    for file in fixture.files("packs") {
        // Killed after the new packs got their names, before the old ones went.
        fs::copy(&file, before.join("packs").join(file.file_name().unwrap())).unwrap();
    }
    let old: Vec<_> = fs::read_dir(before.join("packs")).unwrap().map(|e| e.unwrap().path()).collect();
    let dead = old.iter().find(|path| {
        let new = fixture.repo_path().join("packs").join(path.file_name().unwrap());
        path.extension().is_some_and(|e| e == "idx") && !new.exists()
    });
    fs::remove_file(dead.unwrap()).unwrap();
    fs::create_dir_all(before.join("incoming/1-dead")).unwrap();
    fs::write(before.join("incoming/1-dead/lock"), b"").unwrap();
    fs::write(before.join("incoming/1-dead/0"), b"half a pack").unwrap();
    let repository = chasm::repo::Repository::open(&before).unwrap();
    repository.gc(&options(0), &Silent).unwrap();
    let names = |path: &std::path::Path| {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&before.join("packs")), names(&fixture.repo_path().join("packs")));
    assert!(names(&before.join("incoming")).is_empty());
    let report = repository.fsck(&Default::default(), &Silent).unwrap();
    assert_eq!(crate::support::serious(&report).count(), 0);
    assert!(repository.commit(main).is_ok());
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_rewritten_stays_with_all_it_refers_to() {
    let (fixture, main, side) = two_branches();
    fixture.delete_branch("side");
    // The pack with side's trees can be read, but not trusted as a whole.
    let pack = fixture.files("packs").into_iter().find(|path| {
        let bytes = fs::read(path).unwrap();
        let repository = fixture.reopen();
        let holds = |pack: &odb::pack::Pack| pack.find(Kind::Commit, &side.0).unwrap().is_some();
        let id = repository.odb().packs().iter().find(|pack| holds(pack)).unwrap().id().to_string();
        bytes.starts_with(b"CHASMPCK") && path.to_string_lossy().contains(&id)
    });
    let pack = pack.unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    let monitor = chasm::monitor::Collector::default();
    fixture.reopen().gc(&options(0), &monitor).unwrap();
    assert!(monitor.take_findings().iter().any(|finding| finding.partial));
    assert!(pack.exists());
    fixture.assert_whole(side, &[("only/here", b"on the side"), ("big", &noise(2, 200_000))]);
    assert_main(&fixture, main);
}

#[test]
fn a_pack_that_lost_its_index_is_not_thrown_away_while_it_is_needed() {
    let (fixture, _, _) = two_branches();
    let contents = fixture.files("packs").into_iter().filter(|path| fs::read(path).unwrap()[9] == 0);
    for path in contents.filter(|path| path.extension().is_some_and(|e| e == "idx")) {
        fs::remove_file(path).unwrap();
    }
    let before = fixture.files("packs");
    fixture.gc(&options(0));
    assert_eq!(fixture.files("packs"), before);
    assert!(fixture.fsck().is_damaged());
}
