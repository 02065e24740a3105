use anyhow::Result;
use chasm::repo::{GcReport, parse_duration};

use super::error::usage;
use super::output::{count, size};
use super::{Context, Exit};

/// Get back the space of what nothing needs any more
///
/// Kept are all commits that refs lead to, those that directories checked out hold, and those that
/// the journal of refs names within the last 30 days (gc.retention), so that undo and REF@{...} work.
/// What nothing needs goes to the trash of the repository, and is deleted by a later gc when it has
/// lain there for 24 hours (gc.grace). With --grace 0 it is deleted at once, and the journal keeps
/// nothing.
#[derive(clap::Args)]
pub struct Args {
    /// Only tell what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How long things wait in the trash; with 0 they do not, and former states of refs are not kept
    #[arg(long, value_name = "TIME")]
    grace: Option<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let mut options = repository.gc_options(context.now);
    options.dry_run = args.dry_run;
    if let Some(text) = &args.grace {
        options.grace = parse_duration(text).map_err(usage)?;
        if options.grace.is_zero() {
            options.retention = None;
        }
    }
    let report = repository.gc(&options, &context.progress)?;
    tell(context, &report, args.dry_run, options.grace.is_zero())
}

fn tell(context: &Context, report: &GcReport, is_dry: bool, is_eager: bool) -> Result<Exit> {
    let GcReport { out, deleted, waiting } = *report;
    let freed = deleted.bytes + if is_eager { out.bytes_out.saturating_sub(out.bytes_in) } else { 0 };
    if context.json {
        context.out.json(&serde_json::json!({
            "dry_run": is_dry,
            "freed_bytes": freed,
            "deleted_files": deleted.files,
            "deleted_bytes": deleted.bytes,
            "unreferenced": out.unreferenced,
            "spares": out.spares,
            "packs_removed": out.packs_removed,
            "packs_written": out.packs_written,
            "bytes_out": out.bytes_out,
            "bytes_in": out.bytes_in,
            "trash_files": waiting.files,
            "trash_bytes": waiting.bytes,
        }))?;
        return Ok(Exit::Done);
    }
    let mut line = format!("{} {}", size(freed), if is_dry { "would be freed" } else { "freed" });
    line += &format!(", {} taken out", count(out.unreferenced, "unreferenced object"));
    if out.spares > 0 {
        line += &format!(" and {}", count(out.spares, "spare copy").replace("copys", "copies"));
    }
    let moved = if is_dry && !is_eager { out.bytes_out } else { 0 };
    line += &match (waiting.files, moved) {
        (0, 0) => "; the trash is empty".to_owned(),
        _ if is_dry => {
            format!("; {} would wait in the trash", size((waiting.bytes + moved).saturating_sub(deleted.bytes)))
        }
        _ => format!("; {} wait in the trash", size(waiting.bytes)),
    };
    context.out.line(line)?;
    Ok(Exit::Done)
}
