//! One published state of a tree.
//!
//! A commit is text, so that anybody can read it years from now: header lines of
//! a key, one space and a value, in the order below; an empty line; the message.
//!
//! ```text
//! chasm commit 1
//! tree <64 hex>
//! parent <64 hex>                    none to 64 of them
//! time 2026-11-20T06:00:00Z          when the commit was made; years 0000 to 9999
//! author <text>
//! policy <name or features>          what metadata the tree keeps
//! root <hex>                         the root directory's own metadata (see below)
//! files <n>                          entries below the root that are no directories
//! bytes <n>                          content bytes of all regular files
//! origin <url> <state>               optional
//! ref <name>                         optional, several: names it may appear under
//! x-<key> <value>                    optional, several: for others to use
//!
//! message
//! ```
//!
//! Every other directory's metadata stands in its parent's entry; the root's
//! stands here, in the encoding of entries, as hexadecimal digits, so that equal
//! subtrees are equal whatever the time of the directory.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{DecodeError, Metadata, Policy, Totals};
use crate::id::{CommitId, TreeId, hash_bytes};

/// Most bytes of a commit.
pub const MAX_COMMIT_LEN: usize = 1 << 20;
/// Most parents of a commit.
pub const MAX_PARENTS: usize = 64;
const MAGIC: &str = "chasm commit ";
const VERSION: &str = "1";

/// One published state of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The root directory.
    pub tree: TreeId,
    /// The states it follows; the first is the main line.
    pub parents: Vec<CommitId>,
    /// When it was made, in seconds since 1970.
    pub time: Timestamp,
    /// Who made it; one line.
    pub author: String,
    /// What metadata the tree keeps.
    pub policy: Policy,
    /// The root directory's own metadata.
    pub root: Metadata,
    /// What lies below the root.
    pub totals: Totals,
    /// Where the tree came from.
    pub origin: Option<Origin>,
    /// Full names of refs it may appear under; any, if empty.
    pub refs: Vec<String>,
    /// Keys (without the leading `x-`) and values of others.
    pub extensions: Vec<(String, String)>,
    /// What people say about it.
    pub message: String,
}

/// Where a tree came from, and the upstream's own word for the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A URL, without spaces.
    pub url: String,
    /// For instance the `Date` of a Release file; one line, may be empty.
    pub state: String,
}

impl Commit {
    /// Writes the canonical bytes. Fails for what could not be read back: line
    /// breaks in headers, too many parents, a year beyond 9999, too long.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut text = format!("{MAGIC}{VERSION}\ntree {}\n", self.tree);
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{key} {value}").expect("writing to a string cannot fail");
        };
        for parent in &self.parents {
            line("parent", parent);
        }
        line("time", &self.time.strftime("%Y-%m-%dT%H:%M:%SZ"));
        line("author", &self.author);
        line("policy", &self.policy);
        line("root", &hex(&self.root.encode()));
        line("files", &self.totals.files);
        line("bytes", &self.totals.bytes);
        if let Some(origin) = &self.origin {
            line("origin", &format_args!("{} {}", origin.url, origin.state));
        }
        for name in &self.refs {
            line("ref", name);
        }
        for (key, value) in &self.extensions {
            line(&format!("x-{key}"), value);
        }
        text.push('\n');
        text.push_str(&self.message);
        let bytes = text.into_bytes();
        // What this program writes it must be able to read.
        match Commit::decode(&bytes) {
            Ok(read) if read == *self => Ok(bytes),
            Ok(_) => Err(DecodeError::Invalid("header value with a line break")),
            Err(e) => Err(e),
        }
    }

    /// Reads canonical bytes; refuses all others.
    pub fn decode(bytes: &[u8]) -> Result<Commit, DecodeError> {
        if bytes.len() > MAX_COMMIT_LEN {
            let limit = MAX_COMMIT_LEN as u64;
            return Err(DecodeError::TooLarge { what: "commit", len: bytes.len() as u64, limit });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NotA("commit"))?;
        let version =
            text.strip_prefix(MAGIC).and_then(|rest| rest.split('\n').next()).ok_or(DecodeError::NotA("commit"))?;
        if version != VERSION {
            return Err(version.parse().map_or(DecodeError::NotA("commit"), DecodeError::TooNew));
        }
        let (head, message) = text.split_once("\n\n").ok_or(DecodeError::Truncated)?;
        let mut lines = Lines(head.split('\n').skip(1).peekable());

        let tree = lines.required("tree")?.parse().map_err(|_| DecodeError::Invalid("tree id"))?;
        let mut parents = Vec::new();
        while let Some(parent) = lines.optional("parent") {
            parents.push(parent.parse().map_err(|_| DecodeError::Invalid("parent id"))?);
            if parents.len() > MAX_PARENTS {
                let (len, limit) = (parents.len() as u64, MAX_PARENTS as u64);
                return Err(DecodeError::TooLarge { what: "number of parents", len, limit });
            }
        }
        let time = parse_time(lines.required("time")?)?;
        let author = lines.required("author")?.to_owned();
        let policy_text = lines.required("policy")?;
        let policy: Policy = policy_text.parse().map_err(|_| DecodeError::Invalid("policy"))?;
        if policy.to_string() != policy_text {
            return Err(DecodeError::Invalid("policy"));
        }
        let root = unhex(lines.required("root")?).ok_or(DecodeError::Invalid("root metadata"))?;
        let root = Metadata::decode(&root)?;
        if root.link.is_some() {
            return Err(DecodeError::Invalid("root metadata"));
        }
        let totals = Totals { files: number(lines.required("files")?)?, bytes: number(lines.required("bytes")?)? };
        let origin = match lines.optional("origin") {
            Some(value) => {
                let (url, state) = value.split_once(' ').ok_or(DecodeError::Invalid("origin"))?;
                Some(Origin { url: url.to_owned(), state: state.to_owned() })
            }
            None => None,
        };
        let mut refs = Vec::new();
        while let Some(name) = lines.optional("ref") {
            refs.push(name.to_owned());
        }
        let mut extensions = Vec::new();
        for line in lines.0 {
            let (key, value) = line.split_once(' ').ok_or(DecodeError::Invalid("header line"))?;
            let key = key.strip_prefix("x-").ok_or(DecodeError::Invalid("header line"))?;
            extensions.push((key.to_owned(), value.to_owned()));
        }
        let message = message.to_owned();
        Ok(Commit { tree, parents, time, author, policy, root, totals, origin, refs, extensions, message })
    }

    /// The id of these canonical bytes.
    pub fn id_of(bytes: &[u8]) -> CommitId {
        CommitId(hash_bytes(bytes))
    }

    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

struct Lines<'a, I: Iterator<Item = &'a str>>(std::iter::Peekable<I>);

impl<'a, I: Iterator<Item = &'a str>> Lines<'a, I> {
    fn optional(&mut self, key: &str) -> Option<&'a str> {
        let value = |line: &&'a str| line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' '));
        let found = self.0.peek().and_then(value)?;
        self.0.next();
        Some(found)
    }

    fn required(&mut self, key: &'static str) -> Result<&'a str, DecodeError> {
        self.optional(key).ok_or(DecodeError::Invalid("header line"))
    }
}

fn parse_time(text: &str) -> Result<Timestamp, DecodeError> {
    let invalid = DecodeError::Invalid("time");
    let time: Timestamp = text.parse().map_err(|_| invalid.clone())?;
    if time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() == text { Ok(time) } else { Err(invalid) }
}

fn number(text: &str) -> Result<u64, DecodeError> {
    let value: u64 = text.parse().map_err(|_| DecodeError::BadNumber)?;
    if value.to_string() == text { Ok(value) } else { Err(DecodeError::BadNumber) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Time;

    fn commit() -> Commit {
        Commit {
            tree: TreeId(hash_bytes(b"tree")),
            parents: vec![CommitId(hash_bytes(b"one")), CommitId(hash_bytes(b"two"))],
            time: "2026-11-20T06:00:00Z".parse().unwrap(),
            author: "root@mirror".into(),
            policy: Policy::MIRROR,
            root: Metadata { mode: Some(0o755), mtime: Some(Time { secs: 1, nanos: 2 }), ..Metadata::default() },
            totals: Totals { files: 3, bytes: 4 },
            origin: Some(Origin { url: "rsync://host/debian".into(), state: "Fri, 20 Nov 2026".into() }),
            refs: vec!["heads/debian".into()],
            extensions: vec![("note".into(), "a b".into())],
            message: "daily\n\nwith a body\n".into(),
        }
    }

    #[test]
    fn encode_and_decode_are_inverse() {
        let bytes = commit().encode().unwrap();
        assert_eq!(Commit::decode(&bytes).unwrap(), commit());
        let bare = Commit {
            parents: vec![],
            origin: None,
            refs: vec![],
            extensions: vec![],
            message: String::new(),
            ..commit()
        };
        assert_eq!(Commit::decode(&bare.encode().unwrap()).unwrap(), bare);
    }

    #[test]
    fn any_flipped_bit_gives_an_error_or_other_canonical_bytes() {
        let bytes = commit().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Commit::decode(&flipped) {
                assert_eq!(read.encode().unwrap(), flipped, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_line_break_in_a_header_is_refused() {
        for author in ["a\nparent x", "a\n\nb", "\n"] {
            assert!(Commit { author: author.into(), ..commit() }.encode().is_err(), "{author:?}");
        }
        let many = Commit { parents: vec![CommitId(hash_bytes(b"p")); 65], ..commit() };
        assert!(matches!(many.encode(), Err(DecodeError::TooLarge { .. })));
        let long = Commit { message: "x".repeat(MAX_COMMIT_LEN), ..commit() };
        assert!(matches!(long.encode(), Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = String::from_utf8(commit().encode().unwrap()).unwrap().replace("commit 1", "commit 2");
        assert!(Commit::decode(newer.as_bytes()).unwrap_err().is_too_new());
        assert!(!Commit::decode(b"just a file").unwrap_err().is_too_new());
    }
}
