//! A manifest becomes a commit.
//!
//! What others have listed is built into a tree, from below, as a snapshot is.
//! The contents come from the database or from a directory that holds them at the
//! same paths. Nothing is believed: a file of that directory is hashed as it is
//! stored, must be what the manifest says, and is never reached by a symbolic
//! link. So a commit is made only of contents that are there.
//!
//! - *Order.* The lines of `json` must be in the order of paths, as chasm writes
//!   them; one directory and what lies above it are in memory. The other formats
//!   may be in any order: all of their entries are collected and sorted first,
//!   which takes some 250 bytes an entry and the path.
//! - *What is listed twice*, or below something that is no directory, is refused.
//! - *Directories that are not listed* are made where an entry lies in them, with
//!   the mode 0755, the owner 0:0 and the newest time of what lies in them, as far
//!   as the policy keeps such things. So is the root.
//! - *Policy.* `json` names it, and what it does not keep is left out. `mtree`
//!   keeps symlinks, and of modes, times and owners what any entry tells; with
//!   owners, or when there are any, special files. Usually that is `mirror` or
//!   `unix`. `sha256sums` keeps nothing but contents.
//! - *Missing words.* An entry that tells no mode, time or owner has none. A file
//!   that tells no length has that of its content; one that tells no digest is
//!   what the directory holds at its path.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::metadata::filter;
use super::pages::DirStore;
use super::record::{CommitOptions, Recorded, State, parent_of, record};
use super::{Error, Result};
use crate::disk::{Dir, Time};
use crate::id::{BlobId, TreeId, hash_bytes};
use crate::monitor::{Amount, Finding, Monitor};
use crate::object::manifest::{Format, Item, ItemKind, Limits, read};
use crate::object::{Entry, Feature, Metadata, Node, Policy, Totals};
use crate::odb::{self, Batch, Ingest};
use crate::path::TreePath;
use crate::repo::Repository;

/// A manifest, and where the contents it lists are to be had.
pub struct ManifestSource<'m> {
    /// How it is written.
    pub format: Format,
    /// Its text.
    pub input: &'m mut dyn BufRead,
    /// A directory that holds what the database does not; `None` if it has all.
    pub tree: Option<&'m Path>,
    /// Whether the pool links large files of that directory instead of copying them.
    pub link: bool,
}

/// Takes what a manifest lists up as a commit on a branch.
pub fn commit_manifest(
    repository: &Repository,
    manifest: ManifestSource<'_>,
    options: &CommitOptions,
    patience: std::time::Duration,
    monitor: &dyn Monitor,
) -> Result<Recorded> {
    let lock = repository.odb().lock_for_writing(patience)?;
    let root = manifest.tree.map(Dir::open).transpose()?;
    let batch = repository.odb().begin(&lock, root.as_ref())?;
    let base = parent_of(repository, &options.branch)?.map(|(_, commit)| commit.tree);
    monitor.begin("importing", None);
    let (state, skipped) = import(&batch, manifest, root.as_ref(), base, monitor)?;
    monitor.end();
    let recorded = record(repository, batch, &state, options, monitor)?;
    Ok(Recorded { skipped, ..recorded })
}

/// Builds the tree that a manifest lists; also counts the entries of kinds that
/// the policy does not keep.
fn import(
    batch: &Batch<'_>,
    manifest: ManifestSource<'_>,
    source: Option<&Dir>,
    base: Option<TreeId>,
    monitor: &dyn Monitor,
) -> Result<(State, u64)> {
    let reader = read(manifest.format, manifest.input, Limits::default())?;
    let mut builder = Builder {
        batch,
        dirs: DirStore::new(batch, base),
        source,
        link: manifest.link,
        policy: Policy::NONE,
        stack: vec![Frame::new(TreePath::root())],
        last: None,
        groups: HashMap::new(),
        brought: Mutex::default(),
        skipped: 0,
        monitor,
    };
    let header = reader.header().cloned();
    if let Some(header) = &header {
        builder.policy = header.policy;
        for item in reader {
            builder.add(item?)?;
        }
    } else {
        let mut items = Vec::new();
        for item in reader {
            monitor.check()?;
            items.push(item?);
        }
        builder.policy = policy_of(manifest.format, &items);
        items.sort_by(|a, b| a.path.cmp(&b.path));
        for item in items {
            builder.add(item)?;
        }
    }
    let (state, skipped) = builder.finish()?;
    if let Some(promised) = header.and_then(|header| header.tree).filter(|tree| *tree != state.tree) {
        let what = format!("the manifest was made of tree {promised}, its entries make tree {}", state.tree);
        monitor.finding(Finding::note(TreePath::root(), what));
    }
    Ok((state, skipped))
}

/// What a manifest that names no policy keeps.
fn policy_of(format: Format, items: &[Item]) -> Policy {
    if format == Format::Sha256sums {
        return Policy::NONE;
    }
    let has = |what: fn(&Item) -> bool| items.iter().any(what);
    let owned = has(|item| item.metadata.owner.is_some());
    let special =
        has(|item| !matches!(item.kind, ItemKind::File { .. } | ItemKind::Dir | ItemKind::Symlink { .. })) || owned;
    let features = [
        (true, Feature::Symlinks),
        (has(|item| item.metadata.mode.is_some()), Feature::Permissions),
        (has(|item| item.metadata.mtime.is_some()), Feature::NsecTime),
        (owned, Feature::Uids),
        (special, Feature::Fifos),
        (special, Feature::Sockets),
        (special, Feature::DeviceNodes),
    ];
    features.into_iter().filter(|(kept, _)| *kept).map(|(_, feature)| feature).collect()
}

struct Builder<'b> {
    batch: &'b Batch<'b>,
    dirs: DirStore<'b>,
    source: Option<&'b Dir>,
    link: bool,
    policy: Policy,
    /// The directories on the way to the last entry, the root first.
    stack: Vec<Frame>,
    /// The last entry, and whether it was a directory.
    last: Option<(TreePath, bool)>,
    /// What the names of one inode have in common.
    groups: HashMap<u64, (Metadata, ItemKind)>,
    /// Blobs that this import has brought, and their lengths.
    brought: Mutex<HashMap<BlobId, u64>>,
    skipped: u64,
    monitor: &'b dyn Monitor,
}

/// A directory to which entries are still added.
struct Frame {
    at: Arc<TreePath>,
    /// `None` until it is listed.
    metadata: Option<Metadata>,
    entries: Vec<Pending>,
    /// The directory of this path that holds the contents, once it was looked for.
    dir: Option<Dir>,
}

enum Pending {
    Whole(Entry),
    File(PendingFile),
}

/// A file whose content has yet to be found.
struct PendingFile {
    name: Vec<u8>,
    metadata: Metadata,
    blob: Option<BlobId>,
    size: Option<u64>,
}

impl Frame {
    fn new(at: TreePath) -> Frame {
        Frame { at: Arc::new(at), metadata: None, entries: Vec::new(), dir: None }
    }
}

impl Builder<'_> {
    /// Takes the next entry.
    fn add(&mut self, item: Item) -> Result<()> {
        self.monitor.check()?;
        let Item { path, metadata, kind } = item;
        let refuse = |why| Err(Error::ListedWrongly { path: path.clone(), why });
        if let Some((last, is_dir)) = &self.last {
            if path == *last {
                return refuse("it is listed twice");
            }
            if path < *last {
                return refuse("it is not in the order of paths");
            }
            if path.starts_with(last) && !is_dir {
                return refuse("it lies below something that is no directory");
            }
        }
        let metadata = filter(self.policy, metadata);
        if let Some(link) = metadata.link {
            let shared = (metadata.clone(), kind.clone());
            if *self.groups.entry(link).or_insert_with(|| shared.clone()) != shared {
                return refuse("it differs from another name of the same inode");
            }
        }
        self.last = Some((path.clone(), kind == ItemKind::Dir));
        let Some(name) = path.file_name() else {
            self.stack[0].metadata = Some(metadata);
            return Ok(());
        };
        self.enter(&path.parent().unwrap_or_default())?;
        if kind == ItemKind::Dir {
            let mut frame = Frame::new(path);
            frame.metadata = Some(metadata);
            self.stack.push(frame);
            return Ok(());
        }
        let node = match kind {
            ItemKind::File { blob, size } => {
                let file = PendingFile { name: name.to_vec(), metadata, blob, size };
                self.top().entries.push(Pending::File(file));
                return Ok(());
            }
            ItemKind::Symlink { target } => Some(Node::Symlink { target }).filter(|_| self.keeps(Feature::Symlinks)),
            ItemKind::Fifo => Some(Node::Fifo).filter(|_| self.keeps(Feature::Fifos)),
            ItemKind::Socket => Some(Node::Socket).filter(|_| self.keeps(Feature::Sockets)),
            ItemKind::CharDevice { rdev } => {
                Some(Node::CharDevice { rdev }).filter(|_| self.keeps(Feature::DeviceNodes))
            }
            ItemKind::BlockDevice { rdev } => {
                Some(Node::BlockDevice { rdev }).filter(|_| self.keeps(Feature::DeviceNodes))
            }
            ItemKind::Dir => None,
        };
        match node {
            Some(node) => self.top().entries.push(Pending::Whole(Entry { name: name.to_vec(), metadata, node })),
            None => self.skipped += 1,
        }
        Ok(())
    }

    fn keeps(&self, feature: Feature) -> bool {
        self.policy.keeps(feature)
    }

    fn top(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("the root is left for the end")
    }

    /// Makes `dir` the last of the stack: what does not lead to it is done, what
    /// is missing on the way is made.
    fn enter(&mut self, dir: &TreePath) -> Result<()> {
        while !dir.starts_with(&self.top().at) {
            self.leave()?;
        }
        let missing: Vec<Vec<u8>> = dir.names().skip(self.stack.len() - 1).map(<[u8]>::to_vec).collect();
        for name in missing {
            let at = self.top().at.join(&name);
            self.stack.push(Frame::new(at));
        }
        Ok(())
    }

    /// Stores the last directory of the stack and makes it an entry of the one
    /// before.
    fn leave(&mut self) -> Result<()> {
        let (tree, totals, metadata) = self.store_top()?;
        let done = self.stack.pop().expect("there is a directory to leave");
        let name = done.at.file_name().expect("the root is not left").to_vec();
        self.top().entries.push(Pending::Whole(Entry { name, metadata, node: Node::Dir { tree, totals } }));
        Ok(())
    }

    fn finish(mut self) -> Result<(State, u64)> {
        while self.stack.len() > 1 {
            self.leave()?;
        }
        let (tree, totals, root) = self.store_top()?;
        Ok((State { tree, root, totals, policy: self.policy }, self.skipped))
    }

    fn store_top(&mut self) -> Result<(TreeId, Totals, Metadata)> {
        let pending = std::mem::take(&mut self.top().entries);
        let top = self.stack.len() - 1;
        let has_files = pending.iter().any(|entry| matches!(entry, Pending::File(_)));
        if has_files {
            self.open_sources();
        }
        let frame = &self.stack[top];
        let complete = |pending| match pending {
            Pending::Whole(entry) => Ok(entry),
            Pending::File(file) => self.content(frame, file),
        };
        let entries: Vec<Entry> = pending.into_par_iter().map(complete).collect::<Result<_>>()?;
        let (tree, totals) = self.dirs.store(&frame.at, &entries)?;
        let metadata = frame.metadata.clone().unwrap_or_else(|| made(self.policy, &entries));
        Ok((tree, totals, metadata))
    }

    /// Opens the directory that holds the contents of the last one of the stack,
    /// as far as it is there.
    fn open_sources(&mut self) {
        let Some(source) = self.source else { return };
        for depth in 0..self.stack.len() {
            if self.stack[depth].dir.is_some() {
                continue;
            }
            let opened = match (depth.checked_sub(1), self.stack[depth].at.file_name()) {
                (Some(above), Some(name)) => self.stack[above].dir.as_ref().map(|dir| dir.open_dir(name)),
                _ => Some(source.try_clone()),
            };
            // What cannot be opened holds no content; the file that needs it is named.
            let Some(Ok(dir)) = opened else { return };
            self.stack[depth].dir = Some(dir);
        }
    }

    /// Finds the content of a file and sees that it is the one promised.
    fn content(&self, frame: &Frame, file: PendingFile) -> Result<Entry> {
        self.monitor.check()?;
        let (blob, size) = match self.at_hand(frame, &file)? {
            Some(found) => found,
            None => self.bring(frame, &file)?,
        };
        self.monitor.advance(Amount::file(size));
        Ok(Entry { name: file.name, metadata: file.metadata, node: Node::File { blob, size } })
    }

    /// The content, if the database or this import has it.
    fn at_hand(&self, frame: &Frame, file: &PendingFile) -> Result<Option<(BlobId, u64)>> {
        let Some(blob) = file.blob else { return Ok(None) };
        let brought = self.brought.lock().expect("no holder of this lock panics").get(&blob).copied();
        let odb = self.batch.odb();
        let known = match brought {
            Some(size) => Some(size),
            None if blob.0 == hash_bytes(b"") => Some(0),
            None => match (odb.blob_len(blob)?, file.size) {
                (Some(len), None) => {
                    // A length that nobody has promised is believed only with the content.
                    let mut reader = odb.open_blob(blob, len)?;
                    reader.check()?;
                    self.brought.lock().expect("no holder of this lock panics").insert(blob, len);
                    Some(len)
                }
                (len, _) => len,
            },
        };
        match (known, file.size) {
            (Some(size), Some(promised)) if size != promised => {
                Err(self.other(frame, file, format!("its content has {size} bytes instead of {promised}")))
            }
            (Some(size), _) => Ok(Some((blob, size))),
            (None, _) => Ok(None),
        }
    }

    /// Stores the file that lies at the same path of the source.
    fn bring(&self, frame: &Frame, file: &PendingFile) -> Result<(BlobId, u64)> {
        let missing = || Error::MissingContent { path: frame.at.join(&file.name), blob: file.blob };
        let dir = frame.dir.as_ref().ok_or_else(missing)?;
        let (open, stat) = match dir.open_file(&file.name) {
            Err(e) if e.is_vanished() => return Err(missing()),
            opened => opened?,
        };
        if let Some(promised) = file.size.filter(|size| *size != stat.size) {
            return Err(self.other(frame, file, format!("it has {} bytes instead of {promised}", stat.size)));
        }
        let ingest = Ingest {
            dir,
            at: &frame.at,
            name: &file.name,
            file: &open,
            stat: &stat,
            metadata: &file.metadata,
            link: self.link,
        };
        let (blob, size) = match self.batch.add_file(&ingest) {
            Err(odb::Error::Unstable(_)) => {
                return Err(self.other(frame, file, "it changes while it is read".to_owned()));
            }
            stored => stored?,
        };
        if let Some(promised) = file.blob.filter(|promised| *promised != blob) {
            return Err(self.other(frame, file, format!("its SHA-256 is {blob} instead of {promised}")));
        }
        if size != stat.size {
            return Err(self.other(frame, file, "it changes while it is read".to_owned()));
        }
        self.brought.lock().expect("no holder of this lock panics").insert(blob, size);
        Ok((blob, size))
    }

    fn other(&self, frame: &Frame, file: &PendingFile, why: String) -> Error {
        Error::OtherContent { path: frame.at.join(&file.name), why }
    }
}

/// The metadata of a directory that is not listed.
fn made(policy: Policy, entries: &[Entry]) -> Metadata {
    let newest = entries.iter().filter_map(|entry| entry.metadata.mtime).max();
    let metadata = Metadata {
        mode: Some(0o755),
        mtime: Some(newest.unwrap_or(Time { secs: 0, nanos: 0 })),
        owner: Some((0, 0)),
        ..Metadata::default()
    };
    filter(policy, metadata)
}
