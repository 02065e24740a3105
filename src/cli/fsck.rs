use anyhow::Result;
use chasm::odb::fsck::Severity;
use chasm::repo::{FsckOptions, Problem};

use super::output::count;
use super::{Context, Exit};

/// Check every byte of the repository, and that all that refs need is there
///
/// Names each object that is damaged or missing, and the paths that need it. What nothing needs, and
/// what interrupted commands have left, is told as a note. Nothing is changed. Ends with exit code 3 if
/// anything is damaged or missing.
#[derive(clap::Args)]
pub struct Args {
    /// Only follow references; read no contents of files
    #[arg(long)]
    quick: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let report = repository.fsck(&FsckOptions { quick: args.quick }, &context.progress)?;
    for problem in &report.problems {
        if context.json {
            context.out.json(&json(problem))?;
        } else if problem.severity > Severity::Note {
            context.out.line(format_args!("{}: {problem}", word(problem.severity)))?;
        } else {
            context.say(format_args!("note: {problem}"));
        }
    }
    let bad = report.problems.iter().filter(|problem| problem.severity > Severity::Note).count() as u64;
    if context.json {
        context.out.json(&serde_json::json!({
            "reached": report.reached,
            "checked": report.checked,
            "problems": bad,
        }))?;
    } else {
        let checked = if args.quick {
            String::new()
        } else {
            format!(", {} checked", count(report.checked, "copy").replace("copys", "copies"))
        };
        let found = if bad == 0 { "no damage".to_owned() } else { count(bad, "problem") };
        context.say(format_args!("{} needed{checked}: {found}", count(report.reached, "object")));
    }
    Ok(match report.worst() {
        None | Some(Severity::Note) => Exit::Done,
        Some(Severity::Unreadable) => Exit::Resources,
        Some(Severity::TooNew) => Exit::TooNew,
        Some(Severity::Damage) => Exit::Damage,
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Unreadable => "unreadable",
        Severity::TooNew => "too new",
        Severity::Damage => "damage",
    }
}

fn json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "severity": word(problem.severity),
        "kind": problem.object.map(|(kind, _)| kind.to_string()),
        "id": problem.object.map(|(_, id)| id),
        "place": problem.place,
        "what": problem.what,
        "good_copy": problem.has_good_copy,
        "paths": problem.paths,
        "more_paths": problem.more,
    })
}
