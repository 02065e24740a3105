//! Refs against a map, and under damage.

use std::collections::BTreeMap;
use std::fs;

use chasm::disk::Dir;
use chasm::id::CommitId;
use chasm::refs::{Expected, RefEdit, RefName, Refs};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::values::damage;

const NAMES: [&str; 6] = ["heads/main", "heads/next", "heads/a/b", "tags/s0", "tags/s1", "remotes/o/main"];

type Step = (Vec<(usize, Option<[u8; 32]>)>, String);

fn apply(dir: &Dir, steps: &[Step]) -> BTreeMap<RefName, CommitId> {
    let name = |i: usize| NAMES[i].parse::<RefName>().unwrap();
    let refs = Refs::create(dir, &name(0)).unwrap();
    let mut model = BTreeMap::new();
    for (second, (moves, why)) in steps.iter().enumerate() {
        let moves: BTreeMap<_, _> = moves.iter().map(|(i, id)| (name(*i), id.map(CommitId::from_bytes))).collect();
        let edits: Vec<_> = moves
            .iter()
            .map(|(name, new)| RefEdit {
                name: name.clone(),
                new: *new,
                expected: model.get(name).map_or(Expected::Absent, |id| Expected::Is(*id)),
            })
            .collect();
        let time = jiff::Timestamp::from_second(second as i64).unwrap();
        refs.commit(&edits, None, "test", why, time).unwrap();
        for (name, new) in moves {
            match new {
                Some(id) => model.insert(name, id),
                None => model.remove(&name),
            };
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn refs_are_a_map_and_damage_is_seen(
        steps in vec((vec((0..NAMES.len(), any::<Option<[u8; 32]>>()), 0..4), any::<String>()), 0..5),
        damage in damage(),
        in_journal in any::<bool>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        let dir = Dir::open(place.path()).unwrap();
        let model = apply(&dir, &steps);
        let refs = Refs::open(&dir).unwrap();
        let same = |set: chasm::refs::RefSet| set.iter().map(|(name, id)| (name.clone(), id)).eq(model.clone());
        prop_assert!(same(refs.read().unwrap()));
        prop_assert_eq!(refs.verify().unwrap(), []);
        prop_assert!(same(refs.recover_from_journal().unwrap()));

        let path = place.path().join(if in_journal { "journal" } else { "refs" });
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, damage.of(&bytes)).unwrap();
        // Wherever it is, it does not become another state.
        if let Ok(set) = refs.read() {
            prop_assert!(same(set));
        }
        if !in_journal {
            prop_assert!(refs.read().is_err());
        }
        // What looks like the torn end of an append, which a crash may leave, is none.
        let torn = in_journal && refs.read().is_ok();
        prop_assert!(torn || refs.verify().map_or(true, |problems| !problems.is_empty()));
    }
}
