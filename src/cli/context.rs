//! What every verb has at hand: where it runs, where it prints, who listens.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::Exit;
use super::output::Output;
use super::progress::Progress;
use chasm::disk::Dir;
use chasm::repo::{Repository, Resolved, Revision};

/// The surroundings of a verb.
pub struct Context {
    repo: Option<PathBuf>,
    /// Standard output.
    pub out: Output,
    /// Progress and findings on standard error.
    pub progress: Progress,
    /// Whether answers are JSON.
    pub json: bool,
    /// Whether nothing but answers and errors is said.
    pub quiet: bool,
    /// The file mode creation mask the program was started with.
    pub umask: u16,
    /// The time the program was started.
    pub now: Timestamp,
}

/// Takes the mask of the process away: chasm sets every mode itself.
pub fn take_umask() -> u16 {
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    u16::try_from(mask.as_raw_mode() & 0o777).unwrap_or(0o022)
}

impl Context {
    pub fn new(
        repo: Option<PathBuf>,
        directory: Option<PathBuf>,
        json: bool,
        quiet: bool,
        umask: u16,
    ) -> Result<Context> {
        if let Some(directory) = directory {
            let entered = std::env::set_current_dir(&directory);
            entered.with_context(|| format!("cannot enter '{}'", directory.display()))?;
        }
        raise_file_limit();
        Ok(Context {
            repo,
            out: Output::new(),
            progress: Progress::new(quiet)?,
            json,
            quiet,
            umask,
            now: Timestamp::now(),
        })
    }

    /// The repository that was named, or that the working directory lies in.
    pub fn repository(&self) -> Result<Repository> {
        Ok(match &self.repo {
            Some(path) => Repository::open(path)?,
            None => Repository::discover(Path::new("."))?,
        })
    }

    /// Where `-R` points, if it was given.
    pub fn named_repository(&self) -> Option<&Path> {
        self.repo.as_deref()
    }

    /// The commit that a revision, given as bytes, names; HEAD if there is none.
    pub fn resolve(&self, repository: &Repository, text: Option<&std::ffi::OsStr>) -> Result<(Resolved, Revision)> {
        use std::os::unix::ffi::OsStrExt;
        let revision = Revision::parse_bytes(text.map_or(b"HEAD", |text| text.as_bytes()), self.now)?;
        Ok((repository.resolve(&revision)?, revision))
    }

    /// Who does what is done: by configuration, else user and host.
    pub fn author(&self, repository: &Repository) -> String {
        if let Some(author) = &repository.config().commit.author {
            return author.clone();
        }
        let user = ["LOGNAME", "USER"].iter().find_map(|key| std::env::var(key).ok().filter(|user| !user.is_empty()));
        let user = user.unwrap_or_else(|| format!("uid{}", rustix::process::geteuid().as_raw()));
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy().into_owned();
        format!("{user}@{host}").replace(['\n', '\r'], " ")
    }

    /// A line of talk on standard error, unless it was asked to be quiet.
    pub fn say(&self, line: impl std::fmt::Display) {
        if !self.quiet {
            self.progress.line(&line.to_string());
        }
    }

    /// The exit code, findings considered.
    pub fn end(&self, exit: Exit) -> Exit {
        if exit == Exit::Done && self.progress.is_partial() { Exit::Partial } else { exit }
    }

    /// The directory of a repository, for excluding it from its own tree.
    pub fn stat_of(repository: &Repository) -> Result<chasm::disk::Stat> {
        Ok(Dir::open(repository.path())?.stat_self()?)
    }
}

/// Deep trees need a handle for each level.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        limit.current = limit.maximum;
        // With the limit as it is, all but deep trees work as well.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
