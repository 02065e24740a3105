use std::path::{Path, PathBuf};

use anyhow::Result;
use chasm::object::Policy;
use chasm::repo::{Config, InitOptions, REPOSITORY_DIR, Repository, parse_size};

use super::error::usage;
use super::{Context, Exit};

/// Make a new repository
///
/// Without --bare, the repository lies in DIR/.chasm and DIR is its work tree. Checkouts are hard links
/// only on the file system that the repository lies on.
#[derive(clap::Args)]
pub struct Args {
    /// The directory; the one named by -R, else the present one, if not given
    dir: Option<PathBuf>,
    /// Make DIR itself the repository
    #[arg(long)]
    bare: bool,
    /// Name of the first branch
    #[arg(short = 'b', long, value_name = "NAME")]
    branch: Option<String>,
    /// By default, let the pool link files of the tree instead of copying them
    #[arg(long)]
    link: bool,
    /// What metadata commits keep by default: mirror, unix, full, or features joined by commas
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Files of at least SIZE lie in the pool as they are, smaller ones in packs
    #[arg(long, value_name = "SIZE")]
    pool_threshold: Option<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let dir = args.dir.as_deref().or(context.named_repository()).unwrap_or(Path::new("."));
    let path = if args.bare { dir.to_path_buf() } else { dir.join(REPOSITORY_DIR) };
    let mut config = Config::default();
    if let Some(policy) = args.policy {
        policy.parse::<Policy>()?;
        config.commit.policy = Some(policy);
    }
    config.commit.link = args.link.then_some(true);
    if let Some(threshold) = args.pool_threshold {
        config.pool.threshold = Some(parse_size(&threshold).map_err(usage)?);
    }
    let repository =
        Repository::init(&path, &InitOptions { config, branch: args.branch, mode: 0o777 & !context.umask })?;
    if context.json {
        let path = super::output::path_json(repository.path().as_os_str().as_encoded_bytes());
        context.out.json(&serde_json::json!({ "repository": path }))?;
    } else {
        context.say(format_args!("made an empty repository in {}", repository.path().display()));
    }
    Ok(Exit::Done)
}
