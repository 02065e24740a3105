//! The refs file: all refs and HEAD, as one sorted text under one checksum.
//!
//! ```text
//! chasm refs 1
//! transaction 7                      the last of the journal that this file knows; 0 at first
//! HEAD heads/main                    the present branch; it may not exist yet
//! <64 hex> heads/main                a commit and a full name, strictly ascending by name
//! <64 hex> tags/s0
//! checksum <64 hex>                  SHA-256 of all lines above
//! ```
//!
//! A state has one such text, so that its SHA-256 names the state; what would not
//! be written the same is refused. A missing, swapped or changed ref is damage,
//! because the set is under one checksum. The number makes every state another
//! one, also when refs go back to where they were: a journal that has lost its
//! last record is not taken for one whose last record is still to be carried out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;

use super::RefName;
use crate::id::{CommitId, ID_HEX_LEN, ObjectId, hash_bytes};
use crate::object::DecodeError;

/// Most bytes of a refs file: more than 100,000 refs with the longest names.
pub const MAX_REFS_LEN: usize = 64 << 20;
const MAGIC: &str = "chasm refs ";
const VERSION: &str = "1";
const CHECKSUM: &str = "checksum ";
/// Length of a line that ends a text with its checksum.
pub(super) const CHECKSUM_LEN: usize = CHECKSUM.len() + ID_HEX_LEN + 1;

/// All refs at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefSet {
    pub(super) sequence: u64,
    pub(super) head: RefName,
    pub(super) refs: BTreeMap<RefName, CommitId>,
}

impl RefSet {
    /// No refs; HEAD is a branch still to be born.
    pub(super) fn fresh(head: RefName) -> Self {
        RefSet { sequence: 0, head, refs: BTreeMap::new() }
    }

    /// The number of the last transaction; 0 if there was none.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The present branch; [`RefSet::get`] finds nothing while it is unborn.
    pub fn head(&self) -> &RefName {
        &self.head
    }

    /// The commit of the present branch; `None` while that is unborn.
    pub fn head_commit(&self) -> Option<CommitId> {
        self.get(&self.head)
    }

    /// The commit a ref names; `None` if there is no such ref.
    pub fn get(&self, name: &RefName) -> Option<CommitId> {
        self.refs.get(name).copied()
    }

    /// All refs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RefName, CommitId)> {
        self.refs.iter().map(|(name, commit_id)| (name, *commit_id))
    }

    /// Number of refs.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether there are no refs.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    /// The ref that a person means by `short`. A full name always wins; then
    /// come `tags/short`, `heads/short` and `remotes/short`, in this order.
    pub fn resolve(&self, short: &str) -> Option<RefName> {
        RefName::candidates(short).find(|name| self.refs.contains_key(name))
    }

    pub(super) fn set(&mut self, name: &RefName, value: Option<CommitId>) {
        match value {
            Some(commit_id) => self.refs.insert(name.clone(), commit_id),
            None => self.refs.remove(name),
        };
    }

    /// Another ref whose name is a directory of `name`, or the reverse.
    pub(super) fn conflict(&self, name: &RefName) -> Option<&RefName> {
        let below = format!("{name}/");
        let first_below = self
            .refs
            .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
            .next()
            .map(|(other, _)| other);
        if let Some(other) = first_below.filter(|other| other.as_str().starts_with(&below)) {
            return Some(other);
        }
        let full = name.as_str();
        full.match_indices('/').find_map(|(at, _)| self.refs.get_key_value(&full[..at])).map(|(other, _)| other)
    }

    /// Writes the one text of this set.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{MAGIC}{VERSION}\ntransaction {}\nHEAD {}\n", self.sequence, self.head);
        for (name, commit_id) in &self.refs {
            writeln!(text, "{commit_id} {name}").expect("writing to a string cannot fail");
        }
        let checksum = hash_bytes(text.as_bytes());
        writeln!(text, "{CHECKSUM}{checksum}").expect("writing to a string cannot fail");
        text.into_bytes()
    }

    /// Reads such a text; refuses what [`RefSet::encode`] would not write.
    pub(super) fn decode(bytes: &[u8]) -> Result<RefSet, DecodeError> {
        if bytes.len() > MAX_REFS_LEN {
            let (len, limit) = (bytes.len() as u64, MAX_REFS_LEN as u64);
            return Err(DecodeError::TooLarge { what: "refs file", len, limit });
        }
        check_version(bytes, MAGIC, VERSION, "refs file")?;
        let (body, checksum) = split_checksum(bytes)?;
        if hash_bytes(body) != checksum {
            return Err(DecodeError::Invalid("checksum"));
        }
        let text = std::str::from_utf8(body).map_err(|_| DecodeError::NotA("refs file"))?;
        let text = text.strip_suffix('\n').ok_or(DecodeError::Truncated)?;
        let mut lines = text.split('\n').skip(1);
        let sequence = lines.next().and_then(|line| line.strip_prefix("transaction ")).unwrap_or_default();
        let sequence = number(sequence)?;
        let head = lines.next().and_then(|line| line.strip_prefix("HEAD ")).and_then(|name| name.parse().ok());
        let head: RefName = head.filter(RefName::is_branch).ok_or(DecodeError::Invalid("HEAD"))?;
        let mut refs = BTreeMap::new();
        for line in lines {
            let (commit_id, name) = line.split_once(' ').ok_or(DecodeError::Invalid("line"))?;
            let commit_id = commit_id.parse().map_err(|_| DecodeError::Invalid("commit id"))?;
            let name: RefName = name.parse().map_err(|_| DecodeError::Invalid("ref name"))?;
            if refs.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(DecodeError::Unsorted);
            }
            refs.insert(name, commit_id);
        }
        Ok(RefSet { sequence, head, refs })
    }
}

/// Reads the first line of a text: its format and version.
pub(super) fn check_version(bytes: &[u8], magic: &str, version: &str, what: &'static str) -> Result<(), DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Truncated);
    }
    let rest = bytes.strip_prefix(magic.as_bytes()).ok_or(DecodeError::NotA(what))?;
    let found = rest.split(|&b| b == b'\n').next().unwrap_or_default();
    if found == version.as_bytes() {
        return Ok(());
    }
    let newer = std::str::from_utf8(found).ok().and_then(|text| text.parse().ok());
    Err(newer.map_or(DecodeError::NotA(what), DecodeError::TooNew))
}

/// Reads a number in its one form.
pub(super) fn number(text: &str) -> Result<u64, DecodeError> {
    let value: u64 = text.parse().map_err(|_| DecodeError::BadNumber)?;
    if value.to_string() == text { Ok(value) } else { Err(DecodeError::BadNumber) }
}

/// Takes the last line off a text: it must be a checksum.
pub(super) fn split_checksum(bytes: &[u8]) -> Result<(&[u8], ObjectId), DecodeError> {
    let at = bytes.len().checked_sub(CHECKSUM_LEN).ok_or(DecodeError::Truncated)?;
    let (body, line) = bytes.split_at(at);
    let hex = line.strip_suffix(b"\n").and_then(|line| line.strip_prefix(CHECKSUM.as_bytes()));
    let checksum = ObjectId::from_hex(hex.ok_or(DecodeError::Truncated)?);
    Ok((body, checksum.map_err(|_| DecodeError::Invalid("checksum"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit_id(n: u8) -> CommitId {
        CommitId(hash_bytes(&[n]))
    }

    fn set() -> RefSet {
        let names = ["heads/main", "heads/both", "tags/both", "tags/heads/main", "remotes/origin/main"];
        let refs = names.iter().zip(0..).map(|(name, n)| (name.parse().unwrap(), commit_id(n))).collect();
        RefSet { sequence: 7, head: "heads/main".parse().unwrap(), refs }
    }

    #[test]
    fn encode_and_decode_are_inverse() {
        assert_eq!(RefSet::decode(&set().encode()).unwrap(), set());
        let fresh = RefSet::fresh("heads/main".parse().unwrap());
        assert_eq!(RefSet::decode(&fresh.encode()).unwrap(), fresh);
        assert_eq!(fresh.head_commit(), None);
    }

    #[test]
    fn a_text_with_a_right_checksum_that_would_not_be_written_the_same_is_refused() {
        let text = String::from_utf8(set().encode()).unwrap();
        let body = &text[..text.len() - CHECKSUM_LEN];
        let line = body.lines().nth(3).unwrap();
        let head = body.lines().nth(2).unwrap();
        let others = [
            body.replace('\n', "\r\n"),
            format!("{body}\n"),
            format!("{body}{line}\n"),
            format!("{body}trailing\n"),
            body.replace(line, &line.to_uppercase()),
            body.replace(line, &line.replace(' ', "  ")),
            body.replace(line, ""),
            body.replace("transaction 7", "transaction 07"),
            body.replace("transaction 7\n", ""),
            body.replace(head, "HEAD tags/both"),
            body.replace(head, "HEAD"),
            body.replace(&format!("{head}\n"), ""),
            body.replace("heads/both", "heads/both/"),
            body.trim_end().to_owned(),
        ];
        for other in others {
            let bytes = format!("{other}checksum {}\n", hash_bytes(other.as_bytes())).into_bytes();
            assert!(RefSet::decode(&bytes).is_err(), "{other}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = String::from_utf8(set().encode()).unwrap().replace("refs 1", "refs 2");
        assert_eq!(RefSet::decode(newer.as_bytes()), Err(DecodeError::TooNew(2)));
        assert!(!RefSet::decode(b"").unwrap_err().is_too_new());
    }

    #[test]
    fn a_full_name_wins_over_a_tag_and_a_tag_over_a_branch() {
        let resolved = |short| set().resolve(short).map(|name| name.to_string());
        assert_eq!(resolved("heads/main").as_deref(), Some("heads/main"));
        assert_eq!(resolved("both").as_deref(), Some("tags/both"));
        assert_eq!(resolved("main").as_deref(), Some("heads/main"));
        assert_eq!(resolved("origin/main").as_deref(), Some("remotes/origin/main"));
        assert_eq!(resolved("../main"), None);
        assert_eq!(resolved("other"), None);
    }

    #[test]
    fn a_name_that_would_be_file_and_directory_is_a_conflict() {
        let conflict = |name: &str| set().conflict(&name.parse().unwrap()).map(|other| other.to_string());
        assert_eq!(conflict("heads/main/x").as_deref(), Some("heads/main"));
        assert_eq!(conflict("heads/main/x/y").as_deref(), Some("heads/main"));
        assert_eq!(conflict("remotes/origin").as_deref(), Some("remotes/origin/main"));
        assert_eq!(conflict("heads/main-x"), None);
        assert_eq!(conflict("heads/mai"), None);
        assert_eq!(conflict("tags/main"), None);
    }
}
