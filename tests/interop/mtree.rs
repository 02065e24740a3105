//! mtree against bsdtar (libarchive) and NetBSD's mtree, which is also FreeBSD's.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use chasm::disk::Time;
use chasm::id::{BlobId, TreeId, hash_bytes};
use chasm::object::manifest::{Format, Header, Item, ItemKind, Limits, Writer, read};
use chasm::object::{Entry, Metadata, Node, Totals};
use chasm::path::TreePath;

use crate::run;

const ODD_NAME: &[u8] = b"a b#=*?[]\\\n\t\xff\xc3\xa9\x7f";
const KEYWORDS: &str = "type,mode,time,size,sha256,link";

fn node(kind: &ItemKind) -> Node {
    let path = TreePath::parse(b"x").unwrap();
    let item = Item { path, metadata: Metadata::default(), kind: kind.clone() };
    item.entry().map_or(Node::Dir { tree: TreeId(hash_bytes(b"")), totals: Totals::default() }, |entry| entry.node)
}

fn write(items: &[Item]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = Writer::begin(Format::Mtree, &mut text, &Header::default()).unwrap();
    for item in items {
        let name = item.path.file_name().unwrap_or_default().to_vec();
        writer.entry(&item.path, &Entry { name, metadata: item.metadata.clone(), node: node(&item.kind) }).unwrap();
    }
    writer.finish().unwrap();
    text
}

fn parse(mut text: &[u8]) -> Vec<Item> {
    let items: Result<Vec<_>, _> = read(Format::Mtree, &mut text, Limits::default()).unwrap().collect();
    let mut items =
        items.unwrap_or_else(|e| panic!("{e}: {:?}\n{}", std::error::Error::source(&e), text.escape_ascii()));
    items.sort_by(|a, b| a.path.cmp(&b.path));
    items
}

fn item(path: &[u8], mode: Option<u16>, mtime: Time, kind: ItemKind) -> Item {
    let metadata = Metadata { mode, mtime: Some(mtime), ..Metadata::default() };
    Item { path: TreePath::parse(path).unwrap(), metadata, kind }
}

/// A tree on disk, and what its manifest says.
fn tree(root: &Path) -> Vec<Item> {
    let file = |text: &[u8]| ItemKind::File { blob: Some(BlobId(hash_bytes(text))), size: Some(text.len() as u64) };
    let sub = root.join("sub");
    fs::create_dir(&sub).unwrap();
    let odd = sub.join(OsStr::from_bytes(ODD_NAME));
    fs::write(&odd, b"odd").unwrap();
    fs::write(root.join("old"), b"").unwrap();
    symlink(OsStr::from_bytes(ODD_NAME), sub.join("z")).unwrap();
    // A quarter second before 1970 lies in second -1.
    let early = SystemTime::UNIX_EPOCH - Duration::from_millis(1250);
    let late = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5);
    for (path, mode, time) in
        [(&odd, 0o4755, late), (&root.join("old"), 0o640, early), (&sub, 0o1777, late), (&root.to_owned(), 0o755, late)]
    {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        File::open(path).unwrap().set_modified(time).unwrap();
    }
    let late = Time { secs: 1_700_000_000, nanos: 5 };
    let link_time = fs::symlink_metadata(sub.join("z")).unwrap().modified().unwrap();
    let link_time = link_time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let link_time = Time { secs: link_time.as_secs() as i64, nanos: link_time.subsec_nanos() };
    vec![
        item(b"", Some(0o755), late, ItemKind::Dir),
        item(b"old", Some(0o640), Time { secs: -2, nanos: 750_000_000 }, file(b"")),
        item(b"sub", Some(0o1777), late, ItemKind::Dir),
        item(&[b"sub/", ODD_NAME].concat(), Some(0o4755), late, file(b"odd")),
        item(b"sub/z", None, link_time, ItemKind::Symlink { target: ODD_NAME.to_vec() }),
    ]
}

fn bsdtar(directory: &Path, args: &[&str]) -> Vec<u8> {
    run("bsdtar", "libarchive-tools", directory, args)
}

fn mtree(directory: &Path, args: &[&str]) -> Vec<u8> {
    run("mtree", "mtree-netbsd", directory, args)
}

#[test]
fn what_bsdtar_writes_is_read() {
    let root = tempfile::tempdir().unwrap();
    let expected = tree(root.path());
    for (format, options) in [
        ("mtree", "mtree:sha256"),
        ("mtree", "mtree:all"),
        ("mtree", "mtree:sha256,mtree:use-set,mtree:indent"),
        ("mtree-classic", "mtree:sha256,mtree:use-set"),
    ] {
        let text = bsdtar(root.path(), &["-c", "-f", "-", "--format", format, "--options", options, "."]);
        let mut read = parse(&text);
        read.iter_mut().for_each(|item| item.metadata.owner = None);
        assert_eq!(read, expected, "{options}\n{}", text.escape_ascii());
    }
}

#[test]
fn bsdtar_reads_what_is_written() {
    let root = tempfile::tempdir().unwrap();
    let mut expected = tree(root.path());
    let time = Time { secs: i64::from(i32::MIN), nanos: 1 };
    expected.insert(1, item(b"block", Some(0o600), time, ItemKind::BlockDevice { rdev: (8, 300) }));
    expected.insert(2, item(b"char", Some(0o7777), time, ItemKind::CharDevice { rdev: (4095, 1_048_575) }));
    expected.insert(3, item(b"fifo", Some(0), time, ItemKind::Fifo));
    expected.iter_mut().for_each(|item| item.metadata.owner = Some((7, 4_000_000_000)));
    let spec = tempfile::NamedTempFile::new().unwrap();
    fs::write(spec.path(), write(&expected)).unwrap();
    let archive = format!("@{}", spec.path().display());
    let text = bsdtar(root.path(), &["-c", "-f", "-", "--format=mtree", "--options=mtree:sha256", &archive]);
    assert_eq!(parse(&text), expected, "{}", text.escape_ascii());
}

#[test]
fn what_bsd_mtree_writes_is_read() {
    let root = tempfile::tempdir().unwrap();
    let expected = tree(root.path());
    let text = mtree(root.path(), &["-c", "-k", KEYWORDS, "-p", "."]);
    assert_eq!(parse(&text), expected, "{}", text.escape_ascii());
}

#[test]
fn bsd_mtree_checks_a_tree_by_what_is_written() {
    let root = tempfile::tempdir().unwrap();
    let expected = tree(root.path());
    let spec = tempfile::NamedTempFile::new().unwrap();
    fs::write(spec.path(), write(&expected)).unwrap();
    let spec = spec.path().to_str().unwrap();
    mtree(root.path(), &["-p", ".", "-f", spec]);
    let text = mtree(root.path(), &["-C", "-k", KEYWORDS, "-f", spec]);
    assert_eq!(parse(&text), expected, "{}", text.escape_ascii());
}
