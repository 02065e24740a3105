//! Which directory holds which commit.
//!
//! A small text file for each directory that was checked out, named by a digest
//! of its path, so that nothing of chasm's lies in a tree that is served:
//!
//! ```text
//! chasm checkout 1
//! path <hexadecimal digits of the absolute path>
//! inode <number>
//! commit <64 hex>          what it holds
//! towards <64 hex>         what a checkout, not finished, is bringing it to
//! end
//! ```

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Error, Repository, Result};
use crate::disk::durable::DIR_MODE;
use crate::disk::{self, Dir};
use crate::id::{CommitId, hash_bytes};

const MAGIC: &str = "chasm checkout 1";
const MAX_RECORD_LEN: u64 = 64 << 10;

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The commit it was brought to last.
    pub commit: CommitId,
    /// The commit that a checkout, which did not finish, was bringing it to.
    pub towards: Option<CommitId>,
}

impl Repository {
    /// What the directory `target` holds, if it is a checkout of this repository.
    pub fn checkout_of(&self, target: &Path) -> Result<Option<Checkout>> {
        let (name, path) = record_name(target)?;
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(None) };
        let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)? else { return Ok(None) };
        let (inode, checkout) = parse(&bytes).ok_or_else(|| Error::DamagedRecord(path.display().to_string()))?;
        // Another directory has taken its place since.
        let same = Dir::open(&path).and_then(|dir| dir.stat_self()).is_ok_and(|stat| stat.ino == inode);
        Ok(same.then_some(checkout))
    }

    /// Records what the directory `target` holds.
    pub fn record_checkout(&self, target: &Path, checkout: Checkout) -> Result<()> {
        let (name, path) = record_name(target)?;
        let inode = Dir::open(&path)?.stat_self()?.ino;
        let hex: String = path.as_os_str().as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        let mut text = format!("{MAGIC}\npath {hex}\ninode {inode}\ncommit {}\n", checkout.commit);
        if let Some(towards) = checkout.towards {
            text.push_str(&format!("towards {towards}\n"));
        }
        text.push_str("end\n");
        let dir = self.dir.ensure_dir(b"checkouts", DIR_MODE)?;
        Ok(dir.replace_durably(&name, text.as_bytes())?)
    }

    /// All records: the directory, and what it holds; `None` for what cannot be
    /// read, for the record is damaged.
    pub fn checkouts(&self) -> Result<Vec<(Option<PathBuf>, Option<Checkout>)>> {
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (name, _) in dir.names()? {
            if let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)? {
                found.push((path_of(&bytes), parse(&bytes).map(|(_, checkout)| checkout)));
            }
        }
        Ok(found)
    }

    /// The commits that existing checkouts hold; gc keeps them.
    pub fn checked_out_commits(&self) -> Result<Vec<CommitId>> {
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(Vec::new()) };
        let mut commits = Vec::new();
        for (name, _) in dir.names()? {
            let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)? else { continue };
            // A damaged record holds nothing; the checkout is then found anew.
            if let Some((_, checkout)) = parse(&bytes) {
                commits.push(checkout.commit);
                commits.extend(checkout.towards);
            }
        }
        Ok(commits)
    }

    /// Forgets checkouts whose directories are gone.
    pub fn forget_gone_checkouts(&self) -> Result<()> {
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(()) };
        for (name, _) in dir.names()? {
            let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)? else { continue };
            if path_of(&bytes).is_none_or(|path| !path.is_dir()) {
                dir.remove_file(&name)?;
            }
        }
        Ok(())
    }
}

fn record_name(target: &Path) -> Result<(Vec<u8>, PathBuf)> {
    let path = std::path::absolute(target).and_then(|path| path.canonicalize().or(Ok(path)));
    let path = path.map_err(|e| disk::Error::new("find", target, e))?;
    let digest = hash_bytes(path.as_os_str().as_bytes());
    Ok((format!("{digest:.32}").into_bytes(), path))
}

fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

fn parse(bytes: &[u8]) -> Option<(u64, Checkout)> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.starts_with(MAGIC) || !text.ends_with("\nend\n") {
        return None;
    }
    let towards = match field(text, "towards") {
        Some(hex) => Some(hex.parse().ok()?),
        None => None,
    };
    let checkout = Checkout { commit: field(text, "commit")?.parse().ok()?, towards };
    Some((field(text, "inode")?.parse().ok()?, checkout))
}

fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    let hex = field(std::str::from_utf8(bytes).ok()?, "path")?;
    let digits = (0..hex.len() / 2).map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok());
    let path: Vec<u8> = digits.collect::<Option<_>>()?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(&path)))
}
