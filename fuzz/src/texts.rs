//! Texts that people and other programs write.

use chasm::id::{BlobId, TreeId, hash_bytes};
use chasm::object::manifest::{Format, Item, ItemKind, Limits, Writer, read};
use chasm::object::{Entry, Node, Totals};
use chasm::repo::{Config, Revision};

/// chasm's own manifest.
pub fn manifest_json(bytes: &[u8]) {
    manifest(Format::Json, bytes);
}

/// mtree.
pub fn manifest_mtree(bytes: &[u8]) {
    manifest(Format::Mtree, bytes);
}

/// `SHA256SUMS`.
pub fn manifest_sums(bytes: &[u8]) {
    manifest(Format::Sha256sums, bytes);
}

/// What is read, is read again as it is written.
fn manifest(format: Format, mut bytes: &[u8]) {
    let _ = Format::guess(bytes);
    let Ok(reader) = read(format, &mut bytes, Limits { line_len: 1 << 14 }) else { return };
    let header = reader.header().cloned().unwrap_or_default();
    let items: Vec<Item> = reader.map_while(Result::ok).filter(|item| can_be_written(format, item)).collect();
    let mut text = Vec::new();
    let mut writer = Writer::begin(format, &mut text, &header).expect("writing to memory cannot fail");
    for item in &items {
        writer.entry(&item.path, &entry(item)).expect("what was read can be written");
    }
    writer.finish().expect("writing to memory cannot fail");
    let mut text = &text[..];
    let again = read(format, &mut text, Limits::default()).expect("what was written is read");
    let again: Vec<Item> = again.map(|item| item.expect("what was written is read")).collect();
    assert_eq!(again, items);
}

/// An entry knows its content; a manifest need not.
fn can_be_written(format: Format, item: &Item) -> bool {
    match item.kind {
        ItemKind::File { blob, size } => blob.is_some() && (size.is_some() || format == Format::Sha256sums),
        _ => true,
    }
}

fn entry(item: &Item) -> Entry {
    let node = match item.kind {
        ItemKind::Dir => Node::Dir { tree: TreeId(hash_bytes(b"")), totals: Totals::default() },
        ItemKind::File { blob, size } => {
            Node::File { blob: blob.unwrap_or(BlobId(hash_bytes(b""))), size: size.unwrap_or(0) }
        }
        _ => item.entry().expect("only files can lack something").node,
    };
    Entry { name: item.path.file_name().unwrap_or_default().to_vec(), metadata: item.metadata.clone(), node }
}

/// A revision.
pub fn revision(bytes: &[u8]) {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let Ok(revision) = Revision::parse_bytes(bytes, now) else { return };
    let mut text = revision.text().as_bytes().to_vec();
    if let Some(path) = &revision.path {
        text.push(b':');
        text.extend_from_slice(path.as_bytes());
    }
    assert_eq!(Revision::parse_bytes(&text, now).ok(), Some(revision));
}

/// A configuration.
pub fn config(bytes: &[u8]) {
    if let Ok(config) = Config::parse(bytes) {
        assert_eq!(Config::parse(config.to_toml().as_bytes()), Ok(config));
    }
}
