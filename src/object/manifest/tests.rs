//! Every format against its exact text, against itself, and against damage.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::{Metadata, Node, Totals};
use super::*;
use crate::disk::Time;
use crate::id::{BlobId, hash_bytes};

fn path(bytes: &[u8]) -> TreePath {
    TreePath::parse(bytes).unwrap()
}

fn header() -> Header {
    Header {
        commit: Some(CommitId(hash_bytes(b"commit"))),
        tree: Some(TreeId(hash_bytes(b"tree"))),
        time: Some("2026-11-20T06:00:00Z".parse().unwrap()),
        policy: Policy::FULL,
    }
}

fn entry(path: &TreePath, metadata: Metadata, node: Node) -> (TreePath, Entry) {
    (path.clone(), Entry { name: path.file_name().unwrap_or_default().to_vec(), metadata, node })
}

fn dir() -> Node {
    Node::Dir { tree: TreeId(hash_bytes(b"y")), totals: Totals { files: 2, bytes: 300 } }
}

fn sample() -> Vec<(TreePath, Entry)> {
    let file = |text: &[u8]| Node::File { blob: BlobId(hash_bytes(text)), size: text.len() as u64 };
    let meta = |mode, secs| Metadata { mode, mtime: Some(Time { secs, nanos: 750_000_000 }), ..Metadata::default() };
    let full = Metadata {
        owner: Some((0, 1000)),
        xattrs: vec![(b"user.a".to_vec(), b"\xff".to_vec())],
        link: Some(7),
        ..meta(Some(0o4755), -2)
    };
    vec![
        entry(&TreePath::root(), meta(Some(0o755), 3), dir()),
        entry(&path(b"#a b*\\"), full, file(b"")),
        entry(&path(b"d"), meta(Some(0o1777), 4), dir()),
        entry(&path(b"d/\xff"), Metadata { mode: None, ..meta(None, 5) }, file(b"abc")),
        entry(&path(b"d/l"), meta(None, 6), Node::Symlink { target: b"../\xc3\xa9".to_vec() }),
        entry(&path(b"null"), meta(Some(0o666), 7), Node::CharDevice { rdev: (1, 3) }),
        entry(&path(b"p"), meta(Some(0o600), 8), Node::Fifo),
    ]
}

fn write(format: Format, entries: &[(TreePath, Entry)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::begin(format, &mut out, &header()).unwrap();
    for (path, entry) in entries {
        writer.entry(path, entry).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn read_all(format: Format, mut bytes: &[u8]) -> Result<Vec<Item>, Error> {
    read(format, &mut bytes, Limits::default())?.collect()
}

fn items(entries: &[(TreePath, Entry)]) -> Vec<Item> {
    entries.iter().map(|(path, entry)| Item::of(path, entry)).collect()
}

/// What is left of an entry in mtree.
fn as_mtree(mut item: Item) -> Item {
    item.metadata.xattrs.clear();
    item.metadata.link = None;
    item
}

/// What is left of an entry in `SHA256SUMS`.
fn as_sums(item: Item) -> Option<Item> {
    let ItemKind::File { blob, .. } = item.kind else { return None };
    Some(Item { path: item.path, metadata: Metadata::default(), kind: ItemKind::File { blob, size: None } })
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn json_is_exactly_this() {
    let text = format!(
        r##"{{"chasm":"manifest","version":1,"commit":"{}","tree":"{}","time":"2026-11-20T06:00:00Z","policy":"full"}}
{{"path":".","kind":"dir","mode":"0755","mtime":"3.750000000"}}
{{"path":"#a b*\\","kind":"file","mode":"4755","mtime":"-2.750000000","uid":0,"gid":1000,"size":0,"sha256":"{EMPTY}","xattrs":[["757365722e61","ff"]],"link":"0000000000000007"}}
{{"path":"d","kind":"dir","mode":"1777","mtime":"4.750000000"}}
{{"path_hex":"642fff","kind":"file","mtime":"5.750000000","size":3,"sha256":"{ABC}"}}
{{"path":"d/l","kind":"symlink","mtime":"6.750000000","target":"../{}"}}
{{"path":"null","kind":"char","mode":"0666","mtime":"7.750000000","rdev":[1,3]}}
{{"path":"p","kind":"fifo","mode":"0600","mtime":"8.750000000"}}
{{"entries":7}}
"##,
        hash_bytes(b"commit"),
        hash_bytes(b"tree"),
        '\u{e9}'
    );
    assert_eq!(String::from_utf8(write(Format::Json, &sample())).unwrap(), text);
    assert_eq!(read_all(Format::Json, text.as_bytes()).unwrap(), items(&sample()));
    let mut bytes = text.as_bytes();
    assert_eq!(read(Format::Json, &mut bytes, Limits::default()).unwrap().header(), Some(&header()));
}

#[test]
fn mtree_is_exactly_this() {
    let text = format!(
        r"#mtree
# commit {}
# tree {}
# time 2026-11-20T06:00:00Z
# policy full
. type=dir mode=0755 time=3.750000000
./\043a\040b\052\134 type=file mode=4755 uid=0 gid=1000 time=-2.750000000 size=0 sha256digest={EMPTY}
./d type=dir mode=1777 time=4.750000000
./d/\377 type=file time=5.750000000 size=3 sha256digest={ABC}
./d/l type=link time=6.750000000 link=../\303\251
./null type=char mode=0666 time=7.750000000 device=native,1,3
./p type=fifo mode=0600 time=8.750000000
",
        hash_bytes(b"commit"),
        hash_bytes(b"tree")
    );
    assert_eq!(String::from_utf8(write(Format::Mtree, &sample())).unwrap(), text);
    let expected: Vec<Item> = items(&sample()).into_iter().map(as_mtree).collect();
    assert_eq!(read_all(Format::Mtree, text.as_bytes()).unwrap(), expected);
}

#[test]
fn sums_are_exactly_this() {
    let mut text = format!("\\{EMPTY}  #a b*\\\\\n{ABC}  d/").into_bytes();
    text.extend_from_slice(b"\xff\n");
    assert_eq!(write(Format::Sha256sums, &sample()), text);
    let expected: Vec<Item> = items(&sample()).into_iter().filter_map(as_sums).collect();
    assert_eq!(read_all(Format::Sha256sums, &text).unwrap(), expected);
}

#[test]
fn a_timelist_is_exactly_this() {
    let text = b"[Version]\n2\n\n[Files]\n-2\tf\t0\t#a b*\\\n4\td\t0\td\n5\tf\t3\td/\xff\n6\tl\t5\td/l\n\n[Checksums SHA1]\n\n[End]\n";
    assert_eq!(write(Format::Fullfiletimelist, &sample()).escape_ascii().to_string(), text.escape_ascii().to_string());
    assert!(matches!(read_all(Format::Fullfiletimelist, text), Err(Error::WriteOnly { .. })));

    let mut out = Vec::new();
    let mut writer = Writer::begin(Format::Fullfiletimelist, &mut out, &Header::default()).unwrap();
    let timeless = entry(&path(b"a"), Metadata::default(), dir());
    assert!(matches!(writer.entry(&timeless.0, &timeless.1), Err(Error::CannotHold { .. })));
    let broken = entry(&path(b"a\nb"), sample()[0].1.metadata.clone(), dir());
    let error = writer.entry(&broken.0, &broken.1).unwrap_err();
    assert_eq!(error.to_string(), "cannot list 'a\\nb' as fullfiletimelist: has a tab or a line break in its path");
}

#[test]
fn a_format_is_named() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
    }
    assert!("md5sums".parse::<Format>().unwrap_err().to_string().contains("sha256sums"));
}

#[test]
fn json_that_is_not_in_its_one_form_is_refused() {
    let head = r#"{"chasm":"manifest","version":1,"policy":"mirror"}"#;
    let read = |line: &str| read_all(Format::Json, format!("{head}\n{line}\n{{\"entries\":1}}\n").as_bytes());
    assert!(read(r#"{"path":"a","kind":"file"}"#).is_ok());
    for bad in [
        r#"{"path":"a","kind":"file","colour":"red"}"#,
        r#"{"path":"a","kind":"file","mode":"644"}"#,
        r#"{"path":"a","kind":"file","mode":"17777"}"#,
        r#"{"path":"a","kind":"file","mtime":"1.5"}"#,
        r#"{"path":"a","kind":"file","mtime":"1.4000000000"}"#,
        r#"{"path":"a","kind":"file","uid":1}"#,
        r#"{"path":"a","kind":"file","target":"b"}"#,
        r#"{"path":"a","path":"b","kind":"file"}"#,
        r#"{"path":"a","path_hex":"ff","kind":"file"}"#,
        r#"{"path_hex":"61","kind":"file"}"#,
        r#"{"path":"./a","kind":"file"}"#,
        r#"{"path":"/a","kind":"file"}"#,
        r#"{"path":"../a","kind":"file"}"#,
        r#"{"path":"","kind":"dir"}"#,
        r#"{"path":".","kind":"fifo"}"#,
        r#"{"path":"a","kind":"dir","link":"0000000000000001"}"#,
        r#"{"path":"a","kind":"symlink","target":"b","mode":"0777"}"#,
        r#"{"path":"a","kind":"symlink","target":""}"#,
        r#"{"path":"a","kind":"char"}"#,
        r#"{"path":"a","kind":"char","rdev":[4096,0]}"#,
        r#"{"path":"a","kind":"file","xattrs":[["FF",""]]}"#,
        r#"{"path":"a","kind":"file","xattrs":[["757365722e62",""],["757365722e61",""]]}"#,
        "",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let error = read(r#"{"path":"a","kind":"file","\u001b":"red"}"#).unwrap_err().to_string();
    assert!(error.starts_with("cannot read line 2 of manifest: unknown field `\\x1b`"), "{error}");
    assert!(!error.contains("at line"), "{error}");
}

#[test]
fn a_json_manifest_cut_short_is_not_taken_for_a_smaller_tree() {
    let bytes = write(Format::Json, &sample());
    for end in 0..bytes.len() - 1 {
        assert!(read_all(Format::Json, &bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(read_all(Format::Json, &[&bytes[..], b"\n"].concat()).is_err());
    let without_a_line =
        String::from_utf8(bytes).unwrap().replace("{\"path\":\"p\"", "{\"entries\":6}\n{\"path\":\"p\"");
    assert!(read_all(Format::Json, without_a_line.as_bytes()).is_err());
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let newer = br#"{"chasm":"manifest","version":2,"flavour":"new"}"#;
    assert!(read_all(Format::Json, newer).unwrap_err().is_too_new());
    assert!(!read_all(Format::Json, b"#mtree\n").unwrap_err().is_too_new());
}

#[test]
fn mtree_of_others_is_read() {
    let text = b"#\t   user: bts\n\n/set type=file uid=0 gid=0 mode=0644 nlink=1 flags=none\r
.               type=dir mode=0700 nlink=15 time=1533892836.0\n    .ICE\\sauthority \\\n        mode=0600 size=708 time=1.5 cksum=17 \\\n   sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD # why\n
sub type=dir\ndev type=char device=linux,0x8,17\n/unset uid gid mode\nlink type=link mode=0777 link=a\\040b optional\n..\n..\nlast\n./sub/other type=socket\n";
    let read = read_all(Format::Mtree, text).unwrap();
    let shown: Vec<_> = read.iter().map(|item| item.path.to_string()).collect();
    assert_eq!(shown, [".", ".ICE authority", "sub", "sub/dev", "sub/link", "last", "sub/other"]);
    let blob = Some(BlobId(hash_bytes(b"abc")));
    assert_eq!(read[1].kind, ItemKind::File { blob, size: Some(708) });
    assert_eq!(read[1].metadata.mode, Some(0o600));
    assert_eq!(read[1].metadata.mtime, Some(Time { secs: 1, nanos: 5 }));
    assert_eq!(read[3].kind, ItemKind::CharDevice { rdev: (8, 17) });
    assert_eq!(read[3].metadata.owner, Some((0, 0)));
    assert_eq!(read[4].metadata, Metadata::default());

    for bad in
        ["a", "a type=door", "/etc type=dir", "../a type=file", "a//b type=file", "a type=link", "a type=file uid=1"]
    {
        assert!(read_all(Format::Mtree, bad.as_bytes()).is_err(), "{bad}");
    }
    for bad in ["mode=u+x", "mode=0100644", "time=x", "time=1.1000000000", "size=-1", "sha256=00", "device=7"] {
        assert!(read_all(Format::Mtree, format!("a type=file {bad}").as_bytes()).is_err(), "{bad}");
    }
    let deep = "d type=dir\n".repeat(5000);
    assert!(matches!(read_all(Format::Mtree, deep.as_bytes()), Err(Error::Path { line: 4097, .. })));
}

#[test]
fn sums_of_others_are_read() {
    let text = format!("# note\n\n{ABC} *./a\n{}  b\r\nSHA256 (c) = d) = {ABC}\n", ABC.to_uppercase());
    let read = read_all(Format::Sha256sums, text.as_bytes()).unwrap();
    let shown: Vec<_> = read.iter().map(|item| item.path.to_string()).collect();
    assert_eq!(shown, ["a", "b", "c) = d"]);
    for bad in ["/a", "a/", "../a", ".", "", "a//b"] {
        assert!(read_all(Format::Sha256sums, format!("{ABC}  {bad}\n").as_bytes()).is_err(), "{bad}");
    }
    for bad in [format!("{ABC} a"), format!("\\{ABC}  a\\b"), "SHA256 (a) = 00".into(), ABC.into()] {
        assert!(read_all(Format::Sha256sums, bad.as_bytes()).is_err(), "{bad}");
    }
    let dash = entry(&path(b"-"), Metadata::default(), Node::File { blob: BlobId(hash_bytes(b"abc")), size: 3 });
    assert_eq!(write(Format::Sha256sums, &[dash]), format!("{ABC}  ./-\n").as_bytes());
}

#[test]
fn a_line_is_no_longer_than_its_limit() {
    let limits = Limits { line_len: 100 };
    for (format, line) in
        [(Format::Json, "x"), (Format::Mtree, "x"), (Format::Mtree, "x\\\n"), (Format::Sha256sums, "x")]
    {
        let text = line.repeat(101);
        let mut bytes = text.as_bytes();
        let error = read(format, &mut bytes, limits).and_then(|mut reader| reader.next().unwrap()).unwrap_err();
        assert!(matches!(error, Error::LineTooLong { limit: 100, .. }), "{error}");
    }
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(&b" \\#=*?[]\n\r\t-.~\"\x7f\x80\xff"[..])];
    vec(byte, 1..20).prop_filter("a name", |name| crate::path::check_name(name).is_ok())
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let mtime = (any::<i64>(), 0..1_000_000_000u32).prop_map(|(secs, nanos)| Time { secs, nanos });
    let xattr_name = any_name().prop_map(|name| [b"user.", &name[..]].concat());
    let xattrs = proptest::collection::btree_map(xattr_name, vec(any::<u8>(), 0..10), 0..3);
    let parts =
        (option::of(0..=0o7777u16), option::of(mtime), any::<Option<(u32, u32)>>(), xattrs, any::<Option<u64>>());
    parts.prop_map(|(mode, mtime, owner, xattrs, link)| Metadata {
        mode,
        mtime,
        owner,
        xattrs: xattrs.into_iter().collect(),
        link,
    })
}

fn any_entry() -> impl Strategy<Value = (TreePath, Entry)> {
    let rdev = (0..1u32 << 12, 0..1u32 << 20);
    let target = vec(1..=255u8, 1..20);
    let node = prop_oneof![
        any::<([u8; 32], u64)>().prop_map(|(id, size)| Node::File { blob: BlobId::from_bytes(id), size }),
        Just(dir()),
        target.prop_map(|target| Node::Symlink { target }),
        Just(Node::Fifo),
        Just(Node::Socket),
        rdev.clone().prop_map(|rdev| Node::CharDevice { rdev }),
        rdev.prop_map(|rdev| Node::BlockDevice { rdev }),
    ];
    (vec(any_name(), 1..4), any_metadata(), node).prop_map(|(names, mut metadata, node)| {
        match node {
            Node::Dir { .. } => metadata.link = None,
            Node::Symlink { .. } => metadata.mode = None,
            _ => {}
        }
        entry(&path(&names.join(&b'/')), metadata, node)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in vec(any_entry(), 0..8)) {
        let listed = items(&entries);
        prop_assert_eq!(read_all(Format::Json, &write(Format::Json, &entries)).unwrap(), &listed[..]);
        let mtree: Vec<_> = listed.iter().cloned().map(as_mtree).collect();
        prop_assert_eq!(read_all(Format::Mtree, &write(Format::Mtree, &entries)).unwrap(), mtree);
        let sums: Vec<_> = listed.iter().cloned().filter_map(as_sums).collect();
        prop_assert_eq!(read_all(Format::Sha256sums, &write(Format::Sha256sums, &entries)).unwrap(), sums);
        for (item, (_, entry)) in listed.iter().zip(&entries) {
            prop_assert_eq!(item.entry(), Some(entry.clone()).filter(|entry| !entry.is_dir()));
        }
    }

    #[test]
    fn damage_is_an_error_or_other_entries(
        entries in vec(any_entry(), 1..5),
        damage in vec((any::<prop::sample::Index>(), 0..3u8, any::<u8>()), 1..4),
    ) {
        for format in [Format::Json, Format::Mtree, Format::Sha256sums] {
            let mut bytes = write(format, &entries);
            for (index, action, byte) in &damage {
                if bytes.is_empty() { break }
                let at = index.index(bytes.len());
                match action {
                    0 => bytes[at] = *byte,
                    1 => bytes.insert(at, *byte),
                    _ => { bytes.remove(at); }
                }
            }
            let mut input = &bytes[..];
            let Ok(reader) = read(format, &mut input, Limits::default()) else { continue };
            for item in reader.map_while(Result::ok) {
                prop_assert!(item.check().is_ok());
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            let _ = read_all(format, &noise);
        }
        let head = b"{\"chasm\":\"manifest\",\"version\":1,\"policy\":\"mirror\"}\n";
        let _ = read_all(Format::Json, &[head, &noise[..]].concat());
    }
}
