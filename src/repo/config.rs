//! The configuration of a repository: TOML, every key optional.
//!
//! Its last line is a comment that carries the SHA-256 of all before it:
//!
//! ```text
//! # checksum <64 hex>
//! ```
//!
//! A flipped bit can turn a number into another that is just as valid, so fsck
//! compares it. Whoever edits the file by hand is taken at his word by everything
//! but fsck, and tells it with `chasm config seal` that the edit was meant.

use serde::{Deserialize, Serialize};

use crate::id::hash_bytes;
use crate::object::Policy;
use crate::odb::DEFAULT_POOL_THRESHOLD;

/// What a repository does when nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// How trees are taken up.
    #[serde(skip_serializing_if = "is_default")]
    pub commit: CommitConfig,
    /// How trees are put into directories.
    #[serde(skip_serializing_if = "is_default")]
    pub checkout: CheckoutConfig,
    /// Blobs as plain files.
    #[serde(skip_serializing_if = "is_default")]
    pub pool: PoolConfig,
    /// When objects are deleted.
    #[serde(skip_serializing_if = "is_default")]
    pub gc: GcConfig,
}

/// How trees are taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommitConfig {
    /// What metadata is kept: `mirror`, `unix`, `full`, or features joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Who commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whether the pool links the files of the tree instead of copying them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// Patterns of what is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Most files, in percent, that a commit may remove; 100 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_guard: Option<u8>,
}

/// How trees are put into directories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckoutConfig {
    /// Globs over names of files that are replaced last; replaces the built-in list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_files: Option<Vec<String>>,
    /// Most files, in percent, that a checkout may remove; 100 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_guard: Option<u8>,
}

/// Blobs as plain files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PoolConfig {
    /// Blobs of at least so many bytes enter the pool; smaller ones a pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
}

/// When objects are deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct GcConfig {
    /// How long what nothing refers to is kept, for instance `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// How long the journal keeps former states of refs from gc, for instance `30d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PoolConfig {
    /// The threshold in bytes. Packs hold blobs of at most 32 MiB here, so that
    /// memory stays bounded.
    pub fn threshold_bytes(&self) -> u64 {
        self.threshold.unwrap_or(DEFAULT_POOL_THRESHOLD).clamp(1, 32 << 20)
    }
}

impl Config {
    /// Reads a configuration; errors tell the line.
    pub fn parse(bytes: &[u8]) -> Result<Config, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let config: Config = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            format!("line {line}: {}", e.message())
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(policy) = &self.commit.policy {
            policy.parse::<Policy>().map_err(|e| format!("commit.policy: {e}"))?;
        }
        for (key, value) in [("gc.grace", &self.gc.grace), ("gc.retention", &self.gc.retention)] {
            if let Some(value) = value {
                parse_duration(value).map_err(|e| format!("{key}: {e}"))?;
            }
        }
        for (key, value) in [("commit", self.commit.delete_guard), ("checkout", self.checkout.delete_guard)] {
            if value.is_some_and(|percent| percent > 100) {
                return Err(format!("{key}.delete-guard: is a percentage, at most 100"));
            }
        }
        Ok(())
    }

    /// Writes it, leaving out what is as by default.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("plain tables of plain values can be written")
    }
}

/// How the line with the checksum begins.
const SEAL: &str = "# checksum ";

/// Puts the line with the checksum behind a configuration, in place of any there.
pub fn seal(text: &str) -> String {
    let mut sealed = String::new();
    for line in text.lines().filter(|line| !line.starts_with(SEAL)) {
        sealed.push_str(line);
        sealed.push('\n');
    }
    let checksum = hash_bytes(sealed.as_bytes());
    format!("{sealed}{SEAL}{checksum}\n")
}

/// Whether a configuration is byte for byte as it was sealed.
pub fn is_sealed(text: &str) -> bool {
    seal(text) == text
}

/// Reads a time span like `24h`, `30d`, `90m`, `0`.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let wrong = || format!("'{text}' is no time span like 90m, 24h or 30d");
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86400,
        "w" => 7 * 86400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).map(std::time::Duration::from_secs).ok_or_else(wrong)
}

/// Reads a size like `32KiB`, `1M`, `4096`; units are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no size like 4096, 32KiB or 1M");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let shift = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_line() {
        assert_eq!(Config::parse(b"").unwrap(), Config::default());
        assert!(Config::parse(b"[pool]\nthreshold = 4096\n").is_ok());
        assert!(Config::parse(b"[pool]\n\nthresh = 1\n").unwrap_err().starts_with("line 3"));
        assert!(Config::parse(b"[commit]\npolicy = \"nonsense\"\n").unwrap_err().contains("commit.policy"));
        assert!(Config::parse(b"\xff").is_err());
    }

    #[test]
    fn a_seal_fits_one_text_alone() {
        let sealed = seal("[pool]\nthreshold = 4096");
        assert!(is_sealed(&sealed) && seal(&sealed) == sealed);
        assert!(Config::parse(sealed.as_bytes()).is_ok());
        assert!(!is_sealed(&sealed.replace("4096", "4097")) && !is_sealed("") && is_sealed(&seal("")));
    }

    #[test]
    fn what_is_written_is_read() {
        let config = Config {
            commit: CommitConfig { policy: Some("full".into()), link: Some(true), ..CommitConfig::default() },
            ..Config::default()
        };
        assert_eq!(Config::parse(config.to_toml().as_bytes()).unwrap(), config);
    }

    #[test]
    fn spans_and_sizes_are_read() {
        assert_eq!(parse_duration("24h").unwrap().as_secs(), 86400);
        assert_eq!(parse_duration("0").unwrap().as_secs(), 0);
        assert!(parse_duration("soon").is_err() && parse_duration("-1d").is_err());
        assert_eq!(parse_size("32KiB").unwrap(), 32768);
        assert!(parse_size("99999999999T").is_err());
    }
}
