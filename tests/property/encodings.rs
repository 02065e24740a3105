//! Decoding what was encoded gives the value; encoding what was decoded gives the
//! bytes, or they were refused.

use chasm::disk::{Dir, Time};
use chasm::id::{BlobId, hash_bytes};
use chasm::object::{Commit, Metadata, Page, paginate};
use chasm::odb::checksums::{DirRecord, FileRecord, RACY_SECS};
use chasm::repo::{Checkout, CheckoutRecord};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::values::{self, damage};

proptest! {
    #[test]
    fn leaves(entries in values::entries(12), damage in damage()) {
        let bytes = Page::Leaf(entries.clone()).encode();
        prop_assert_eq!(Page::decode(&bytes), Ok(Page::Leaf(entries)));
        let damaged = damage.of(&bytes);
        if let Ok(page) = Page::decode(&damaged) {
            prop_assert_eq!(page.encode(), damaged);
        }
    }

    #[test]
    fn metadata(metadata in values::metadata(), damage in damage()) {
        let bytes = metadata.encode();
        prop_assert_eq!(Metadata::decode(&bytes), Ok(metadata));
        let damaged = damage.of(&bytes);
        if let Ok(metadata) = Metadata::decode(&damaged) {
            prop_assert_eq!(metadata.encode(), damaged);
        }
    }

    #[test]
    fn commits(commit in values::commit(), damage in damage()) {
        let Ok(bytes) = commit.encode() else { return Err(TestCaseError::reject("a line that cannot be")) };
        prop_assert_eq!(&Commit::decode(&bytes).unwrap(), &commit);
        let damaged = damage.of(&bytes);
        if let Ok(commit) = Commit::decode(&damaged) {
            prop_assert_eq!(commit.encode().unwrap(), damaged);
        }
    }

    #[test]
    fn records_of_checkouts(
        path in vec(1..=255u8, 0..30),
        inode in any::<u64>(),
        ids in any::<([u8; 32], Option<[u8; 32]>)>(),
        damage in damage(),
    ) {
        use std::os::unix::ffi::OsStringExt;
        let commit = chasm::id::CommitId::from_bytes;
        let checkout = Checkout { commit: commit(ids.0), towards: ids.1.map(commit) };
        let record = CheckoutRecord { path: std::ffi::OsString::from_vec(path).into(), inode, checkout };
        let bytes = record.encode();
        prop_assert_eq!(CheckoutRecord::decode(&bytes), Some(record));
        let damaged = damage.of(&bytes);
        if let Some(record) = CheckoutRecord::decode(&damaged) {
            prop_assert_eq!(record.encode(), damaged);
        }
    }

    #[test]
    fn records_of_checksums(
        files in vec((values::name(), -1000..1000i64, any::<(u32, u8)>()), 0..5),
        damage in damage(),
    ) {
        let stat = Dir::open(std::path::Path::new("/")).unwrap().stat_self().unwrap();
        let files = files.into_iter().map(|(name, secs, (nanos, nlink))| {
            let time = Time { secs, nanos: nanos % 1_000_000_000 };
            let stat = chasm::disk::Stat { mtime: time, ctime: time, nlink: u32::from(nlink % 3), ..stat.clone() };
            let later = Time { secs: secs + RACY_SECS + 1, nanos: 0 };
            FileRecord::new(&name, &stat, BlobId(hash_bytes(&name)), later).unwrap()
        });
        let record = DirRecord { files: files.collect() };
        let bytes = record.encode();
        prop_assert_eq!(DirRecord::decode(&bytes), Some(record));
        prop_assert_eq!(DirRecord::decode(&damage.of(&bytes)), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pages of all levels, and the whole directory from them.
    #[test]
    fn forks(count in 513..3000usize, seed in any::<u16>(), damage in damage()) {
        let dir = tempfile::tempdir().unwrap();
        let root = Dir::open(dir.path()).unwrap();
        chasm::odb::Odb::create(&root).unwrap();
        let odb = chasm::odb::Odb::open(&root, 4096).unwrap();
        let batch = odb.begin_dry();
        let mut entries: Vec<_> = (0..count).map(|i| crate::differences::file(&format!("{}", i * 7 + usize::from(seed)), 0)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let pages = paginate(&entries).unwrap();
        for (id, bytes) in &pages.pages {
            let page = Page::decode(bytes).unwrap();
            prop_assert_eq!(&page.encode(), bytes);
            let damaged = damage.of(bytes);
            if let Ok(page) = Page::decode(&damaged) {
                prop_assert_eq!(page.encode(), damaged);
            }
            batch.add_tree(*id, bytes, None).unwrap();
        }
        prop_assert_eq!(chasm::odb::tree::read_dir(&batch, pages.root(), Some(pages.totals)).unwrap(), entries);
    }
}
