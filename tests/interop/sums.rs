//! `SHA256SUMS` against coreutils' sha256sum.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use chasm::id::{BlobId, hash_bytes};
use chasm::object::manifest::{Format, Header, ItemKind, Limits, Writer, read};
use chasm::object::{Entry, Metadata, Node};
use chasm::path::TreePath;

use crate::run;

const NAMES: [&[u8]; 8] = [b"-", b"a", b"b c", b"c\\d", b"e\nf", b"g\rh", b"i\xff*", b" j "];

#[test]
fn sha256sum_checks_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = Vec::new();
    let mut writer = Writer::begin(Format::Sha256sums, &mut text, &Header::default()).unwrap();
    for name in NAMES {
        fs::write(directory.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        let node = Node::File { blob: BlobId(hash_bytes(name)), size: name.len() as u64 };
        let entry = Entry { name: name.to_vec(), metadata: Metadata::default(), node };
        writer.entry(&TreePath::parse(name).unwrap(), &entry).unwrap();
    }
    writer.finish().unwrap();
    let sums = tempfile::NamedTempFile::new().unwrap();
    fs::write(sums.path(), text).unwrap();
    run("sha256sum", "coreutils", directory.path(), ["--check".as_ref(), "--strict".as_ref(), sums.path()]);
}

#[test]
fn what_sha256sum_writes_is_read() {
    let directory = tempfile::tempdir().unwrap();
    for name in NAMES {
        fs::write(directory.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    for mode in ["--text", "--binary", "--tag"] {
        let paths = NAMES.map(|name| std::ffi::OsStr::from_bytes(&[b"./", name].concat()).to_owned());
        let args = [mode.into()].into_iter().chain(paths);
        let text = run("sha256sum", "coreutils", directory.path(), args);
        let mut input = &text[..];
        let items: Vec<_> =
            read(Format::Sha256sums, &mut input, Limits::default()).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(items.len(), NAMES.len());
        for (item, name) in items.iter().zip(NAMES) {
            assert_eq!(item.path.as_bytes(), name, "{mode}");
            assert_eq!(item.kind, ItemKind::File { blob: Some(BlobId(hash_bytes(name))), size: None });
        }
    }
}
