//! Names for commits: `branch` and `tag`.

use std::ffi::OsString;

use anyhow::Result;
use chasm::id::CommitId;
use chasm::refs::{Expected, HeadEdit, RefEdit, RefName, RefSet};
use chasm::repo::Repository;

use super::error::{usage, usage_with_hint};
use super::output::{style, time_json};
use super::{Context, Exit};

/// List, make, move or delete branches
#[derive(clap::Args)]
pub struct BranchArgs {
    /// The branch to make; lists all if not given
    name: Option<String>,
    /// The commit it names; HEAD if not given
    rev: Option<OsString>,
    /// Move the branch if it exists
    #[arg(short, long)]
    force: bool,
    /// Delete the branch
    #[arg(short, long, conflicts_with_all = ["force", "switch"])]
    delete: bool,
    /// Make it the present branch; it need not have a commit yet
    #[arg(short, long)]
    switch: bool,
    /// Rename the branch to NEW
    #[arg(short = 'm', long, value_name = "NEW", conflicts_with_all = ["delete", "force"])]
    rename: Option<String>,
}

/// List, make, move or delete tags
#[derive(clap::Args)]
pub struct TagArgs {
    /// The tag to make; lists all if not given
    name: Option<String>,
    /// The commit it names; HEAD if not given
    rev: Option<OsString>,
    /// Move the tag if it exists
    #[arg(short, long)]
    force: bool,
    /// Delete the tag
    #[arg(short, long, conflicts_with = "force")]
    delete: bool,
}

pub fn branch(context: &Context, args: BranchArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let refs = repository.refs().read()?;
    let Some(name) = &args.name else {
        return list(context, &repository, &refs, RefName::is_branch);
    };
    let name = RefName::branch(name)?;
    if args.delete {
        if refs.head() == &name {
            let present = format!("'{}' is the present branch", name.short());
            return Err(usage_with_hint(present, "chasm branch --switch OTHER makes another one present"));
        }
        return delete(context, &repository, &refs, &name);
    }
    if let Some(new) = &args.rename {
        let new = RefName::branch(new)?;
        let commit = refs.get(&name).ok_or_else(|| usage(format!("there is no branch '{}'", name.short())))?;
        let edits = [
            RefEdit { name: name.clone(), new: None, expected: Expected::Is(commit) },
            RefEdit { name: new.clone(), new: Some(commit), expected: Expected::Absent },
        ];
        let head = (refs.head() == &name).then(|| HeadEdit { new: new.clone(), expected: Some(name.clone()) });
        return transact(context, &repository, &edits, head.as_ref(), &format!("branch: rename to {}", new.short()));
    }
    let head = args.switch.then(|| HeadEdit { new: name.clone(), expected: None });
    // A branch that exists is only switched to.
    if args.switch && args.rev.is_none() {
        return transact(context, &repository, &[], head.as_ref(), &format!("branch: switch to {}", name.short()));
    }
    set(context, &repository, &refs, name, args.rev, args.force, head, "branch")
}

pub fn tag(context: &Context, args: TagArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let refs = repository.refs().read()?;
    let Some(name) = &args.name else {
        return list(context, &repository, &refs, RefName::is_tag);
    };
    let name = RefName::tag(name)?;
    if args.delete {
        return delete(context, &repository, &refs, &name);
    }
    set(context, &repository, &refs, name, args.rev, args.force, None, "tag")
}

#[allow(clippy::too_many_arguments, reason = "the arguments of two verbs")]
fn set(
    context: &Context,
    repository: &Repository,
    refs: &RefSet,
    name: RefName,
    rev: Option<OsString>,
    force: bool,
    head: Option<HeadEdit>,
    verb: &str,
) -> Result<Exit> {
    let commit = context.resolve(repository, rev.as_deref())?.0.commit;
    // Having a name means having the commit, whatever happens meanwhile.
    let _lock = repository.odb().lock_for_writing(super::commit::PATIENCE)?;
    repository.commit(commit)?;
    let expected = match refs.get(&name) {
        Some(present) if force => Expected::Is(present),
        Some(present) if present != commit => {
            let taken = format!("there is a {verb} '{}' already, at {present:.12}", name.short());
            return Err(usage_with_hint(taken, "--force moves it"));
        }
        Some(present) => Expected::Is(present),
        None => Expected::Absent,
    };
    let why = format!("{verb}: {}", name.short());
    transact(context, repository, &[RefEdit { name, new: Some(commit), expected }], head.as_ref(), &why)
}

fn delete(context: &Context, repository: &Repository, refs: &RefSet, name: &RefName) -> Result<Exit> {
    let commit = refs.get(name).ok_or_else(|| usage(format!("there is no '{}'", name.short())))?;
    let edit = RefEdit { name: name.clone(), new: None, expected: Expected::Is(commit) };
    transact(context, repository, &[edit], None, &format!("delete: {}", name.short()))
}

fn transact(
    context: &Context,
    repository: &Repository,
    edits: &[RefEdit],
    head: Option<&HeadEdit>,
    why: &str,
) -> Result<Exit> {
    repository.refs().commit(edits, head, &context.author(repository), why, context.now)?;
    Ok(Exit::Done)
}

fn list(context: &Context, repository: &Repository, refs: &RefSet, wanted: impl Fn(&RefName) -> bool) -> Result<Exit> {
    for (name, id) in refs.iter().filter(|(name, _)| wanted(name)) {
        let is_head = refs.head() == name;
        let commit = repository.commit(id);
        if context.json {
            context.out.json(&serde_json::json!({ "name": name.short(), "commit": id, "head": is_head }))?;
            continue;
        }
        let mark = if is_head { style("*", console::Style::new().green()) } else { " ".into() };
        let about = match &commit {
            Ok(commit) => format!("{} {}", time_json(commit.time), chasm::path::Escaped(commit.subject().as_bytes())),
            // A list of names is wanted most when something is broken.
            Err(e) => e.to_string(),
        };
        context.out.line(format_args!("{mark} {:<20} {} {about}", name.short(), short(id)))?;
    }
    Ok(Exit::Done)
}

fn short(id: CommitId) -> String {
    style(format!("{id:.12}"), console::Style::new().yellow())
}
