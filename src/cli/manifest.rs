use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chasm::disk::Dir;
use chasm::object::manifest::{self, Format, Header, Writer};
use chasm::object::{Entry, Node};
use chasm::odb::{Odb, tree};
use chasm::path::TreePath;
use chasm::repo::Repository;
use chasm::worktree::{CommitOptions, ManifestSource, Recorded, commit_manifest};

use super::commit::PATIENCE;
use super::error::usage;
use super::output::StdoutError;
use super::{Context, Exit};

/// Print all that lies in a commit as one sorted list
///
/// With --format sha256sums, 'sha256sum -c' checks a checkout by it. What a format has no place for is
/// left out; 'json' has a place for everything, and 'chasm commit --manifest' takes it back.
#[derive(clap::Args)]
pub struct Args {
    /// REV or REV:PATH, whose paths are then relative to PATH; HEAD if not given
    rev: Option<OsString>,
    /// json, mtree, sha256sums, or fullfiletimelist
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: Format,
    /// Write to FILE, which is replaced when the list is whole
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, args.rev.as_deref())?;
    let commit = repository.commit(found.commit)?;
    let path = revision.path.clone().unwrap_or_default();
    let (root, id) = match repository.entry_at(found.commit, &path, revision.text())? {
        None => {
            let node = Node::Dir { tree: commit.tree, totals: commit.totals };
            (Entry { name: Vec::new(), metadata: commit.root, node }, Some(found.commit))
        }
        Some(entry) if entry.is_dir() => (entry, None),
        Some(entry) => {
            return Err(usage(format!("'{path}' is a {}, and a manifest lists a directory", entry.node.kind_name())));
        }
    };
    let tree = match &root.node {
        Node::Dir { tree, .. } => Some(*tree),
        _ => None,
    };
    let header = Header { commit: id, tree, time: Some(commit.time), policy: commit.policy };
    let write = |out: &mut dyn Write| list(context, repository.odb(), root, args.format, &header, out);
    match &args.output {
        Some(file) => write_file(file, 0o666 & !context.umask, write)?,
        None => {
            let mut listed = Ok(());
            context.out.with(|out| {
                listed = write(out);
                Ok(())
            })?;
            listed.map_err(|e| match e.downcast() {
                Ok(manifest::Error::Write { source, .. }) => StdoutError(source).into(),
                Ok(other) => other.into(),
                Err(other) => other,
            })?;
        }
    }
    Ok(Exit::Done)
}

/// Lists a directory and all below it, one directory after the other.
fn list(context: &Context, odb: &Odb, root: Entry, format: Format, header: &Header, out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::begin(format, out, header)?;
    let monitor: &dyn chasm::monitor::Monitor = &context.progress;
    let mut stack = vec![(TreePath::root(), vec![root].into_iter())];
    loop {
        let depth = stack.len();
        let Some((at, entries)) = stack.last_mut() else { break };
        let Some(entry) = entries.next() else {
            stack.pop();
            continue;
        };
        monitor.check()?;
        let path = match depth {
            1 => TreePath::root(),
            _ => at.join(&entry.name),
        };
        writer.entry(&path, &entry)?;
        if let Node::Dir { tree, totals } = entry.node {
            let below = tree::read_dir(odb, tree, Some(totals))?;
            stack.push((path, below.into_iter()));
        }
    }
    Ok(writer.finish()?)
}

/// Writes a file beside its place and then gives it its name; what is there and
/// is no regular file is written to.
fn write_file(file: &Path, mode: u16, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write '{}'", file.display());
    if file.metadata().is_ok_and(|found| !found.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(file).with_context(failed)?);
        write(&mut out)?;
        return out.flush().with_context(failed);
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().ok_or_else(|| usage(format!("'{}' is no name of a file", file.display())))?;
    let dir = Dir::open(parent)?;
    let staged = format!(".chasm-manifest-{}", std::process::id()).into_bytes();
    let written = dir.create(&staged, mode).map_err(anyhow::Error::from).and_then(|out| {
        let mut out = BufWriter::with_capacity(256 << 10, out);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|out| out.sync_all()).with_context(failed)?;
        Ok(dir.rename_from(&dir, &staged, name.as_bytes())?)
    });
    if written.is_err() {
        let _ = dir.remove_file(&staged);
    }
    written
}

/// Commits the manifest `file`, `-` for standard input.
pub fn commit(
    context: &Context,
    repository: &Repository,
    file: &OsStr,
    format: Option<Format>,
    (tree, link): (Option<&Path>, bool),
    options: &CommitOptions,
) -> Result<Recorded> {
    let mut input: Box<dyn BufRead> = if file == "-" {
        Box::new(BufReader::with_capacity(256 << 10, io::stdin()))
    } else {
        let open = File::open(file).with_context(|| format!("cannot open '{}'", Path::new(file).display()))?;
        Box::new(BufReader::with_capacity(256 << 10, open))
    };
    let format = match format {
        Some(format) => format,
        None => Format::guess(input.fill_buf().context("cannot read the manifest")?),
    };
    let source = ManifestSource { format, input: &mut input, tree, link };
    Ok(commit_manifest(repository, source, options, PATIENCE, &context.progress)?)
}
