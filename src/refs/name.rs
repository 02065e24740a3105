//! Names of refs, and the one rule for what a name may be.
//!
//! A full name is a kind and a short name: `heads/debian`, `tags/s0`,
//! `remotes/origin/main`. Nothing else decides: the command line, fetch, push,
//! import and the server all come through [`RefName::parse`]. The rule is that of
//! `git check-ref-format`, and stricter where a name could be taken for something
//! else: an option, an id, an expression, or another name that looks the same.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::path::Escaped;

/// Longest full name, in bytes.
pub const MAX_REF_NAME_LEN: usize = 512;
const HEADS: &str = "heads/";
const TAGS: &str = "tags/";
const REMOTES: &str = "remotes/";

/// A text that cannot be the name of a ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' cannot be the name of a ref: it {reason}", Escaped(.name.as_bytes()))]
pub struct InvalidRefName {
    /// The text, cut if it is too long.
    pub name: String,
    /// The part of the rule it breaks.
    pub reason: &'static str,
}

/// The full name of a ref; valid by construction, ordered by bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

impl RefName {
    /// Takes a full name: `heads/...`, `tags/...` or `remotes/...`.
    pub fn parse(full: &str) -> Result<Self, InvalidRefName> {
        match check(full) {
            Ok(()) => Ok(RefName(full.to_owned())),
            Err(reason) => {
                Err(InvalidRefName { name: full.chars().take(MAX_REF_NAME_LEN / 4).collect::<String>(), reason })
            }
        }
    }

    /// The branch of this short name.
    pub fn branch(short: &str) -> Result<Self, InvalidRefName> {
        Self::of_kind(HEADS, short)
    }

    /// The tag of this short name.
    pub fn tag(short: &str) -> Result<Self, InvalidRefName> {
        Self::of_kind(TAGS, short)
    }

    /// What is known of the branch `short` of the remote of that name.
    pub fn remote(remote: &str, short: &str) -> Result<Self, InvalidRefName> {
        Self::of_kind(REMOTES, &format!("{remote}/{short}"))
    }

    fn of_kind(kind: &str, short: &str) -> Result<Self, InvalidRefName> {
        Self::parse(&format!("{kind}{short}")).map_err(|e| InvalidRefName { name: e.name.replacen(kind, "", 1), ..e })
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its kind; names of two kinds may have the same.
    pub fn short(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, short)| short)
    }

    /// Whether this is a branch of this repository.
    pub fn is_branch(&self) -> bool {
        self.0.starts_with(HEADS)
    }

    /// Whether this is a tag.
    pub fn is_tag(&self) -> bool {
        self.0.starts_with(TAGS)
    }

    /// Whether this is what is known of another repository's branch.
    pub fn is_remote(&self) -> bool {
        self.0.starts_with(REMOTES)
    }

    /// The full names that `short` may stand for, the preferred one first: itself,
    /// then a tag, a branch, a remote's branch.
    pub(super) fn candidates(short: &str) -> impl Iterator<Item = RefName> {
        ["", TAGS, HEADS, REMOTES].into_iter().filter_map(move |kind| RefName::parse(&format!("{kind}{short}")).ok())
    }
}

/// The rule.
fn check(full: &str) -> Result<(), &'static str> {
    if full.len() > MAX_REF_NAME_LEN {
        return Err("is longer than 512 bytes");
    }
    let short = [HEADS, TAGS, REMOTES]
        .iter()
        .find_map(|kind| full.strip_prefix(kind))
        .ok_or("does not begin with 'heads/', 'tags/' or 'remotes/'")?;
    if short.is_empty() {
        return Err("is empty");
    }
    if full.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c)) {
        return Err("has a control character, white space, or one of '~^:?*[\\'");
    }
    // What a terminal would obey or hide; nothing else is left to be escaped here.
    if Escaped(full.as_bytes()).to_string() != full {
        return Err("has a character that does not show");
    }
    if full.contains("..") || full.contains("@{") {
        return Err("has '..' or '@{' in it");
    }
    if short == "@" || short.rsplit('/').next() == Some("HEAD") {
        return Err("is a word for the present branch");
    }
    if short.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("has only hexadecimal digits, as ids have");
    }
    for part in short.split('/') {
        match part {
            "" => return Err("has a slash at an end, or two in a row"),
            _ if part.starts_with(['.', '-']) => return Err("has a part that begins with '.' or '-'"),
            _ if part.ends_with('.') || part.ends_with(".lock") => {
                return Err("has a part that ends in '.' or '.lock'");
            }
            _ => {}
        }
    }
    Ok(())
}

impl FromStr for RefName {
    type Err = InvalidRefName;

    fn from_str(text: &str) -> Result<Self, InvalidRefName> {
        Self::parse(text)
    }
}

impl Borrow<str> for RefName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0)
    }
}

impl serde::Serialize for RefName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for RefName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_taken_for_something_else_is_refused() {
        let long = "x".repeat(1024);
        let bad = [
            "",
            "../../x",
            "/x",
            "x/",
            "m//n",
            "m/../n",
            "m/./n",
            ".",
            "..",
            ".x",
            "m/.x",
            "x.",
            "m..n",
            "x.lock",
            "x.lock/y",
            "-x",
            "m/-x",
            "@",
            "m@{1}",
            "HEAD",
            "m/HEAD",
            "nul\0",
            "new\nline",
            "cr\r",
            "tab\t",
            "del\x7f",
            "a space",
            "til~de",
            "ca^ret",
            "co:lon",
            "que?ry",
            "st*r",
            "bra[cket",
            "back\\slash",
            "no\u{a0}break",
            "bi\u{202e}di",
            "zero\u{200b}width",
            "c1\u{9b}",
            "1",
            "dead",
            "DEADbeef",
            "20261120",
            &long,
        ];
        for short in bad {
            for name in [RefName::branch(short), RefName::tag(short)] {
                let error = name.expect_err(short);
                assert!(!error.to_string().contains(|c: char| c.is_control() || "\u{202e}\u{200b}".contains(c)));
            }
        }
        for full in ["main", "heads", "heads/", "/heads/main", "refs/heads/main", "HEAD", "@", "Heads/main", ""] {
            assert!(RefName::parse(full).is_err(), "{full}");
        }
    }

    #[test]
    fn everyday_names_are_accepted() {
        let names = ["debian", "s0", "trixie-updates", "m/n", "v1.2.3", "2026-11-20", "deadbeef-x", "b@c", "caf\u{e9}"];
        for short in names {
            let name = RefName::branch(short).unwrap();
            assert_eq!((name.short(), name.is_branch(), name.is_tag()), (short, true, false));
            assert_eq!(RefName::parse(name.as_str()).unwrap(), name);
        }
        assert_eq!(RefName::remote("origin", "main").unwrap().as_str(), "remotes/origin/main");
        assert_eq!(RefName::branch(&"x".repeat(506)).unwrap().as_str().len(), MAX_REF_NAME_LEN);
    }

    #[test]
    fn the_error_shows_what_was_typed_without_obeying_it() {
        let error = RefName::branch("x\x1b[31m").unwrap_err();
        assert!(error.to_string().starts_with("'x\\x1b[31m' cannot be"), "{error}");
    }
}
