use std::path::PathBuf;

use anyhow::Result;
use chasm::refs::RefName;
use chasm::worktree;

use super::diff::Printer;
use super::selection::{Selection, tree_of};
use super::{Context, Exit};

/// Show what a commit would record
///
/// One line a path: A added, D removed, M content changed, T of another kind, m only metadata changed.
/// Nothing is stored.
#[derive(clap::Args)]
pub struct Args {
    /// The directory; the repository's work tree if not given
    tree: Option<PathBuf>,
    /// The branch to compare with; the present one if not given
    #[arg(short, long, value_name = "NAME")]
    branch: Option<String>,
    #[command(flatten)]
    selection: Selection,
    /// End with exit code 1 if anything changed
    #[arg(long)]
    exit_code: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let tree = tree_of(&repository, args.tree.as_deref())?;
    let selection = args.selection.options(&repository, false)?;
    let refs = repository.refs().read()?;
    let branch = match &args.branch {
        Some(name) => RefName::branch(name)?,
        None => refs.head().clone(),
    };
    let parent = refs.get(&branch).map(|id| repository.commit(id)).transpose()?;
    let mut printer = Printer::new(context);
    let visit = |change| {
        printer.add(change);
        Ok(())
    };
    let recorded = worktree::status(&repository, &tree, &selection, parent.as_ref(), visit, &context.progress)?;
    printer.finish(false)?;
    if !context.json {
        if recorded.summary.any {
            let summary = recorded.summary;
            context.say(format_args!(
                "{}: {} added, {} changed, {} removed",
                branch.short(),
                summary.added,
                summary.changed,
                summary.removed
            ));
        } else {
            context.say(format_args!("{}: nothing changed", branch.short()));
        }
    }
    Ok(if args.exit_code && recorded.summary.any { Exit::No } else { Exit::Done })
}
