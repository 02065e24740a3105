//! Random values of the model.

use chasm::disk::Time;
use chasm::id::{BlobId, CommitId, TreeId};
use chasm::object::{Commit, Entry, Metadata, Node, Origin, Policy, Totals};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

pub fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(&b" \\#=*?[]\n\r\t-.~\"\x7f\x80\xff"[..])];
    let long = Just(vec![b'x'; 255]);
    let short = vec(byte, 1..12).prop_filter("a name", |name| chasm::path::check_name(name).is_ok());
    prop_oneof![20 => short, 1 => long]
}

pub fn time() -> impl Strategy<Value = Time> {
    (any::<i64>(), 0..1_000_000_000u32).prop_map(|(secs, nanos)| Time { secs, nanos })
}

pub fn metadata() -> impl Strategy<Value = Metadata> {
    let xattr_name = name().prop_map(|name| [b"user.", &name[..name.len().min(200)]].concat());
    let xattrs = btree_map(xattr_name, vec(any::<u8>(), 0..10), 0..3);
    let parts =
        (option::of(0..=0o7777u16), option::of(time()), any::<Option<(u32, u32)>>(), xattrs, any::<Option<u64>>());
    parts.prop_map(|(mode, mtime, owner, xattrs, link)| Metadata {
        mode,
        mtime,
        owner,
        xattrs: xattrs.into_iter().collect(),
        link,
    })
}

fn node() -> impl Strategy<Value = Node> {
    let rdev = (0..1u32 << 12, 0..1u32 << 20);
    prop_oneof![
        any::<([u8; 32], u64)>().prop_map(|(id, size)| Node::File { blob: BlobId::from_bytes(id), size }),
        any::<([u8; 32], u32, u32)>().prop_map(|(id, files, bytes)| Node::Dir {
            tree: TreeId::from_bytes(id),
            totals: Totals { files: files.into(), bytes: bytes.into() },
        }),
        vec(1..=255u8, 1..20).prop_map(|target| Node::Symlink { target }),
        Just(Node::Fifo),
        Just(Node::Socket),
        rdev.clone().prop_map(|rdev| Node::CharDevice { rdev }),
        rdev.prop_map(|rdev| Node::BlockDevice { rdev }),
    ]
}

/// Entries of one directory, sorted.
pub fn entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    btree_map(name(), (metadata(), node()), 0..most).prop_map(|named| {
        let entry = |(name, (mut metadata, node)): (Vec<u8>, (Metadata, Node))| {
            match node {
                Node::Dir { .. } => metadata.link = None,
                Node::Symlink { .. } => metadata.mode = None,
                _ => {}
            }
            Entry { name, metadata, node }
        };
        named.into_iter().map(entry).collect()
    })
}

pub fn commit() -> impl Strategy<Value = Commit> {
    const POLICIES: [&str; 6] = ["none", "mirror", "unix", "full", "symlinks", "sec-time,acl"];
    let policy = proptest::sample::select(&POLICIES[..]).prop_map(|text| text.parse::<Policy>().unwrap());
    let line = "[^\n]{0,20}";
    let origin = option::of(("[a-z:/]{1,20}", line).prop_map(|(url, state)| Origin { url, state }));
    let root = metadata().prop_map(|metadata| Metadata { link: None, ..metadata });
    let ids = (any::<[u8; 32]>(), vec(any::<[u8; 32]>(), 0..4));
    // The years 0 to 9999.
    let time = -62_167_219_200i64..253_402_207_200;
    let more = (vec(line, 0..3), vec(("[a-z]{1,8}", line), 0..3), any::<String>());
    (ids, time, line, policy, root, any::<(u64, u64)>(), origin, more).prop_map(
        |((tree, parents), time, author, policy, root, (files, bytes), origin, (refs, extensions, message))| Commit {
            tree: TreeId::from_bytes(tree),
            parents: parents.into_iter().map(CommitId::from_bytes).collect(),
            time: jiff::Timestamp::from_second(time).unwrap(),
            author,
            policy,
            root,
            totals: Totals { files, bytes },
            origin,
            refs,
            extensions,
            message,
        },
    )
}

/// A change of some bytes at one place.
#[derive(Clone, Debug)]
pub struct Damage {
    at: prop::sample::Index,
    action: u8,
    byte: u8,
}

pub fn damage() -> impl Strategy<Value = Damage> {
    (any::<prop::sample::Index>(), 0..4u8, 1..=255u8).prop_map(|(at, action, byte)| Damage { at, action, byte })
}

impl Damage {
    /// The bytes after it; never the same as before.
    pub fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        if bytes.is_empty() {
            return vec![self.byte];
        }
        let at = self.at.index(bytes.len());
        match self.action {
            0 => damaged[at] ^= self.byte,
            1 => damaged.insert(at, bytes[at] ^ self.byte),
            2 => damaged.truncate(at),
            _ => damaged[at] ^= 1 << (self.byte % 8),
        }
        damaged
    }
}
