//! Which packs go, which are rewritten, and the rewriting.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::batch::Staging;
use super::super::pack::{Class, FinishedPack, Pack, PackWriter, Packed, ReadError};
use super::super::{Error, Odb, Result};
use super::mark::Mark;
use crate::compress::DEFAULT_LEVEL;
use crate::disk::durable::DIR_MODE;
use crate::id::{Kind, ObjectId};
use crate::monitor::{Amount, Monitor};

/// Live records of small packs are gathered into packs of about this length.
pub(super) const GROUP_LEN: u64 = 256 << 20;

/// One record of a pack, as far as it matters here.
#[derive(Clone)]
pub(super) struct Head {
    pub kind: Kind,
    pub id: ObjectId,
    pub base: Option<ObjectId>,
    pub at: u64,
    pub end: u64,
}

/// A pack with something in it that need not stay.
pub(super) struct Victim {
    pub pack: Arc<Pack>,
    pub heads: Vec<Head>,
    pub live_len: u64,
    pub dead_count: u64,
}

/// Packs whose live records are in new packs, which nobody sees yet.
pub(super) struct Rewritten {
    pub staging: Option<Staging>,
    pub new: Vec<FinishedPack>,
    pub new_len: u64,
    /// All objects in the new packs.
    pub kept: HashSet<(Kind, ObjectId)>,
    pub victims: Vec<Victim>,
    /// Those that could not be rewritten, and why.
    pub failed: Vec<(Victim, String)>,
}

/// The heads of all records of a pack, in the order of the file. Fails if the
/// index is not as it was written.
pub(super) fn heads(pack: &Pack) -> Result<Vec<Head>> {
    read_heads(pack).map_err(|e| pack_error(pack, e))
}

fn read_heads(pack: &Pack) -> std::result::Result<Vec<Head>, ReadError> {
    pack.index().verify()?;
    let mut offsets: Vec<u64> = pack.index().offsets().collect();
    offsets.sort_unstable();
    let head = |at| {
        let (record, _) = pack.record(at, 0)?;
        Ok(Head { kind: record.kind, id: record.id, base: record.base.map(|(_, id)| id), at, end: record.end() })
    };
    offsets.into_iter().map(head).collect()
}

pub(super) fn pack_error(pack: &Pack, e: ReadError) -> Error {
    match e {
        ReadError::Disk(e) => Error::Disk(e),
        ReadError::Damaged(source) => Error::DamagedFile { path: format!("packs/{}.pack", pack.id()), source },
    }
}

impl Victim {
    pub fn new(pack: Arc<Pack>, heads: Vec<Head>, mark: &Mark<'_>) -> Victim {
        let mut victim = Victim { pack, heads, live_len: 0, dead_count: 0 };
        for head in &victim.heads {
            if mark.has(head.kind, &head.id) {
                victim.live_len += head.end - head.at;
            } else {
                victim.dead_count += 1;
            }
        }
        victim
    }
}

/// Dead objects that live deltas among these stand on, one behind the other.
pub(super) fn needed_bases<'h>(heads: impl Iterator<Item = &'h Head>, mark: &Mark<'_>) -> HashSet<(Kind, ObjectId)> {
    let mut bases: HashMap<(Kind, ObjectId), Vec<ObjectId>> = HashMap::new();
    let mut pending = Vec::new();
    for head in heads {
        let Some(base) = head.base else { continue };
        if mark.has(head.kind, &head.id) {
            pending.push((head.kind, base));
        } else {
            bases.entry((head.kind, head.id)).or_default().push(base);
        }
    }
    let mut needed = HashSet::new();
    while let Some((kind, id)) = pending.pop() {
        if !mark.has(kind, &id) && needed.insert((kind, id)) {
            pending.extend(bases.get(&(kind, id)).into_iter().flatten().map(|base| (kind, *base)));
        }
    }
    needed
}

/// Copies the live records of packs into new ones, in a place where nobody looks.
/// A delta whose base is not live becomes whole.
pub(super) fn rewrite(odb: &Odb, victims: Vec<Victim>, mark: &Mark<'_>, monitor: &dyn Monitor) -> Result<Rewritten> {
    let staging = Staging::create(odb.root.ensure_dir(b"incoming", DIR_MODE)?)?;
    let mut done = Rewritten {
        staging: None,
        new: Vec::new(),
        new_len: 0,
        kept: HashSet::new(),
        victims: Vec::new(),
        failed: Vec::new(),
    };
    let mut group = Vec::new();
    let mut group_len = 0;
    for victim in victims {
        // One whose every byte is as it was written can be copied blindly.
        if let Err(e) = victim.pack.verify(|bytes| monitor.advance(Amount { files: 0, bytes })) {
            done.failed.push((victim, describe(&e)));
            continue;
        }
        group_len += victim.live_len;
        group.push(victim);
        if group_len >= GROUP_LEN {
            rewrite_group(odb, &staging, std::mem::take(&mut group), mark, &mut done, monitor)?;
            group_len = 0;
        }
    }
    rewrite_group(odb, &staging, group, mark, &mut done, monitor)?;
    done.staging = Some(staging);
    Ok(done)
}

fn rewrite_group(
    odb: &Odb,
    staging: &Staging,
    group: Vec<Victim>,
    mark: &Mark<'_>,
    done: &mut Rewritten,
    monitor: &dyn Monitor,
) -> Result<()> {
    let name = format!("gc-{}", done.new.len() + done.failed.len()).into_bytes();
    match copy_live(odb, staging, &name, &group, mark, monitor) {
        Ok(Some((writer, kept))) => {
            done.new_len += writer.len();
            match writer.finish(&staging.dir) {
                Ok(finished) => {
                    done.new.push(finished);
                    done.kept.extend(kept);
                    done.victims.extend(group);
                }
                Err(e) => fail(staging, &name, group, e.into(), done)?,
            }
        }
        Ok(None) => done.victims.extend(group),
        Err(Error::Interrupted(e)) => return Err(e.into()),
        Err(e) => fail(staging, &name, group, e, done)?,
    }
    Ok(())
}

/// Gives the space back, so that what can be done without it still is.
fn fail(staging: &Staging, name: &[u8], group: Vec<Victim>, error: Error, done: &mut Rewritten) -> Result<()> {
    for left in [name.to_vec(), [name, b".idx"].concat()] {
        staging.dir.remove_all(&left)?;
    }
    let why = describe(&error);
    done.failed.extend(group.into_iter().map(|victim| (victim, why.clone())));
    Ok(())
}

/// An error with its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if next_text != text {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}

type Copied = (PackWriter, HashSet<(Kind, ObjectId)>);

/// Writes what is live in these packs; `None` if nothing is.
fn copy_live(
    odb: &Odb,
    staging: &Staging,
    name: &[u8],
    group: &[Victim],
    mark: &Mark<'_>,
    monitor: &dyn Monitor,
) -> Result<Option<Copied>> {
    if group.iter().all(|victim| victim.live_len == 0) {
        return Ok(None);
    }
    let class = group[0].pack.index().class();
    let mut writer = PackWriter::create(&staging.dir, name, class)?;
    let mut kept = HashSet::new();
    for victim in group {
        for head in victim.heads.iter().filter(|head| mark.has(head.kind, &head.id)) {
            monitor.check()?;
            if !kept.insert((head.kind, head.id)) {
                continue;
            }
            match head.base {
                Some(base) if class == Class::Content || !mark.has(head.kind, &base) => {
                    let whole = Packed::whole(&odb.get(head.kind, &head.id)?, DEFAULT_LEVEL);
                    writer.add(&staging.dir, head.kind, head.id, &whole)?;
                }
                _ => {
                    let raw = victim.pack.raw(head.at, head.end).map_err(|e| pack_error(&victim.pack, e))?;
                    writer.add_raw(&staging.dir, head.id, &raw)?;
                }
            }
            monitor.advance(Amount { files: 1, bytes: 0 });
        }
    }
    Ok(Some((writer, kept)))
}
