//! One repository as a whole.
//!
//! ```text
//! format       "chasm repository 1", then one required feature a line
//! config       TOML, see [`Config`]
//! refs journal names for commits, see [`crate::refs`]
//! pool packs   objects, see [`crate::odb`]
//! incoming     batches that are not finished
//! trash        what gc has taken out and will delete
//! cache        checksum caches; may be deleted at any time
//! checkouts    which directory holds which commit, see [`Checkout`]
//! lock         shared by writers, exclusive for deletion
//! ```
//!
//! It lies in `.chasm` inside a work tree, or in any directory of its own (bare).

mod checkouts;
mod config;
mod fsck;
mod gc;
mod history;
mod revision;
mod usage;

use std::path::{Path, PathBuf};

pub use checkouts::{Checkout, CheckoutRecord};
pub use config::{Config, parse_duration, parse_size, seal};
pub use fsck::{FsckOptions, FsckReport, Problem};
pub use gc::{GcOptions, GcReport};
pub use history::{History, Logged};
pub use revision::{Resolved, Revision, parse_time};
pub use usage::Alone;

use crate::disk::durable::DIR_MODE;
use crate::disk::{self, Dir};
use crate::id::{CommitId, Kind, ObjectId};
use crate::object::Commit;
use crate::odb::{self, Odb};
use crate::refs::{self, InvalidRefName, RefName, Refs};

/// Name of the repository's directory in a work tree.
pub const REPOSITORY_DIR: &str = ".chasm";
/// First line of the format file.
const FORMAT: &str = "chasm repository 1";
const MAX_FORMAT_LEN: u64 = 64 << 10;
const MAX_CONFIG_LEN: u64 = 1 << 20;
/// The branch of a new repository.
pub const DEFAULT_BRANCH: &str = "main";

/// The result of working with a repository.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a repository could not be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The object database failed.
    #[error(transparent)]
    Odb(#[from] odb::Error),
    /// The refs failed.
    #[error(transparent)]
    Refs(#[from] refs::Error),
    /// A name cannot be a ref.
    #[error(transparent)]
    RefName(#[from] InvalidRefName),
    /// There is no repository here or above.
    #[error("no chasm repository in '{0}' or above it")]
    NotFound(String),
    /// There is one already.
    #[error("'{0}' is a chasm repository already")]
    Exists(String),
    /// The directory is something else.
    #[error("'{0}' is no chasm repository")]
    NotARepository(String),
    /// Written by a newer chasm.
    #[error("repository '{path}' needs '{needs}', which this program does not know")]
    TooNew {
        /// The repository.
        path: String,
        /// The unknown format or feature.
        needs: String,
    },
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// A revision is no such text.
    #[error("'{revision}' is no revision: {why}")]
    BadRevision {
        /// The text.
        revision: String,
        /// What is wrong with it.
        why: String,
    },
    /// A revision names nothing.
    #[error("there is no '{0}'")]
    NoSuchRevision(String),
    /// The present branch has no commit.
    #[error("there is no commit on '{0}' yet")]
    Unborn(String),
    /// An abbreviated id fits several commits.
    #[error("'@{prefix}' fits {} commits", .candidates.len())]
    Ambiguous {
        /// The digits given.
        prefix: String,
        /// The commits.
        candidates: Vec<ObjectId>,
    },
    /// A path is not in a commit.
    #[error("'{path}' is not in {revision}")]
    NoSuchPath {
        /// The path.
        path: String,
        /// The revision looked at.
        revision: String,
    },
    /// A commit is bound to other refs than the one that names it.
    #[error("'{name}' names commit {commit}, which may only appear as {bound}")]
    OtherRef {
        /// The ref that names it.
        name: RefName,
        /// The commit.
        commit: CommitId,
        /// The refs it may appear under.
        bound: String,
    },
    /// A record of a checkout is damaged.
    #[error("the record of checkout '{0}' is damaged")]
    DamagedRecord(String),
}

/// How a new repository is made.
#[derive(Clone, Debug, Default)]
pub struct InitOptions {
    /// What its config says other than the defaults.
    pub config: Config,
    /// Short name of the first branch; [`DEFAULT_BRANCH`] if `None`.
    pub branch: Option<String>,
    /// Permission bits of the repository's directory; 0 for the default.
    pub mode: u16,
}

/// An open repository.
pub struct Repository {
    path: PathBuf,
    dir: Dir,
    config: Config,
    odb: Odb,
    refs: Refs,
}

impl Repository {
    /// Makes a repository in `path`, which is created if need be and must be
    /// empty otherwise. It can be opened only when all of it is there.
    pub fn init(path: &Path, options: &InitOptions) -> Result<Repository> {
        let is_new = !path.exists();
        let dir = Dir::create_all(path)?;
        if is_new {
            dir.set_own_mode(if options.mode == 0 { DIR_MODE } else { options.mode })?;
        }
        if dir.find(b"format")?.is_some() {
            return Err(Error::Exists(path.display().to_string()));
        }
        let head = RefName::branch(options.branch.as_deref().unwrap_or(DEFAULT_BRANCH))?;
        // What an interrupted init has left is no obstacle; anything else is.
        let own = [
            &b"pool"[..],
            b"packs",
            b"incoming",
            b"cache",
            b"trash",
            b"checkouts",
            b"config",
            b"refs",
            b"journal",
            b"lock",
        ];
        if dir
            .names()?
            .iter()
            .any(|(name, _)| !own.contains(&&name[..]) && !name.starts_with(b"refs") && !name.starts_with(b"config"))
        {
            let e = std::io::Error::from(std::io::ErrorKind::DirectoryNotEmpty);
            return Err(disk::Error::new("make a repository in", path, e).into());
        }
        Odb::create(&dir)?;
        for name in [&b"trash"[..], b"checkouts"] {
            dir.ensure_dir(name, DIR_MODE)?;
        }
        for stale in [&b"refs"[..], b"journal"] {
            if dir.find(stale)?.is_some() {
                dir.remove_file(stale)?;
            }
        }
        dir.replace_durably(b"config", config::seal(&options.config.to_toml()).as_bytes())?;
        Refs::create(&dir, &head)?;
        // The format file last: with it, the repository is one.
        dir.replace_durably(b"format", format!("{FORMAT}\n").as_bytes())?;
        if let Some(parent) = std::path::absolute(path).ok().and_then(|p| p.parent().map(Path::to_path_buf)) {
            Dir::open(&parent)?.sync()?;
        }
        Repository::open(path)
    }

    /// Opens the repository in `path`, or in `.chasm` below it.
    pub fn open(path: &Path) -> Result<Repository> {
        let dir = Dir::open(path)?;
        let (path, dir) = match (dir.find(b"format")?, dir.find(REPOSITORY_DIR.as_bytes())?) {
            (Some(_), _) => (path.to_path_buf(), dir),
            (None, Some(_)) => (path.join(REPOSITORY_DIR), dir.open_dir(REPOSITORY_DIR.as_bytes())?),
            (None, None) => return Err(Error::NotARepository(path.display().to_string())),
        };
        check_format(&path, &dir)?;
        let text = dir.read(b"config", MAX_CONFIG_LEN)?.unwrap_or_default();
        let config =
            Config::parse(&text).map_err(|e| Error::Config(format!("in '{}': {e}", path.join("config").display())))?;
        let odb = Odb::open(&dir, config.pool.threshold_bytes())?;
        let refs = Refs::open(&dir)?;
        Ok(Repository { path, dir, config, odb, refs })
    }

    /// Opens the repository that `start` lies in, or is.
    pub fn discover(start: &Path) -> Result<Repository> {
        let absolute = std::path::absolute(start).map_err(|e| disk::Error::new("find", start, e))?;
        for candidate in absolute.ancestors() {
            let inside = candidate.join(REPOSITORY_DIR);
            let is_repository = |path: &Path| path.join("format").is_file();
            if is_repository(&inside) {
                return Repository::open(&inside);
            }
            if is_repository(candidate) && candidate.join("packs").is_dir() {
                return Repository::open(candidate);
            }
        }
        Err(Error::NotFound(start.display().to_string()))
    }

    /// The repository's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The repository's directory, open.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The work tree around it; `None` if it is bare.
    pub fn work_tree(&self) -> Option<PathBuf> {
        let absolute = std::path::absolute(&self.path).ok()?;
        let inside = absolute.file_name()? == REPOSITORY_DIR;
        inside.then(|| absolute.parent().map(Path::to_path_buf)).flatten()
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its objects.
    pub fn odb(&self) -> &Odb {
        &self.odb
    }

    /// Its refs.
    pub fn refs(&self) -> &Refs {
        &self.refs
    }

    /// Reads a commit.
    pub fn commit(&self, id: CommitId) -> Result<Commit> {
        Ok(self.odb.commit(id)?)
    }

    /// Replaces the configuration, keeping the text as it was written, and seals it.
    pub fn write_config(&self, text: &str) -> Result<()> {
        Config::parse(text.as_bytes()).map_err(|e| Error::Config(e.to_string()))?;
        Ok(self.dir.replace_durably(b"config", config::seal(text).as_bytes())?)
    }

    /// The text of the configuration.
    pub fn config_text(&self) -> Result<String> {
        let bytes = self.dir.read(b"config", MAX_CONFIG_LEN)?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| Error::Config("the configuration is not UTF-8".into()))
    }

    /// Full ids of the commits an abbreviation fits.
    fn commits_with_prefix(&self, hex: &str) -> Result<Vec<ObjectId>> {
        Ok(self.odb.with_prefix(Kind::Commit, hex)?)
    }
}

fn check_format(path: &Path, dir: &Dir) -> Result<()> {
    let bytes = dir.read(b"format", MAX_FORMAT_LEN)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    match lines.next() {
        Some(FORMAT) => {}
        Some(other) if other.starts_with("chasm repository ") => {
            return Err(Error::TooNew { path: path.display().to_string(), needs: other.to_owned() });
        }
        _ => return Err(Error::NotARepository(path.display().to_string())),
    }
    match lines.next() {
        None => Ok(()),
        Some(feature) => Err(Error::TooNew { path: path.display().to_string(), needs: feature.to_owned() }),
    }
}
