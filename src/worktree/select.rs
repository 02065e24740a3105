//! What of a directory belongs to a commit.
//!
//! Patterns are globs over bytes. One without a slash matches names at any depth;
//! one with a slash matches whole paths from the root; one that ends in a slash
//! matches directories only. `*` and `?` stay within a name, `**` does not. What
//! is excluded is as if it were not there, with all below it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::path::TreePath;

/// A pattern that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("'{pattern}' is no valid pattern")]
pub struct InvalidPattern {
    /// The pattern.
    pub pattern: String,
    source: globset::Error,
}

/// Decides which entries are left out.
#[derive(Clone, Debug)]
pub struct Select {
    names: GlobSet,
    dir_names: GlobSet,
    paths: GlobSet,
    dir_paths: GlobSet,
    /// In the order they were given.
    patterns: Vec<String>,
}

impl Select {
    /// Leaves nothing out.
    pub fn everything() -> Select {
        Select::excluding(&[]).expect("no pattern, no error")
    }

    /// Leaves out what any of the patterns matches.
    pub fn excluding(patterns: &[String]) -> Result<Select, InvalidPattern> {
        let mut sets = [(); 4].map(|()| GlobSetBuilder::new());
        for pattern in patterns {
            let invalid = |source| InvalidPattern { pattern: pattern.clone(), source };
            let bare = pattern.strip_suffix('/').unwrap_or(pattern);
            let rooted = bare.contains('/');
            let text = bare.trim_start_matches('/');
            let glob =
                GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build().map_err(invalid)?;
            sets[usize::from(bare.len() != pattern.len()) + 2 * usize::from(rooted)].add(glob);
        }
        let mut built = Vec::new();
        for set in &sets {
            let joined = patterns.join(" ");
            built.push(set.build().map_err(|source| InvalidPattern { pattern: joined, source })?);
        }
        let [names, dir_names, paths, dir_paths] = <[GlobSet; 4]>::try_from(built).expect("four sets were built");
        Ok(Select { names, dir_names, paths, dir_paths, patterns: patterns.to_vec() })
    }

    /// The patterns, in the order they were given.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether the entry `name` of the directory `dir` is left out.
    pub fn excludes(&self, dir: &TreePath, name: &[u8], is_dir: bool) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let matches = |set: &GlobSet, bytes: &[u8]| {
            !set.is_empty() && set.is_match_candidate(&Candidate::new(Path::new(OsStr::from_bytes(bytes))))
        };
        if matches(&self.names, name) || (is_dir && matches(&self.dir_names, name)) {
            return true;
        }
        if self.paths.is_empty() && self.dir_paths.is_empty() {
            return false;
        }
        let path = dir.join(name);
        matches(&self.paths, path.as_bytes()) || (is_dir && matches(&self.dir_paths, path.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(patterns: &[&str], path: &str, is_dir: bool) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|p| p.to_string()).collect();
        let path = TreePath::parse(path.as_bytes()).unwrap();
        let select = Select::excluding(&patterns).unwrap();
        select.excludes(&path.parent().unwrap(), path.file_name().unwrap(), is_dir)
    }

    #[test]
    fn a_name_matches_at_any_depth_and_a_path_from_the_root() {
        assert!(excluded(&["*.tmp"], "a/b/x.tmp", false));
        assert!(excluded(&["/a/*.tmp"], "a/x.tmp", false));
        assert!(excluded(&["a/*.tmp"], "a/x.tmp", false));
        assert!(!excluded(&["a/*.tmp"], "a/b/x.tmp", false));
        assert!(excluded(&["a/**/*.tmp"], "a/b/x.tmp", false));
        assert!(excluded(&["/x"], "x", false) && !excluded(&["/x"], "a/x", false));
        assert!(excluded(&["cache/"], "a/cache", true) && !excluded(&["cache/"], "a/cache", false));
        assert!(!excluded(&["*.tmp"], "tmp", false));
    }

    #[test]
    fn bytes_that_are_not_text_match_too() {
        let select = Select::excluding(&["*.bak".into()]).unwrap();
        assert!(select.excludes(&TreePath::root(), b"\xff\xfe.bak", false));
        assert!(Select::excluding(&["a[".into()]).is_err());
    }
}
