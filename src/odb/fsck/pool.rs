//! The pool: each file hashed, and compared with the id in its name.

use rayon::prelude::*;

use super::super::pool::Pool;
use super::super::{Odb, Result};
use super::{Report, Severity};
use crate::disk::{Dir, FileKind};
use crate::id::{Hasher, Kind, ObjectId};
use crate::monitor::Amount;
use crate::path::Escaped;

pub(super) fn check(odb: &Odb, report: &Report<'_>) -> Result<()> {
    let mut shards = Vec::new();
    for (name, _) in odb.pool.dir().names()? {
        let place = format!("pool/{}", Escaped(&name));
        match shard_number(&name) {
            None => report.flaw(Severity::Note, None, &place, "does not belong here"),
            Some(first) => match odb.pool.dir().open_dir(&name) {
                Ok(dir) => shards.push((first, dir)),
                Err(e) if e.is_vanished() => report.flaw(Severity::Damage, None, &place, "is no directory"),
                Err(e) => report.unreadable(None, &place, &e),
            },
        }
    }
    shards.par_iter().try_for_each(|(first, dir)| {
        let names = dir.names()?;
        names.par_iter().try_for_each(|(name, _)| check_file(*first, dir, name, report))
    })
}

fn shard_number(name: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(name).ok()?;
    let first = u8::from_str_radix(text, 16).ok()?;
    (format!("{first:02x}") == text).then_some(first)
}

fn check_file(first: u8, dir: &Dir, name: &[u8], report: &Report<'_>) -> Result<()> {
    report.monitor.check()?;
    let place = format!("pool/{first:02x}/{}", Escaped(name));
    let Some(id) = Pool::id_of(first, name).filter(|_| is_pool_name(name)) else {
        report.flaw(Severity::Note, None, &place, "does not belong here");
        return Ok(());
    };
    let object = Some((Kind::Blob, id));
    let Some(stat) = dir.find(name)? else { return Ok(()) };
    if stat.kind != FileKind::File {
        report.flaw(Severity::Damage, object, &place, "it is no regular file");
        return Ok(());
    }
    let file = match dir.open_file(name) {
        Ok((file, _)) => file,
        // Taken away by gc since.
        Err(e) if e.is_not_found() => return Ok(()),
        Err(e) if e.is_vanished() => {
            report.flaw(Severity::Damage, object, &place, "it is no regular file");
            return Ok(());
        }
        Err(e) => {
            report.unreadable(object, &place, &e);
            return Ok(());
        }
    };
    match hash(file, report)? {
        Ok((found, len)) if found == id => {
            report.monitor.advance(Amount::file(0));
            // Readers look for the plain file alone.
            match name.len() {
                62 => report.whole([(Kind::Blob, id, len)]),
                _ => report.whole_twin(id, place),
            }
        }
        Ok((_, len)) => {
            let what = if len == 0 { "it is empty" } else { "its bytes have another id" };
            report.flaw(Severity::Damage, object, &place, what);
        }
        Err(e) => report.unreadable(object, &place, &crate::disk::Error::new("read", dir.path_of(name), e)),
    }
    Ok(())
}

/// `<62 hex>`, or `<62 hex>.<16 hex>`, or that and `-<n>`.
fn is_pool_name(name: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let Some((blob, rest)) = name.split_at_checked(62) else { return false };
    let Some(twin) = rest.strip_prefix(b".") else { return is_hex(blob) && rest.is_empty() };
    let Some((fingerprint, rest)) = twin.split_at_checked(16) else { return false };
    let instance = rest.strip_prefix(b"-").unwrap_or(if rest.is_empty() { b"1" } else { b"" });
    is_hex(blob) && is_hex(fingerprint) && !instance.is_empty() && instance.iter().all(u8::is_ascii_digit)
}

type Hashed = std::io::Result<(ObjectId, u64)>;

/// Hashes a file, listening for the wish to stop.
fn hash(file: std::fs::File, report: &Report<'_>) -> Result<Hashed> {
    use std::io::Read;
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 256 << 10]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let (mut hasher, mut len) = (Hasher::new(), 0);
        loop {
            report.monitor.check()?;
            let count = match (&file).read(buffer) {
                Ok(0) => return Ok(Ok((hasher.finish(), len))),
                Ok(count) => count,
                Err(e) => return Ok(Err(e)),
            };
            hasher.update(&buffer[..count]);
            len += count as u64;
            report.monitor.advance(Amount { files: 0, bytes: count as u64 });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_pool_gives_are_pool_names() {
        let blob = "a".repeat(62);
        for good in [blob.clone(), format!("{blob}.0123456789abcdef"), format!("{blob}.0123456789abcdef-12")] {
            assert!(is_pool_name(good.as_bytes()), "{good}");
        }
        for bad in [
            "a".repeat(61),
            format!("{blob}x"),
            format!("{blob}-1"),
            format!("{blob}."),
            format!("{blob}.0123456789abcdef-"),
            format!("{blob}.0123456789abcdefg"),
            format!("{blob}.0123456789ABCDEF"),
            "A".repeat(62),
        ] {
            assert!(!is_pool_name(bad.as_bytes()), "{bad}");
        }
        assert_eq!((shard_number(b"0f"), shard_number(b"F0"), shard_number(b"+1")), (Some(15), None, None));
    }
}
