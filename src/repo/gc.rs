//! Getting back the space of what nothing needs any more.
//!
//! What keeps objects: refs; the journal, as far back as the retention reaches;
//! and the commits that existing checkouts hold. See [`crate::odb::gc`] for how
//! the rest goes, and why nothing else does.

use std::time::Duration;

use jiff::Timestamp;

use super::{Repository, Result, parse_duration};
use crate::monitor::Monitor;
use crate::odb::gc::{Collector, GcStats, Locked, Roots, Trash, TrashStats, trash_stats};

const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// How space is got back.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// How long what was taken out waits in the trash. With 0 it is removed at
    /// once, and even little is worth rewriting a pack for.
    pub grace: Duration,
    /// How far back the journal keeps former states of refs; `None`: not at all.
    pub retention: Option<Duration>,
    /// Whether nothing is done, only told.
    pub dry_run: bool,
    /// How long commands that write are waited for.
    pub patience: Duration,
    /// The present.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// What was taken out.
    pub out: GcStats,
    /// What was deleted from the trash.
    pub deleted: TrashStats,
    /// What waits there now.
    pub waiting: TrashStats,
}

impl Repository {
    /// How gc works here when nothing else is said.
    pub fn gc_options(&self, now: Timestamp) -> GcOptions {
        let span = |text: &Option<String>, default| {
            text.as_deref().and_then(|text| parse_duration(text).ok()).unwrap_or(default)
        };
        let config = &self.config.gc;
        GcOptions {
            grace: span(&config.grace, DEFAULT_GRACE),
            retention: Some(span(&config.retention, DEFAULT_RETENTION)),
            dry_run: false,
            patience: Duration::from_secs(60),
            now,
        }
    }

    /// Takes out all objects that nothing needs, and deletes what has waited in
    /// the trash for longer than the grace. Refuses if an object is damaged that
    /// leads to others: what it needs could not be told.
    pub fn gc(&self, options: &GcOptions, monitor: &dyn Monitor) -> Result<GcReport> {
        let grace = i64::try_from(options.grace.as_secs()).unwrap_or(i64::MAX);
        let now = options.now.as_second();
        let until = now.saturating_sub(grace);
        let eager = options.grace.is_zero();
        // What may go is deleted first: the disk may be full.
        let trash = Trash::open(&self.dir)?;
        let deleted = trash.empty(until, options.dry_run, monitor)?;
        if !options.dry_run {
            self.forget_gone_checkouts()?;
        }
        let roots = self.gc_roots(options)?;
        let lock = || -> Result<Locked> {
            let lock = self.odb.lock_for_deletion(options.patience)?;
            Ok(Locked { lock, roots: self.gc_roots(options)? })
        };
        let out = if options.dry_run {
            Collector::begin_dry(&self.odb, &roots, eager, monitor)?.run(&lock)?
        } else {
            let to = (!eager).then_some((&trash, now));
            Collector::begin(&self.odb, &roots, to, monitor)?.run(&lock)?
        };
        if !eager {
            trash.prune()?;
        }
        Ok(GcReport { out, deleted, waiting: trash_stats(&self.dir)? })
    }

    fn gc_roots(&self, options: &GcOptions) -> Result<Roots> {
        let refs = self.refs.read()?;
        let required = refs.iter().map(|(_, commit)| commit).collect();
        let mut optional = self.checked_out_commits()?;
        if let Some(retention) = options.retention {
            let secs = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
            let since = Timestamp::from_second(options.now.as_second().saturating_sub(secs));
            optional.extend(self.refs.journal_commits(since.unwrap_or(Timestamp::MIN))?);
        }
        Ok(Roots { required, optional })
    }
}
