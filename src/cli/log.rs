use std::ffi::OsString;

use anyhow::Result;
use chasm::diff::Differ;
use chasm::path::TreePath;
use chasm::repo::{Logged, Repository, parse_time};

use super::error::usage;
use super::output::{grouped, size, style, time_json};
use super::{Context, Exit};

/// Show the commits that led to a state, newest first
///
/// TIME is a day, a point in time or a span such as '2 weeks ago', in UTC; see chasm-revisions(7).
#[derive(clap::Args)]
pub struct Args {
    /// The state; HEAD if not given
    rev: Option<OsString>,
    /// Only commits that changed what lies at this path
    path: Option<OsString>,
    /// At most N commits
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
    /// Only commits from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only commits up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// One line a commit
    #[arg(long)]
    oneline: bool,
    /// Ids only
    #[arg(long, conflicts_with_all = ["oneline", "stat"])]
    ids: bool,
    /// Count what each commit changed
    #[arg(long)]
    stat: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let refs = repository.refs().read()?;
    if args.rev.is_none() && refs.head_commit().is_none() {
        context.say(format_args!("no commit on {} yet", refs.head().short()));
        return Ok(Exit::Done);
    }
    let (found, revision) = context.resolve(&repository, args.rev.as_deref())?;
    let path = match &args.path {
        Some(path) => Some(TreePath::parse(path.as_encoded_bytes())?),
        None => revision.path,
    };
    let bound =
        |text: &Option<String>| text.as_deref().map(|text| parse_time(text, context.now)).transpose().map_err(usage);
    // A bare day begins where it begins, and ends where it ends.
    let since = bound(&args.since)?.map(|t| {
        if args.since.as_ref().is_some_and(|s| s.trim().len() == 10) {
            t - jiff::SignedDuration::from_secs(86399)
        } else {
            t
        }
    });
    let until = bound(&args.until)?;
    let mut left = args.number.unwrap_or(usize::MAX);
    for logged in repository.history(found.commit, path)? {
        let logged = logged?;
        if left == 0 || since.is_some_and(|since| logged.commit.time < since) {
            break;
        }
        if until.is_some_and(|until| logged.commit.time > until) {
            continue;
        }
        left -= 1;
        print(context, &repository, &args, &logged)?;
    }
    Ok(Exit::Done)
}

fn print(context: &Context, repository: &Repository, args: &Args, logged: &Logged) -> Result<()> {
    let Logged { id, commit } = logged;
    let summary = if args.stat {
        let parent = commit.parents.first().map(|parent| repository.commit(*parent)).transpose()?;
        let differ = Differ::within(repository.odb(), parent.map(|parent| parent.tree), Some(commit.tree))?;
        Some(differ.summary()?)
    } else {
        None
    };
    let out = &context.out;
    if context.json {
        let mut value = super::inspect::commit_json(*id, commit);
        if let Some(s) = summary {
            value["added"] = s.added.into();
            value["changed"] = s.changed.into();
            value["removed"] = s.removed.into();
            value["bytes_new"] = s.bytes_new.into();
        }
        return out.json(&value);
    }
    if args.ids {
        return out.line(id);
    }
    let stat = summary.map(|s| {
        let (added, changed, removed) = (grouped(s.added), grouped(s.changed), grouped(s.removed));
        format!("{added} added, {changed} changed, {removed} removed, {} new", size(s.bytes_new))
    });
    let short = style(format!("{id:.12}"), console::Style::new().yellow());
    if args.oneline {
        let stat = stat.map(|stat| format!("  ({stat})")).unwrap_or_default();
        let subject = chasm::path::Escaped(commit.subject().as_bytes());
        let line = format!("{short} {} {subject}{stat}", time_json(commit.time));
        return out.line(line.trim_end());
    }
    super::inspect::print_commit(context, *id, commit)?;
    if let Some(stat) = stat {
        out.line(format_args!("changes  {stat}"))?;
    }
    out.line("")
}
