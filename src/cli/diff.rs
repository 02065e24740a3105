use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chasm::diff::{Change, ChangeKind, Differ, Move, TextDiff, find_moves, unified};
use chasm::disk::Dir;
use chasm::id::TreeId;
use chasm::object::{Entry, Node, Policy};
use chasm::odb::checksums::Checksums;
use chasm::odb::{Batch, Odb, TreeSource};
use chasm::path::{Escaped, TreePath};
use chasm::repo::Repository;
use chasm::worktree::{Select, SnapshotOptions, snapshot};

use super::output::{grouped, path_json, size, style};
use super::{Context, Exit};

/// Show what differs between two states
///
/// A and B are revisions or directories. With one, it is compared with its parent (a revision) or
/// with HEAD (a directory); with none, HEAD with its parent. A name that is both is a revision; ./NAME
/// is a directory for sure.
///
/// One line a path: A added, D removed, M content changed, T of another kind, m only metadata changed,
/// R moved (an equal file was removed elsewhere).
#[derive(clap::Args)]
pub struct Args {
    /// The old state: a revision or a directory
    a: Option<OsString>,
    /// The new state: a revision or a directory
    b: Option<OsString>,
    /// Only what lies at or below these paths
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// Count files and bytes for each top directory
    #[arg(long, conflicts_with_all = ["name_only", "patch"])]
    stat: bool,
    /// Show paths only
    #[arg(long, conflicts_with = "patch")]
    name_only: bool,
    /// Show the differences of texts
    #[arg(short, long)]
    patch: bool,
    /// Show a file that moved as one removed and one added
    #[arg(long)]
    no_moves: bool,
    /// End with exit code 1 if there are differences
    #[arg(long)]
    exit_code: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let (a, b) = sides(context, &repository, &args)?;
    let paths = args.paths.iter().map(|p| TreePath::parse(p.as_encoded_bytes())).collect::<Result<Vec<_>, _>>()?;
    let policy = match (a.policy, b.policy) {
        (Some(policy), _) | (None, Some(policy)) => policy,
        (None, None) => Policy::MIRROR,
    };
    let a = a.open(context, &repository, policy, b.policy.map(|_| b.tree))?;
    let b = b.open(context, &repository, policy, Some(Some(a.tree)))?;
    let mut printer = Printer::new(context);
    let mut any = false;
    for change in Differ::new(a.source(), Some(a.tree), b.source(), Some(b.tree))? {
        let change = change?;
        if paths.is_empty() || paths.iter().any(|path| change.path.starts_with(path)) {
            any = true;
            printer.add(change);
        }
    }
    if args.stat {
        printer.stat()?;
    } else if args.name_only {
        printer.names()?;
    } else if args.patch {
        printer.patch(&a, &b)?;
    } else {
        printer.finish(!args.no_moves)?;
    }
    Ok(if args.exit_code && any { Exit::No } else { Exit::Done })
}

/// One side before it is read.
struct Side {
    directory: Option<PathBuf>,
    tree: Option<TreeId>,
    policy: Option<Policy>,
}

fn sides(context: &Context, repository: &Repository, args: &Args) -> Result<(Side, Side)> {
    let head = |text: Option<&OsString>| -> Result<Side> {
        let (found, _) = context.resolve(repository, text.map(|t| t.as_os_str()))?;
        let commit = repository.commit(found.commit)?;
        Ok(Side { directory: None, tree: Some(commit.tree), policy: Some(commit.policy) })
    };
    let side = |text: &OsString| -> Result<Side> {
        match head(Some(text)) {
            // A name that is both is a revision; ./NAME is a directory for sure.
            Err(_) if Path::new(text).is_dir() => {
                Ok(Side { directory: Some(PathBuf::from(text)), tree: None, policy: None })
            }
            side => side,
        }
    };
    match (&args.a, &args.b) {
        (Some(a), Some(b)) => Ok((side(a)?, side(b)?)),
        (one, _) => {
            let given = one.as_ref().map_or_else(|| head(None), side)?;
            if given.directory.is_some() {
                return Ok((head(None)?, given));
            }
            let (found, _) = context.resolve(repository, one.as_deref())?;
            let commit = repository.commit(found.commit)?;
            let parent = match commit.parents.first() {
                Some(parent) => Some(repository.commit(*parent)?),
                None => None,
            };
            let (tree, policy) = parent.map_or((None, None), |parent| (Some(parent.tree), Some(parent.policy)));
            Ok((Side { directory: None, tree, policy }, given))
        }
    }
}

impl Side {
    fn open<'r>(
        self,
        context: &Context,
        repository: &'r Repository,
        policy: Policy,
        like: Option<Option<TreeId>>,
    ) -> Result<Opened<'r>> {
        let Some(directory) = self.directory else {
            let batch = repository.odb().begin_dry();
            let tree = match self.tree {
                Some(tree) => tree,
                None => {
                    let empty = chasm::object::paginate(&[])?;
                    for (id, bytes) in &empty.pages {
                        batch.add_tree(*id, bytes, None)?;
                    }
                    empty.root()
                }
            };
            return Ok(Opened { tree, batch, odb: repository.odb(), directory: None });
        };
        let options = SnapshotOptions {
            policy,
            select: Select::excluding(&repository.config().commit.exclude)?,
            link: false,
            cross_mounts: false,
            repository: Some(Context::stat_of(repository)?),
        };
        let batch = repository.odb().begin_dry();
        let root = Dir::open(&directory)?;
        let checksums = Checksums::open(&repository.path().join("cache"), &directory.canonicalize()?);
        let taken = snapshot(&batch, &root, like.flatten(), &options, &checksums, &context.progress)?;
        checksums.finish();
        Ok(Opened { tree: taken.tree, batch, odb: repository.odb(), directory: Some(root) })
    }
}

/// One side, readable.
pub struct Opened<'r> {
    tree: TreeId,
    batch: Batch<'r>,
    odb: &'r Odb,
    directory: Option<Dir>,
}

impl Opened<'_> {
    fn source(&self) -> &dyn TreeSource {
        &self.batch
    }

    /// The content of an entry as `diff -p` shows it.
    fn content(&self, path: &TreePath, entry: Option<&Entry>) -> Result<Option<Vec<u8>>> {
        let Some(entry) = entry else { return Ok(Some(Vec::new())) };
        match &entry.node {
            Node::Symlink { target } => Ok(Some([target, &b"\n"[..]].concat())),
            Node::File { size, .. } if *size > chasm::diff::MAX_TEXT_LEN => Ok(None),
            Node::File { blob, size } => match &self.directory {
                Some(root) => {
                    let dir = root.open_below(&path.parent().unwrap_or_default())?;
                    Ok(dir.read(path.file_name().unwrap_or_default(), chasm::diff::MAX_TEXT_LEN)?)
                }
                None => {
                    let mut bytes = Vec::new();
                    self.odb.open_blob(*blob, *size)?.read_to_end(&mut bytes)?;
                    Ok(Some(bytes))
                }
            },
            _ => Ok(Some(Vec::new())),
        }
    }
}

/// Collects changes and shows them in one of several ways.
pub struct Printer<'c> {
    context: &'c Context,
    changes: Vec<Change>,
}

impl<'c> Printer<'c> {
    pub fn new(context: &'c Context) -> Printer<'c> {
        Printer { context, changes: Vec::new() }
    }

    pub fn add(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// One line a path.
    pub fn finish(mut self, with_moves: bool) -> Result<()> {
        let moves = if with_moves { find_moves(&mut self.changes) } else { Vec::new() };
        let mut moves = moves.into_iter().peekable();
        let mut changes = std::mem::take(&mut self.changes).into_iter().peekable();
        loop {
            // Moves stand where the file is now.
            let move_first = match (changes.peek(), moves.peek()) {
                (None, None) => return Ok(()),
                (Some(change), Some(moved)) => moved.to < change.path,
                (None, Some(_)) => true,
                (Some(_), None) => false,
            };
            if move_first {
                self.moved(&moves.next().expect("peeked"))?;
            } else {
                self.change(&changes.next().expect("peeked"))?;
            }
        }
    }

    fn change(&self, change: &Change) -> Result<()> {
        let kind = change.kind();
        let out = &self.context.out;
        if self.context.json {
            return out.json(&serde_json::json!({
                "change": kind_name(kind),
                "path": path_json(change.path.as_bytes()),
                "old": change.old.as_ref().map(entry_json),
                "new": change.new.as_ref().map(entry_json),
            }));
        }
        let sizes = match (&change.old, &change.new) {
            (Some(old), Some(new)) if kind == ChangeKind::Modified => match (&old.node, &new.node) {
                (Node::File { size: a, .. }, Node::File { size: b, .. }) => format!("  {} -> {}", size(*a), size(*b)),
                _ => String::new(),
            },
            (Some(old), Some(new)) if kind == ChangeKind::Retyped => {
                format!("  {} -> {}", old.node.kind_name(), new.node.kind_name())
            }
            (Some(entry), None) | (None, Some(entry)) => match &entry.node {
                Node::File { size: bytes, .. } => format!("  {}", size(*bytes)),
                Node::Dir { .. } => String::new(),
                node => format!("  {}", node.kind_name()),
            },
            _ => String::new(),
        };
        let is_dir = change.new.as_ref().or(change.old.as_ref()).is_some_and(Entry::is_dir);
        let slash = if is_dir { "/" } else { "" };
        out.line(format_args!("{} {}{slash}{sizes}", letter(kind), change.path))
    }

    fn moved(&self, moved: &Move) -> Result<()> {
        if self.context.json {
            return self.context.out.json(&serde_json::json!({
                "change": "moved",
                "from": path_json(moved.from.as_bytes()),
                "path": path_json(moved.to.as_bytes()),
                "new": entry_json(&moved.entry),
            }));
        }
        let bytes = size(moved.entry.totals().bytes);
        let mark = style("R", console::Style::new().cyan());
        self.context.out.line(format_args!("{mark} {} -> {}  {bytes}", moved.from, moved.to))
    }

    fn names(self) -> Result<()> {
        for change in &self.changes {
            if self.context.json {
                self.context.out.json(&path_json(change.path.as_bytes()))?;
            } else {
                self.context.out.line(&change.path)?;
            }
        }
        Ok(())
    }

    fn stat(self) -> Result<()> {
        let mut tops: BTreeMap<Vec<u8>, chasm::diff::Summary> = BTreeMap::new();
        let mut all = chasm::diff::Summary::default();
        for change in &self.changes {
            let depth = change.path.names().count();
            let top = if depth > 1 { change.path.names().next().unwrap_or_default() } else { b"." };
            tops.entry(top.to_vec()).or_default().add(change);
            all.add(change);
        }
        let row = |name: &str, s: &chasm::diff::Summary| {
            format!(
                "{name:<24} {:>9} {:>9} {:>9} {:>12} {:>12}",
                format!("+{}", grouped(s.added)),
                format!("~{}", grouped(s.changed)),
                format!("-{}", grouped(s.removed)),
                format!("+{}", size(s.bytes_new)),
                format!("-{}", size(s.bytes_old)),
            )
        };
        for (top, summary) in &tops {
            if self.context.json {
                self.context.out.json(&summary_json(path_json(top), summary))?;
            } else {
                self.context.out.line(row(&Escaped(top).to_string(), summary))?;
            }
        }
        if self.context.json {
            self.context.out.json(&summary_json(serde_json::Value::Null, &all))
        } else {
            self.context.out.line(row("total", &all))
        }
    }

    fn patch(self, a: &Opened<'_>, b: &Opened<'_>) -> Result<()> {
        for change in &self.changes {
            let kind = change.kind();
            let is_dir = |entry: &Option<Entry>| entry.as_ref().is_some_and(Entry::is_dir);
            if kind == ChangeKind::Metadata || is_dir(&change.old) || is_dir(&change.new) {
                self.change(change)?;
                continue;
            }
            let (old, new) =
                (a.content(&change.path, change.old.as_ref())?, b.content(&change.path, change.new.as_ref())?);
            let shown = match (&old, &new) {
                (Some(old), Some(new)) => unified(old, new),
                _ => TextDiff::TooLarge,
            };
            if self.context.json {
                let text = match &shown {
                    TextDiff::Hunks(hunks) => Some(String::from_utf8_lossy(hunks).into_owned()),
                    TextDiff::Binary | TextDiff::TooLarge => None,
                };
                let kind = kind_name(kind);
                self.context.out.json(
                    &serde_json::json!({ "change": kind, "path": path_json(change.path.as_bytes()), "patch": text }),
                )?;
                continue;
            }
            match shown {
                TextDiff::Hunks(hunks) => {
                    let side = |there: bool, prefix: &str| {
                        if there { format!("{prefix}/{}", change.path) } else { "/dev/null".to_owned() }
                    };
                    let (from, to) = (side(change.old.is_some(), "a"), side(change.new.is_some(), "b"));
                    self.context.out.line(format_args!("--- {from}\n+++ {to}"))?;
                    self.context.out.with(|out| {
                        out.write_all(&hunks)?;
                        if hunks.ends_with(b"\n") || hunks.is_empty() { Ok(()) } else { out.write_all(b"\n") }
                    })?;
                }
                TextDiff::Binary => self.context.out.line(format_args!("binary files differ: {}", change.path))?,
                TextDiff::TooLarge => self.context.out.line(format_args!("large files differ: {}", change.path))?,
            }
        }
        Ok(())
    }
}

fn summary_json(top: serde_json::Value, s: &chasm::diff::Summary) -> serde_json::Value {
    serde_json::json!({
        "top": top,
        "added": s.added,
        "changed": s.changed,
        "removed": s.removed,
        "bytes_new": s.bytes_new,
        "bytes_old": s.bytes_old,
    })
}

/// An entry as a JSON object.
pub fn entry_json(entry: &Entry) -> serde_json::Value {
    let mut value = serde_json::json!({ "kind": entry.node.kind_name() });
    match &entry.node {
        Node::File { blob, size } => {
            value["sha256"] = blob.to_string().into();
            value["size"] = (*size).into();
        }
        Node::Dir { tree, totals } => {
            value["tree"] = tree.to_string().into();
            value["files"] = totals.files.into();
            value["bytes"] = totals.bytes.into();
        }
        Node::Symlink { target } => value["target"] = path_json(target),
        Node::CharDevice { rdev } | Node::BlockDevice { rdev } => value["rdev"] = serde_json::json!([rdev.0, rdev.1]),
        Node::Fifo | Node::Socket => {}
    }
    if let Some(mode) = entry.metadata.mode {
        value["mode"] = format!("{mode:04o}").into();
    }
    if let Some(mtime) = entry.metadata.mtime {
        value["mtime"] = format!("{}.{:09}", mtime.secs, mtime.nanos).into();
    }
    if let Some((uid, gid)) = entry.metadata.owner {
        value["uid"] = uid.into();
        value["gid"] = gid.into();
    }
    value
}

fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Modified => "modified",
        ChangeKind::Metadata => "metadata",
        ChangeKind::Retyped => "retyped",
    }
}

fn letter(kind: ChangeKind) -> String {
    let plain = console::Style::new();
    match kind {
        ChangeKind::Added => style("A", plain.green()),
        ChangeKind::Removed => style("D", plain.red()),
        ChangeKind::Modified => style("M", plain.yellow()),
        ChangeKind::Metadata => style("m", plain.yellow()),
        ChangeKind::Retyped => style("T", plain.magenta()),
    }
}
