//! What the module promises, across its files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::id::{CommitId, hash_bytes};

struct Place {
    root: tempfile::TempDir,
    refs: Refs,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let refs = Refs::create(&Dir::open(root.path()).unwrap(), &name("heads/main")).unwrap();
    Place { root, refs }
}

/// A place with a few transactions of every kind: main was at 1 and 2, side came
/// and went, HEAD moved, the last one was taken back.
fn story() -> Place {
    let place = place();
    place.moved(10, &[("heads/main", Expected::Absent, Some(1))]);
    place.moved(20, &[("heads/main", is(1), Some(2)), ("tags/s0", Expected::Absent, Some(1))]);
    place.moved(30, &[("heads/side", Expected::Any, Some(3))]);
    let head = HeadEdit { new: name("heads/next"), expected: Some(name("heads/main")) };
    place.refs.commit(&[], Some(&head), "me", "switch", at(40)).unwrap().unwrap();
    place.moved(50, &[("heads/side", is(3), None)]);
    place.refs.undo("me", at(60)).unwrap();
    place
}

type Step<'a> = (&'a str, Expected, Option<u32>);

impl Place {
    fn path(&self, file: &str) -> PathBuf {
        self.root.path().join(file)
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.path(file), bytes).unwrap();
    }

    fn again(&self) -> Refs {
        Refs::open(&Dir::open(self.root.path()).unwrap()).unwrap()
    }

    fn try_move(&self, time: i64, steps: &[Step<'_>]) -> Result<Option<u64>> {
        let edits = steps.iter().map(|&(full, expected, new)| edit(full, expected, new)).collect::<Vec<_>>();
        self.refs.commit(&edits, None, "me", "because", at(time))
    }

    fn moved(&self, time: i64, steps: &[Step<'_>]) -> u64 {
        self.try_move(time, steps).unwrap().unwrap()
    }

    fn value(&self, full: &str) -> Option<CommitId> {
        self.refs.read().unwrap().get(&name(full))
    }

    fn assert_sound(&self) {
        assert_eq!(self.refs.verify().unwrap(), []);
        assert_eq!(self.refs.recover_from_journal().unwrap(), self.refs.read().unwrap());
    }
}

fn edit(full: &str, expected: Expected, new: Option<u32>) -> RefEdit {
    RefEdit { name: name(full), new: new.map(commit_id), expected }
}

fn name(full: &str) -> RefName {
    full.parse().unwrap()
}

fn commit_id(n: u32) -> CommitId {
    CommitId(hash_bytes(&n.to_be_bytes()))
}

fn is(n: u32) -> Expected {
    Expected::Is(commit_id(n))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_new_repository_has_an_unborn_branch_and_no_refs() {
    let place = place();
    let refs = place.refs.read().unwrap();
    assert_eq!((refs.head(), refs.head_commit(), refs.len()), (&name("heads/main"), None, 0));
    place.assert_sound();
    let dir = Dir::open(place.root.path()).unwrap();
    assert!(Refs::create(&dir, &name("heads/main")).unwrap_err().is_refused());
    assert!(matches!(Refs::create(&dir, &name("tags/main")), Err(Error::NotABranch(_))));
    // The power went while it was made: the journal is there, the refs file is not.
    fs::remove_file(place.path("refs")).unwrap();
    Refs::create(&dir, &name("heads/other")).unwrap();
    assert_eq!(place.refs.read().unwrap().head(), &name("heads/other"));
    // But never over a journal that tells of refs.
    place.moved(1, &[("heads/main", Expected::Absent, Some(1))]);
    fs::remove_file(place.path("refs")).unwrap();
    assert!(matches!(Refs::create(&dir, &name("heads/main")), Err(Error::Exists { .. })));
}

#[test]
fn many_refs_move_at_once_or_not_at_all() {
    let place = story();
    let before = (place.bytes("refs"), place.bytes("journal"));
    let good = ("heads/new", Expected::Absent, Some(9));
    let refused: [Step<'_>; 6] = [
        ("heads/main", is(1), Some(9)),
        ("heads/main", Expected::Absent, Some(9)),
        ("heads/gone", is(1), None),
        ("heads/new", Expected::Any, Some(8)),
        ("heads/main/x", Expected::Any, Some(9)),
        ("heads/new/x", Expected::Any, Some(9)),
    ];
    for bad in refused {
        let error = place.try_move(70, &[good, bad]).unwrap_err();
        assert!(error.is_stale() || error.is_refused(), "{error}");
        assert_eq!((place.bytes("refs"), place.bytes("journal")), before, "{error}");
    }
    assert_eq!(place.moved(70, &[good, ("heads/main", is(2), Some(9)), ("heads/side", is(3), None)]), 7);
    assert_eq!((place.value("heads/new"), place.value("heads/side")), (Some(commit_id(9)), None));
    place.assert_sound();
}

#[test]
fn a_stale_move_says_what_was_expected_and_what_was_found() {
    let place = story();
    let error = place.try_move(70, &[("heads/main", is(1), Some(9))]).unwrap_err();
    let expected = format!("cannot move 'heads/main': expected {:.12}, found {:.12}", commit_id(1), commit_id(2));
    assert_eq!(error.to_string(), expected);
    let error = place.try_move(70, &[("heads/main", Expected::Absent, Some(9))]).unwrap_err();
    assert!(error.to_string().contains("expected nothing, found"), "{error}");
    let head = HeadEdit { new: name("heads/x"), expected: Some(name("heads/main")) };
    assert!(place.refs.commit(&[], Some(&head), "", "", at(0)).unwrap_err().is_stale());
}

#[test]
fn a_branch_may_take_the_place_of_a_directory_of_branches_that_goes_in_the_same_step() {
    let place = place();
    place.moved(1, &[("heads/m", Expected::Absent, Some(1))]);
    assert!(matches!(
        place.try_move(2, &[("heads/m/n", Expected::Any, Some(2))]),
        Err(Error::Conflict { other, .. }) if other == name("heads/m")
    ));
    place.moved(3, &[("heads/m/n", Expected::Any, Some(2)), ("heads/m", is(1), None)]);
    assert!(matches!(
        place.try_move(4, &[("heads/m", Expected::Any, Some(2))]),
        Err(Error::Conflict { other, .. }) if other == name("heads/m/n")
    ));
    place.refs.undo("me", at(5)).unwrap();
    assert_eq!(place.value("heads/m"), Some(commit_id(1)));
    place.assert_sound();
}

#[test]
fn what_is_already_as_asked_is_not_recorded() {
    let place = story();
    let before = place.bytes("journal");
    assert_eq!(
        place.try_move(70, &[("heads/main", is(2), Some(2)), ("tags/no", Expected::Absent, None)]).unwrap(),
        None
    );
    let head = HeadEdit { new: name("heads/next"), expected: None };
    assert_eq!(place.refs.commit(&[], Some(&head), "", "", at(70)).unwrap(), None);
    assert_eq!(place.bytes("journal"), before);
}

#[test]
fn two_writers_race_and_no_move_is_lost() {
    let place = place();
    place.moved(0, &[("heads/main", Expected::Absent, Some(0))]);
    let root = place.root.path();
    let won: u32 = std::thread::scope(|scope| {
        let writers = [1, 2].map(|writer: u32| {
            scope.spawn(move || {
                let refs = Refs::open(&Dir::open(root).unwrap()).unwrap();
                let mut won = 0;
                for round in 0..40 {
                    let found = refs.read().unwrap().get(&name("heads/main")).unwrap();
                    let edit = edit("heads/main", Expected::Is(found), Some(writer * 1000 + round));
                    match refs.commit(&[edit], None, "me", "race", at(1)) {
                        Ok(Some(_)) => won += 1,
                        Ok(None) => panic!("every round has its own commit"),
                        Err(e) => assert!(e.is_stale(), "{e}"),
                    }
                }
                won
            })
        });
        // A reader never sees damage meanwhile.
        for _ in 0..200 {
            assert_eq!(place.refs.verify().unwrap(), []);
        }
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert!(won >= 40);
    assert_eq!(place.refs.history(&name("heads/main")).unwrap().len(), 1 + won as usize);
    place.assert_sound();
}

#[test]
fn a_writer_that_cannot_get_the_lock_says_busy() {
    let mut place = place();
    let holder = place.again();
    let _lock = holder.take_lock().unwrap();
    place.refs.patience = Duration::from_millis(20);
    let error = place.try_move(1, &[("heads/main", Expected::Any, Some(1))]).unwrap_err();
    assert!(error.is_busy() && error.to_string().contains("refs.lock"), "{error}");
    assert!(place.refs.read().unwrap().is_empty());
}

#[test]
fn after_a_crash_between_journal_and_refs_the_newer_state_counts() {
    let place = story();
    let old = place.bytes("refs");
    let edits = [edit("heads/main", is(2), Some(5)), edit("heads/side", is(3), None)];
    let head = HeadEdit { new: name("heads/main"), expected: None };
    place.refs.commit(&edits, Some(&head), "me", "late", at(70)).unwrap();
    let new = place.bytes("refs");
    place.write("refs", &old);

    let refs = place.refs.read().unwrap();
    assert_eq!((refs.head_commit(), refs.get(&name("heads/side"))), (Some(commit_id(5)), None));
    assert_eq!(place.bytes("refs"), old, "a reader writes nothing");
    place.assert_sound();
    // A writer with a wrong expectation completes it, and then is refused.
    assert!(place.try_move(80, &[("heads/main", is(2), Some(6))]).unwrap_err().is_stale());
    assert_eq!(place.bytes("refs"), new);
    place.moved(80, &[("heads/main", is(5), Some(6))]);
    place.assert_sound();
}

#[test]
fn a_record_that_was_cut_short_anywhere_never_happened() {
    let place = story();
    let (refs, journal) = (place.bytes("refs"), place.bytes("journal"));
    place.moved(70, &[("heads/main", is(2), Some(5))]);
    let longer = place.bytes("journal");
    for end in journal.len()..longer.len() {
        place.write("refs", &refs);
        place.write("journal", &longer[..end]);
        assert_eq!(place.value("heads/main"), Some(commit_id(2)), "{end}");
        assert_eq!(place.refs.verify().unwrap(), [], "{end}");
        // Only an edit that does something reaches the disk beyond the completion.
        assert_eq!(place.try_move(70, &[("heads/main", is(2), Some(2))]).unwrap(), None);
        assert_eq!(place.bytes("journal"), journal, "{end}");
    }
    // The length came to the disk, the bytes did not.
    for filler in [0, b'\n', b'x'] {
        place.write("journal", &[&journal[..], &[filler; 700][..]].concat());
        assert_eq!(place.value("heads/main"), Some(commit_id(2)));
    }
    let mut spoilt = longer.clone();
    spoilt[journal.len() + 30] ^= 1;
    place.write("journal", &spoilt);
    assert_eq!(place.value("heads/main"), Some(commit_id(2)));
    place.moved(70, &[("heads/main", is(2), Some(5))]);
    assert_eq!(place.bytes("journal"), longer);
    place.assert_sound();
}

#[test]
fn a_record_that_was_cut_short_after_the_refs_moved_is_damage() {
    let place = story();
    let journal = place.bytes("journal").len();
    place.moved(70, &[("heads/main", is(2), Some(5))]);
    let longer = place.bytes("journal");
    for end in journal..longer.len() {
        place.write("journal", &longer[..end]);
        let error = place.refs.read().unwrap_err();
        assert!(error.is_damage(), "{end}: {error}");
        assert!(!place.refs.verify().unwrap().is_empty(), "{end}");
        assert!(place.try_move(70, &[("heads/main", Expected::Any, Some(6))]).unwrap_err().is_damage());
        assert_eq!(place.bytes("journal"), &longer[..end], "nothing is cut off evidence");
    }
}

#[test]
fn the_first_record_may_be_cut_short_too() {
    let place = place();
    let (refs, journal) = (place.bytes("refs"), place.bytes("journal"));
    place.moved(1, &[("heads/main", Expected::Absent, Some(1))]);
    let longer = place.bytes("journal");
    for end in journal.len()..longer.len() {
        place.write("refs", &refs);
        place.write("journal", &longer[..end]);
        assert_eq!(place.moved(1, &[("heads/main", Expected::Absent, Some(1))]), 1);
        assert_eq!(place.bytes("journal"), longer);
    }
}

#[test]
fn refs_and_journal_that_disagree_are_both_shown() {
    let place = story();
    let old = place.bytes("refs");
    place.moved(70, &[("heads/main", is(2), Some(5))]);
    place.moved(80, &[("heads/main", is(5), Some(6))]);
    let newest = place.bytes("refs");
    place.write("refs", &old);
    let error = place.refs.read().unwrap_err();
    assert!(error.is_damage());
    let text = error.to_string();
    for shown in [commit_id(2), commit_id(6)] {
        assert!(text.contains(&format!("{shown:.12}")), "{text}");
    }
    assert!(text.contains("refs' is state") && text.contains("transaction 8"), "{text}");
    assert_eq!(place.refs.verify().unwrap().len(), 1);
    assert!(place.try_move(90, &[("heads/main", Expected::Any, Some(7))]).unwrap_err().is_damage());
    place.refs.restore_from_journal().unwrap();
    assert_eq!(place.bytes("refs"), newest);
}

#[test]
fn a_damaged_refs_file_is_named_and_the_journal_gives_the_last_good_values() {
    let place = story();
    let good = place.bytes("refs");
    let state = place.refs.read().unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let spoil: [&dyn Fn(); 7] = [
        &|| place.write("refs", b""),
        &|| place.write("refs", &good[..good.len() - 1]),
        &|| place.write("refs", text.replace('\n', "\r\n").as_bytes()),
        &|| place.write("refs", format!("{text}trailing\n").as_bytes()),
        &|| fs::remove_file(place.path("refs")).unwrap(),
        &|| {
            place.write("elsewhere", &good);
            fs::remove_file(place.path("refs")).unwrap();
            std::os::unix::fs::symlink("elsewhere", place.path("refs")).unwrap();
        },
        &|| place.write("refs", &[0; 200]),
    ];
    for (n, spoil) in spoil.iter().enumerate() {
        spoil();
        let error = place.refs.read().unwrap_err();
        assert!(error.is_damage(), "{n}: {error}");
        assert!(error.to_string().contains("refs' is") && error.to_string().contains("in the journal"), "{error}");
        assert!(place.try_move(70, &[("heads/main", Expected::Any, Some(9))]).unwrap_err().is_damage(), "{n}");
        assert_eq!(place.refs.verify().unwrap().len(), 1, "{n}");
        assert_eq!(place.refs.recover_from_journal().unwrap(), state, "{n}");
        assert_eq!(place.refs.restore_from_journal().unwrap(), state, "{n}");
        assert_eq!(place.bytes("refs"), good, "{n}");
    }
    fs::remove_file(place.path("refs")).unwrap();
    fs::create_dir(place.path("refs")).unwrap();
    assert!(matches!(place.refs.read(), Err(Error::NotAFile { .. })));
    assert_eq!(place.refs.recover_from_journal().unwrap(), state);
}

#[test]
fn a_missing_or_swapped_journal_is_damage() {
    let place = story();
    let journal = place.bytes("journal");
    let other = self::place();
    place.write("journal", &other.bytes("journal"));
    assert!(matches!(place.refs.read(), Err(Error::Disagree(_))));
    fs::remove_file(place.path("journal")).unwrap();
    assert!(matches!(place.refs.read(), Err(Error::Missing { .. })));
    assert!(place.try_move(70, &[("heads/main", Expected::Any, Some(9))]).unwrap_err().is_damage());
    assert!(!place.path("journal").exists());
    place.write("journal", b"");
    assert!(place.refs.read().unwrap_err().is_damage());
    place.write("journal", &journal);
    place.assert_sound();
}

#[test]
fn a_newer_format_is_told_from_damage() {
    for (file, from, to) in [("refs", "refs 1", "refs 2"), ("journal", "journal 1", "journal 2")] {
        let place = story();
        let text = String::from_utf8(place.bytes(file)).unwrap();
        place.write(file, text.replacen(from, to, 1).as_bytes());
        let error = place.refs.read().unwrap_err();
        assert!(error.is_too_new() && !error.is_damage(), "{error}");
        assert!(place.refs.verify().unwrap()[0].is_too_new);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let place = place();
    let head = HeadEdit { new: name("heads/next"), expected: None };
    place.refs.commit(&[edit("heads/side", Expected::Absent, Some(1))], Some(&head), "me", "", at(1)).unwrap();
    place.refs.undo("me", at(2)).unwrap();
    place.moved(3, &[("tags/s0", Expected::Absent, Some(1))]);
    for file in ["refs", "journal"] {
        let good = place.bytes(file);
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            place.write(file, &flipped);
            assert!(!place.refs.verify().unwrap().is_empty(), "{file}, bit {bit}");
        }
        place.write(file, &good);
    }
    place.assert_sound();
}

#[test]
fn a_record_that_is_missing_swapped_or_doubled_is_found() {
    let place = story();
    let text = String::from_utf8(place.bytes("journal")).unwrap();
    let starts: Vec<_> = text.match_indices("\ntransaction ").map(|(at, _)| at + 1).collect();
    let header = &text[..starts[0]];
    let records: Vec<_> =
        starts.iter().zip(starts[1..].iter().chain([&text.len()])).map(|(a, b)| &text[*a..*b]).collect();
    assert_eq!((header.len() + records.concat().len(), records.len()), (text.len(), 6));
    for n in 0..records.len() {
        let mut missing = records.clone();
        missing.remove(n);
        let mut doubled = records.clone();
        doubled.insert(n, records[n]);
        let mut swapped = records.clone();
        swapped.swap(n, (n + 1) % records.len());
        for other in [missing, doubled, swapped] {
            if other.starts_with(&records) {
                continue; // the same as a torn tail: it is not read, and cut off by the next writer
            }
            place.write("journal", (header.to_owned() + &other.concat()).as_bytes());
            assert!(!place.refs.verify().unwrap().is_empty(), "{n}");
        }
    }
}

#[test]
fn a_lost_undo_is_not_taken_for_a_crash_before_it() {
    let place = place();
    place.moved(1, &[("heads/main", Expected::Absent, Some(1))]);
    place.moved(2, &[("heads/main", is(1), Some(2))]);
    let journal = place.bytes("journal");
    place.refs.undo("me", at(3)).unwrap();
    place.write("journal", &journal);
    assert!(matches!(place.refs.read(), Err(Error::Disagree(_))));
}

#[test]
fn a_failed_replacement_of_the_refs_file_takes_the_record_back() {
    let place = story();
    let (refs, journal) = (place.bytes("refs"), place.bytes("journal"));
    // A directory where the new refs file is staged cannot be removed as a file.
    let staged = format!("refs.new-{}", std::process::id());
    fs::create_dir(place.path(&staged)).unwrap();
    let error = place.try_move(70, &[("heads/main", Expected::Any, Some(9))]).unwrap_err();
    assert!(matches!(error, Error::Disk(_)), "{error}");
    assert_eq!((place.bytes("refs"), place.bytes("journal")), (refs, journal));
    fs::remove_dir(place.path(&staged)).unwrap();
    place.moved(70, &[("heads/main", Expected::Any, Some(9))]);
    place.assert_sound();
}

#[test]
fn the_journal_answers_by_number_and_by_date() {
    let place = story();
    let main = name("heads/main");
    let side = name("heads/side");
    let history = place.refs.history(&side).unwrap();
    let values: Vec<_> = history.iter().map(|step| (step.sequence, step.old, step.new)).collect();
    let three = Some(commit_id(3));
    assert_eq!(values, [(6, None, three), (5, three, None), (3, None, three)]);
    assert_eq!((history[2].who.as_str(), history[2].why.as_str(), history[2].time), ("me", "because", at(30)));

    let before = |n| place.refs.value_before(&main, n).unwrap();
    assert_eq!([before(0), before(1), before(2), before(9)], [Some(commit_id(2)), Some(commit_id(1)), None, None]);
    let at_time = |name, second| place.refs.value_at(name, at(second)).unwrap();
    assert_eq!(
        [at_time(&main, 9), at_time(&main, 10), at_time(&main, 19)],
        [None, Some(commit_id(1)), Some(commit_id(1))]
    );
    assert_eq!([at_time(&main, 20), at_time(&main, 999)], [Some(commit_id(2)); 2]);
    assert_eq!([at_time(&side, 49), at_time(&side, 55), at_time(&side, 60)], [three, None, three]);
    assert_eq!(place.refs.history(&name("heads/none")).unwrap(), []);

    let newest_first: Vec<_> = place.refs.transactions().unwrap().map(|t| t.unwrap().sequence).collect();
    assert_eq!(newest_first, [6, 5, 4, 3, 2, 1]);
    let kept = |second| place.refs.journal_commits(at(second)).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(kept(45), [commit_id(3)]);
    assert_eq!(kept(0).len(), 3);
    assert_eq!(kept(61), []);
}

#[test]
fn undo_goes_back_step_by_step_to_the_beginning() {
    let place = story();
    // The story has taken back 5 already; then follow 4 (HEAD), 3, 2 and 1.
    let mut undone = Vec::new();
    let error = loop {
        match place.refs.undo("me", at(70)) {
            Ok(step) => undone.push((step.undone.sequence, step.sequence)),
            Err(e) => break e,
        }
        place.assert_sound();
    };
    assert!(matches!(error, Error::NothingToUndo));
    assert_eq!(undone, [(4, 7), (3, 8), (2, 9), (1, 10)]);
    let refs = place.refs.read().unwrap();
    assert_eq!((refs.head(), refs.len(), refs.sequence()), (&name("heads/main"), 0, 10));
    let newest = place.refs.transactions().unwrap().next().unwrap().unwrap();
    assert_eq!((newest.undoes, newest.why.as_str()), (Some(1), "undo 1: because"));
    // What is done after an undo is the next to be taken back.
    place.moved(80, &[("heads/main", Expected::Absent, Some(8))]);
    assert_eq!(place.refs.undo("me", at(90)).unwrap().undone.sequence, 11);
}

#[test]
fn undo_is_refused_when_its_record_says_other_than_the_present() {
    let place = place();
    place.moved(1, &[("heads/main", Expected::Absent, Some(1))]);
    place.moved(2, &[("heads/main", is(1), Some(2))]);
    place.refs.undo("me", at(3)).unwrap();
    place.moved(4, &[("heads/main", is(1), Some(4))]);
    place.refs.undo("me", at(5)).unwrap();
    place.refs.undo("me", at(6)).unwrap();
    assert_eq!(place.value("heads/main"), None);
    assert!(matches!(place.refs.undo("me", at(7)), Err(Error::NothingToUndo)));
}

#[test]
fn any_text_may_be_the_reason() {
    let place = place();
    let why = "a\ntransaction 9\nchecksum 0\r\n\u{202e}\\";
    let edits = [edit("heads/main", Expected::Any, Some(1))];
    place.refs.commit(&edits, None, "", why, at(1)).unwrap();
    place.refs.commit(&[edit("heads/main", is(1), Some(2))], None, &"w".repeat(9000), "", at(1)).unwrap();
    let history = place.refs.history(&name("heads/main")).unwrap();
    assert_eq!((history[1].why.as_str(), history[1].who.as_str(), history[0].who.len()), (why, "", 4096));
    place.assert_sound();
}

#[test]
fn ten_thousand_refs_move_in_one_transaction_and_back() {
    let place = place();
    let edits: Vec<_> = (0..10_000).rev().map(|n| edit(&format!("tags/s{n}"), Expected::Absent, Some(n))).collect();
    assert_eq!(place.refs.commit(&edits, None, "me", "many", at(1)).unwrap(), Some(1));
    let refs = place.refs.read().unwrap();
    assert_eq!(
        (refs.len(), refs.resolve("s77"), refs.get(&name("tags/s77"))),
        (10_000, Some(name("tags/s77")), Some(commit_id(77)))
    );
    place.moved(2, &[("heads/main", Expected::Absent, Some(1))]);
    place.assert_sound();
    place.refs.undo("me", at(3)).unwrap();
    place.refs.undo("me", at(4)).unwrap();
    assert!(place.refs.read().unwrap().is_empty());
    place.assert_sound();
}

#[test]
fn the_newest_record_is_found_without_reading_a_long_journal() {
    let place = place();
    let mut journal = place.bytes("journal");
    let mut chain = journal::Journal::open(&Dir::open(place.root.path()).unwrap()).unwrap().checksum;
    let mut state = RefSet::fresh(name("heads/main"));
    for n in 1..=5000 {
        let (before, old) = (hash_bytes(&state.encode()), state.get(&name("heads/main")));
        state.set(&name("heads/main"), Some(commit_id(n)));
        state.sequence = n.into();
        let moves = vec![RefMove { name: name("heads/main"), old, new: Some(commit_id(n)) }];
        let (who, why, after) = ("me".into(), "x".repeat(100), hash_bytes(&state.encode()));
        let (sequence, time) = (n.into(), at(n.into()));
        let record = Transaction { sequence, time, who, why, undoes: None, head: None, moves, before, after };
        let bytes = record.encode(chain);
        chain = file::split_checksum(&bytes).unwrap().1;
        journal.extend(bytes);
    }
    place.write("journal", &journal);
    place.write("refs", &state.encode());
    assert_eq!(place.value("heads/main"), Some(commit_id(5000)));
    assert_eq!(place.refs.value_before(&name("heads/main"), 4000).unwrap(), Some(commit_id(1000)));
    place.assert_sound();
    // Damage in the middle does not hinder daily work; a check finds it.
    journal[1_000_000] ^= 1;
    place.write("journal", &journal);
    place.moved(6000, &[("heads/main", is(5000), Some(1))]);
    assert_eq!(place.refs.verify().unwrap().len(), 1);
}
