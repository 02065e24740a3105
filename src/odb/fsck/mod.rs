//! Looking at every byte at rest.
//!
//! This half knows files, not references: it reads all packs, indexes and files
//! of the pool, hashes them with all cores, and says which files and objects are
//! not what they should be, and which copies are whole. What of it is needed, and
//! by which paths, is told by whoever knows the refs. Nothing is changed, nothing
//! that is no regular file is opened, no link is followed.

mod packs;
mod pool;

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::{Odb, Result};
use crate::id::{Kind, ObjectId};
use crate::monitor::Monitor;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost: something is left over, or not where it belongs.
    Note,
    /// Whether it is whole cannot be told, for it cannot be read.
    Unreadable,
    /// A newer chasm has written it.
    TooNew,
    /// It is not what was stored.
    Damage,
}

/// Something found at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// How bad it is.
    pub severity: Severity,
    /// The object it is about, if about one.
    pub object: Option<(Kind, ObjectId)>,
    /// The file, within the repository.
    pub place: String,
    /// What is wrong, in one clause.
    pub what: String,
}

/// What lies in the database.
#[derive(Debug, Default)]
pub struct Inspection {
    /// What is not as it should be.
    pub flaws: Vec<Flaw>,
    /// Blobs of which there is a whole copy, with their lengths.
    pub blobs: HashMap<ObjectId, u64>,
    /// Twins of blobs that are whole: they stand in for links, not for reading.
    pub twins: HashMap<ObjectId, String>,
    /// Trees of which there is a whole copy.
    pub trees: HashSet<ObjectId>,
    /// Commits of which there is a whole copy.
    pub commits: HashSet<ObjectId>,
    /// Files and records that were looked at.
    pub checked: u64,
}

impl Inspection {
    /// Whether there is a whole copy of this object, if only as a twin.
    pub fn has(&self, kind: Kind, id: &ObjectId) -> bool {
        match kind {
            Kind::Blob => self.blobs.contains_key(id) || self.twins.contains_key(id),
            Kind::Tree => self.trees.contains(id),
            Kind::Commit => self.commits.contains(id),
        }
    }

    fn add(&mut self, kind: Kind, id: ObjectId, len: u64) {
        match kind {
            Kind::Blob => drop(self.blobs.insert(id, len)),
            Kind::Tree => drop(self.trees.insert(id)),
            Kind::Commit => drop(self.commits.insert(id)),
        }
    }
}

/// Where several threads put down what they find.
struct Report<'m> {
    inspection: Mutex<Inspection>,
    monitor: &'m dyn Monitor,
}

impl Report<'_> {
    fn flaw(&self, severity: Severity, object: Option<(Kind, ObjectId)>, place: &str, what: impl Into<String>) {
        let flaw = Flaw { severity, object, place: place.to_owned(), what: what.into() };
        self.inspection.lock().expect("no holder of this lock panics").flaws.push(flaw);
    }

    fn whole(&self, objects: impl IntoIterator<Item = (Kind, ObjectId, u64)>) {
        let mut inspection = self.inspection.lock().expect("no holder of this lock panics");
        for (kind, id, len) in objects {
            inspection.checked += 1;
            inspection.add(kind, id, len);
        }
    }

    fn whole_twin(&self, id: ObjectId, place: String) {
        let mut inspection = self.inspection.lock().expect("no holder of this lock panics");
        inspection.checked += 1;
        inspection.twins.insert(id, place);
    }

    /// A file that the system does not let us read; what is left to read is read.
    fn unreadable(&self, object: Option<(Kind, ObjectId)>, place: &str, e: &crate::disk::Error) {
        let what = format!("cannot be read: {}", e.io());
        self.flaw(Severity::Unreadable, object, place, what);
    }
}

/// Reads and hashes everything in the database.
pub fn inspect(odb: &Odb, monitor: &dyn Monitor) -> Result<Inspection> {
    odb.reload()?;
    let report = Report { inspection: Mutex::default(), monitor };
    monitor.begin("checking packs", None);
    packs::check(odb, &report)?;
    monitor.end();
    monitor.begin("checking the pool", None);
    pool::check(odb, &report)?;
    monitor.end();
    let mut inspection = report.inspection.into_inner().expect("no holder of this lock panics");
    inspection.flaws.sort_by(|a, b| (&a.place, a.object).cmp(&(&b.place, b.object)));
    Ok(inspection)
}
