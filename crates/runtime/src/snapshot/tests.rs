use super::*;
use engine::{Engine, EngineConfig, Input};
use kafka::{Outgoing, TailRecord};

fn state(ticks: u64) -> Vec<u8> {
    let mut engine = Engine::new(EngineConfig { domain: "shop".into(), ..EngineConfig::default() });
    drop(engine.apply(&Input::Tick { now_ms: ticks }));
    engine.snapshot()
}

/// A topic as a broker keeps it, and what is written to it.
#[derive(Default)]
struct Topic(Vec<TailRecord>);

impl Topic {
    fn write(&mut self, records: &[Outgoing]) {
        for record in records {
            let (key, value) = (record.key.clone(), record.value.clone());
            self.0.push(TailRecord { key, value, ..TailRecord::default() });
        }
    }

    fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::new("shop");
        self.0.iter().cloned().for_each(|record| shelf.put(record));
        shelf
    }

    fn snapshot(&mut self, epoch: u64, state: Vec<u8>, journal_index: u64) -> Packed {
        let packer = Packer::new("shop", "snapshots", epoch, &self.shelf());
        let packed = packer.pack(&Taken { state, journal_index, ..Taken::default() });
        self.write(&packed.chunks);
        self.write(&packed.closing);
        packed
    }

    fn newest_index(&self) -> (Option<u64>, Vec<String>) {
        let (newest, flaws) = self.shelf().newest();
        (newest.map(|(manifest, _)| manifest.journal_index), flaws.iter().map(ToString::to_string).collect())
    }
}

use pack::Packed;

#[test]
fn the_newest_whole_snapshot_is_found_and_is_the_state_that_was_taken() {
    let mut topic = Topic::default();
    assert_eq!(topic.newest_index(), (None, vec![]));
    for index in 1..=5 {
        topic.snapshot(9, state(index), index);
    }
    let (newest, flaws) = topic.shelf().newest();
    let (manifest, engine) = newest.expect("there is one");
    assert_eq!((manifest.journal_index, manifest.number, flaws.len()), (5, 4, 0));
    assert_eq!(engine.snapshot(), state(5));
    let foreign = Shelf::new("other");
    assert!(foreign.newest().0.is_none(), "another domain's");
}

#[test]
fn a_torn_damaged_or_foreign_snapshot_is_told_and_the_older_one_is_used() {
    let mut topic = Topic::default();
    topic.snapshot(9, state(1), 1);
    let packed = topic.snapshot(9, state(2), 2);
    let chunk = packed.chunks[0].key.clone().expect("a chunk has a name");
    let damage = |value: Option<Vec<u8>>| {
        Topic([topic.0.clone(), vec![TailRecord { key: Some(chunk.clone()), value, ..TailRecord::default() }]].concat())
    };
    let (index, flaws) = damage(None).newest_index();
    assert!(index == Some(1) && flaws[0].contains("torn"), "{flaws:?}");
    let (index, flaws) = damage(Some(b"something else".to_vec())).newest_index();
    assert!(index == Some(1) && flaws[0].contains("damaged"), "{flaws:?}");

    let mut foreign = state(3);
    foreign[0] ^= 0xff;
    topic.snapshot(9, foreign, 3);
    let (index, flaws) = topic.newest_index();
    assert!(index == Some(2) && flaws[0].contains("format version"), "{flaws:?}");

    let mut manifest = packed.closing[0].clone();
    manifest.value = Some(b"{\"format\":7}".to_vec());
    topic.write(&[manifest]);
    let (index, flaws) = topic.newest_index();
    assert!(index == Some(1) && flaws[0].contains("manifest"), "{flaws:?}");
}

#[test]
fn an_unchanged_state_costs_a_manifest_and_what_nobody_names_is_removed() {
    let mut topic = Topic::default();
    topic.snapshot(9, state(1), 1);
    let again = topic.snapshot(9, state(1), 2);
    assert_eq!((again.chunks.len(), again.reused, again.closing.len()), (0, 1, 1));
    for index in 3..=9 {
        topic.snapshot(9, state(index), index);
    }
    assert_eq!(topic.shelf().chunks.len(), KEPT, "one each for the snapshots that are kept");
    assert_eq!(topic.newest_index(), (Some(9), vec![]));
}

#[test]
fn a_later_owner_s_snapshot_is_newer_whatever_its_number() {
    let mut topic = Topic::default();
    topic.snapshot(9, state(1), 1);
    topic.snapshot(12, state(2), 2);
    assert_eq!(topic.newest_index().0, Some(2));
}
