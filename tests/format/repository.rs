//! Repositories that released versions have written.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chasm::disk::Dir;
use chasm::id::{Kind, hash_bytes};
use chasm::monitor::Silent;
use chasm::object::{Node, Page};
use chasm::odb::pack::Pack;
use chasm::odb::tree;
use chasm::refs::RefName;
use chasm::repo::Repository;
use chasm::worktree::checkout::{self, CheckoutOptions};
use chasm::worktree::{CommitOptions, Select, SnapshotOptions, commit};

use crate::{here, samples};

/// What a repository is made of on disk; its directories may be empty, and those
/// are made anew.
const DIRS: [&str; 6] = ["pool", "packs", "incoming", "trash", "cache", "checkouts"];
const KEPT: [&str; 6] = ["format", "config", "refs", "journal", "pool", "packs"];

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn releases() -> Vec<PathBuf> {
    let dir = here("repositories");
    let newest = dir.join("v1");
    if !newest.exists() && std::env::var_os("CHASM_GOLDEN").is_some() {
        let made = tempfile::tempdir().unwrap();
        samples::repository_in(made.path());
        fs::create_dir_all(&newest).unwrap();
        for name in KEPT {
            copy(&made.path().join("repository").join(name), &newest.join(name));
        }
    }
    let listed = fs::read_dir(&dir).unwrap_or_else(|e| panic!("cannot read '{}': {e}", dir.display()));
    listed.map(|entry| entry.unwrap().path()).collect()
}

fn unpack(release: &Path) -> (tempfile::TempDir, Repository) {
    let dir = tempfile::tempdir().unwrap();
    copy(release, dir.path());
    for name in DIRS {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let repository = Repository::open(dir.path()).unwrap();
    (dir, repository)
}

#[test]
fn every_object_of_every_release_is_read() {
    let releases = releases();
    assert!(releases.iter().any(|path| path.ends_with("v1")));
    for release in releases {
        let (_dir, repository) = unpack(&release);
        let odb = repository.odb();
        assert_eq!(odb.damaged_packs(), []);
        assert_eq!(repository.refs().verify().unwrap(), []);
        let mut objects = 0;
        let mut deltas = 0;
        for pack in odb.packs().iter() {
            pack.verify(|_| ()).unwrap();
            pack.index().verify().unwrap();
            let (class, len, entries) = Pack::scan(odb.packs_dir(), pack.id()).unwrap();
            assert_eq!((class, len), (pack.index().class(), pack.index().pack_len()));
            for (id, offset) in entries {
                let (record, _) = pack.record(offset, 0).unwrap();
                assert_eq!(hash_bytes(&odb.get(record.kind, &id).unwrap()), id);
                objects += 1;
                deltas += u32::from(record.base.is_some());
                if record.kind == Kind::Tree {
                    let bytes = odb.get(Kind::Tree, &id).unwrap();
                    assert_eq!(Page::decode(&bytes).unwrap().encode(), *bytes);
                }
            }
        }
        assert!(objects > 10 && deltas > 1, "{objects} objects, {deltas} deltas");
        for (_, commit) in repository.refs().read().unwrap().iter() {
            let commit = repository.commit(commit).unwrap();
            let mut pending = vec![(commit.tree, commit.totals)];
            while let Some((tree, totals)) = pending.pop() {
                for entry in tree::read_dir(odb, tree, Some(totals)).unwrap() {
                    match entry.node {
                        Node::File { blob, size } => odb.open_blob(blob, size).unwrap().check().unwrap(),
                        Node::Dir { tree, totals } => pending.push((tree, totals)),
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn the_ids_of_every_release_are_those_of_today() {
    let made = tempfile::tempdir().unwrap();
    let today = samples::repository_in(made.path()).refs().read().unwrap();
    let (_dir, then) = unpack(&here("repositories/v1"));
    assert_eq!(then.refs().read().unwrap(), today);
}

#[test]
fn a_repository_of_every_release_goes_on() {
    for release in releases() {
        let (dir, repository) = unpack(&release);
        let target = dir.path().join("checkouts/out");
        let id = repository.refs().read().unwrap().head_commit().unwrap();
        let head = repository.commit(id).unwrap();
        checkout::create(repository.odb(), &head, &target, &CheckoutOptions::default(), &Silent).unwrap();
        let names: Vec<_> = Dir::open(&target).unwrap().names().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"empty"[..], b"large", b"link", b"wide"]);
        fs::write(target.join(std::ffi::OsStr::from_bytes(b"wide/new")), b"new").unwrap();
        let selection = SnapshotOptions {
            policy: head.policy,
            select: Select::everything(),
            link: false,
            cross_mounts: false,
            repository: None,
        };
        let options = CommitOptions {
            branch: RefName::branch("main").unwrap(),
            tag: None,
            message: "third".into(),
            author: "test".into(),
            time: "2026-11-22T06:00:00Z".parse().unwrap(),
            allow_empty: false,
            delete_guard: None,
            why: "commit".into(),
        };
        let recorded = commit(&repository, &target, &selection, &options, Duration::from_secs(1), &Silent).unwrap();
        let summary = recorded.summary;
        assert_eq!((summary.added, summary.changed, summary.removed, recorded.stats.new_blobs), (1, 0, 0, 1));
        assert_eq!(repository.commit(recorded.commit.unwrap()).unwrap().parents, [id]);
    }
}
