use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use chasm::object::manifest::Format;
use chasm::refs::RefName;
use chasm::repo::{InitOptions, REPOSITORY_DIR, Repository, parse_time};
use chasm::worktree::{self, CommitOptions, Recorded};

use super::error::usage;
use super::output::{count, size};
use super::selection::{Selection, tree_of};
use super::{Context, Exit};

/// How long a command waits for a running gc.
pub const PATIENCE: Duration = Duration::from_secs(60);

const AFTER_HELP: &str = "\
Policies, for --policy, --with and --without:
  mirror        permissions, nsec-time, symlinks; the default
  unix          and 32bit-uids, fifos, sockets, device-nodes
  full          and xattrs, acl, selinux, fcaps, hard-links
  special       fifos, sockets, device-nodes
  privileged    32bit-uids, device-nodes, acl, selinux, fcaps
  none          names and contents only

Features:
  permissions   permission, set-id and sticky bits
  sec-time      modification times in whole seconds
  nsec-time     modification times in nanoseconds
  32bit-uids    numeric users and groups
  symlinks      symbolic links
  fifos         named pipes
  sockets       names of sockets
  device-nodes  character and block devices
  xattrs        extended attributes user.* and trusted.*
  acl           POSIX access control lists
  selinux       SELinux labels
  fcaps         file capabilities
  hard-links    which names are names of one inode

Patterns:
  A pattern without a slash matches names at any depth, one with a slash whole paths from the top; one \
that ends in a slash matches directories only. * and ? stay within a name, ** does not.

Exit codes:
  0             done, or nothing changed
  1             more than half of the files would be removed (commit.delete-guard)
  2             something cannot be stored, such as a path that is too deep
  3             what is stored, or a manifest or a content it promises, is damaged or missing
  6             something cannot be read or written
  7             another commit to the branch was faster, or gc holds the lock
  9             some files kept changing, and their last committed state stands";

/// Record the state of a directory as a commit
///
/// Only files that changed since the last commit are read: a file is taken for unchanged if its inode,
/// size and times are those it had when it was hashed. Prints the id of the commit. When nothing changed
/// there is no commit, unless --allow-empty.
///
/// What cannot be read fails the commit: it never records as deleted what it could not see. A file that
/// changes while it is read is read again; if it keeps changing, its last committed state stands and the
/// command ends with exit code 9. Other file systems below the directory are not entered, unless
/// --cross-mounts, and neither is the repository.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The directory; the repository's work tree if not given
    tree: Option<PathBuf>,
    /// The branch that moves, made if need be; the present one if not given
    #[arg(short, long, value_name = "NAME")]
    branch: Option<String>,
    /// What to say about it
    #[arg(short, long, default_value = "")]
    message: String,
    /// Tag the commit; when nothing changed, the one that stands
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Let the pool link the files of the tree instead of copying them; they must not be edited in place then
    #[arg(long)]
    link: bool,
    /// Make the repository first, if there is none
    #[arg(long)]
    init: bool,
    #[command(flatten)]
    selection: Selection,
    /// Only tell what a commit would record
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Commit though most of the files are gone
    #[arg(long)]
    allow_delete: bool,
    /// Commit though nothing changed
    #[arg(long)]
    allow_empty: bool,
    /// The time of the commit instead of now
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Who makes the commit
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Commit what FILE lists (- for standard input); contents are taken from the repository, else from
    /// TREE, and must be what FILE says
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_WITH_MANIFEST)]
    manifest: Option<OsString>,
    /// How FILE is written: json, mtree, or sha256sums; guessed if not given
    #[arg(long, value_name = "FORMAT", requires = "manifest")]
    manifest_format: Option<Format>,
}

/// A manifest tells itself what is committed, and what metadata is kept.
const NOT_WITH_MANIFEST: [&str; 7] =
    ["dry_run", "exclude", "exclude_from", "with", "without", "policy", "cross_mounts"];

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = open(context, &args)?;
    let link = args.link || repository.config().commit.link.unwrap_or(false);
    let selection = args.selection.options(&repository, link)?;
    let branch = match &args.branch {
        Some(name) => RefName::branch(name)?,
        None => repository.refs().read()?.head().clone(),
    };
    let guard = if args.allow_delete { None } else { Some(repository.config().commit.delete_guard.unwrap_or(50)) };
    let time = match &args.time {
        Some(text) => parse_time(text, context.now).map_err(usage)?,
        None => context.now,
    };
    if args.dry_run {
        let tree = tree_of(&repository, args.tree.as_deref())?;
        let refs = repository.refs().read()?;
        let parent = refs.get(&branch).map(|id| repository.commit(id)).transpose()?;
        let recorded =
            worktree::status(&repository, &tree, &selection, parent.as_ref(), |_| Ok(()), &context.progress)?;
        return tell(context, &branch, &recorded, true);
    }
    let author = args.author.clone().unwrap_or_else(|| context.author(&repository));
    let why = if args.message.is_empty() {
        "commit".to_owned()
    } else {
        format!("commit: {}", args.message.lines().next().unwrap_or_default())
    };
    let options = CommitOptions {
        branch: branch.clone(),
        tag: args.tag.as_deref().map(RefName::tag).transpose()?,
        message: args.message,
        author,
        // Whole seconds are kept.
        time: jiff::Timestamp::from_second(time.as_second())?,
        allow_empty: args.allow_empty,
        delete_guard: guard,
        why,
    };
    let recorded = match &args.manifest {
        Some(file) => {
            let contents = (args.tree.as_deref(), link);
            super::manifest::commit(context, &repository, file, args.manifest_format, contents, &options)?
        }
        None => {
            let tree = tree_of(&repository, args.tree.as_deref())?;
            worktree::commit(&repository, &tree, &selection, &options, PATIENCE, &context.progress)?
        }
    };
    tell(context, &branch, &recorded, false)
}

fn open(context: &Context, args: &Args) -> Result<Repository> {
    if !args.init {
        return context.repository();
    }
    let path = match (context.named_repository(), &args.tree) {
        (Some(named), _) => named.to_path_buf(),
        (None, Some(tree)) => tree.join(REPOSITORY_DIR),
        (None, None) => PathBuf::from(REPOSITORY_DIR),
    };
    match Repository::open(&path) {
        Ok(repository) => Ok(repository),
        Err(_) if !path.join("format").exists() => {
            Ok(Repository::init(&path, &InitOptions { mode: 0o777 & !context.umask, ..InitOptions::default() })?)
        }
        Err(e) => Err(e.into()),
    }
}

fn tell(context: &Context, branch: &RefName, recorded: &Recorded, is_dry: bool) -> Result<Exit> {
    let Recorded { summary, stats, totals, .. } = recorded;
    if context.json {
        context.out.json(&serde_json::json!({
            "commit": recorded.commit,
            "new": recorded.is_new,
            "branch": branch.short(),
            "added": summary.added,
            "changed": summary.changed,
            "removed": summary.removed,
            "files": totals.files,
            "bytes": totals.bytes,
            "bytes_hashed": stats.bytes_hashed,
            "bytes_stored": stats.bytes_stored,
            "skipped": recorded.skipped,
            "dry_run": is_dry,
        }))?;
    } else {
        let changes = format!(
            "{} added, {} changed, {} removed",
            super::output::grouped(summary.added),
            super::output::grouped(summary.changed),
            super::output::grouped(summary.removed)
        );
        let hashed = format!("{} hashed", size(stats.bytes_hashed));
        if is_dry {
            context.out.line(format_args!("would commit to {}: {changes}; {hashed}", branch.short()))?;
        } else if let Some(id) = recorded.commit {
            if recorded.is_new {
                context.out.line(id)?;
                context.say(format_args!(
                    "{}: {changes}; {hashed}, {} stored; {} of {}",
                    branch.short(),
                    size(stats.bytes_stored),
                    count(totals.files, "file"),
                    size(totals.bytes)
                ));
            } else {
                context.out.line(id)?;
                context.say(format_args!("{}: nothing changed, no new commit", branch.short()));
            }
        }
        if recorded.skipped > 0 {
            let skipped = count(recorded.skipped, "entry").replace("entrys", "entries");
            context.say(format_args!("{skipped} of kinds that the policy does not keep left out"));
        }
    }
    Ok(Exit::Done)
}
