//! Is everything there, and is it what was stored?
//!
//! Two halves meet here: [`crate::odb::fsck`] has looked at every byte, and
//! `check` walks from all refs over everything they need. What is damaged or
//! missing is named with the paths it serves. Objects that nothing needs, and what
//! interrupted commands left, are told as notes: they are no damage. Nothing is
//! changed.

mod check;
mod paths;

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::time::Duration;

use jiff::Timestamp;

use self::check::Checker;
use super::{Repository, Result};
use crate::disk;
use crate::id::{CommitId, Kind, ObjectId};
use crate::monitor::Monitor;
use crate::odb::fsck::{Flaw, Inspection, Severity, inspect};
use crate::odb::gc::trash_stats;
use crate::odb::reach::Reach;
use crate::odb::{self, WriteLock};
use crate::refs;

/// How long a running gc is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a repository directory may hold.
const OWN_NAMES: [&[u8]; 14] = [
    b"cache",
    b"checkouts",
    b"config",
    b"format",
    b"incoming",
    b"journal",
    b"lock",
    b"packs",
    b"pool",
    b"refs",
    b"refs.lock",
    b"statement",
    b"trash",
    b"trust",
];

/// How thoroughly is looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsckOptions {
    /// Whether contents of files are not read: all must be there, and that is it.
    pub quick: bool,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The object it is about, if about one.
    pub object: Option<(Kind, ObjectId)>,
    /// The file within the repository that it is about, if about one.
    pub place: Option<String>,
    /// What is wrong, in one clause.
    pub what: String,
    /// Whether another copy of the object is whole.
    pub has_good_copy: bool,
    /// Some of the paths that need the object, as revisions.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// The worst first.
    pub problems: Vec<Problem>,
    /// Objects that refs need.
    pub reached: u64,
    /// Records and files that were read and hashed.
    pub checked: u64,
}

impl FsckReport {
    /// The worst that was found; `None` if nothing at all.
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|problem| problem.severity).max()
    }

    /// Whether anything is damaged or missing.
    pub fn is_damaged(&self) -> bool {
        self.worst() == Some(Severity::Damage)
    }
}

impl Problem {
    fn new(severity: Severity, what: impl Into<String>) -> Problem {
        let (object, place, paths) = (None, None, Vec::new());
        Problem { severity, object, place, what: what.into(), has_good_copy: false, paths, more: 0 }
    }

    fn of(severity: Severity, kind: Kind, id: ObjectId, what: impl Into<String>) -> Problem {
        Problem { object: Some((kind, id)), ..Problem::new(severity, what) }
    }

    fn at(severity: Severity, place: impl Into<String>, what: impl Into<String>) -> Problem {
        Problem { place: Some(place.into()), ..Problem::new(severity, what) }
    }
}

impl From<Flaw> for Problem {
    fn from(flaw: Flaw) -> Problem {
        Problem { object: flaw.object, ..Problem::at(flaw.severity, flaw.place, flaw.what) }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.object, &self.place) {
            (Some((kind, id)), Some(place)) => write!(f, "{kind} {id} in '{place}': {}", self.what)?,
            (Some((kind, id)), None) => write!(f, "{kind} {id}: {}", self.what)?,
            (None, Some(place)) => write!(f, "'{place}': {}", self.what)?,
            (None, None) => f.write_str(&self.what)?,
        }
        if self.has_good_copy {
            f.write_str("; another copy is whole")?;
        }
        if !self.paths.is_empty() {
            write!(f, "; needed by {}", self.paths.join(", "))?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

impl Repository {
    /// Checks all refs and everything they need, and, unless it is to be quick,
    /// every byte in the database. Errors are only what keeps it from looking.
    pub fn fsck(&self, options: &FsckOptions, monitor: &dyn Monitor) -> Result<FsckReport> {
        let mut problems = Vec::new();
        let _lock = self.keep_from_deletion()?;
        if !super::config::is_sealed(&self.config_text()?) {
            let what = "is not what chasm wrote; if it was edited, 'chasm config seal' accepts it";
            problems.push(Problem::at(Severity::Damage, "config", what));
        }
        let mut roots = self.check_refs(&mut problems)?;
        let checkouts = self.check_checkouts(&mut problems)?;
        roots.extend(checkouts.into_iter().map(|id| (id, format!("@{id:.12}"))));
        let journal = self.refs.journal_commits(Timestamp::MIN).unwrap_or_default();
        let inspection = if options.quick { None } else { Some(inspect(&self.odb, monitor)?) };
        if inspection.is_none() {
            let damaged = self.odb.damaged_packs().into_iter();
            problems.extend(damaged.map(|(place, e)| Problem::at(Severity::Damage, place, e.to_string())));
        }

        monitor.begin("following references", None);
        let mut reach = Reach::new(&self.odb);
        let mut checker = Checker::new(&self.odb, inspection.as_ref());
        for (id, _) in &roots {
            reach.add_commit(*id);
        }
        reach.run(&mut checker, monitor)?;
        // What only the journal names may be gone: then one cannot go back there.
        checker.lenient = true;
        for id in journal {
            reach.add_commit(id);
        }
        reach.run(&mut checker, monitor)?;
        monitor.end();

        let Checker { problems: found, blobs, gone, .. } = checker;
        if gone > 0 {
            let what = format!("{gone} objects of former states are gone: there is no going back to those");
            problems.push(Problem::at(Severity::Note, "journal", what));
        }
        let reached = (reach.commits().len() + reach.trees().len() + blobs.len()) as u64;
        let checked = inspection.as_ref().map_or(0, |inspection| inspection.checked);
        match inspection {
            Some(mut inspection) => {
                let flaws = std::mem::take(&mut inspection.flaws);
                problems.extend(merge(flaws, found, &inspection));
                problems.extend(unreferenced(&inspection, &reach, &blobs));
            }
            None => problems.extend(found),
        }
        problems.extend(self.leftovers()?);
        excuse_missing(&mut problems);
        self.name_paths(&mut problems, &roots, monitor)?;
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        Ok(FsckReport { problems, reached, checked })
    }

    /// While this is held nothing moves out of sight. Where nobody can write, gc
    /// cannot either.
    fn keep_from_deletion(&self) -> Result<Option<WriteLock>> {
        match self.odb.lock_for_writing(PATIENCE) {
            Ok(lock) => Ok(Some(lock)),
            Err(odb::Error::Disk(e))
                if matches!(e.io().kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) =>
            {
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// The commits that refs name, with the names; from the journal, should the
    /// refs file be damaged.
    fn check_refs(&self, problems: &mut Vec<Problem>) -> Result<Vec<(CommitId, String)>> {
        let place = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self.refs.verify() {
            Ok(found) => problems.extend(found.into_iter().map(|problem| {
                let severity = if problem.is_too_new { Severity::TooNew } else { Severity::Damage };
                Problem::at(severity, place(&problem.path), problem.what)
            })),
            Err(refs::Error::Disk(e)) => {
                problems.push(Problem::at(Severity::Unreadable, place(e.path()), format!("{e}: {}", e.io())));
            }
            Err(e) => return Err(e.into()),
        }
        let refs = match self.refs.read().or_else(|_| self.refs.recover_from_journal()) {
            Ok(refs) => refs,
            // Said above, in more detail.
            Err(_) => return Ok(Vec::new()),
        };
        Ok(refs.iter().map(|(name, id)| (id, name.to_string())).collect())
    }

    /// The commits that existing checkouts hold.
    fn check_checkouts(&self, problems: &mut Vec<Problem>) -> Result<Vec<CommitId>> {
        let mut commits = Vec::new();
        for record in self.checkouts()? {
            match record {
                Some(record) if record.path.is_dir() => {
                    commits.push(record.checkout.commit);
                    commits.extend(record.checkout.towards);
                }
                Some(_) => {}
                None => {
                    problems.push(Problem::at(Severity::Damage, "checkouts", "the record of a checkout is damaged"))
                }
            }
        }
        Ok(commits)
    }

    /// What interrupted commands have left, and what does not belong here.
    fn leftovers(&self) -> Result<Vec<Problem>> {
        let note = |place: String, what: &str| Problem::at(Severity::Note, place, what);
        let mut notes = Vec::new();
        for (name, _) in self.dir.names()? {
            if !OWN_NAMES.contains(&&name[..]) {
                notes.push(note(crate::path::Escaped(&name).to_string(), "does not belong here"));
            }
        }
        let incoming = match self.dir.open_dir(b"incoming") {
            Ok(dir) => dir.names()?,
            Err(e) if e.is_vanished() => Vec::new(),
            Err(e) => return Err(disk::Error::into(e)),
        };
        for (name, _) in incoming {
            let place = format!("incoming/{}", crate::path::Escaped(&name));
            notes.push(note(place, "is of a command that runs or was interrupted"));
        }
        let waiting = trash_stats(&self.dir)?;
        if waiting.files > 0 {
            let what = format!("{} files wait for deletion, {} bytes", waiting.files, waiting.bytes);
            notes.push(note("trash".into(), &what));
        }
        Ok(notes)
    }

    /// Says which paths need what is damaged or missing.
    fn name_paths(&self, problems: &mut [Problem], roots: &[(CommitId, String)], monitor: &dyn Monitor) -> Result<()> {
        let is_bad = |problem: &Problem| problem.severity > Severity::Note;
        let wanted: HashSet<(Kind, ObjectId)> =
            problems.iter().filter(|problem| is_bad(problem)).filter_map(|problem| problem.object).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        monitor.begin("finding paths", None);
        let mut found = paths::find_paths(&self.odb, roots, &wanted, monitor)?;
        monitor.end();
        for problem in problems.iter_mut().filter(|problem| is_bad(problem)) {
            if let Some((paths, more)) = problem.object.and_then(|object| found.get_mut(&object)) {
                problem.paths.clone_from(paths);
                problem.more = *more;
            }
        }
        Ok(())
    }
}

/// What is missing may lie where only a newer chasm can look.
fn excuse_missing(problems: &mut [Problem]) {
    let is_closed = |problem: &Problem| problem.severity == Severity::TooNew && problem.object.is_none();
    if problems.iter().any(is_closed) {
        for problem in problems.iter_mut().filter(|problem| problem.what == check::MISSING) {
            problem.severity = Severity::TooNew;
        }
    }
}

/// What was found at rest, and what the walk missed beyond that.
fn merge(flaws: Vec<Flaw>, walked: Vec<Problem>, inspection: &Inspection) -> Vec<Problem> {
    let known: HashSet<(Kind, ObjectId)> =
        flaws.iter().filter(|flaw| flaw.severity > Severity::Note).filter_map(|flaw| flaw.object).collect();
    let mut problems: Vec<Problem> = flaws.into_iter().map(Problem::from).collect();
    for problem in &mut problems {
        problem.has_good_copy = problem.object.is_some_and(|(kind, id)| inspection.has(kind, &id));
    }
    // An object that no whole copy is left of is named once, with its place.
    problems.extend(walked.into_iter().filter(|problem| {
        let is_absence = problem.place.is_none() && problem.what == check::MISSING;
        !(is_absence && problem.object.is_some_and(|object| known.contains(&object)))
    }));
    problems
}

fn unreferenced(inspection: &Inspection, reach: &Reach<'_>, blobs: &HashSet<ObjectId>) -> Option<Problem> {
    let mut counts = BTreeMap::new();
    let mut bytes = 0;
    for _ in inspection.commits.difference(reach.commits()) {
        *counts.entry("commits").or_insert(0u64) += 1;
    }
    for _ in inspection.trees.difference(reach.trees()) {
        *counts.entry("trees").or_insert(0) += 1;
    }
    for (_, size) in inspection.blobs.iter().filter(|(id, _)| !blobs.contains(*id)) {
        *counts.entry("blobs").or_insert(0) += 1;
        bytes += size;
    }
    if counts.is_empty() {
        return None;
    }
    let counts: Vec<String> = counts.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let what = format!("unreferenced: {}, {bytes} bytes of contents; gc takes them out", counts.join(", "));
    Some(Problem::new(Severity::Note, what))
}
