//! Verbs that look into a commit: `show`, `ls`, `cat`.

use std::ffi::OsString;
use std::io::Read;

use anyhow::Result;
use chasm::id::CommitId;
use chasm::object::{Commit, Entry, Metadata, Node};
use chasm::odb::tree;
use chasm::path::{Escaped, TreePath};

use super::error::usage;
use super::output::{count, path_json, size, style, time, time_json};
use super::{Context, Exit};

/// Show a commit, or what lies at a path of it
#[derive(clap::Args)]
pub struct ShowArgs {
    /// REV or REV:PATH; HEAD if not given
    rev: Option<OsString>,
}

/// List a directory of a commit
#[derive(clap::Args)]
pub struct LsArgs {
    /// REV or REV:PATH; HEAD if not given
    rev: Option<OsString>,
    /// Show mode, owner, size and time as well
    #[arg(short, long)]
    long: bool,
    /// List what lies below, too
    #[arg(short = 'R', long)]
    recursive: bool,
}

/// Print a file of a commit
#[derive(clap::Args)]
pub struct CatArgs {
    /// REV:PATH
    #[arg(value_name = "REV:PATH")]
    rev: OsString,
}

pub fn show(context: &Context, args: ShowArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, args.rev.as_deref())?;
    let commit = repository.commit(found.commit)?;
    let path = revision.path.clone().unwrap_or_default();
    match repository.entry_at(found.commit, &path, revision.text())? {
        None if context.json => context.out.json(&commit_json(found.commit, &commit))?,
        None => {
            print_commit(context, found.commit, &commit)?;
            for line in commit.message.lines().skip(1) {
                context.out.line(format_args!("         {}", Escaped(line.as_bytes())))?;
            }
        }
        Some(entry) if context.json => context.out.json(&named_json(&path, &entry))?,
        Some(entry) => {
            context.out.line(long_line(&path, &entry))?;
            match &entry.node {
                Node::File { blob, .. } => context.out.line(format_args!("sha256   {blob}"))?,
                Node::Dir { tree, totals } => {
                    context.out.line(format_args!("tree     {tree}"))?;
                    context.out.line(format_args!(
                        "holds    {}, {}",
                        count(totals.files, "file"),
                        size(totals.bytes)
                    ))?;
                }
                _ => {}
            }
            for (name, value) in &entry.metadata.xattrs {
                context.out.line(format_args!("xattr    {} = {}", Escaped(name), Escaped(value)))?;
            }
        }
    }
    Ok(Exit::Done)
}

pub fn ls(context: &Context, args: LsArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, args.rev.as_deref())?;
    let path = revision.path.clone().unwrap_or_default();
    let print = |path: &TreePath, entry: &Entry| -> Result<()> {
        if context.json {
            context.out.json(&named_json(path, entry))
        } else if args.long {
            context.out.line(long_line(path, entry))
        } else {
            context.out.line(format_args!("{path}{}", if entry.is_dir() { "/" } else { "" }))
        }
    };
    let root = match repository.entry_at(found.commit, &path, revision.text())? {
        None => {
            let commit = repository.commit(found.commit)?;
            (commit.tree, commit.totals)
        }
        Some(Entry { node: Node::Dir { tree, totals }, .. }) => (tree, totals),
        Some(entry) => {
            print(&path, &entry)?;
            return Ok(Exit::Done);
        }
    };
    // With the sums that are declared, or a small forged tree might never end.
    let list = |at: &TreePath, (id, totals)| -> Result<std::vec::IntoIter<(TreePath, Entry)>> {
        let entries = tree::read_dir(repository.odb(), id, Some(totals))?;
        let named: Vec<_> = entries.into_iter().map(|entry| (at.join(&entry.name), entry)).collect();
        Ok(named.into_iter())
    };
    // Paths as `cat` and `checkout` take them, from the root of the commit.
    let mut stack = vec![list(&path, root)?];
    while let Some(listing) = stack.last_mut() {
        let Some((at, entry)) = listing.next() else {
            stack.pop();
            continue;
        };
        print(&at, &entry)?;
        if let (true, Node::Dir { tree, totals }) = (args.recursive, &entry.node) {
            stack.push(list(&at, (*tree, *totals))?);
        }
    }
    Ok(Exit::Done)
}

pub fn cat(context: &Context, args: CatArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, Some(&args.rev))?;
    let path = revision.path.clone().ok_or_else(|| usage("which file? REV:PATH names one"))?;
    let entry = repository.entry_at(found.commit, &path, revision.text())?;
    match entry.map(|entry| entry.node) {
        Some(Node::File { blob, size }) => {
            let mut reader = repository.odb().open_blob(blob, size)?;
            let mut buffer = vec![0; 256 << 10];
            loop {
                let read = reader.read(&mut buffer)?;
                if read == 0 {
                    return Ok(Exit::Done);
                }
                context.out.with(|out| out.write_all(&buffer[..read]))?;
            }
        }
        Some(Node::Symlink { target }) => {
            context.out.with(|out| out.write_all(&target))?;
            Ok(Exit::Done)
        }
        other => Err(usage(format!("'{path}' is a {}", other.map_or("directory", |node| node.kind_name())))),
    }
}

/// A commit for people, but for the lines of its message beyond the first.
pub fn print_commit(context: &Context, id: CommitId, commit: &Commit) -> Result<()> {
    let out = &context.out;
    out.line(format_args!("commit   {}", style(id, console::Style::new().yellow())))?;
    for parent in commit.parents.iter().skip(1) {
        out.line(format_args!("merges   {parent}"))?;
    }
    out.line(format_args!("time     {}", time(commit.time)))?;
    out.line(format_args!("author   {}", Escaped(commit.author.as_bytes())))?;
    out.line(format_args!("tree     {}", commit.tree))?;
    let totals = commit.totals;
    out.line(format_args!(
        "holds    {}, {}; policy {}",
        count(totals.files, "file"),
        size(totals.bytes),
        commit.policy
    ))?;
    if let Some(origin) = &commit.origin {
        out.line(format_args!("origin   {} {}", Escaped(origin.url.as_bytes()), Escaped(origin.state.as_bytes())))?;
    }
    if !commit.message.is_empty() {
        out.line(format_args!("message  {}", Escaped(commit.subject().as_bytes())))?;
    }
    Ok(())
}

/// A commit as a JSON object.
pub fn commit_json(id: CommitId, commit: &Commit) -> serde_json::Value {
    serde_json::json!({
        "commit": id,
        "tree": commit.tree,
        "parents": commit.parents,
        "time": time_json(commit.time),
        "author": commit.author,
        "policy": commit.policy.to_string(),
        "files": commit.totals.files,
        "bytes": commit.totals.bytes,
        "message": commit.message,
    })
}

fn named_json(path: &TreePath, entry: &Entry) -> serde_json::Value {
    let mut value = super::diff::entry_json(entry);
    value["path"] = path_json(path.as_bytes());
    value
}

fn long_line(path: &TreePath, entry: &Entry) -> String {
    let Metadata { mode, mtime, owner, .. } = &entry.metadata;
    let kind = match &entry.node {
        Node::File { .. } => '-',
        Node::Dir { .. } => 'd',
        Node::Symlink { .. } => 'l',
        Node::Fifo => 'p',
        Node::Socket => 's',
        Node::CharDevice { .. } => 'c',
        Node::BlockDevice { .. } => 'b',
    };
    let mode = mode.map_or_else(|| "    ".into(), |mode| format!("{mode:04o}"));
    let owner = owner.map_or_else(String::new, |(uid, gid)| format!(" {:>11}", format!("{uid}:{gid}")));
    let length = match &entry.node {
        Node::File { size, .. } => size.to_string(),
        Node::Dir { totals, .. } => totals.bytes.to_string(),
        Node::CharDevice { rdev } | Node::BlockDevice { rdev } => format!("{},{}", rdev.0, rdev.1),
        _ => "0".into(),
    };
    let stamp = mtime.and_then(|t| jiff::Timestamp::new(t.secs, i32::try_from(t.nanos).unwrap_or(0)).ok());
    let stamp = match (stamp, mtime) {
        (Some(stamp), _) => time_json(stamp),
        (None, Some(beyond)) => format!("{} s", beyond.secs),
        (None, None) => String::new(),
    };
    let target = match &entry.node {
        Node::Symlink { target } => format!(" -> {}", Escaped(target)),
        Node::Dir { .. } => "/".into(),
        _ => String::new(),
    };
    format!("{kind}{mode}{owner} {length:>12} {stamp:<20} {path}{target}")
}
