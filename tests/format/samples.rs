//! The values that stand in the golden files, made anew.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use chasm::disk::{Dir, Time};
use chasm::id::{BlobId, CommitId, TreeId, hash_bytes};
use chasm::monitor::Silent;
use chasm::object::manifest::{Format, Header, Writer};
use chasm::object::{Commit, Entry, Metadata, Node, Origin, Page, Policy, Totals, paginate};
use chasm::path::TreePath;
use chasm::refs::{Expected, HeadEdit, RefEdit, RefName, Refs};
use chasm::repo::{Checkout, CheckoutRecord, Config, InitOptions, Repository};
use chasm::worktree::{CommitOptions, Select, SnapshotOptions, commit};

pub fn id(text: &str) -> chasm::id::ObjectId {
    hash_bytes(text.as_bytes())
}

pub fn entries() -> Vec<Entry> {
    let nodes = [
        Node::BlockDevice { rdev: (4095, 1_048_575) },
        Node::CharDevice { rdev: (1, 3) },
        Node::Dir { tree: TreeId(id("tree")), totals: Totals { files: 300, bytes: 1 << 40 } },
        Node::Fifo,
        Node::File { blob: BlobId(id("blob")), size: u64::MAX },
        Node::Socket,
        Node::Symlink { target: b"../\xff\n".to_vec() },
    ];
    let named = nodes.into_iter().zip([&b"block"[..], b"char", b"dir", b"fifo", b"file", b"socket", b"\xff link"]);
    let entry = |(node, name): (Node, &[u8])| {
        let is_link = matches!(node, Node::Symlink { .. });
        let metadata = Metadata {
            mode: (!is_link).then_some(0o4755),
            mtime: Some(Time { secs: -2, nanos: 750_000_000 }),
            owner: Some((0, u32::MAX)),
            xattrs: vec![(b"security.capability".to_vec(), vec![0, 255]), (b"user.a".to_vec(), Vec::new())],
            link: matches!(node, Node::File { .. }).then_some(0x0123_4567_89ab_cdef),
        };
        Entry { name: name.to_vec(), metadata, node }
    };
    named.map(entry).collect()
}

pub fn leaf() -> Vec<u8> {
    Page::Leaf(entries()).encode()
}

/// The topmost page of a directory of 2,000 entries.
pub fn fork() -> Vec<u8> {
    let file = |i: usize| Entry {
        name: format!("{i:04}").into_bytes(),
        metadata: Metadata::default(),
        node: Node::File { blob: BlobId(id("blob")), size: i as u64 },
    };
    let wide: Vec<_> = (0..2000).map(file).collect();
    paginate(&wide).unwrap().pages.pop().unwrap().1
}

pub fn metadata() -> Vec<u8> {
    entries()[4].metadata.encode()
}

pub fn commit_object() -> Commit {
    Commit {
        tree: TreeId(id("tree")),
        parents: vec![CommitId(id("one")), CommitId(id("two"))],
        time: "2026-11-20T06:00:00Z".parse().unwrap(),
        author: "root@mirror".into(),
        policy: "full".parse::<Policy>().unwrap().without("selinux").unwrap(),
        root: Metadata { mode: Some(0o755), mtime: Some(Time { secs: 1, nanos: 2 }), ..Metadata::default() },
        totals: Totals { files: 3, bytes: 4 },
        origin: Some(Origin { url: "rsync://host/debian".into(), state: "Fri, 20 Nov 2026".into() }),
        refs: vec!["heads/debian".into()],
        extensions: vec![("note".into(), "a b".into())],
        message: "daily\n\nwith a body\n".into(),
    }
}

/// Refs after three transactions, and their journal.
pub fn refs_in(dir: &Path) -> Refs {
    let name = |text: &str| text.parse::<RefName>().unwrap();
    let refs = Refs::create(&Dir::open(dir).unwrap(), &name("heads/main")).unwrap();
    let edit = |text: &str, new: Option<&str>, expected| RefEdit {
        name: name(text),
        new: new.map(|text| CommitId(id(text))),
        expected,
    };
    let time = |secs: i64| jiff::Timestamp::from_second(1_795_154_400 + secs).unwrap();
    let first = [edit("heads/main", Some("one"), Expected::Absent), edit("tags/s0", Some("one"), Expected::Absent)];
    refs.commit(&first, None, "root@mirror", "commit: first", time(0)).unwrap();
    let second = [
        edit("heads/main", Some("two"), Expected::Is(CommitId(id("one")))),
        edit("heads/next", Some("two"), Expected::Absent),
        edit("tags/s0", None, Expected::Is(CommitId(id("one")))),
    ];
    let head = HeadEdit { new: name("heads/next"), expected: None };
    refs.commit(&second, Some(&head), "caf\u{e9}", "why\nnot \\ \u{202e}", time(60)).unwrap();
    refs.undo("root@mirror", time(120)).unwrap();
    refs
}

pub fn checkout_record() -> CheckoutRecord {
    let checkout = Checkout { commit: CommitId(id("one")), towards: Some(CommitId(id("two"))) };
    CheckoutRecord { path: "/srv/mirror \u{e9}".into(), inode: u64::MAX, checkout }
}

pub fn config() -> Config {
    let mut config = Config::default();
    config.pool.threshold = Some(4096);
    config.commit.policy = Some("full".into());
    config.commit.exclude = vec!["*.tmp".into(), "/cache/".into()];
    config.checkout.index_files = Some(vec!["InRelease".into()]);
    config.checkout.delete_guard = Some(10);
    config.gc.grace = Some("24h".into());
    config
}

pub fn manifest(format: Format) -> Vec<u8> {
    let header = Header {
        commit: Some(CommitId(id("commit"))),
        tree: Some(TreeId(id("tree"))),
        time: Some("2026-11-20T06:00:00Z".parse().unwrap()),
        policy: Policy::FULL,
    };
    let mut text = Vec::new();
    let mut writer = Writer::begin(format, &mut text, &header).unwrap();
    let node = Node::Dir { tree: TreeId(id("tree")), totals: Totals::default() };
    let metadata = Metadata { mode: Some(0o755), ..Metadata::default() };
    if format != Format::Fullfiletimelist {
        writer.entry(&TreePath::root(), &Entry { name: Vec::new(), metadata, node }).unwrap();
    }
    for entry in entries() {
        writer.entry(&TreePath::root().join(&entry.name), &entry).unwrap();
    }
    writer.finish().unwrap();
    text
}

/// A repository of two commits, with blobs in the pool and in packs, forks,
/// deltas of trees, and a tag.
pub fn repository_in(dir: &Path) -> Repository {
    let mut options = InitOptions::default();
    options.config.pool.threshold = Some(4096);
    let repository = Repository::init(&dir.join("repository"), &options).unwrap();
    let tree = dir.join("tree");
    fs::create_dir_all(tree.join("wide")).unwrap();
    let large: Vec<u8> = (0..2000u32).flat_map(|i| (i * i).to_be_bytes()).collect();
    fs::write(tree.join("large"), large).unwrap();
    fs::write(tree.join("empty"), b"").unwrap();
    symlink("large", tree.join("link")).unwrap();
    for i in 0..700 {
        fs::write(tree.join(format!("wide/{i:03}")), format!("number {}", i % 5)).unwrap();
    }
    let options = |message: &str, tag: Option<&str>, time: &str| CommitOptions {
        branch: RefName::branch("main").unwrap(),
        tag: tag.map(|tag| RefName::tag(tag).unwrap()),
        message: message.into(),
        author: "root@mirror".into(),
        time: time.parse().unwrap(),
        allow_empty: false,
        delete_guard: None,
        why: "commit".into(),
    };
    let selection = SnapshotOptions {
        policy: Policy::MIRROR,
        select: Select::everything(),
        link: false,
        cross_mounts: false,
        repository: None,
    };
    let commit = |options| {
        settle(&tree);
        commit(&repository, &tree, &selection, &options, Duration::from_secs(1), &Silent).unwrap();
    };
    commit(options("first", Some("s0"), "2026-11-20T06:00:00Z"));
    fs::write(tree.join("wide/350"), b"changed").unwrap();
    fs::remove_file(tree.join("wide/100")).unwrap();
    commit(options("second", None, "2026-11-21T06:00:00Z"));
    repository
}

/// Gives all of a tree the same modes and times.
fn settle(path: &Path) {
    let time = std::time::UNIX_EPOCH + Duration::new(1_795_154_400, 5);
    let dir = Dir::open(path).unwrap();
    for (name, _) in dir.names().unwrap() {
        let below = dir.path_of(&name);
        let kind = below.symlink_metadata().unwrap();
        if kind.is_symlink() {
            dir.set_mtime(&name, Time { secs: 1_795_154_400, nanos: 5 }).unwrap();
        } else if kind.is_dir() {
            settle(&below);
        } else {
            fs::set_permissions(&below, PermissionsExt::from_mode(0o644)).unwrap();
            File::open(&below).unwrap().set_modified(time).unwrap();
        }
    }
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    File::open(path).unwrap().set_modified(time).unwrap();
}
