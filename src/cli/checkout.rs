use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chasm::disk::Dir;
use chasm::odb::{Placing, TreeSource};
use chasm::path::TreePath;
use chasm::repo::{Checkout, Repository};
use chasm::worktree::checkout::{
    CheckoutOptions, CheckoutReport, IndexFiles, Known, create, refuse_local_changes, update,
};
use chasm::worktree::{self, Select, SnapshotOptions, snapshot};

use super::commit::PATIENCE;
use super::error::usage_with_hint;
use super::output::{count, size};
use super::{Context, Exit};

const AFTER_HELP: &str = "\
Order of an update:
  1             all paths that differ are compared with the commit they came from; a local change refuses \
the whole before anything was touched
  2             new files
  3             replaced files, each by one rename
  4             index files, by which clients learn what there is (checkout.index-files)
  5             a sync
  6             deletions
  7             modes and times of directories

Without --as-is:
  Nothing that gives rights is made: no set-id bits, no owner but one's own, no extended attributes but \
user.*, no devices, fifos and sockets. The report counts what was left out; with --strict it is exit code 9.

Exit codes:
  0             done
  1             local changes stand in the way, or more than half of the files would be removed \
(checkout.delete-guard)
  2             the directory is not empty and is no checkout, or the revision or the path is wrong
  3             a content is damaged or missing
  6             something cannot be read or written, or not be linked (--require-link)
  7             gc holds the lock, or another checkout builds in the same place
  9             something that gives rights was left out (--strict)";

/// Bring a directory to a state
///
/// A directory that does not exist is built beside its place and gets its name when it is whole. One
/// that was checked out before is updated in place, touching only what changed: new files first, then
/// replaced ones, index files (InRelease, repomd.xml, ...) last of these, deletions at the very end.
/// Files that no commit knows are kept, unless --delete. An update that was cut off goes on when it is
/// run again.
///
/// Files are hard links into the pool of the repository: do not edit them in place, replace them, or
/// check out with --reflink or --copy. Where links cannot be had, files share blocks or are copied.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The state
    rev: OsString,
    /// The directory; the repository's work tree if not given
    dir: Option<PathBuf>,
    /// Only what lies at or below these paths
    #[arg(value_name = "PATH", last = true)]
    paths: Vec<OsString>,
    /// Share inodes with the pool; the default
    #[arg(long, group = "placing")]
    link: bool,
    /// Share inodes with the pool, or fail
    #[arg(long, group = "placing")]
    require_link: bool,
    /// Share blocks with the pool where the file system can, else copy
    #[arg(long, group = "placing")]
    reflink: bool,
    /// Copy everything
    #[arg(long, group = "placing")]
    copy: bool,
    /// Overwrite local changes
    #[arg(short, long)]
    force: bool,
    /// Remove files that no commit knows
    #[arg(long)]
    delete: bool,
    /// Build the new tree beside and exchange the two in one step
    #[arg(long, conflicts_with_all = ["delete", "paths"])]
    exchange: bool,
    /// Make set-id bits, owners, devices, and other things that give rights
    #[arg(long)]
    as_is: bool,
    /// Go on though most of the files would be removed
    #[arg(long)]
    allow_delete: bool,
    /// End with exit code 9 if anything was made without what gives rights
    #[arg(long)]
    strict: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let (found, revision) = context.resolve(&repository, Some(&args.rev))?;
    let Some(target) = args.dir.clone().or_else(|| repository.work_tree()) else {
        return Err(usage_with_hint(
            "a bare repository has no work tree",
            "name the directory: chasm checkout REV DIR",
        ));
    };
    let mut paths = args.paths.iter().map(|p| TreePath::parse(p.as_encoded_bytes())).collect::<Result<Vec<_>, _>>()?;
    paths.extend(revision.path.clone().filter(|path| !path.is_root()));
    // Nothing that is being read may be deleted meanwhile; others may write.
    let lock = match repository.odb().lock_for_writing(PATIENCE) {
        Ok(lock) => Some(lock),
        // From a read-only repository, too, trees can be checked out.
        Err(chasm::odb::Error::Disk(e)) if is_read_only(&e) => None,
        Err(e) => return Err(e.into()),
    };
    let commit = repository.commit(found.commit)?;
    for path in &paths {
        repository.entry_at(found.commit, path, revision.text())?;
    }
    let config = &repository.config().checkout;
    let options = CheckoutOptions {
        placing: placing(&args),
        as_is: args.as_is,
        force: args.force || args.delete,
        delete: args.delete,
        exchange: args.exchange,
        delete_guard: if args.allow_delete { None } else { Some(config.delete_guard.unwrap_or(50)) },
        index_files: config
            .index_files
            .as_ref()
            .map_or_else(|| Ok(IndexFiles::default()), |names| IndexFiles::new(names))?,
        paths,
    };
    let known = repository.checkout_of(&target)?;
    let monitor = &context.progress;
    let is_fresh = !target.exists() || is_empty_dir(&target);
    let report = if is_fresh || (args.exchange && (known.is_some() || args.force)) {
        create(repository.odb(), &commit, &target, &options, monitor)?
    } else {
        update_in_place(context, &repository, found.commit, &commit, &target, known, &options)?
    };
    if options.paths.is_empty() && lock.is_some() {
        repository.record_checkout(&target, Checkout { commit: found.commit, towards: None })?;
    }
    tell(context, &target, found.commit, &report)?;
    let held_back = report.rights_dropped + report.specials_skipped;
    Ok(if args.strict && held_back > 0 { Exit::Partial } else { Exit::Done })
}

fn update_in_place(
    context: &Context,
    repository: &Repository,
    id: chasm::id::CommitId,
    commit: &chasm::object::Commit,
    target: &Path,
    known: Option<Checkout>,
    options: &CheckoutOptions,
) -> Result<CheckoutReport> {
    let monitor = &context.progress;
    let odb = repository.odb();
    let whole = options.paths.is_empty();
    let old = match known {
        Some(known) if !options.force && whole => {
            repository.record_checkout(target, Checkout { commit: known.commit, towards: Some(id) })?;
            let also = known.towards.map(|id| repository.commit(id)).transpose()?.map(|commit| commit.tree);
            let old = Known {
                source: odb as &dyn TreeSource,
                tree: repository.commit(known.commit)?.tree,
                also,
                tracked: None,
            };
            let updated = update(odb, old, commit, target, options, monitor);
            if let Err(worktree::Error::LocalChange { .. } | worktree::Error::TooManyRemoved { .. }) = &updated {
                repository.record_checkout(target, known)?;
            }
            return Ok(updated?);
        }
        None if !options.force => {
            return Err(worktree::Error::NotEmpty(target.display().to_string()).into());
        }
        known => known,
    };
    // What really is there counts, not what was checked out once.
    let batch = odb.begin_dry();
    let root = Dir::open(target)?;
    let selection = SnapshotOptions {
        policy: commit.policy,
        select: Select::everything(),
        link: false,
        cross_mounts: false,
        repository: Some(Context::stat_of(repository)?),
    };
    let checksums = chasm::odb::checksums::Checksums::open(&repository.path().join("cache"), &target.canonicalize()?);
    let there = snapshot(&batch, &root, Some(commit.tree), &selection, &checksums, monitor)?;
    checksums.finish();
    // Without a checkout before it, all that the commit does not have is foreign.
    let tracked = old.map(|known| repository.commit(known.commit)).transpose()?.map_or(commit.tree, |old| old.tree);
    let state = Known { source: &batch, tree: there.tree, also: None, tracked: Some(tracked) };
    if let (false, Some(known)) = (options.force, old) {
        refuse_local_changes(odb, repository.commit(known.commit)?.tree, &state, commit.tree, options)?;
    }
    let options = CheckoutOptions { force: true, ..options.clone() };
    Ok(update(odb, state, commit, target, &options, monitor)?)
}

fn placing(args: &Args) -> Placing {
    match (args.require_link, args.reflink, args.copy) {
        (true, _, _) => Placing::RequireLink,
        (_, true, _) => Placing::Reflink,
        (_, _, true) => Placing::Copy,
        _ => Placing::Link,
    }
}

fn is_empty_dir(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn is_read_only(e: &chasm::disk::Error) -> bool {
    matches!(e.io().kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

fn tell(context: &Context, target: &Path, id: chasm::id::CommitId, report: &CheckoutReport) -> Result<()> {
    let CheckoutReport { linked, reflinked, copied, others, removed, bytes_written, rights_dropped, specials_skipped } =
        *report;
    if context.json {
        return context.out.json(&serde_json::json!({
            "commit": id,
            "directory": super::output::path_json(target.as_os_str().as_encoded_bytes()),
            "linked": linked,
            "reflinked": reflinked,
            "copied": copied,
            "others": others,
            "removed": removed,
            "bytes_written": bytes_written,
            "rights_dropped": rights_dropped,
            "specials_skipped": specials_skipped,
        }));
    }
    let made = linked + reflinked + copied + others;
    let mut parts = vec![format!("{} made", count(made, "file"))];
    for (number, word) in [(linked, "linked"), (reflinked, "reflinked"), (copied, "copied")] {
        if number > 0 {
            parts.push(format!("{} {word}", super::output::grouped(number)));
        }
    }
    parts.push(format!("{} removed", super::output::grouped(removed)));
    parts.push(format!("{} written", size(bytes_written)));
    context.say(format_args!("{} is at {id:.12}: {}", target.display(), parts.join(", ")));
    if rights_dropped > 0 {
        let entries = count(rights_dropped, "file");
        context.say(format_args!("{entries} without owner or set-id bits, capabilities, ACLs; --as-is makes them"));
    }
    if specials_skipped > 0 {
        context.say(format_args!("{} not made; --as-is makes them", count(specials_skipped, "special file")));
    }
    Ok(())
}
