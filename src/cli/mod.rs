//! The terminal: words, colours and exit codes. One file a verb.
//!
//! Answers go to standard output, talk to standard error. A verb gets a
//! [`Context`] and its arguments and returns an [`Exit`]; what goes wrong becomes
//! one line and perhaps a hint in [`error`].

mod branch;
mod checkout;
mod commit;
mod complete;
mod config;
mod context;
mod diff;
mod du;
mod error;
mod fsck;
mod gc;
mod init;
mod inspect;
mod log;
mod manifest;
mod output;
mod progress;
mod reflog;
mod selection;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::context::Context;

/// How a command ended, as a number for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: there are differences.
    No = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Something stored is damaged or missing.
    Damage = 3,
    /// Something is not what it is passed off as.
    Trust = 4,
    /// The system failed: no space, no permission, an I/O error.
    Resources = 6,
    /// Somebody else is at work.
    Busy = 7,
    /// Written by a newer chasm.
    TooNew = 8,
    /// Done in part, with a list of what was not.
    Partial = 9,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    the answer is no: there are differences, or something is refused that an option allows
  2    the command line, the configuration or a revision is wrong
  3    something stored is damaged or missing
  6    the system failed: no space, no permission, an I/O error
  7    somebody else is at work, or was faster
  8    a newer chasm has written it
  9    done in part, with a list of what was not
  130  interrupted

Environment:
  CHASM_REPO  the repository, where -R does not name one
  NO_COLOR    no colours";

/// Version control for mirrors of software archives.
///
/// chasm keeps each published state of a directory tree as a commit. Checkouts are
/// hard links into one pool of files; commits and checkouts cost what changed.
#[derive(Parser)]
#[command(name = "chasm", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 usage, 3 damage, 4 trust, 6 resources, 7 busy, 8 too new, \
    9 done in part, 130 interrupted. See chasm(7).",
    after_long_help = AFTER_HELP
)]
struct Cli {
    /// The repository, bare or a work tree that contains one; found upwards from here if not given
    #[arg(long, global = true, value_name = "DIR", env = "CHASM_REPO", hide_env = true)]
    repo: Option<PathBuf>,
    /// The same; before the verb only, for verbs have an -R of their own
    #[arg(short = 'R', value_name = "DIR")]
    at: Option<PathBuf>,
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// Print JSON, one object a line, for programs
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but answers and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Init(init::Args),
    Commit(commit::Args),
    Status(status::Args),
    Checkout(checkout::Args),
    Diff(diff::Args),
    Log(log::Args),
    Show(inspect::ShowArgs),
    Ls(inspect::LsArgs),
    Cat(inspect::CatArgs),
    Manifest(manifest::Args),
    Branch(branch::BranchArgs),
    Tag(branch::TagArgs),
    Undo(reflog::UndoArgs),
    Reflog(reflog::ReflogArgs),
    Fsck(fsck::Args),
    Gc(gc::Args),
    Du(du::Args),
    Config(config::Args),
    #[command(hide = true)]
    Complete(complete::Args),
}

impl Verb {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Verb::Init(args) => init::run(context, args),
            Verb::Commit(args) => commit::run(context, args),
            Verb::Status(args) => status::run(context, args),
            Verb::Checkout(args) => checkout::run(context, args),
            Verb::Diff(args) => diff::run(context, args),
            Verb::Log(args) => log::run(context, args),
            Verb::Show(args) => inspect::show(context, args),
            Verb::Ls(args) => inspect::ls(context, args),
            Verb::Cat(args) => inspect::cat(context, args),
            Verb::Manifest(args) => manifest::run(context, args),
            Verb::Branch(args) => branch::branch(context, args),
            Verb::Tag(args) => branch::tag(context, args),
            Verb::Undo(args) => reflog::undo(context, args),
            Verb::Reflog(args) => reflog::reflog(context, args),
            Verb::Fsck(args) => fsck::run(context, args),
            Verb::Gc(args) => gc::run(context, args),
            Verb::Du(args) => du::run(context, args),
            Verb::Config(args) => config::run(context, args),
            Verb::Complete(args) => complete::run(args),
        }
    }
}

/// The whole command line, for man pages and completions.
fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let umask = context::take_umask();
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(e) => {
            return match (e.print(), e.use_stderr()) {
                (_, true) => Exit::Usage.into(),
                (Err(e), _) if e.kind() != std::io::ErrorKind::BrokenPipe => Exit::Resources.into(),
                _ => Exit::Done.into(),
            };
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return Exit::Usage.into();
        }
    };
    let context = Context::new(cli.at.or(cli.repo), cli.directory, cli.json, cli.quiet, umask);
    let context = match context {
        Ok(context) => context,
        Err(e) => return error::report(&e).into(),
    };
    let result = cli.verb.run(&context).and_then(|exit| {
        context.out.flush()?;
        Ok(exit)
    });
    context.progress.clear();
    match result {
        Ok(exit) => context.end(exit).into(),
        Err(e) => error::report(&e).into(),
    }
}
