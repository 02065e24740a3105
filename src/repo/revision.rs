//! Texts that name a commit, and perhaps a path in it.
//!
//! ```text
//! revision := base step* [":" path]
//! base     := HEAD | full ref name | short ref name | 64 hex | "@" 8 to 64 hex
//! step     := "~" [n]          the n-th first parent (1 if left out)
//!           | "@{" n "}"       what the ref was n moves ago
//!           | "@{" time "}"    what the ref was at that time
//! ```
//!
//! A full ref name always wins, then tags, branches, remotes. `@{...}` asks the
//! journal of refs; where that does not reach back so far (in a clone), the
//! commits' own times. A day without a time of day means its end, in UTC: the last
//! state of that day.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

use super::{Error, Repository, Result};
use crate::id::{CommitId, Kind, MIN_PREFIX_LEN};
use crate::object::Entry;
use crate::odb::tree::find_path;
use crate::path::TreePath;
use crate::refs::RefName;

/// A revision as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    text: String,
    base: String,
    steps: Vec<Step>,
    /// The path in the commit, if one was given.
    pub path: Option<TreePath>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Parent(u32),
    Moves(usize),
    Time(Timestamp),
}

/// What a revision names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The commit.
    pub commit: CommitId,
    /// The ref it was found by, if by one.
    pub name: Option<RefName>,
}

impl Revision {
    /// Reads a revision as given on a command line; its path may be any bytes.
    pub fn parse_bytes(bytes: &[u8], now: Timestamp) -> Result<Revision> {
        let colon = bytes.iter().scan(false, |in_braces, &b| {
            *in_braces = (*in_braces || b == b'{') && b != b'}';
            Some(b == b':' && !*in_braces)
        });
        let colon = colon.into_iter().position(|is_colon| is_colon);
        let (name, path) = match colon {
            Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
            None => (bytes, None),
        };
        let text = String::from_utf8_lossy(name).into_owned();
        let bad = |why: String| Error::BadRevision { revision: text.clone(), why };
        let path = path.map(TreePath::parse).transpose().map_err(|e| bad(e.to_string()))?;
        let (base, steps) = parse_steps(&text, now).map_err(bad)?;
        Ok(Revision { base, steps, path, text })
    }

    /// As it was written, without the path.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Revision::parse_bytes(text.as_bytes(), Timestamp::now())
    }
}

fn parse_steps(text: &str, now: Timestamp) -> std::result::Result<(String, Vec<Step>), String> {
    let end = |rest: &str| rest.find('~').into_iter().chain(rest.find("@{")).min().unwrap_or(rest.len());
    let base_end = end(text);
    let base = if base_end == 0 { "HEAD" } else { &text[..base_end] };
    let mut steps = Vec::new();
    let mut rest = &text[base_end..];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('~') {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let count = if digits == 0 { Ok(1) } else { after[..digits].parse() };
            steps.push(Step::Parent(count.map_err(|_| format!("'~{}' is no number", &after[..digits]))?));
            rest = &after[digits..];
        } else if let Some(after) = rest.strip_prefix("@{") {
            let close = after.find('}').ok_or("'@{' has no '}'")?;
            let inner = &after[..close];
            steps.push(match inner.parse() {
                Ok(moves) => Step::Moves(moves),
                Err(_) => Step::Time(parse_time(inner, now)?),
            });
            rest = &after[close + 1..];
        } else {
            return Err(format!("'{rest}' is neither '~n' nor '@{{...}}'"));
        }
    }
    Ok((base.to_owned(), steps))
}

/// Reads a point in time: `2026-11-20` (the end of that day), `2026-11-20T06:00`
/// (with or without seconds and zone, UTC if none), `now`, `yesterday`,
/// `2 weeks ago`.
pub fn parse_time(text: &str, now: Timestamp) -> std::result::Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || format!("'{text}' is no time like 2026-11-20, 2026-11-20T06:00 or '2 weeks ago'");
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        let next = date.tomorrow().map_err(|_| wrong())?;
        let midnight = next.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        return Ok(midnight.timestamp() - 1.second());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let spaced = text.replacen(' ', "T", 1);
    if text.len() > 10
        && let Ok(time) = spaced.parse::<DateTime>()
    {
        return Ok(time.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp());
    }
    let zoned: Zoned = now.to_zoned(TimeZone::UTC);
    match text {
        "now" => return Ok(now),
        "today" => return parse_time(&zoned.date().to_string(), now),
        "yesterday" => return parse_time(&zoned.date().yesterday().map_err(|_| wrong())?.to_string(), now),
        _ => {}
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    if !span.is_negative() {
        return Err(wrong());
    }
    Ok(zoned.checked_add(span).map_err(|_| wrong())?.timestamp())
}

impl Repository {
    /// Finds the commit that a revision names.
    pub fn resolve(&self, revision: &Revision) -> Result<Resolved> {
        let mut found = self.resolve_base(revision)?;
        for step in &revision.steps {
            found.commit = match step {
                Step::Parent(count) => self.ancestor(found.commit, *count, revision)?,
                Step::Moves(count) => {
                    let name = found.name.as_ref().ok_or_else(|| no_ref(revision))?;
                    self.refs.value_before(name, *count)?.ok_or_else(|| nothing(revision))?
                }
                Step::Time(time) => match &found.name {
                    Some(name) => match self.refs.value_at(name, *time)? {
                        Some(commit) => commit,
                        None => self.ancestor_at(found.commit, *time, revision)?,
                    },
                    None => self.ancestor_at(found.commit, *time, revision)?,
                },
            };
        }
        Ok(found)
    }

    fn resolve_base(&self, revision: &Revision) -> Result<Resolved> {
        let refs = self.refs.read()?;
        let base = revision.base.as_str();
        if base == "HEAD" || base == "@" {
            let name = refs.head().clone();
            let commit = refs.get(&name).ok_or_else(|| Error::Unborn(name.short().to_owned()))?;
            self.check_binding(&name, commit)?;
            return Ok(Resolved { commit, name: Some(name) });
        }
        if let Some(name) = refs.resolve(base) {
            let commit = refs.get(&name).ok_or_else(|| nothing(revision))?;
            self.check_binding(&name, commit)?;
            return Ok(Resolved { commit, name: Some(name) });
        }
        if let Ok(id) = base.parse::<CommitId>() {
            if !self.odb.contains(Kind::Commit, &id.0)? {
                return Err(Error::NoSuchRevision(format!("commit {id}")));
            }
            return Ok(Resolved { commit: id, name: None });
        }
        let Some(prefix) = base.strip_prefix('@') else { return Err(nothing(revision)) };
        let is_hex = prefix.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_hex || prefix.len() < MIN_PREFIX_LEN || prefix.len() > 64 {
            let why = format!("after '@' stand {MIN_PREFIX_LEN} to 64 digits 0-9 and a-f");
            return Err(Error::BadRevision { revision: revision.text.clone(), why });
        }
        let mut candidates = self.commits_with_prefix(prefix)?;
        match candidates.len() {
            0 => Err(nothing(revision)),
            1 => Ok(Resolved { commit: CommitId(candidates.remove(0)), name: None }),
            _ => Err(Error::Ambiguous { prefix: prefix.to_owned(), candidates }),
        }
    }

    /// Whether a commit may appear under this name: the state of one archive must
    /// not be passed off as that of another.
    fn check_binding(&self, name: &RefName, id: CommitId) -> Result<()> {
        let bound = self.commit(id)?.refs;
        if bound.is_empty() || bound.iter().any(|allowed| allowed == name.as_str()) {
            return Ok(());
        }
        Err(Error::OtherRef { name: name.clone(), commit: id, bound: bound.join(", ") })
    }

    fn ancestor(&self, mut commit: CommitId, count: u32, revision: &Revision) -> Result<CommitId> {
        for _ in 0..count {
            commit = *self.commit(commit)?.parents.first().ok_or_else(|| nothing(revision))?;
        }
        Ok(commit)
    }

    /// The newest first-line ancestor that is not newer than `time`.
    fn ancestor_at(&self, mut commit: CommitId, time: Timestamp, revision: &Revision) -> Result<CommitId> {
        loop {
            let read = self.commit(commit)?;
            if read.time <= time {
                return Ok(commit);
            }
            commit = *read.parents.first().ok_or_else(|| nothing(revision))?;
        }
    }

    /// What lies at a path of a commit; `None` for the root directory.
    pub fn entry_at(&self, commit: CommitId, path: &TreePath, revision: &str) -> Result<Option<Entry>> {
        if path.is_root() {
            return Ok(None);
        }
        let tree = self.commit(commit)?.tree;
        let found = find_path(&self.odb, tree, path)?;
        found.map(Some).ok_or_else(|| Error::NoSuchPath { path: path.to_string(), revision: revision.to_owned() })
    }
}

fn nothing(revision: &Revision) -> Error {
    Error::NoSuchRevision(revision.text.clone())
}

fn no_ref(revision: &Revision) -> Error {
    let why = "only refs have former values".to_owned();
    Error::BadRevision { revision: revision.text.clone(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn parse(text: &str) -> Result<Revision> {
        Revision::parse_bytes(text.as_bytes(), now())
    }

    #[test]
    fn a_revision_has_a_base_steps_and_a_path() {
        let revision = parse("debian~2@{1}:dists/stable").unwrap();
        assert_eq!((revision.base.as_str(), revision.steps.len()), ("debian", 2));
        assert_eq!(revision.path.unwrap().to_string(), "dists/stable");
        assert_eq!(parse("~").unwrap().steps, [Step::Parent(1)]);
        assert_eq!(
            parse("@{3}").unwrap(),
            Revision { text: "@{3}".into(), base: "HEAD".into(), steps: vec![Step::Moves(3)], path: None }
        );
        assert_eq!(parse("x@{2026-11-20T06:00}:p").unwrap().path.unwrap().to_string(), "p");
        for bad in ["x~1y", "x@{", "x@{never}", "x:../y"] {
            assert!(matches!(parse(bad), Err(Error::BadRevision { .. })), "{bad}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let time = |text: &str| parse_time(text, now()).unwrap().to_string();
        assert_eq!(time("2026-11-20"), "2026-11-20T23:59:59Z");
        assert_eq!(time("2026-11-20T06:00"), "2026-11-20T06:00:00Z");
        assert_eq!(time("2026-11-20 06:00:01"), "2026-11-20T06:00:01Z");
        assert_eq!(time("2026-11-20T06:00:00+02:00"), "2026-11-20T04:00:00Z");
        assert_eq!(time("2 weeks ago"), "2026-11-07T12:00:00Z");
        assert_eq!(time("yesterday"), "2026-11-20T23:59:59Z");
        for bad in ["", "soon", "2 weeks", "2026-13-01", "20261120x"] {
            assert!(parse_time(bad, now()).is_err(), "{bad}");
        }
    }
}
