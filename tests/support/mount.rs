//! File systems of a test's own, for root only.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{could_not_run, is_root};

/// A mounted file system; taken down when dropped.
pub struct Mount {
    at: PathBuf,
    image: Option<PathBuf>,
}

impl Mount {
    /// A file system in memory; `None`, and a line about `what`, if not root.
    pub fn tmpfs(at: &Path, options: &str, what: &str) -> Option<Mount> {
        Mount::make(at, &["-t", "tmpfs", "-o", options, "none"], None, what)
    }

    /// A second, read-only view of a directory.
    pub fn read_only(of: &Path, at: &Path, what: &str) -> Option<Mount> {
        let mount = Mount::make(at, &["--bind", of.to_str()?], None, what)?;
        let done = sh(&format!("mount -o remount,ro,bind '{}'", at.display()));
        done.map_err(|why| could_not_run(what, &why)).ok()?;
        Some(mount)
    }

    /// A file system made by `mkfs` (with options) in a file of `size`.
    pub fn image(at: &Path, mkfs: &str, size: u64, options: &str, what: &str) -> Option<Mount> {
        let image = at.with_extension("img");
        let file = std::fs::File::create(&image).ok()?;
        file.set_len(size).ok()?;
        if let Err(why) = sh(&format!("{mkfs} '{}'", image.display())) {
            could_not_run(what, &why);
            return None;
        }
        let source = image.to_str()?.to_owned();
        Mount::make(at, &["-o", &format!("loop{options}"), &source], Some(image), what)
    }

    /// A file system of a user-space program, which `mount` starts for an image
    /// that `mkfs` has made.
    pub fn user_space(at: &Path, mkfs: &str, size: u64, mount: &str, what: &str) -> Option<Mount> {
        let image = at.with_extension("img");
        std::fs::create_dir_all(at).ok()?;
        std::fs::File::create(&image).ok()?.set_len(size).ok()?;
        let script = format!("{mkfs} '{0}' && {mount} '{0}' '{1}'", image.display(), at.display());
        sh(&script).map_err(|why| could_not_run(what, &why)).ok()?;
        Some(Mount { at: at.to_owned(), image: Some(image) })
    }

    fn make(at: &Path, args: &[&str], image: Option<PathBuf>, what: &str) -> Option<Mount> {
        if !is_root() {
            could_not_run(what, "only root can mount");
            return None;
        }
        std::fs::create_dir_all(at).ok()?;
        let output = Command::new("mount").args(args).arg(at).output();
        match output {
            Ok(output) if output.status.success() => Some(Mount { at: at.to_owned(), image }),
            Ok(output) => {
                could_not_run(what, String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(e) => {
                could_not_run(what, &format!("mount: {e}"));
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        if let Some(image) = &self.image {
            let _ = std::fs::remove_file(image);
        }
    }
}

/// Runs a shell command; what it said, if it failed.
pub fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").arg("-c").arg(script).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{script}: {}", errors.lines().last().unwrap_or("failed")))
}
