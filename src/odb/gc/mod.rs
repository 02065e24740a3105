//! Taking out what nothing refers to, so that it takes up no space.
//!
//! What it promises:
//! - nothing that a ref needs is lost, whatever happens at the same time and at
//!   whatever step the power goes
//! - having an object still means having all it refers to
//! - nobody waits for long: others are kept out only while files are renamed
//!
//! What makes it true. Marking and rewriting go on beside other commands. For each
//! step gc then takes the lock alone, marks what the refs need *by then*, and
//! drops from its plan whatever has come back to life. A writer holds its share
//! of the lock from before it asks what exists until its refs have moved, so in
//! between there is no answer that could become wrong.
//!
//! The order is trees and commits first, blobs after: a tree that is still there
//! has its blobs. So packs of trees are rewritten as soon as anything in them is
//! dead; a live delta whose base is dead is stored whole. Where that cannot be
//! done, because the disk is full or a pack is damaged, what the dead trees refer
//! to stays as well. Packs of blobs are rewritten when it is worth it. Content
//! packs hold no deltas.
//!
//! New packs are synced and named before the old ones go; of an old pack the index
//! goes first, and without it the pack is not looked at. A reader that misses a
//! pack looks again and finds the new one; what it has open stays readable.

mod mark;
mod packs;
mod pool;
mod trash;

use std::collections::HashSet;
use std::sync::Arc;

pub use mark::Roots;
pub use trash::{Trash, TrashStats, trash_stats};

use self::mark::Mark;
use self::packs::{Rewritten, Victim};
use self::trash::Fate;
use super::batch::{publish_packs, sweep};
use super::pack::{Class, Pack, ReadError};
use super::{DeleteLock, Error, Odb, Result};
use crate::disk::durable::DIR_MODE;
use crate::id::{Kind, ObjectId};
use crate::monitor::{Finding, Monitor};
use crate::path::TreePath;

/// From so many percent of dead bytes on, a pack of blobs is rewritten.
const WORTHWHILE_PERCENT: u64 = 20;

/// What was taken out, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcStats {
    /// Objects in packs, and files of the pool, that nothing refers to.
    pub unreferenced: u64,
    /// Files of the pool that no checkout uses, and that lie elsewhere as well.
    pub spares: u64,
    /// Packs that are gone.
    pub packs_removed: u64,
    /// Packs that were written in their place.
    pub packs_written: u64,
    /// Bytes of all files that were taken out, on disk.
    pub bytes_out: u64,
    /// Bytes of new packs.
    pub bytes_in: u64,
}

/// Where one collection stands.
pub struct Collector<'a> {
    odb: &'a Odb,
    mark: Mark<'a>,
    /// Packs of trees and commits all of whose objects are marked.
    settled: HashSet<ObjectId>,
    eager: bool,
    fate: Option<Arc<Fate>>,
    stats: GcStats,
    monitor: &'a dyn Monitor,
}

/// The right to delete, and the roots as they are since.
pub struct Locked {
    /// Keeps all others out.
    pub lock: DeleteLock,
    /// What must stay by now.
    pub roots: Roots,
}

impl<'a> Collector<'a> {
    /// Marks what the roots need. With `trash`, what is taken out moves there, to a
    /// directory named by the seconds in it; else it is removed at once, and even
    /// little is worth rewriting a pack for.
    pub fn begin(
        odb: &'a Odb,
        roots: &Roots,
        trash: Option<(&Trash, i64)>,
        monitor: &'a dyn Monitor,
    ) -> Result<Collector<'a>> {
        monitor.begin("marking", None);
        odb.reload()?;
        let mut mark = Mark::new(odb);
        mark.commits(roots, monitor)?;
        monitor.end();
        let fate = match trash {
            Some((trash, now)) => Fate::Move(trash.subdirectory(now)?),
            None => Fate::Remove,
        };
        let (eager, fate) = (trash.is_none(), Some(Arc::new(fate)));
        Ok(Collector { odb, mark, settled: HashSet::new(), eager, fate, stats: GcStats::default(), monitor })
    }

    /// As [`Collector::begin`], to learn what would be done: no step changes
    /// anything. `eager` stands for a collection that removes at once.
    pub fn begin_dry(odb: &'a Odb, roots: &Roots, eager: bool, monitor: &'a dyn Monitor) -> Result<Collector<'a>> {
        let mut collector = Collector::begin(odb, roots, None, monitor)?;
        (collector.eager, collector.fate) = (eager, None);
        Ok(collector)
    }

    /// Takes out dead trees and commits, then dead blobs. `lock` takes the lock
    /// alone and tells the roots; it is called once for each step.
    pub fn run<E: From<Error>>(
        mut self,
        lock: &dyn Fn() -> std::result::Result<Locked, E>,
    ) -> std::result::Result<GcStats, E> {
        if self.fate.is_some() {
            self.sweep_incoming()?;
        }
        let victims = self.dead_structure()?;
        self.collect_packs(victims, lock)?;
        self.settle(&[])?;
        let (drops, rewrites) = self.dead_content()?;
        self.collect_packs(drops, lock)?;
        for group in rewrites {
            self.collect_packs(group, lock)?;
        }
        self.collect_pool(lock)?;
        Ok(self.stats)
    }

    fn sweep_incoming(&self) -> Result<()> {
        sweep(&self.odb.root.ensure_dir(b"incoming", DIR_MODE)?)
    }

    /// Packs of trees and commits in which anything is dead, or a live delta
    /// stands on something dead.
    fn dead_structure(&mut self) -> Result<Vec<Victim>> {
        if let Some((path, source)) = self.odb.damaged_packs().into_iter().next() {
            return Err(Error::DamagedFile { path, source });
        }
        let mut victims = Vec::new();
        for pack in self.packs_of(Class::Structure) {
            self.monitor.check()?;
            let heads = packs::heads(&pack)?;
            let is_live = |kind: Kind, id: &ObjectId| self.mark.has(kind, id);
            let is_clean = heads
                .iter()
                .all(|h| is_live(h.kind, &h.id) && h.base.as_ref().is_none_or(|base| is_live(h.kind, base)));
            if is_clean {
                self.settled.insert(pack.id());
            } else {
                victims.push(Victim::new(pack, heads, &self.mark));
            }
        }
        Ok(victims)
    }

    /// Packs of blobs that are dead as a whole, and groups of those that are worth
    /// rewriting.
    fn dead_content(&self) -> Result<(Vec<Victim>, Vec<Vec<Victim>>)> {
        let live = self.mark.blob_prefixes();
        let (mut drops, mut groups, mut group_len) = (Vec::new(), vec![Vec::new()], 0);
        for pack in self.packs_of(Class::Content) {
            self.monitor.check()?;
            pack.index().verify().map_err(|e| packs::pack_error(&pack, ReadError::Damaged(e)))?;
            let mut records: Vec<(u64, u64)> = pack.index().entries().map(|(prefix, at)| (at, prefix)).collect();
            records.sort_unstable();
            let ends = records.iter().skip(1).map(|(at, _)| *at).chain([pack.records_end()]);
            let (mut live_len, mut dead_len) = (0, 0);
            for ((at, prefix), end) in records.iter().zip(ends) {
                let is_live = live.binary_search(prefix).is_ok();
                *(if is_live { &mut live_len } else { &mut dead_len }) += end.saturating_sub(*at);
            }
            let is_worth = self.eager || dead_len * 100 > (live_len + dead_len) * WORTHWHILE_PERCENT;
            if dead_len == 0 || (live_len > 0 && !is_worth) {
                continue;
            }
            let heads = packs::heads(&pack)?;
            let victim = Victim::new(pack, heads, &self.mark);
            if victim.live_len == 0 {
                drops.push(victim);
                continue;
            }
            if group_len + victim.live_len > packs::GROUP_LEN {
                groups.push(Vec::new());
                group_len = 0;
            }
            group_len += victim.live_len;
            groups.last_mut().expect("never empty").push(victim);
        }
        Ok((drops, groups))
    }

    fn packs_of(&self, class: Class) -> Vec<Arc<Pack>> {
        self.odb.packs().iter().filter(|pack| pack.index().class() == class).cloned().collect()
    }

    /// Marks what is needed by objects that are there though nothing refers to
    /// them, and that are not on their way out.
    fn settle(&mut self, leaving: &[Victim]) -> Result<()> {
        for pack in self.packs_of(Class::Structure) {
            let leaves = leaving.iter().any(|victim| victim.pack.id() == pack.id());
            if !leaves && self.settled.insert(pack.id()) {
                for head in packs::heads(&pack)? {
                    self.mark.leftover(head.kind, head.id);
                }
            }
        }
        self.mark.run(true, self.monitor)
    }

    fn collect_packs<E: From<Error>>(
        &mut self,
        victims: Vec<Victim>,
        lock: &dyn Fn() -> std::result::Result<Locked, E>,
    ) -> std::result::Result<(), E> {
        if victims.is_empty() {
            return Ok(());
        }
        if self.fate.is_none() {
            self.stats.packs_written += u64::from(victims.iter().any(|victim| victim.live_len > 0));
            self.stats.bytes_in += victims.iter().map(|victim| victim.live_len).sum::<u64>();
            for victim in &victims {
                self.count_pack(victim)?;
                self.settled.insert(victim.pack.id());
            }
            return Ok(());
        }
        self.monitor.begin("rewriting packs", None);
        let rewritten = packs::rewrite(self.odb, victims, &self.mark, self.monitor)?;
        self.monitor.end();
        let locked = lock()?;
        self.mark.commits(&locked.roots, self.monitor)?;
        Ok(self.replace_packs(rewritten, &locked.lock)?)
    }

    /// Puts new packs in the place of old ones.
    fn replace_packs(&mut self, rewritten: Rewritten, _lock: &DeleteLock) -> Result<()> {
        let Rewritten { staging, new, new_len, kept, mut victims, failed } = rewritten;
        self.settle(&victims)?;
        let mut staying = Vec::new();
        for (victim, why) in failed {
            let path = TreePath::parse(format!("packs/{}.pack", victim.pack.id()).as_bytes()).unwrap_or_default();
            self.monitor.finding(Finding::partial(path, format!("cannot be rewritten, and stays: {why}")));
            staying.push(victim);
        }
        // What came to life while it was rewritten, or is the base of something
        // that stays, stays too, and with it all that it refers to.
        loop {
            for head in staying.iter().flat_map(|victim| &victim.heads) {
                self.mark.leftover(head.kind, head.id);
            }
            self.mark.run(true, self.monitor)?;
            let needed = packs::needed_bases(staying.iter().flat_map(|victim| &victim.heads), &self.mark);
            let leaves = |victim: &Victim| {
                victim.heads.iter().all(|head| {
                    let key = (head.kind, head.id);
                    kept.contains(&key) || !(self.mark.has(head.kind, &head.id) || needed.contains(&key))
                })
            };
            let (leaving, more): (Vec<_>, Vec<_>) = victims.into_iter().partition(leaves);
            victims = leaving;
            if more.is_empty() {
                break;
            }
            staying.extend(more);
        }
        self.settled.extend(staying.iter().map(|victim| victim.pack.id()));
        let Some(staging) = staging else { return Ok(()) };
        if !victims.is_empty() {
            publish_packs(&self.odb.packs_dir, &staging, &new)?;
            self.stats.packs_written += new.len() as u64;
            self.stats.bytes_in += new_len;
            self.settled.extend(new.iter().map(|pack| pack.id));
            for victim in victims.iter().filter(|victim| new.iter().all(|pack| pack.id != victim.pack.id())) {
                self.count_pack(victim)?;
                self.discard_pack(victim.pack.id())?;
            }
            self.odb.packs_dir.sync()?;
        }
        staging.remove();
        self.odb.reload()
    }

    fn count_pack(&mut self, victim: &Victim) -> Result<()> {
        self.stats.packs_removed += 1;
        self.stats.unreferenced += victim.dead_count;
        for ending in ["pack", "idx"] {
            let stat = self.odb.packs_dir.find(format!("{}.{ending}", victim.pack.id()).as_bytes())?;
            self.stats.bytes_out += stat.map_or(0, |stat| stat.allocated);
        }
        Ok(())
    }

    /// The index first: a pack without one is not looked at.
    fn discard_pack(&self, id: ObjectId) -> Result<()> {
        let Some(fate) = &self.fate else { return Ok(()) };
        for ending in ["idx", "pack"] {
            fate.discard(&self.odb.packs_dir, &[b"packs"], format!("{id}.{ending}").as_bytes())?;
        }
        Ok(())
    }

    fn collect_pool<E: From<Error>>(
        &mut self,
        lock: &dyn Fn() -> std::result::Result<Locked, E>,
    ) -> std::result::Result<(), E> {
        self.monitor.begin("looking through the pool", None);
        let mut candidates = pool::candidates(self.odb, &self.mark, self.monitor)?;
        self.monitor.end();
        let unindexed = self.unindexed()?;
        if candidates.is_empty() && unindexed.is_empty() {
            return Ok(());
        }
        if let Some(fate) = self.fate.clone() {
            let locked = lock()?;
            self.mark.commits(&locked.roots, self.monitor)?;
            self.settle(&[])?;
            let mut gone = Vec::new();
            for candidate in candidates {
                self.monitor.check().map_err(Error::from)?;
                let Some(shard) = self.odb.pool.shard(candidate.first)? else { continue };
                if candidate.stands(shard, &self.mark)? {
                    let at = format!("{:02x}", candidate.first);
                    fate.discard(shard, &[b"pool", at.as_bytes()], &candidate.name)?;
                    gone.push(candidate);
                }
            }
            candidates = gone;
            for id in self.unindexed()? {
                self.discard_unindexed(id)?;
            }
        }
        for candidate in &candidates {
            *(if candidate.is_spare { &mut self.stats.spares } else { &mut self.stats.unreferenced }) += 1;
            self.stats.bytes_out += candidate.bytes();
        }
        Ok(())
    }

    /// Packs without an index: left by a crash between two renames, or the index
    /// was lost.
    fn unindexed(&self) -> Result<Vec<ObjectId>> {
        let names = self.odb.packs_dir.names()?;
        let with = |ending: &[u8]| -> Vec<ObjectId> {
            let ids = names.iter().filter_map(|(name, _)| ObjectId::from_hex(name.strip_suffix(ending)?).ok());
            ids.collect()
        };
        let indexed: HashSet<ObjectId> = with(b".idx").into_iter().collect();
        Ok(with(b".pack").into_iter().filter(|id| !indexed.contains(id)).collect())
    }

    fn discard_unindexed(&mut self, id: ObjectId) -> Result<()> {
        let is_needed = |object: &ObjectId| -> Result<bool> {
            for kind in Kind::ALL {
                if self.mark.has(kind, object) && !self.odb.contains(kind, object)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let stays = match Pack::scan(&self.odb.packs_dir, id) {
            Ok((_, _, records)) => {
                let needed: Result<Vec<bool>> = records.iter().map(|(object, _)| is_needed(object)).collect();
                needed?.contains(&true)
            }
            Err(ReadError::Damaged(_)) => true,
            Err(ReadError::Disk(e)) => return Err(e.into()),
        };
        if stays {
            let path = TreePath::parse(format!("packs/{id}.pack").as_bytes()).unwrap_or_default();
            self.monitor.finding(Finding::partial(path, "has no index, and stays: fsck tells more"));
            return Ok(());
        }
        let stat = self.odb.packs_dir.find(format!("{id}.pack").as_bytes())?;
        self.stats.bytes_out += stat.map_or(0, |stat| stat.allocated);
        self.stats.packs_removed += 1;
        self.discard_pack(id)
    }
}
