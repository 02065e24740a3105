//! The walk over everything that refs need, and what must hold of it.

use std::collections::{HashMap, HashSet};

use super::Problem;
use crate::id::{BlobId, CommitId, Kind, ObjectId, TreeId, hash_bytes};
use crate::object::{Commit, MAX_LEAF_ENTRIES, Node, Page, Totals, paginate};
use crate::odb::fsck::{Inspection, Severity};
use crate::odb::reach::Observer;
use crate::odb::tree::read_dir;
use crate::odb::{self, Error, Odb};

/// Said of what is not there, or not whole anywhere.
pub(super) const MISSING: &str = "is missing";

/// Hears of everything that is reached, and checks how it fits together.
pub(super) struct Checker<'c> {
    odb: &'c Odb,
    inspection: Option<&'c Inspection>,
    /// All blobs that are needed.
    pub blobs: HashSet<ObjectId>,
    /// What is wrong, in the order it was met.
    pub problems: Vec<Problem>,
    /// Whether what is missing is only worth a note.
    pub lenient: bool,
    sizes: HashMap<ObjectId, Option<u64>>,
    totals: HashMap<ObjectId, Option<Totals>>,
    /// What others say of directories that were not reached yet.
    claims: HashMap<ObjectId, Vec<Claim>>,
    /// Pages that cannot be a directory of their own, or must be looked at as one.
    forks: HashSet<ObjectId>,
    wide_leaves: HashSet<ObjectId>,
}

/// A commit or a directory says how much lies in a directory.
#[derive(Clone, Copy)]
struct Claim {
    by: (Kind, ObjectId),
    totals: Totals,
}

impl<'c> Checker<'c> {
    pub fn new(odb: &'c Odb, inspection: Option<&'c Inspection>) -> Checker<'c> {
        Checker {
            odb,
            inspection,
            blobs: HashSet::new(),
            problems: Vec::new(),
            lenient: false,
            sizes: HashMap::new(),
            totals: HashMap::new(),
            claims: HashMap::new(),
            forks: HashSet::new(),
            wide_leaves: HashSet::new(),
        }
    }

    fn damage(&mut self, kind: Kind, id: ObjectId, what: impl Into<String>) {
        self.problems.push(Problem::of(Severity::Damage, kind, id, what));
    }

    fn missing(&mut self, kind: Kind, id: ObjectId) {
        let problem = if self.lenient {
            Problem::of(Severity::Note, kind, id, "is gone; only former states in the journal need it")
        } else {
            Problem::of(Severity::Damage, kind, id, MISSING)
        };
        self.problems.push(problem);
    }

    /// The real length of a blob; `None` if there is none.
    fn size_of(&mut self, blob: BlobId) -> odb::Result<Option<u64>> {
        if let Some(inspection) = self.inspection {
            return Ok(inspection.blobs.get(&blob.0).copied());
        }
        if let Some(size) = self.sizes.get(&blob.0) {
            return Ok(*size);
        }
        let size = self.odb.blob_len(blob)?;
        self.sizes.insert(blob.0, size);
        Ok(size)
    }

    fn file(&mut self, by: TreeId, name: &[u8], blob: BlobId, declared: u64) -> odb::Result<()> {
        // An empty file is an entry and nothing else.
        let real = if blob.0 == hash_bytes(b"") { Some(0) } else { self.size_of(blob)? };
        let is_first = self.blobs.insert(blob.0);
        match real {
            None if is_first => {
                let twin = self.inspection.and_then(|inspection| inspection.twins.get(&blob.0)).cloned();
                self.missing(Kind::Blob, blob.0);
                if let (Some(problem), Some(twin)) = (self.problems.last_mut(), twin) {
                    problem.what = format!("is missing; its twin '{twin}' is whole");
                }
            }
            Some(real) if real != declared => {
                let name = crate::path::Escaped(name);
                let what = format!("says that '{name}' has {declared} bytes, and blob {:.12} has {real}", blob.0);
                self.damage(Kind::Tree, by.0, what);
            }
            _ => {}
        }
        Ok(())
    }

    fn claim(&mut self, tree: TreeId, claim: Claim) -> odb::Result<()> {
        match self.totals.get(&tree.0) {
            Some(totals) => self.judge(tree, *totals, claim),
            None => {
                self.claims.entry(tree.0).or_default().push(claim);
                Ok(())
            }
        }
    }

    fn judge(&mut self, tree: TreeId, real: Option<Totals>, claim: Claim) -> odb::Result<()> {
        let (kind, id) = claim.by;
        match real {
            Some(real) if real != claim.totals => {
                let Totals { files, bytes } = claim.totals;
                let what = format!(
                    "says that {files} files of {bytes} bytes lie in tree {:.12}, and {} files of {} bytes do",
                    tree.0, real.files, real.bytes
                );
                self.damage(kind, id, what);
            }
            _ => {}
        }
        self.check_shape(tree)
    }

    /// A directory must be cut into pages in its one valid way.
    fn check_shape(&mut self, tree: TreeId) -> odb::Result<()> {
        if self.wide_leaves.remove(&tree.0) {
            self.damage(
                Kind::Tree,
                tree.0,
                format!("is a directory of more than {MAX_LEAF_ENTRIES} entries on one page"),
            );
        }
        if !self.forks.remove(&tree.0) {
            return Ok(());
        }
        let what = match read_dir(self.odb, tree, None) {
            Ok(entries) if !entries.is_sorted_by(|a, b| a.name < b.name) => "has pages that overlap".to_owned(),
            Ok(entries) => match paginate(&entries) {
                Ok(pages) if pages.root() == tree => return Ok(()),
                _ => "is not cut into pages in the one valid way".to_owned(),
            },
            Err(e @ Error::Interrupted(_)) => return Err(e),
            Err(Error::Invalid { source, .. }) => source.to_string(),
            // The walk tells of these where it meets them.
            Err(_) => return Ok(()),
        };
        self.damage(Kind::Tree, tree.0, what);
        Ok(())
    }
}

impl Observer for Checker<'_> {
    fn commit(&mut self, id: CommitId, commit: &Commit) -> odb::Result<()> {
        self.claim(commit.tree, Claim { by: (Kind::Commit, id.0), totals: commit.totals })
    }

    fn page(&mut self, id: TreeId, page: &Page) -> odb::Result<()> {
        let totals = page.totals();
        if totals.is_none() {
            self.damage(Kind::Tree, id.0, "has sizes whose sum does not fit");
        }
        match page {
            Page::Leaf(entries) => {
                if entries.len() > MAX_LEAF_ENTRIES {
                    self.wide_leaves.insert(id.0);
                }
                for entry in entries {
                    match entry.node {
                        Node::File { blob, size } => self.file(id, &entry.name, blob, size)?,
                        Node::Dir { tree, totals } => self.claim(tree, Claim { by: (Kind::Tree, id.0), totals })?,
                        _ => {}
                    }
                }
            }
            Page::Fork { .. } => {
                self.forks.insert(id.0);
            }
        }
        self.totals.insert(id.0, totals);
        for claim in self.claims.remove(&id.0).unwrap_or_default() {
            self.judge(id, totals, claim)?;
        }
        Ok(())
    }

    fn broken(&mut self, kind: Kind, id: ObjectId, error: Error) -> odb::Result<()> {
        match error {
            Error::Missing { .. } => self.missing(kind, id),
            // Told already, with its place, by whoever has looked at all bytes.
            _ if self.inspection.is_some_and(|inspection| !inspection.has(kind, &id)) => self.missing(kind, id),
            Error::Corrupt { place, why, .. } => self.damage(kind, id, format!("{why} in '{place}'")),
            Error::Invalid { source, .. } if source.is_too_new() => {
                self.problems.push(Problem::of(Severity::TooNew, kind, id, source.to_string()));
            }
            Error::Invalid { source, .. } => self.damage(kind, id, source.to_string()),
            Error::Disk(e) => {
                self.problems.push(Problem::of(Severity::Unreadable, kind, id, format!("{e}: {}", e.io())));
            }
            other => self.damage(kind, id, other.to_string()),
        }
        Ok(())
    }
}
