//! Objects that no chasm would write: packs are put together byte by byte from
//! the layout in the manual, so nothing is checked on the way in.

use std::fs;

use chasm::id::{CommitId, Kind, ObjectId, TreeId, hash_bytes};
use chasm::object::{Commit, Entry, Metadata, Node, Page, Policy, Totals};
use chasm::refs::{Expected, RefEdit, RefName};
use chasm::repo::Repository;

use super::TestRepo;

/// Packs at hand to be put into a repository.
#[derive(Default)]
pub struct Forge {
    objects: Vec<(Kind, ObjectId, Vec<u8>)>,
}

impl Forge {
    /// Nothing yet.
    pub fn new() -> Forge {
        Forge::default()
    }

    /// Adds an object under its true id.
    pub fn add(&mut self, kind: Kind, bytes: &[u8]) -> ObjectId {
        let id = hash_bytes(bytes);
        self.add_as(kind, id, bytes);
        id
    }

    /// Adds an object under any id.
    pub fn add_as(&mut self, kind: Kind, id: ObjectId, bytes: &[u8]) {
        if !self.objects.iter().any(|(k, i, _)| (k, i) == (&kind, &id)) {
            self.objects.push((kind, id, bytes.to_vec()));
        }
    }

    /// Adds a tree page of any bytes.
    pub fn tree_bytes(&mut self, bytes: &[u8]) -> TreeId {
        TreeId(self.add(Kind::Tree, bytes))
    }

    /// Adds a directory of entries, which nobody checks.
    pub fn tree(&mut self, entries: &[Entry]) -> TreeId {
        self.tree_bytes(&Page::Leaf(entries.to_vec()).encode())
    }

    /// Adds a file's content.
    pub fn blob(&mut self, bytes: &[u8]) -> chasm::id::BlobId {
        chasm::id::BlobId(self.add(Kind::Blob, bytes))
    }

    /// Puts all into the repository, content and structure in packs of their own.
    pub fn store(&self, repo: &TestRepo) {
        for (class, wanted) in [(0, true), (1, false)] {
            let objects: Vec<_> = self.objects.iter().filter(|(kind, ..)| (*kind == Kind::Blob) == wanted).collect();
            if objects.is_empty() {
                continue;
            }
            let mut pack = Pack::begin(class);
            for (kind, id, bytes) in objects {
                pack.record(*kind, *id, bytes);
            }
            pack.store(repo);
        }
    }

    /// Commits a tree as the branch `forged`, and stores all.
    pub fn commit(mut self, repo: &TestRepo, tree: TreeId, totals: Totals) -> CommitId {
        let bytes = commit_of(tree, totals).encode().unwrap();
        let id = CommitId(self.add(Kind::Commit, &bytes));
        self.store(repo);
        point(repo, "forged", id);
        id
    }
}

/// A plain commit of a tree.
pub fn commit_of(tree: TreeId, totals: Totals) -> Commit {
    Commit {
        tree,
        parents: Vec::new(),
        time: "2026-11-21T00:00:00Z".parse().unwrap(),
        author: "forger".into(),
        policy: Policy::MIRROR,
        root: Metadata::default(),
        totals,
        origin: None,
        refs: Vec::new(),
        extensions: Vec::new(),
        message: String::new(),
    }
}

/// Lets a branch name a commit, whatever that is.
pub fn point(repo: &TestRepo, branch: &str, id: CommitId) {
    let repository = Repository::open(&repo.path("repo")).unwrap();
    let name = RefName::branch(branch).unwrap();
    let edit = RefEdit { name, new: Some(id), expected: Expected::Any };
    repository.refs().commit(&[edit], None, "forger", "forged", "2026-11-21T00:00:00Z".parse().unwrap()).unwrap();
}

/// A pack as its bytes, with the entries that its index will have.
pub struct Pack {
    /// All before the trailer.
    pub bytes: Vec<u8>,
    /// Ids and offsets of the records.
    pub entries: Vec<(ObjectId, u64)>,
    /// Version and class that the index will say.
    pub head: [u8; 2],
}

impl Pack {
    /// An empty one; class 0 holds blobs, class 1 trees and commits.
    pub fn begin(class: u8) -> Pack {
        let mut bytes = b"CHASMPCK".to_vec();
        bytes.extend([1, class]);
        Pack { bytes, entries: Vec::new(), head: [1, class] }
    }

    /// Adds an object as it is.
    pub fn record(&mut self, kind: Kind, id: ObjectId, bytes: &[u8]) {
        let mut head = vec![tag(kind, 0)];
        head.extend(id.as_bytes());
        varint(&mut head, bytes.len() as u64);
        head.extend(bytes);
        self.raw(id, &head);
    }

    /// Adds a record of any bytes.
    pub fn raw(&mut self, id: ObjectId, record: &[u8]) {
        self.entries.push((id, self.bytes.len() as u64));
        self.bytes.extend(record);
    }

    /// The pack's name and its two files.
    pub fn finish(mut self) -> (String, Vec<u8>, Vec<u8>) {
        let name = hash_bytes(&self.bytes);
        self.bytes.extend(name.as_bytes());
        let index = self.index(name);
        (name.to_string(), self.bytes, index)
    }

    fn index(&mut self, name: ObjectId) -> Vec<u8> {
        self.entries.sort_unstable();
        let mut out = b"CHASMIDX".to_vec();
        out.extend(self.head);
        out.extend(name.as_bytes());
        out.extend((self.bytes.len() as u64).to_be_bytes());
        out.extend((self.entries.len() as u64).to_be_bytes());
        for first in 0..=255u8 {
            let count = self.entries.iter().filter(|(id, _)| id.as_bytes()[0] <= first).count();
            out.extend(u32::try_from(count).unwrap().to_be_bytes());
        }
        for (id, offset) in &self.entries {
            out.extend(&id.as_bytes()[1..8]);
            out.extend(&offset.to_be_bytes()[3..]);
        }
        let sum = hash_bytes(&out);
        out.extend(sum.as_bytes());
        out
    }

    /// Puts it into the repository.
    pub fn store(self, repo: &TestRepo) {
        let (name, pack, index) = self.finish();
        let dir = repo.path("repo/packs");
        fs::write(dir.join(format!("{name}.pack")), pack).unwrap();
        fs::write(dir.join(format!("{name}.idx")), index).unwrap();
    }
}

/// First byte of a record: kind and form.
pub fn tag(kind: Kind, form: u8) -> u8 {
    let kind = match kind {
        Kind::Blob => 0,
        Kind::Tree => 1,
        Kind::Commit => 2,
    };
    kind | form << 2
}

/// The one short form of a number.
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An entry with mode and time, as the default policy keeps them.
pub fn entry(name: impl AsRef<[u8]>, node: Node) -> Entry {
    let mode = match node {
        Node::Symlink { .. } => None,
        Node::Dir { .. } => Some(0o755),
        _ => Some(0o644),
    };
    let mtime = Some(chasm::disk::Time { secs: 1_700_000_000, nanos: 0 });
    Entry { name: name.as_ref().to_vec(), metadata: Metadata { mode, mtime, ..Metadata::default() }, node }
}

/// What every reader must say of the branch `forged`: the code, before anything
/// was made, and without a look outside.
#[track_caller]
pub fn readers_refuse(repo: &TestRepo, code: i32) {
    repo.chasm("checkout forged out").exits(code).tells_in_one_line();
    assert_eq!(repo.leftovers(), [""; 0], "something was made");
    super::write(&repo.path("there"), "mine = 1\nd -> ../canary");
    repo.chasm("checkout forged there --force").exits(code).tells_in_one_line();
    repo.chasm("ls -R forged").exits(code).tells_in_one_line();
    repo.chasm("diff main forged").exits(code).tells_in_one_line();
    repo.canary_is_untouched();
    repo.fsck().exits(code);
    // What was there before is as good as ever.
    repo.chasm("checkout main sound").ok();
}
