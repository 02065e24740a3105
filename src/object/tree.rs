//! One directory as pages.
//!
//! A directory of at most 512 entries is one leaf. A wider one is a fork: leaves
//! are cut after each entry whose name's SHA-256 ends in a zero byte (every 256th
//! on average), and the fork lists them. A fork of more than 512 branches is cut
//! again by the byte before, and so on. The shape depends on nothing but the set
//! of names, so equal directories have equal ids, whatever their history; and one
//! changed entry changes one leaf and the forks above it.
//!
//! ```text
//! leaf   := "ctl" version(1)  count(varint)  entry*
//!           entries strictly ascending by name bytes
//! fork   := "ctf" version(1)  level(1)  count(varint, from 1)  branch*
//! branch := name-length name   the last name below it, strictly ascending
//!           entries(varint, from 1)  files(varint)  bytes(varint)  page id(32)
//! ```
//!
//! `level` is 1 for a fork of leaves and one more than its branches' otherwise.

use super::cursor::{Cursor, put_string, put_varint};
use super::{DecodeError, Entry, Totals};
use crate::id::{TreeId, hash_bytes};
use crate::path::{MAX_NAME_LEN, check_name};

/// Most entries of a directory that is one leaf, and most branches of the
/// topmost fork.
pub const MAX_LEAF_ENTRIES: usize = 512;
/// Most bytes of one page.
pub const MAX_TREE_LEN: usize = 16 << 20;
/// Forks above forks: 256 to the 8th is more than any directory has entries.
const MAX_LEVEL: u8 = 8;
const VERSION: u8 = 1;
const LEAF: &[u8; 3] = b"ctl";
const FORK: &[u8; 3] = b"ctf";

/// One tree object: a leaf with entries, or a fork with branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Entries, strictly ascending by name.
    Leaf(Vec<Entry>),
    /// Pages below, strictly ascending by their last names.
    Fork {
        /// 1 if the branches are leaves, one more than theirs otherwise.
        level: u8,
        /// The pages below.
        branches: Vec<Branch>,
    },
}

/// One page below a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The name of the last entry below it.
    pub last: Vec<u8>,
    /// Directory entries below it.
    pub entries: u64,
    /// Files and bytes below it.
    pub totals: Totals,
    /// The page.
    pub page: TreeId,
}

impl Page {
    /// Writes the canonical bytes. The entries must be in order and valid, as
    /// decoding demands.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Page::Leaf(entries) => encode_leaf(entries),
            Page::Fork { level, branches } => encode_fork(*level, branches),
        }
    }

    /// Reads canonical bytes; refuses all others.
    pub fn decode(bytes: &[u8]) -> Result<Page, DecodeError> {
        if bytes.len() > MAX_TREE_LEN {
            return Err(too_large(bytes.len()));
        }
        let mut cursor = Cursor(bytes);
        let magic = cursor.bytes(3)?;
        let version = cursor.byte()?;
        if (magic == LEAF || magic == FORK) && version != VERSION {
            return Err(DecodeError::TooNew(version));
        }
        let page = if magic == LEAF {
            Page::Leaf(decode_leaf(&mut cursor)?)
        } else if magic == FORK {
            let level = cursor.byte()?;
            if !(1..=MAX_LEVEL).contains(&level) {
                return Err(DecodeError::Invalid("level of a fork"));
            }
            Page::Fork { level, branches: decode_branches(&mut cursor)? }
        } else {
            return Err(DecodeError::NotA("tree"));
        };
        cursor.finish()?;
        Ok(page)
    }

    /// What lies below it; `None` if the sums do not fit.
    pub fn totals(&self) -> Option<Totals> {
        let mut sum = Totals::default();
        match self {
            Page::Leaf(entries) => {
                for entry in entries {
                    sum = sum.checked_add(entry.totals())?;
                }
            }
            Page::Fork { branches, .. } => {
                for branch in branches {
                    sum = sum.checked_add(branch.totals)?;
                }
            }
        }
        Some(sum)
    }

    /// Number of directory entries below it.
    pub fn entry_count(&self) -> u64 {
        match self {
            Page::Leaf(entries) => entries.len() as u64,
            Page::Fork { branches, .. } => branches.iter().fold(0, |sum, b| sum.saturating_add(b.entries)),
        }
    }

    /// The last name in it; `None` for an empty leaf.
    pub fn last_name(&self) -> Option<&[u8]> {
        match self {
            Page::Leaf(entries) => entries.last().map(|e| &e.name[..]),
            Page::Fork { branches, .. } => branches.last().map(|b| &b.last[..]),
        }
    }

    /// Whether this page is what `branch` of a fork of `level` says it is.
    pub fn fits(&self, branch: &Branch, level: u8) -> bool {
        let own_level = match self {
            Page::Leaf(_) => 0,
            Page::Fork { level, .. } => *level,
        };
        own_level + 1 == level
            && self.last_name() == Some(&branch.last)
            && self.entry_count() == branch.entries
            && self.totals() == Some(branch.totals)
    }
}

/// The pages of one directory.
#[derive(Debug)]
pub struct Pages {
    /// Canonical bytes of each page with its id, those below before those above;
    /// the last is the directory's own.
    pub pages: Vec<(TreeId, Vec<u8>)>,
    /// What lies below the directory.
    pub totals: Totals,
}

impl Pages {
    /// The id of the directory.
    pub fn root(&self) -> TreeId {
        self.pages.last().expect("a directory has at least one page").0
    }
}

/// Cuts a directory into pages. `entries` must be strictly ascending by name and
/// valid. Fails if a page would be larger than [`MAX_TREE_LEN`], or the sums of
/// sizes do not fit.
pub fn paginate(entries: &[Entry]) -> Result<Pages, DecodeError> {
    debug_assert!(entries.is_sorted_by(|a, b| a.name < b.name));
    let mut pages = Vec::new();
    let mut totals = Totals::default();
    for entry in entries {
        totals = totals.checked_add(entry.totals()).ok_or(DecodeError::Invalid("sum of sizes"))?;
    }
    if entries.len() <= MAX_LEAF_ENTRIES {
        add_page(&mut pages, encode_leaf(entries))?;
        return Ok(Pages { pages, totals });
    }
    let mut branches = Vec::new();
    for leaf in cut(entries, |entry| &entry.name, 0) {
        let mut below = Totals::default();
        for entry in leaf {
            below = below.checked_add(entry.totals()).expect("the sum over all entries fits");
        }
        let page = add_page(&mut pages, encode_leaf(leaf))?;
        let last = leaf.last().expect("a cut piece is not empty").name.clone();
        branches.push(Branch { last, entries: leaf.len() as u64, totals: below, page });
    }
    for level in 1..=MAX_LEVEL {
        if branches.len() <= MAX_LEAF_ENTRIES || level == MAX_LEVEL {
            add_page(&mut pages, encode_fork(level, &branches))?;
            break;
        }
        let mut above = Vec::new();
        for piece in cut(&branches, |branch| &branch.last, level) {
            let mut sum = Branch {
                entries: 0,
                totals: Totals::default(),
                ..piece.last().expect("a cut piece is not empty").clone()
            };
            for branch in piece {
                sum.entries += branch.entries;
                sum.totals = sum.totals.checked_add(branch.totals).expect("the sum over all entries fits");
            }
            sum.page = add_page(&mut pages, encode_fork(level, piece))?;
            above.push(sum);
        }
        branches = above;
    }
    Ok(Pages { pages, totals })
}

fn add_page(pages: &mut Vec<(TreeId, Vec<u8>)>, bytes: Vec<u8>) -> Result<TreeId, DecodeError> {
    if bytes.len() > MAX_TREE_LEN {
        return Err(too_large(bytes.len()));
    }
    let id = TreeId(hash_bytes(&bytes));
    pages.push((id, bytes));
    Ok(id)
}

/// Cuts a run of named items after each whose name's digest has a zero byte at
/// `level` from its end.
fn cut<T>(items: &[T], name: impl Fn(&T) -> &Vec<u8>, level: u8) -> impl Iterator<Item = &[T]> {
    items.split_inclusive(move |item| {
        let digest = hash_bytes(name(item));
        digest.as_bytes()[31 - usize::from(level)] == 0
    })
}

fn too_large(len: usize) -> DecodeError {
    DecodeError::TooLarge { what: "tree object", len: len as u64, limit: MAX_TREE_LEN as u64 }
}

fn encode_leaf(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + entries.len() * 80);
    out.extend_from_slice(LEAF);
    out.push(VERSION);
    put_varint(&mut out, entries.len() as u64);
    for entry in entries {
        entry.encode(&mut out);
    }
    out
}

fn encode_fork(level: u8, branches: &[Branch]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + branches.len() * 80);
    out.extend_from_slice(FORK);
    out.push(VERSION);
    out.push(level);
    put_varint(&mut out, branches.len() as u64);
    for branch in branches {
        put_string(&mut out, &branch.last);
        put_varint(&mut out, branch.entries);
        put_varint(&mut out, branch.totals.files);
        put_varint(&mut out, branch.totals.bytes);
        out.extend_from_slice(branch.page.as_bytes());
    }
    out
}

fn decode_leaf(cursor: &mut Cursor<'_>) -> Result<Vec<Entry>, DecodeError> {
    // The shortest entry, a fifo of one letter, takes three bytes.
    let count = cursor.length("number of entries", cursor.0.len() / 3)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for _ in 0..count {
        let entry = Entry::decode(cursor)?;
        if entries.last().is_some_and(|last| last.name >= entry.name) {
            return Err(DecodeError::Unsorted);
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn decode_branches(cursor: &mut Cursor<'_>) -> Result<Vec<Branch>, DecodeError> {
    let count = cursor.length("number of branches", cursor.0.len() / 32)?;
    if count == 0 {
        return Err(DecodeError::Invalid("number of branches"));
    }
    let mut branches: Vec<Branch> = Vec::with_capacity(count);
    for _ in 0..count {
        let last = cursor.string("name", MAX_NAME_LEN)?;
        check_name(last)?;
        if branches.last().is_some_and(|previous| previous.last[..] >= *last) {
            return Err(DecodeError::Unsorted);
        }
        let entries = cursor.varint()?;
        if entries == 0 {
            return Err(DecodeError::Invalid("number of entries"));
        }
        let totals = Totals { files: cursor.varint()?, bytes: cursor.varint()? };
        branches.push(Branch { last: last.to_vec(), entries, totals, page: TreeId(cursor.id()?) });
    }
    Ok(branches)
}

#[cfg(test)]
mod tests {
    use super::super::{Metadata, Node};
    use super::*;
    use crate::disk::Time;
    use crate::id::BlobId;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.into(),
            metadata: Metadata {
                mode: Some(0o644),
                mtime: Some(Time { secs: -1, nanos: 999_999_999 }),
                owner: Some((0, 1000)),
                xattrs: vec![(b"user.a".to_vec(), b"".to_vec()), (b"user.b".to_vec(), b"v".to_vec())],
                link: Some(7),
            },
            node: Node::File { blob: BlobId(hash_bytes(name.as_bytes())), size: 3 },
        }
    }

    fn every_kind() -> Vec<Entry> {
        let nodes = [
            Node::File { blob: BlobId(hash_bytes(b"x")), size: 1 },
            Node::Dir { tree: TreeId(hash_bytes(b"y")), totals: Totals { files: 2, bytes: 300 } },
            Node::Symlink { target: b"../x".to_vec() },
            Node::Fifo,
            Node::Socket,
            Node::CharDevice { rdev: (1, 3) },
            Node::BlockDevice { rdev: (4095, 1_048_575) },
        ];
        let entries = nodes.into_iter().enumerate();
        entries.map(|(i, node)| Entry { name: vec![b'a' + i as u8], metadata: Metadata::default(), node }).collect()
    }

    #[test]
    fn encode_and_decode_are_inverse() {
        let page = Page::Leaf(every_kind().into_iter().chain([entry("x"), entry("y")]).collect());
        let bytes = page.encode();
        assert_eq!(Page::decode(&bytes).unwrap(), page);
        for end in 0..bytes.len() {
            assert!(Page::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(Page::decode(&[&bytes[..], b"x"].concat()), Err(DecodeError::TrailingBytes(1)));
    }

    #[test]
    fn any_flipped_bit_gives_an_error_or_other_canonical_bytes() {
        let bytes = Page::Leaf(every_kind().into_iter().chain([entry("x")]).collect()).encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(page) = Page::decode(&flipped) {
                assert_eq!(page.encode(), flipped, "bit {bit}");
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            let bytes = Page::Leaf(vec![entry(bad)]).encode();
            assert!(Page::decode(&bytes).is_err(), "{bad:?}");
        }
        let unsorted = Page::Leaf(vec![entry("b"), entry("a")]).encode();
        assert_eq!(Page::decode(&unsorted), Err(DecodeError::Unsorted));
        let twice = Page::Leaf(vec![entry("a"), entry("a")]).encode();
        assert_eq!(Page::decode(&twice), Err(DecodeError::Unsorted));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = Page::Leaf(vec![]).encode();
        bytes[3] = 2;
        assert!(Page::decode(&bytes).unwrap_err().is_too_new());
        assert_eq!(Page::decode(b"just a file"), Err(DecodeError::NotA("tree")));
    }

    #[test]
    fn a_wide_directory_is_a_fork_whose_shape_depends_on_names_alone() {
        let wide: Vec<Entry> = (0..200_000).map(|i| entry(&format!("{i:06}"))).collect();
        let pages = paginate(&wide).unwrap();
        let top = Page::decode(&pages.pages.last().unwrap().1).unwrap();
        let Page::Fork { level: 2, ref branches } = top else { panic!("{:?}", top.entry_count()) };
        assert!(branches.len() <= MAX_LEAF_ENTRIES);
        assert_eq!((top.entry_count(), top.totals()), (200_000, Some(pages.totals)));

        let mut changed = wide;
        changed[77_777].metadata.mode = Some(0o600);
        let again = paginate(&changed).unwrap();
        let known: std::collections::HashSet<_> = pages.pages.iter().map(|p| p.0).collect();
        assert_eq!(again.pages.iter().filter(|p| !known.contains(&p.0)).count(), 3, "one leaf and two forks");
    }

    #[test]
    fn a_directory_of_512_entries_is_one_leaf_and_of_513_a_fork() {
        let wide: Vec<Entry> = (0..513).map(|i| entry(&format!("{i:06}"))).collect();
        assert_eq!(paginate(&wide[..512]).unwrap().pages.len(), 1);
        assert!(matches!(
            Page::decode(&paginate(&wide).unwrap().pages.last().unwrap().1).unwrap(),
            Page::Fork { level: 1, .. }
        ));
    }
}
