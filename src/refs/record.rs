//! One record of the journal: one transaction, as text.
//!
//! ```text
//! transaction 7                      counts up by one
//! time 2026-11-20T06:00:00Z
//! who <one line>                     escaped: \n \t \\ \xNN
//! why <one line>
//! undoes 5                           optional
//! head heads/main heads/next         optional: HEAD, from and to
//! ref <64 hex or -> <64 hex or -> heads/main      any number, ascending: from, to, name
//! before <64 hex>                    SHA-256 of the refs file before
//! after <64 hex>                     and after
//! checksum <64 hex>                  SHA-256 of the previous checksum's digits and the lines above
//! ```
//!
//! Each checksum covers the one before it, so that a missing or swapped record
//! breaks the chain. The journal's own head is the first link (see
//! the module `journal`).

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::RefName;
use super::file::{number, split_checksum};
use crate::id::{CommitId, Hasher, ObjectId};
use crate::object::DecodeError;
use crate::path::Escaped;

/// Most bytes of a record: all refs of the largest refs file replaced by others.
pub(super) const MAX_RECORD_LEN: usize = 4 * super::file::MAX_REFS_LEN;
/// Longest line of talk, escaped; what is longer is cut.
const MAX_TALK_LEN: usize = 4096;
const TIME: &str = "%Y-%m-%dT%H:%M:%SZ";

/// Some refs that moved together: when, by whom and why, from where and to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its number; the first is 1.
    pub sequence: u64,
    /// When, in whole seconds, by the clock of whoever did it.
    pub time: Timestamp,
    /// Who did it; cut after some 4,000 bytes.
    pub who: String,
    /// Why; cut after some 4,000 bytes.
    pub why: String,
    /// The number of the transaction that this one takes back.
    pub undoes: Option<u64>,
    /// HEAD before and after, if it moved.
    pub head: Option<(RefName, RefName)>,
    /// The refs that moved, sorted by name.
    pub moves: Vec<RefMove>,
    /// SHA-256 of the refs file before.
    pub before: ObjectId,
    /// SHA-256 of the refs file after.
    pub after: ObjectId,
}

/// One ref that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefMove {
    /// The ref.
    pub name: RefName,
    /// What it named before; `None` if it was created.
    pub old: Option<CommitId>,
    /// What it names since; `None` if it was deleted.
    pub new: Option<CommitId>,
}

/// A commit, or `-`.
struct Value(Option<CommitId>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(commit_id) => commit_id.fmt(f),
            None => f.write_str("-"),
        }
    }
}

impl Transaction {
    /// Writes the record that follows one with the checksum `previous`.
    pub(super) fn encode(&self, previous: ObjectId) -> Vec<u8> {
        let mut text = String::new();
        let mut line = |key: &str, value: &dyn fmt::Display| {
            writeln!(text, "{key} {value}").expect("writing to a string cannot fail");
        };
        line("transaction", &self.sequence);
        line("time", &self.time.strftime(TIME));
        line("who", &escape(&self.who));
        line("why", &escape(&self.why));
        if let Some(undone) = self.undoes {
            line("undoes", &undone);
        }
        if let Some((old, new)) = &self.head {
            line("head", &format_args!("{old} {new}"));
        }
        for RefMove { name, old, new } in &self.moves {
            line("ref", &format_args!("{} {} {name}", Value(*old), Value(*new)));
        }
        line("before", &self.before);
        line("after", &self.after);
        let checksum = chain(previous, text.as_bytes());
        writeln!(text, "checksum {checksum}").expect("writing to a string cannot fail");
        text.into_bytes()
    }

    /// Reads a record that follows one with the checksum `previous`; refuses what
    /// [`Transaction::encode`] would not write.
    pub(super) fn decode(previous: ObjectId, bytes: &[u8]) -> Result<Transaction, DecodeError> {
        let (body, checksum) = split_checksum(bytes)?;
        if chain(previous, body) != checksum {
            return Err(DecodeError::Invalid("checksum"));
        }
        let text = std::str::from_utf8(body).map_err(|_| DecodeError::NotA("journal record"))?;
        let mut lines = Lines(text.split_terminator('\n').peekable());
        let sequence = number(lines.required("transaction")?)?;
        let time = lines.required("time")?.parse().map_err(|_| DecodeError::Invalid("time"))?;
        let who = unescape(lines.required("who")?).ok_or(DecodeError::Invalid("escape"))?;
        let why = unescape(lines.required("why")?).ok_or(DecodeError::Invalid("escape"))?;
        let undoes = lines.optional("undoes").map(number).transpose()?;
        let head = lines.optional("head").map(head_move).transpose()?;
        let mut moves: Vec<RefMove> = Vec::new();
        while let Some(value) = lines.optional("ref") {
            let next = ref_move(value)?;
            if moves.last().is_some_and(|last| last.name >= next.name) {
                return Err(DecodeError::Unsorted);
            }
            moves.push(next);
        }
        let id = |text: &str| text.parse().map_err(|_| DecodeError::Invalid("digest"));
        let before = id(lines.required("before")?)?;
        let after = id(lines.required("after")?)?;
        let transaction = Transaction { sequence, time, who, why, undoes, head, moves, before, after };
        if transaction.encode(previous) != bytes {
            return Err(DecodeError::Invalid("line"));
        }
        Ok(transaction)
    }
}

fn chain(previous: ObjectId, body: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new();
    hasher.update(previous.to_string().as_bytes());
    hasher.update(body);
    hasher.finish()
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
        self.optional(key).ok_or(DecodeError::Invalid("line"))
    }
}

fn head_move(value: &str) -> Result<(RefName, RefName), DecodeError> {
    let branch = |name: &str| name.parse().ok().filter(RefName::is_branch);
    let names = value.split_once(' ').and_then(|(old, new)| Some((branch(old)?, branch(new)?)));
    names.ok_or(DecodeError::Invalid("HEAD"))
}

fn ref_move(value: &str) -> Result<RefMove, DecodeError> {
    let invalid = DecodeError::Invalid("move of a ref");
    let commit_id = |text: &str| match text {
        "-" => Ok(None),
        hex => hex.parse().map(Some).map_err(|_| invalid.clone()),
    };
    let mut fields = value.splitn(3, ' ');
    let mut field = || fields.next().ok_or(invalid.clone());
    let (old, new) = (commit_id(field()?)?, commit_id(field()?)?);
    let name = field()?.parse().map_err(|_| invalid.clone())?;
    if old == new { Err(invalid) } else { Ok(RefMove { name, old, new }) }
}

/// One line that shows `text`.
fn escape(text: &str) -> String {
    Escaped(text.as_bytes()).to_string()
}

/// As much of `text` as fits into a line.
pub(super) fn cut(text: &str) -> String {
    let mut room = MAX_TALK_LEN;
    let fits = |c: &char| {
        let len = escape(c.encode_utf8(&mut [0; 4])).len();
        let fits = len <= room;
        room = room.saturating_sub(len);
        fits
    };
    text.chars().take_while(fits).collect()
}

fn unescape(line: &str) -> Option<String> {
    if line.len() > MAX_TALK_LEN {
        return None;
    }
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'\\' => b'\\',
                b'x' => {
                    let digit = |b: u8| char::from(b).to_digit(16);
                    let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                    u8::try_from(high * 16 + low).ok()?
                }
                _ => return None,
            },
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::hash_bytes;

    fn transaction() -> Transaction {
        let id = |n: u8| Some(CommitId(hash_bytes(&[n])));
        let name = |text: &str| text.parse::<RefName>().unwrap();
        Transaction {
            sequence: 7,
            time: "2026-11-20T06:00:00Z".parse().unwrap(),
            who: "root@mirror".into(),
            why: "a \\ line\nbreak, \u{202e} and caf\u{e9}\ttab".into(),
            undoes: Some(5),
            head: Some((name("heads/main"), name("heads/next"))),
            moves: vec![
                RefMove { name: name("heads/main"), old: id(1), new: id(2) },
                RefMove { name: name("heads/next"), old: None, new: id(2) },
                RefMove { name: name("tags/s0"), old: id(1), new: None },
            ],
            before: hash_bytes(b"before"),
            after: hash_bytes(b"after"),
        }
    }

    #[test]
    fn encode_and_decode_are_inverse() {
        let previous = hash_bytes(b"previous");
        let bare = Transaction { undoes: None, head: None, moves: vec![], who: String::new(), ..transaction() };
        for one in [transaction(), bare] {
            let bytes = one.encode(previous);
            assert_eq!(Transaction::decode(previous, &bytes).unwrap(), one);
            assert!(Transaction::decode(hash_bytes(b"another"), &bytes).is_err());
            assert!(bytes.ends_with(b"\n") && bytes.iter().filter(|&&b| b == b'\n').count() <= 12);
        }
    }

    #[test]
    fn a_record_with_a_right_checksum_that_would_not_be_written_the_same_is_refused() {
        let previous = hash_bytes(b"previous");
        let text = String::from_utf8(transaction().encode(previous)).unwrap();
        let (body, _) = text.split_at(text.len() - super::super::file::CHECKSUM_LEN);
        let others = [
            body.replace("transaction 7", "transaction 07"),
            body.replace("06:00:00Z", "06:00:00.5Z"),
            body.replace("06:00:00Z", "07:00:00+01:00"),
            body.replace("mirror", "mirr\\x6fr"),
            body.replace("mirror", "mirr\\or"),
            body.replace("undoes 5", "undoes +5"),
            body.replace("head heads/main", "head tags/main"),
            body.replace("tags/s0", "heads/aaa/s0"),
            body.replace("why", "what"),
            format!("{body}more\n"),
            format!("{body}\n"),
            body.trim_end().to_owned(),
        ];
        for other in others {
            let bytes = format!("{other}checksum {}\n", chain(previous, other.as_bytes())).into_bytes();
            assert!(Transaction::decode(previous, &bytes).is_err(), "{other}");
        }
    }

    #[test]
    fn talk_that_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("short \u{e9}"), "short \u{e9}");
        assert_eq!(cut(&"x".repeat(9000)).len(), MAX_TALK_LEN);
        for long in ["\n".repeat(9000), "\u{e9}".repeat(9000), format!("x{}", "\u{202e}".repeat(9000))] {
            let line = escape(&cut(&long));
            assert!((MAX_TALK_LEN - 12..=MAX_TALK_LEN).contains(&line.len()));
            assert!(long.starts_with(&unescape(&line).unwrap()));
        }
    }
}
