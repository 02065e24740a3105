//! The library's whole conversation with its caller while work goes on.
//!
//! The library never prints and never asks. It tells a [`Monitor`] what it is
//! doing, reports findings (problems that stop nothing), and asks whether it
//! should stop. Every loop over files, objects or frames asks, so an interrupt
//! takes effect within one of them.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::path::TreePath;

/// Listens to a running operation. All methods may be called from any thread.
pub trait Monitor: Sync {
    /// A job begins; `total` is known for those that can be planned.
    fn begin(&self, _job: &'static str, _total: Option<Amount>) {}
    /// That much more of the present job is done.
    fn advance(&self, _done: Amount) {}
    /// The present job ends.
    fn end(&self) {}
    /// Something is wrong, and work goes on.
    fn finding(&self, _finding: Finding) {}
    /// Whether the caller wants the operation to stop.
    fn is_interrupted(&self) -> bool {
        false
    }
}

impl dyn Monitor + '_ {
    /// An error if the caller wants to stop.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_interrupted() { Err(Interrupted) } else { Ok(()) }
    }
}

/// The caller wants the operation to stop; what was done can be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Files and bytes: how much is done, or to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of files, objects or directory entries.
    pub files: u64,
    /// Number of content bytes.
    pub bytes: u64,
}

impl Amount {
    /// One file of so many bytes.
    pub fn file(bytes: u64) -> Self {
        Amount { files: 1, bytes }
    }
}

/// A problem that stops nothing. What it was about was left out, or done
/// otherwise than asked; the command that met it ends as "done in part".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path inside the tree, or of the file, that it is about.
    pub path: TreePath,
    /// What happened, in one clause.
    pub what: String,
    /// Whether the result is less than what was asked for.
    pub partial: bool,
}

impl Finding {
    /// Something asked for could not be done.
    pub fn partial(path: TreePath, what: impl Into<String>) -> Self {
        Finding { path, what: what.into(), partial: true }
    }

    /// Something worth telling; nothing is missing.
    pub fn note(path: TreePath, what: impl Into<String>) -> Self {
        Finding { path, what: what.into(), partial: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.path, self.what)
    }
}

/// Hears everything, does nothing.
pub struct Silent;

impl Monitor for Silent {}

/// Keeps what it hears; for tests and for callers that report at the end.
#[derive(Default)]
pub struct Collector {
    files: AtomicU64,
    bytes: AtomicU64,
    findings: Mutex<Vec<Finding>>,
}

impl Collector {
    /// Everything reported as done so far.
    pub fn amount(&self) -> Amount {
        Amount { files: self.files.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Takes the findings so far.
    pub fn take_findings(&self) -> Vec<Finding> {
        std::mem::take(&mut *self.findings.lock().expect("no holder of this lock panics"))
    }
}

impl Monitor for Collector {
    fn advance(&self, done: Amount) {
        self.files.fetch_add(done.files, Ordering::Relaxed);
        self.bytes.fetch_add(done.bytes, Ordering::Relaxed);
    }

    fn finding(&self, finding: Finding) {
        self.findings.lock().expect("no holder of this lock panics").push(finding);
    }
}
