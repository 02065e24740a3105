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

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{Error, Repository, Result};
use crate::disk::durable::DIR_MODE;
use crate::disk::{self, Dir};
use crate::id::{CommitId, hash_bytes};

const MAGIC: &str = "chasm checkout 1";
const MAX_RECORD_LEN: u64 = 64 << 10;
const RECORD_NAME_LEN: usize = 32;

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
        let record = CheckoutRecord::decode(&bytes).ok_or_else(|| Error::DamagedRecord(path.display().to_string()))?;
        // Another directory has taken its place since.
        let same = Dir::open(&path).and_then(|dir| dir.stat_self()).is_ok_and(|stat| stat.ino == record.inode);
        Ok(same.then_some(record.checkout))
    }

    /// Records what the directory `target` holds.
    pub fn record_checkout(&self, target: &Path, checkout: Checkout) -> Result<()> {
        let (name, path) = record_name(target)?;
        let inode = Dir::open(&path)?.stat_self()?.ino;
        let record = CheckoutRecord { path, inode, checkout }.encode();
        let dir = self.dir.ensure_dir(b"checkouts", DIR_MODE)?;
        if dir.read(&name, MAX_RECORD_LEN).is_ok_and(|present| present.as_ref() == Some(&record)) {
            return Ok(());
        }
        Ok(dir.replace_durably(&name, &record)?)
    }

    /// All records; `None` for one that is damaged.
    pub fn checkouts(&self) -> Result<Vec<Option<CheckoutRecord>>> {
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (name, _) in dir.names()? {
            // What a crash has left beside them has a longer name.
            if name.len() == RECORD_NAME_LEN
                && let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)?
            {
                found.push(CheckoutRecord::decode(&bytes));
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
            if let Some(CheckoutRecord { checkout, .. }) = CheckoutRecord::decode(&bytes) {
                commits.push(checkout.commit);
                commits.extend(checkout.towards);
            }
        }
        Ok(commits)
    }

    /// Forgets checkouts whose directories are gone. A damaged record stays, for
    /// fsck to name.
    pub fn forget_gone_checkouts(&self) -> Result<()> {
        let Ok(dir) = self.dir.open_dir(b"checkouts") else { return Ok(()) };
        for (name, _) in dir.names()? {
            let Some(bytes) = dir.read(&name, MAX_RECORD_LEN)? else { continue };
            if CheckoutRecord::decode(&bytes).is_some_and(|record| !record.path.is_dir()) {
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
    Ok((format!("{digest:.RECORD_NAME_LEN$}").into_bytes(), path))
}

/// What is written down of one checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutRecord {
    /// Where it lies.
    pub path: PathBuf,
    /// The inode of that directory.
    pub inode: u64,
    /// What it holds.
    pub checkout: Checkout,
}

impl CheckoutRecord {
    /// Writes the one text of this record.
    pub fn encode(&self) -> Vec<u8> {
        let hex: String = self.path.as_os_str().as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        let mut text = format!("{MAGIC}\npath {hex}\ninode {}\ncommit {}\n", self.inode, self.checkout.commit);
        if let Some(towards) = self.checkout.towards {
            text.push_str(&format!("towards {towards}\n"));
        }
        text.push_str("end\n");
        text.into_bytes()
    }

    /// Reads such a text; `None` for what would not be written the same.
    pub fn decode(bytes: &[u8]) -> Option<CheckoutRecord> {
        let text = std::str::from_utf8(bytes).ok()?;
        let towards = match field(text, "towards") {
            Some(hex) => Some(hex.parse().ok()?),
            None => None,
        };
        let checkout = Checkout { commit: field(text, "commit")?.parse().ok()?, towards };
        let digits = field(text, "path")?.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        let path = PathBuf::from(OsString::from_vec(digits.collect::<Option<_>>()?));
        let record = CheckoutRecord { path, inode: field(text, "inode")?.parse().ok()?, checkout };
        (record.encode() == bytes).then_some(record)
    }
}

fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}
