//! Arguments about what of a directory is taken up; shared by `commit` and
//! `status`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chasm::object::Policy;
use chasm::repo::Repository;
use chasm::worktree::{Select, SnapshotOptions};

use super::Context;
use super::error::usage_with_hint;

#[derive(clap::Args)]
pub struct Selection {
    /// Leave out what matches GLOB: a name at any depth, or a path if it contains a slash (can be repeated)
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out what matches a line of FILE; empty lines and those that begin with # do not count (can be repeated)
    #[arg(long, value_name = "FILE")]
    exclude_from: Vec<PathBuf>,
    /// Keep this metadata as well: a feature or a policy, see chasm-commit(1) (can be repeated)
    #[arg(long, value_name = "FEATURE")]
    with: Vec<String>,
    /// Do not keep this metadata (can be repeated)
    #[arg(long, value_name = "FEATURE")]
    without: Vec<String>,
    /// What metadata to keep: mirror, unix, full, or features joined by commas
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Enter directories that are other file systems
    #[arg(long)]
    cross_mounts: bool,
}

impl Selection {
    /// What is taken up of the work tree of `repository`.
    pub fn options(&self, repository: &Repository, link: bool) -> Result<SnapshotOptions> {
        let config = &repository.config().commit;
        let mut patterns = config.exclude.clone();
        patterns.extend(self.exclude.iter().cloned());
        for file in &self.exclude_from {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read '{}'", file.display()))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            patterns.extend(lines.map(str::to_owned));
        }
        let mut policy = match self.policy.as_ref().or(config.policy.as_ref()) {
            Some(text) => text.split(',').try_fold(Policy::NONE, |policy, word| policy.with(word))?,
            None => Policy::default(),
        };
        for word in self.with.iter().flat_map(|words| words.split(',')) {
            policy = policy.with(word)?;
        }
        for word in self.without.iter().flat_map(|words| words.split(',')) {
            policy = policy.without(word)?;
        }
        Ok(SnapshotOptions {
            policy,
            select: Select::excluding(&patterns)?,
            link,
            cross_mounts: self.cross_mounts,
            repository: Some(Context::stat_of(repository)?),
        })
    }
}

/// The directory to take up: the one given, else the repository's work tree.
pub fn tree_of(repository: &Repository, given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(tree) => Ok(tree.to_path_buf()),
        None => repository.work_tree().ok_or_else(|| {
            usage_with_hint("a bare repository has no work tree", "name the directory: chasm commit DIR")
        }),
    }
}
