//! A directory, committed and checked out, commits as the same tree.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use chasm::disk::meta::write_xattr;
use chasm::disk::{Dir, FileKind, Time};
use chasm::monitor::Silent;
use chasm::object::{Commit, Policy};
use chasm::odb::Placing;
use chasm::refs::RefName;
use chasm::repo::{InitOptions, Repository};
use chasm::worktree::checkout::{self, CheckoutOptions};
use chasm::worktree::{CommitOptions, Select, SnapshotOptions, commit};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::values;

#[derive(Clone, Debug)]
enum Thing {
    File {
        content: u8,
        len: usize,
    },
    Dir(BTreeMap<Vec<u8>, (Thing, Meta)>),
    Symlink(Vec<u8>),
    /// A further name of the first file, if there is one.
    Link,
    Fifo,
    Device,
}

#[derive(Clone, Debug)]
struct Meta {
    mode: u16,
    mtime: Time,
    owner: (u32, u32),
    xattr: Option<Vec<u8>>,
}

fn meta() -> impl Strategy<Value = Meta> {
    let mode = proptest::sample::select(&[0o644u16, 0o600, 0o755, 0o4755, 0o1777, 0o2755, 0o400, 0][..]);
    let mtime = (-2_000_000_000i64..5_000_000_000, 0..1_000_000_000u32).prop_map(|(secs, nanos)| Time { secs, nanos });
    let mtime = prop_oneof![mtime, Just(Time { secs: 1_700_000_000, nanos: 0 })];
    let owner = proptest::sample::select(&[(0u32, 0u32), (12, 34), (65_534, 4_000_000_000)][..]);
    let xattr = proptest::option::weighted(0.2, vec(any::<u8>(), 0..10));
    (mode, mtime, owner, xattr).prop_map(|(mode, mtime, owner, xattr)| Meta { mode, mtime, owner, xattr })
}

fn tree() -> impl Strategy<Value = BTreeMap<Vec<u8>, (Thing, Meta)>> {
    let lens = proptest::sample::select(&[0usize, 1, 100, 4095, 4096, 20_000][..]);
    let leaf = prop_oneof![
        6 => (0..3u8, lens).prop_map(|(content, len)| Thing::File { content, len }),
        1 => vec(1..=255u8, 1..20).prop_map(Thing::Symlink),
        1 => Just(Thing::Link),
        1 => Just(Thing::Fifo),
        1 => Just(Thing::Device),
    ];
    let thing =
        leaf.prop_recursive(3, 24, 5, |inner| btree_map(values::name(), (inner, meta()), 0..5).prop_map(Thing::Dir));
    btree_map(values::name(), (thing, meta()), 0..6)
}

/// Makes the tree; special files, owners and attributes only where `full`.
fn make(dir: &Dir, things: &BTreeMap<Vec<u8>, (Thing, Meta)>, full: bool, first: &mut Option<(Dir, Vec<u8>)>) {
    for (name, (thing, meta)) in things {
        let path = dir.path_of(name);
        match thing {
            Thing::File { content, len } => {
                fs::write(&path, vec![*content; *len]).unwrap();
                first.get_or_insert_with(|| (dir.try_clone().unwrap(), name.clone()));
            }
            Thing::Dir(below) => {
                fs::create_dir(&path).unwrap();
                make(&dir.open_dir(name).unwrap(), below, full, first);
            }
            Thing::Symlink(target) => {
                symlink(OsStr::from_bytes(target), &path).unwrap();
                dir.set_mtime(name, meta.mtime).unwrap();
                continue;
            }
            Thing::Link => {
                if let Some((from, old)) = first {
                    dir.link_from(from, old, name).unwrap();
                }
                continue;
            }
            Thing::Fifo | Thing::Device if !full => continue,
            Thing::Fifo => dir.make_node(name, FileKind::Fifo, 0o600, (0, 0)).unwrap(),
            Thing::Device => dir.make_node(name, FileKind::CharDevice, 0o600, (1, 3)).unwrap(),
        }
        // Only root enters what the owner may not.
        let mode = if full || !matches!(thing, Thing::Dir(_)) { meta.mode } else { meta.mode | 0o700 };
        let mode = if full { mode } else { mode | 0o400 };
        if full {
            dir.set_owner(name, meta.owner.0, meta.owner.1).unwrap();
            let regular = matches!(thing, Thing::File { .. } | Thing::Dir(_));
            if let Some(value) = meta.xattr.as_ref().filter(|_| regular) {
                // A file system without attributes has none to lose.
                let _ = write_xattr(dir, Some(name), &(b"user.test".to_vec(), value.clone()));
            }
        }
        fs::set_permissions(&path, PermissionsExt::from_mode(mode.into())).unwrap();
        dir.set_mtime(name, meta.mtime).unwrap();
    }
}

fn record(repository: &Repository, tree: &Path, policy: Policy, branch: &str) -> Commit {
    let selection =
        SnapshotOptions { policy, select: Select::everything(), link: false, cross_mounts: false, repository: None };
    let options = CommitOptions {
        branch: RefName::branch(branch).unwrap(),
        tag: None,
        message: String::new(),
        author: "test".into(),
        time: jiff::Timestamp::UNIX_EPOCH,
        allow_empty: true,
        delete_guard: None,
        why: "test".into(),
    };
    let recorded = commit(repository, tree, &selection, &options, Duration::from_secs(1), &Silent).unwrap();
    repository.commit(recorded.commit.unwrap()).unwrap()
}

fn check(things: &BTreeMap<Vec<u8>, (Thing, Meta)>, policy: Policy, full: bool) -> Result<(), TestCaseError> {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("tree");
    fs::create_dir(&root).unwrap();
    make(&Dir::open(&root).unwrap(), things, full, &mut None);
    let mut options = InitOptions::default();
    options.config.pool.threshold = Some(4096);
    let repository = Repository::init(&place.path().join("repository"), &options).unwrap();
    let first = record(&repository, &root, policy, "first");
    for (name, placing) in [("linked", Placing::Link), ("copied", Placing::Copy), ("linked again", Placing::Link)] {
        let target = place.path().join(name);
        let options = CheckoutOptions { placing, as_is: true, ..CheckoutOptions::default() };
        checkout::create(repository.odb(), &first, &target, &options, &Silent).unwrap();
        let again = record(&repository, &target, policy, "again");
        prop_assert_eq!((again.tree, &again.root, again.totals), (first.tree, &first.root, first.totals), "{}", name);
        File::open(&target).unwrap();
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_policy_mirror(things in tree()) {
        check(&things, Policy::MIRROR, false)?;
    }

    /// As root only: nobody else can make all of it.
    #[test]
    fn of_policy_full(things in tree()) {
        let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if root {
            check(&things, Policy::FULL, true)?;
            check(&things, Policy::UNIX, true)?;
        }
    }
}
