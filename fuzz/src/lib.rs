//! What each fuzz target does with its bytes: decode them, and where that
//! succeeds, see that the value is written as these very bytes again (or, for
//! formats of others, is read as the same value).
//!
//! Formats under a checksum would refuse every mutation for that alone, so the
//! checksum is made right first, and the decoder behind it is what is tested.
//! Formats that are read from files are put into files in memory.

mod files;
mod texts;

pub use files::{journal, pack, pack_index, refs};
pub use texts::{config, manifest_json, manifest_mtree, manifest_sums, revision};

use chasm::compress;
use chasm::id::hash_bytes;
use chasm::object::{Commit, Metadata, Page};
use chasm::odb::checksums::DirRecord;
use chasm::repo::CheckoutRecord;

/// One page of a directory.
pub fn tree_page(bytes: &[u8]) {
    if let Ok(page) = Page::decode(bytes) {
        assert_eq!(page.encode(), bytes);
        let _ = (page.totals(), page.entry_count(), page.last_name());
    }
}

/// Metadata on its own.
pub fn metadata(bytes: &[u8]) {
    if let Ok(metadata) = Metadata::decode(bytes) {
        assert_eq!(metadata.encode(), bytes);
    }
}

/// A commit.
pub fn commit(bytes: &[u8]) {
    if let Ok(commit) = Commit::decode(bytes) {
        assert_eq!(commit.encode().as_deref(), Ok(bytes));
    }
}

/// A record of a checkout.
pub fn checkout_record(bytes: &[u8]) {
    if let Some(record) = CheckoutRecord::decode(bytes) {
        assert_eq!(record.encode(), bytes);
    }
}

/// A record of the checksum cache.
pub fn checksum_record(bytes: &[u8]) {
    let Some((_, body)) = bytes.split_at_checked(8) else { return };
    let bytes = [&hash_bytes(body).as_bytes()[..8], body].concat();
    if let Some(record) = DirRecord::decode(&bytes) {
        assert_eq!(record.encode(), bytes);
    }
}

/// A declared size (three bytes), the length of a prefix (two), the prefix, a frame.
pub fn zstd(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_at_checked(5) else { return };
    let declared = u64::from(u32::from_le_bytes([head[0], head[1], head[2], 0]));
    let prefix_len = usize::from(u16::from_le_bytes([head[3], head[4]])).min(rest.len());
    let (prefix, frame) = rest.split_at(prefix_len);
    for whole in [compress::decompress(rest, declared), compress::decompress_delta(prefix, frame, declared)] {
        assert!(whole.is_err() || whole.is_ok_and(|whole| whole.len() as u64 == declared));
    }
    if let Some(frame) = compress::compress(rest, 3) {
        assert_eq!(compress::decompress(&frame, rest.len() as u64).as_deref(), Ok(rest));
    }
    if let Some(delta) = compress::compress_delta(prefix, frame, 3) {
        assert_eq!(compress::decompress_delta(prefix, &delta, frame.len() as u64).as_deref(), Ok(frame));
    }
}
