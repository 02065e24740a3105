use std::ffi::OsString;

use anyhow::Result;
use chasm::object::{Entry, Node, Totals};
use chasm::odb::tree::read_dir;
use chasm::path::Escaped;

use super::error::usage;
use super::output::{count, grouped, path_json, size};
use super::{Context, Exit};

/// Tell what a commit holds, and what would be free without it
///
/// For each entry of the commit's top directory, or of the one at PATH: how many files lie there and
/// how long they are. Then what no other commit needs: contents and directories that would be free if
/// only this commit were gone.
#[derive(clap::Args)]
pub struct Args {
    /// REV or REV:PATH; HEAD if not given
    rev: Option<OsString>,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, args.rev.as_deref())?;
    let commit = repository.commit(found.commit)?;
    let path = revision.path.clone().unwrap_or_default();
    let (tree, totals) = match repository.entry_at(found.commit, &path, revision.text())? {
        None => (commit.tree, commit.totals),
        Some(Entry { node: Node::Dir { tree, totals }, .. }) => (tree, totals),
        Some(entry) => return Err(usage(format!("'{path}' is a {}", entry.node.kind_name()))),
    };
    let entries = read_dir(repository.odb(), tree, Some(totals))?;
    let alone = repository.alone(found.commit, tree, &context.progress)?;
    let dirs = entries.iter().filter(|entry| entry.is_dir());
    let mut rest = Totals::default();
    for entry in entries.iter().filter(|entry| !entry.is_dir()) {
        rest = rest.checked_add(entry.totals()).unwrap_or(rest);
    }
    if context.json {
        let dirs: Vec<_> = dirs
            .map(|entry| {
                let totals = entry.totals();
                serde_json::json!({"name": path_json(&entry.name), "files": totals.files, "bytes": totals.bytes})
            })
            .collect();
        context.out.json(&serde_json::json!({
            "commit": found.commit,
            "path": path_json(path.as_bytes()),
            "files": totals.files,
            "bytes": totals.bytes,
            "directories": dirs,
            "alone": {
                "blobs": alone.blobs,
                "trees": alone.trees,
                "bytes": alone.bytes,
                "stored": alone.stored,
            },
        }))?;
        return Ok(Exit::Done);
    }
    let line = |totals: Totals, name: &str| {
        context.out.line(format_args!("{:>12} {:>12}  {name}", grouped(totals.files), size(totals.bytes)))
    };
    for entry in dirs {
        line(entry.totals(), &format!("{}/", Escaped(&entry.name)))?;
    }
    if rest.files > 0 && rest != totals {
        line(rest, "(files)")?;
    }
    line(totals, &path.to_string())?;
    context.out.line(format_args!(
        "only here: {}, {}; {} in the repository",
        count(alone.blobs, "content"),
        size(alone.bytes),
        size(alone.stored)
    ))?;
    Ok(Exit::Done)
}
