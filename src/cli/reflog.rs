//! Former values of refs: `reflog` and `undo`.

use anyhow::Result;
use chasm::id::CommitId;
use chasm::path::Escaped;

use super::error::usage;
use super::output::{time, time_json};
use super::{Context, Exit};

/// Show what refs were
///
/// Without NAME, all transactions of refs; with it, what this ref named, NAME@{0} first.
#[derive(clap::Args)]
pub struct ReflogArgs {
    /// Only this ref
    name: Option<String>,
    /// At most N entries
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

/// Take back the last move of refs
///
/// All refs that moved together go back together, and the branch that was the present one is it again.
/// Directories are not touched. Undoing again goes one further back. Objects stay until gc finds that
/// nothing has referred to them for long.
#[derive(clap::Args)]
pub struct UndoArgs {}

pub fn reflog(context: &Context, args: ReflogArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let most = args.number.unwrap_or(usize::MAX);
    if let Some(text) = &args.name {
        let refs = repository.refs().read()?;
        let name = refs.resolve(text).or_else(|| chasm::refs::RefName::parse(text).ok());
        let name = name.or_else(|| (text == "HEAD").then(|| refs.head().clone()));
        let name = name.ok_or_else(|| usage(format!("there is no '{text}'")))?;
        for (n, moved) in repository.refs().history(&name)?.into_iter().take(most).enumerate() {
            if context.json {
                context.out.json(&serde_json::json!({
                    "ref": name.as_str(), "n": n, "transaction": moved.sequence, "time": time_json(moved.time),
                    "who": moved.who, "why": moved.why, "old": moved.old, "new": moved.new,
                }))?;
            } else {
                let at = format!("{}@{{{n}}}", name.short());
                context.out.line(format_args!(
                    "{at:<16} {} {}  {}",
                    id(moved.new),
                    time(moved.time),
                    Escaped(moved.why.as_bytes())
                ))?;
            }
        }
        return Ok(Exit::Done);
    }
    for transaction in repository.refs().transactions()?.take(most) {
        let transaction = transaction?;
        if context.json {
            let refs: Vec<_> = transaction
                .moves
                .iter()
                .map(|m| serde_json::json!({"ref": m.name.as_str(), "old": m.old, "new": m.new}))
                .collect();
            context.out.json(&serde_json::json!({
                "transaction": transaction.sequence, "time": time_json(transaction.time), "who": transaction.who,
                "why": transaction.why, "refs": refs,
            }))?;
            continue;
        }
        let why = Escaped(transaction.why.as_bytes());
        context.out.line(format_args!(
            "{:>6} {} {}  {why}",
            transaction.sequence,
            time(transaction.time),
            Escaped(transaction.who.as_bytes())
        ))?;
        for moved in &transaction.moves {
            context.out.line(format_args!(
                "       {:<24} {} -> {}",
                moved.name.as_str(),
                id(moved.old),
                id(moved.new)
            ))?;
        }
    }
    Ok(Exit::Done)
}

pub fn undo(context: &Context, _args: UndoArgs) -> Result<Exit> {
    let repository = context.repository()?;
    let _lock = repository.odb().lock_for_writing(super::commit::PATIENCE)?;
    let undone = repository.refs().undo(&context.author(&repository), context.now)?;
    if context.json {
        context.out.json(&serde_json::json!({ "undone": undone.undone.sequence, "transaction": undone.sequence }))?;
    } else {
        context.say(format_args!("took back: {}", Escaped(undone.undone.why.as_bytes())));
        for moved in &undone.undone.moves {
            context.out.line(format_args!("{} {} -> {}", moved.name.as_str(), id(moved.new), id(moved.old)))?;
        }
    }
    Ok(Exit::Done)
}

fn id(commit: Option<CommitId>) -> String {
    commit.map_or_else(|| format!("{:<12}", "-"), |id| format!("{id:.12}"))
}
