//! Manifests of every kind, with the contents here, there, and nowhere.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use super::*;
use crate::monitor::{Collector, Silent};
use crate::object::manifest::{Header, Writer};
use crate::odb::tree;
use crate::refs::RefName;
use crate::repo::InitOptions;
use crate::worktree::{Select, SnapshotOptions, commit};

struct Scene {
    dir: tempfile::TempDir,
    repository: Repository,
}

impl Scene {
    /// A tree in `tree`, and an empty repository in `repository`.
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        fs::write(root.join("a"), b"a").unwrap();
        fs::write(root.join("empty"), b"").unwrap();
        fs::write(root.join("sub/large"), vec![7; 100_000]).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"sub/odd\n\xff\\")), b"odd").unwrap();
        fs::write(root.join("sub/deep/same"), b"a").unwrap();
        symlink("sub/large", root.join("link")).unwrap();
        fs::set_permissions(root.join("a"), PermissionsExt::from_mode(0o640)).unwrap();
        let repository = Repository::init(&dir.path().join("repository"), &InitOptions::default()).unwrap();
        Scene { dir, repository }
    }

    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("tree")
    }

    fn options(&self, branch: &str) -> CommitOptions {
        CommitOptions {
            branch: RefName::branch(branch).unwrap(),
            tag: None,
            message: String::new(),
            author: "test".into(),
            time: "2026-11-20T06:00:00Z".parse().unwrap(),
            allow_empty: false,
            delete_guard: None,
            why: "test".into(),
        }
    }

    fn commit(&self, policy: Policy) -> crate::id::CommitId {
        let selection = SnapshotOptions {
            policy,
            select: Select::everything(),
            link: false,
            cross_mounts: false,
            repository: None,
        };
        let options = self.options("main");
        let recorded =
            commit(&self.repository, &self.root(), &selection, &options, Duration::from_secs(1), &Silent).unwrap();
        recorded.commit.unwrap()
    }

    fn import(&self, format: Format, mut text: &[u8], with_tree: bool, branch: &str) -> Result<Recorded> {
        let root = self.root();
        let tree = with_tree.then_some(&*root);
        let source = ManifestSource { format, input: &mut text, tree, link: false };
        commit_manifest(&self.repository, source, &self.options(branch), Duration::from_secs(1), &Silent)
    }

    fn sums(&self, text: String) -> Result<Recorded> {
        self.import(Format::Sha256sums, text.as_bytes(), true, "sums")
    }

    fn export(&self, id: crate::id::CommitId, format: Format) -> Vec<u8> {
        let commit = self.repository.commit(id).unwrap();
        let header =
            Header { commit: Some(id), tree: Some(commit.tree), time: Some(commit.time), policy: commit.policy };
        let mut text = Vec::new();
        let mut writer = Writer::begin(format, &mut text, &header).unwrap();
        let node = Node::Dir { tree: commit.tree, totals: commit.totals };
        let root = Entry { name: Vec::new(), metadata: commit.root, node };
        let mut pending = vec![(TreePath::root(), root)];
        while let Some((path, entry)) = pending.pop() {
            writer.entry(&path, &entry).unwrap();
            if let Node::Dir { tree, totals } = entry.node {
                let below = tree::read_dir(self.repository.odb(), tree, Some(totals)).unwrap();
                pending.extend(below.into_iter().rev().map(|entry| (path.join(&entry.name), entry)));
            }
        }
        writer.finish().unwrap();
        text
    }

    fn same(&self, a: crate::id::CommitId, b: Option<crate::id::CommitId>) {
        let (a, b) = (self.repository.commit(a).unwrap(), self.repository.commit(b.unwrap()).unwrap());
        assert_eq!((a.tree, a.root, a.policy, a.totals), (b.tree, b.root, b.policy, b.totals));
    }
}

fn sum(content: &[u8], path: &str) -> String {
    format!("{}  {path}\n", hash_bytes(content))
}

#[test]
fn an_export_is_taken_back_as_the_same_tree() {
    let scene = Scene::new();
    let policies = [(Policy::NONE, "none"), (Policy::MIRROR, "mirror"), (Policy::UNIX, "unix"), (Policy::FULL, "full")];
    for (policy, name) in policies {
        let id = scene.commit(policy);
        let imported = scene.import(Format::Json, &scene.export(id, Format::Json), false, name).unwrap();
        scene.same(id, imported.commit);
        assert_eq!((imported.stats.new_blobs, imported.stats.new_trees), (0, 0));
    }
    for policy in [Policy::MIRROR, Policy::UNIX] {
        let id = scene.commit(policy);
        let text = scene.export(id, Format::Mtree);
        scene.same(id, scene.import(Format::Mtree, &text, false, &format!("mtree-{policy}")).unwrap().commit);
    }
}

/// As root, with what only root can make.
#[test]
fn links_attributes_and_devices_are_taken_back() {
    let scene = Scene::new();
    let root = scene.root();
    fs::hard_link(root.join("a"), root.join("sub/name of a")).unwrap();
    fs::hard_link(root.join("sub/large"), root.join("another")).unwrap();
    let dir = Dir::open(&root).unwrap();
    use crate::disk::FileKind;
    dir.make_node(b"fifo", FileKind::Fifo, 0o600, (0, 0)).unwrap();
    if rustix::process::geteuid().is_root() {
        dir.make_node(b"device", FileKind::CharDevice, 0o666, (1, 3)).unwrap();
        dir.set_owner(b"a", 12, 3_000_000_000).unwrap();
    }
    // Where the file system has no attributes, the rest counts.
    let _ = crate::disk::meta::write_xattr(&dir, Some(b"a"), &(b"user.note".to_vec(), b"\xff\0".to_vec()));
    let id = scene.commit(Policy::FULL);
    let text = scene.export(id, Format::Json);
    assert!(text.windows(8).any(|w| w == b"\"link\":\""));
    scene.same(id, scene.import(Format::Json, &text, false, "again").unwrap().commit);
    let forged = String::from_utf8(text).unwrap().replacen("\"mode\":\"0640\"", "\"mode\":\"0600\"", 1);
    let error = scene.import(Format::Json, forged.as_bytes(), false, "forged").unwrap_err();
    assert!(matches!(error, Error::ListedWrongly { .. }), "{error}");
}

#[test]
fn contents_come_from_the_tree_and_are_those_promised() {
    let scene = Scene::new();
    let id = scene.commit(Policy::MIRROR);
    let text = scene.export(id, Format::Json);
    let other = Scene {
        repository: Repository::init(&scene.dir.path().join("other"), &InitOptions::default()).unwrap(),
        ..scene
    };
    let error = other.import(Format::Json, &text, false, "main").unwrap_err();
    assert!(matches!(error, Error::MissingContent { blob: Some(_), .. }), "{error}");
    let imported = other.import(Format::Json, &text, true, "main").unwrap();
    assert_eq!(imported.stats.new_blobs, 3, "the empty one needs no place");
    let commit = other.repository.commit(imported.commit.unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&text).contains(&commit.tree.to_string()));
    let large = other.repository.odb().open_blob(BlobId(hash_bytes(&[7; 100_000])), 100_000);
    large.unwrap().check().unwrap();

    fs::write(other.root().join("new"), b"new").unwrap();
    for (what, line) in [("digest", sum(b"other", "new")), ("length", sum(b"ne", "new"))] {
        let error = other.sums(line).unwrap_err();
        assert!(matches!(&error, Error::OtherContent { path, .. } if path.as_bytes() == b"new"), "{what}: {error}");
    }
    let of_length = format!("new type=file size=4 sha256={}\n", hash_bytes(b"new"));
    let error = other.import(Format::Mtree, of_length.as_bytes(), true, "main").unwrap_err();
    assert!(error.to_string().contains("has 3 bytes instead of 4"), "{error}");
    let untold = other.import(Format::Mtree, b"new type=file\n", true, "untold").unwrap();
    assert_eq!(untold.totals, Totals { files: 1, bytes: 3 });
    let error = other.import(Format::Mtree, b"new type=file\n", false, "untold").unwrap_err();
    assert!(matches!(error, Error::MissingContent { blob: None, .. }), "{error}");
}

#[test]
fn a_link_in_the_tree_is_not_followed() {
    let scene = Scene::new();
    let outside = scene.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), b"secret").unwrap();
    symlink(&outside, scene.root().join("dir")).unwrap();
    symlink(outside.join("secret"), scene.root().join("file")).unwrap();
    for path in ["dir/secret", "file"] {
        let error = scene.sums(sum(b"secret", path)).unwrap_err();
        assert!(matches!(error, Error::MissingContent { .. }), "{path}: {error}");
    }
    assert!(!scene.repository.odb().contains(crate::id::Kind::Blob, &hash_bytes(b"secret")).unwrap());
}

#[test]
fn what_is_not_listed_on_the_way_is_made() {
    let scene = Scene::new();
    scene.commit(Policy::MIRROR);
    let text = format!(
        "x/y/z type=file mode=0600 time=5.7 sha256={0}\nx/a type=file mode=0644 time=9.0 sha256={0}\nx/b/c type=dir mode=0700 time=3.0\n",
        hash_bytes(b"a")
    );
    let imported = scene.import(Format::Mtree, text.as_bytes(), false, "made").unwrap();
    let commit = scene.repository.commit(imported.commit.unwrap()).unwrap();
    let time = |secs, nanos| Some(Time { secs, nanos });
    assert_eq!(commit.policy, Policy::MIRROR);
    assert_eq!((commit.root.mode, commit.root.mtime, commit.root.owner), (Some(0o755), time(9, 0), None));
    let odb = scene.repository.odb();
    let found = |path: &str| {
        let path = TreePath::parse(path.as_bytes()).unwrap();
        tree::find_path(odb, commit.tree, &path).unwrap().unwrap().metadata
    };
    assert_eq!((found("x").mtime, found("x/y").mtime, found("x/b").mtime), (time(9, 0), time(5, 7), time(3, 0)));
    assert_eq!((found("x/y").mode, found("x/b/c").mode), (Some(0o755), Some(0o700)));
}

#[test]
fn sums_need_no_order_and_no_directories() {
    let scene = Scene::new();
    let text = [sum(b"odd", "sub/copy"), sum(b"a", "sub/deep/same"), sum(b"", "none"), sum(b"a", "a")];
    // Here, of a blob that the database has; there, of the file itself.
    assert!(scene.sums(text.concat()).is_err());
    scene.commit(Policy::MIRROR);
    let imported = scene.sums(text.concat()).unwrap();
    let commit = scene.repository.commit(imported.commit.unwrap()).unwrap();
    assert_eq!((commit.policy, commit.totals), (Policy::NONE, Totals { files: 4, bytes: 5 }));
    let again = scene.sums([&text[3], &text[2], &text[1], &text[0]].map(|line| &line[..]).concat()).unwrap();
    assert!(!again.is_new);
}

#[test]
fn what_is_no_tree_is_refused() {
    let scene = Scene::new();
    scene.commit(Policy::MIRROR);
    for text in [
        sum(b"a", "a") + &sum(b"a", "a"),
        sum(b"a", "a") + &sum(b"a", "a/b"),
        sum(b"a", "a/b/c") + &sum(b"a", "a/b"),
        sum(b"a", "a-b") + &sum(b"a", "a") + &sum(b"a", "a/b/c"),
    ] {
        let error = scene.sums(text.clone()).unwrap_err();
        assert!(matches!(error, Error::ListedWrongly { .. }), "{text}: {error}");
    }
    let below_a_link = "d type=link link=/etc\n./d/passwd type=file size=0\n";
    let error = scene.import(Format::Mtree, below_a_link.as_bytes(), false, "forged").unwrap_err();
    assert!(matches!(error, Error::ListedWrongly { .. }), "{error}");
    let head = "{\"chasm\":\"manifest\",\"version\":1,\"policy\":\"none\"}\n";
    let (a, b) = (r#"{"path":"a","kind":"dir"}"#, r#"{"path":"b","kind":"dir"}"#);
    let sorted = format!("{head}{a}\n{b}\n{{\"entries\":2}}\n");
    assert!(scene.import(Format::Json, sorted.as_bytes(), false, "json").is_ok());
    let unsorted = format!("{head}{b}\n{a}\n{{\"entries\":2}}\n");
    let error = scene.import(Format::Json, unsorted.as_bytes(), false, "json").unwrap_err();
    assert!(error.to_string().ends_with("it is not in the order of paths"), "{error}");
    let refs = scene.repository.refs().read().unwrap();
    assert_eq!(refs.iter().map(|(name, _)| name.short()).collect::<Vec<_>>(), ["json", "main"]);
}

#[test]
fn what_the_policy_does_not_keep_is_left_out_and_counted() {
    let scene = Scene::new();
    let text = "{\"chasm\":\"manifest\",\"version\":1,\"policy\":\"permissions\"}\n\
        {\"path\":\"d\",\"kind\":\"dir\",\"mode\":\"0700\",\"mtime\":\"1.000000000\",\"uid\":1,\"gid\":1}\n\
        {\"path\":\"p\",\"kind\":\"fifo\",\"mode\":\"0600\"}\n\
        {\"path\":\"s\",\"kind\":\"symlink\",\"target\":\"d\"}\n{\"entries\":3}\n";
    let imported = scene.import(Format::Json, text.as_bytes(), false, "main").unwrap();
    assert_eq!(imported.skipped, 2);
    let commit = scene.repository.commit(imported.commit.unwrap()).unwrap();
    let entries = tree::read_dir(scene.repository.odb(), commit.tree, None).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].metadata, Metadata { mode: Some(0o700), ..Metadata::default() });
    assert_eq!(commit.root, Metadata { mode: Some(0o755), ..Metadata::default() });
}

#[test]
fn another_tree_than_the_header_names_is_noted() {
    let scene = Scene::new();
    let id = scene.commit(Policy::MIRROR);
    let text = String::from_utf8(scene.export(id, Format::Json)).unwrap().replace("\"0640\"", "\"0600\"");
    let heard = Collector::default();
    let mut input = text.as_bytes();
    let source = ManifestSource { format: Format::Json, input: &mut input, tree: None, link: false };
    let options = scene.options("edited");
    commit_manifest(&scene.repository, source, &options, Duration::from_secs(1), &heard).unwrap();
    assert!(matches!(&heard.take_findings()[..], [Finding { partial: false, .. }]));
}

#[test]
fn a_wide_directory_is_stored_as_its_difference() {
    let scene = Scene::new();
    scene.commit(Policy::MIRROR);
    let text = |changed: usize| {
        let line = |i| if i == changed { sum(b"odd", &format!("w/{i:05}")) } else { sum(b"a", &format!("w/{i:05}")) };
        (0..3000).map(line).collect::<String>()
    };
    let first = scene.sums(text(usize::MAX)).unwrap();
    let second = scene.sums(text(1234)).unwrap();
    assert!(first.stats.new_trees > 5 && second.stats.new_trees == 3, "{:?}", second.stats);
    assert!(second.stats.bytes_stored < 1500, "{:?}", second.stats);
    assert_eq!((second.summary.changed, second.summary.added, second.summary.removed), (1, 0, 0));
}
