//! Promise: recovery time is bounded. The engine's state lies on the snapshots topic; a new owner reads the newest usable
//! snapshot and the journal after it, effects muted, and is where the old one was, bit for bit; a standby has done so before
//! it is elected. On a real broker, because it rests on transactions.

mod domain;
mod fixture;

use domain::Domain;
use engine::{Effect, Engine, Input};
use fixture::{Fleet, records, write};
use kafka::{Outgoing, Writer, WriterConfig};
use runtime::{Ended, Ending, Handle, Phase, Pipeline, PipelineConfig};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);
/// Windows between snapshots.
const EVERY: u32 = 5;

fn start(domain: &Domain, ending: Ending) -> Handle {
    let config = PipelineConfig { snapshot_every_windows: EVERY, digest_every_windows: 7, ..domain.config(ending) };
    Pipeline::start(config).expect("the broker answers")
}

/// The engine that the journal's first entry configures.
fn beginning(inputs: &[Input]) -> Engine {
    match &inputs[0] {
        Input::Config(config) => Engine::new((**config).clone()),
        other => panic!("the journal begins with {other:?}"),
    }
}

#[test]
fn a_new_owner_is_where_the_old_one_was_and_replays_no_more_than_the_bound() {
    let Some(domain) = Domain::new("recovery") else { return };
    let fleet = Fleet::recent(40);
    write(&domain.real.connection, &domain.topics.traces[0], &records(&fleet, 40));
    let first = start(&domain, Ending::Idle(Duration::from_millis(2000)));
    let state = first.state();
    let summary = first.wait().expect("an orderly end");
    assert_eq!((summary.ended, summary.spans_counted), (Ended::Drained, fleet.spans(40)));
    assert!(state.counters.snapshots.get() >= 2, "{}", state.counters.snapshots.get());
    let learned = state.graph.get();

    let inputs = domain.inputs();
    let mut engine = beginning(&inputs);
    let mut digests = vec![engine.digest()];
    digests.extend(inputs.iter().map(|input| {
        drop(engine.apply(input));
        engine.digest()
    }));
    let (snapshot, flaws) = runtime::newest_snapshot(domain.read(&domain.topics.snapshots), &domain.name).expect("one");
    assert!(flaws.is_empty(), "{flaws:?}");

    let second = start(&domain, Ending::Never);
    let state = second.state();
    fixture::wait_until("the second generation runs", PATIENCE, || state.counters.commits.get() > 0);
    let recovered = state.recovered.get().expect("it has come to its state");
    // One window, its ticks and what else came in that second, for each of the windows, and those under way meanwhile.
    let bound = u64::from(EVERY + 2) * 8;
    assert!(recovered.replayed <= bound && !recovered.warm, "{recovered:?}, more than {bound}");
    let before = digests.len() - 1 - recovered.replayed as usize;
    assert_eq!(digests[before], snapshot.digest(), "the snapshot is a state that the journal gives, bit for bit");
    assert!(recovered.took < Duration::from_secs(5), "{recovered:?}");
    let edge = |edge: &model::EdgeView| (edge.caller.clone(), edge.callee.clone());
    let edges = |graph: &model::GraphView| graph.edges.iter().map(edge).collect::<Vec<_>>();
    fixture::wait_until("the graph is shown", PATIENCE, || !state.graph.get().edges.is_empty());
    assert_eq!(edges(&state.graph.get()), edges(&learned), "what was learned is still known");
    assert!(state.metrics().contains("stopbank_recovery_entries"));
    second.force();
    second.wait().expect("an end");
}

#[test]
fn a_damaged_snapshot_costs_replay_and_nothing_else() {
    let Some(domain) = Domain::new("damaged") else { return };
    let fleet = Fleet::recent(30);
    write(&domain.real.connection, &domain.topics.traces[0], &records(&fleet, 20));
    let first = start(&domain, Ending::Idle(Duration::from_millis(2000)));
    assert_eq!(first.wait().expect("an orderly end").spans_counted, fleet.spans(20));
    // Somebody overwrites every manifest but the oldest, and then that one's chunks too.
    let manifest = format!("{}/manifest/", domain.name).into_bytes();
    let snapshots = domain.read(&domain.topics.snapshots);
    let mut keys: Vec<Vec<u8>> = snapshots.into_iter().filter_map(|record| record.key).collect();
    keys.retain(|key| key.starts_with(&manifest));
    let writer = WriterConfig { connection: domain.real.connection.clone(), ..WriterConfig::default() };
    let writer = Writer::connect(&writer).expect("answers");
    let before = domain.inputs();
    for (round, damaged) in [&keys[keys.len() - 1..], &keys[..]].into_iter().enumerate() {
        for key in damaged {
            writer.send(&Outgoing::new(&domain.topics.snapshots, key.clone(), "torn")).expect("room");
        }
        writer.flush(PATIENCE).expect("acknowledged");
        let again = start(&domain, Ending::Never);
        let state = again.state();
        fixture::wait_until("a generation runs", PATIENCE, || state.counters.commits.get() > 0);
        let recovered = state.recovered.get().expect("it has come to its state");
        let whole = recovered.replayed >= before.len() as u64;
        assert_eq!(whole, round == 1, "the older one, or without any the whole journal: {recovered:?}");
        again.force();
        again.wait().expect("an end");
        assert_eq!(windows(&domain.inputs()), windows(&before), "nothing is counted again");
    }
}

fn windows(inputs: &[Input]) -> usize {
    inputs.iter().filter(|input| matches!(input, Input::Window(_))).count()
}

#[test]
fn a_standby_is_warm_and_takes_over_in_time_and_the_journal_gives_the_same_commands() {
    let Some(domain) = Domain::new("standby") else { return };
    let first = start(&domain, Ending::Never);
    fixture::wait_until("the first one owns it", PATIENCE, || first.state().counters.commits.get() > 0);
    let second = start(&domain, Ending::Never);
    fixture::wait_until("the second one follows", PATIENCE, || second.state().following.get().is_some());
    assert_eq!(*second.state().progress.phase.get(), Phase::Standby);
    let fleet = Fleet::recent(20);
    write(&domain.real.connection, &domain.topics.traces[0], &records(&fleet, 30));
    let end_ms = || first.state().graph.get().at_ms;
    fixture::wait_until("windows are counted", PATIENCE, || end_ms() > 0 && first.state().counters.windows.get() > 10);
    fixture::wait_until("the standby has followed", PATIENCE, || {
        second.state().following.get().is_some_and(|followed| followed >= end_ms())
    });
    first.drain(Duration::from_secs(10));
    assert_eq!(first.wait().expect("an orderly end").ended, Ended::Drained);
    let left = Instant::now();
    fixture::wait_until("the second one owns it", PATIENCE, || second.state().counters.commits.get() > 0);
    assert!(left.elapsed() < Duration::from_secs(5), "{:?}", left.elapsed());
    let recovered = second.state().recovered.get().expect("it has come to its state");
    assert!(recovered.warm, "{recovered:?}");
    second.force();
    second.wait().expect("an end");

    // One engine that takes the journal of both owners commands what both have commanded, in the same order.
    let inputs = domain.inputs();
    let mut engine = beginning(&inputs);
    let effects = inputs.iter().flat_map(|input| engine.apply(input));
    let audits = effects.filter(|effect| matches!(effect, Effect::Audit(_))).count();
    assert_eq!(audits, domain.read(&domain.topics.audit).len(), "the trail is what the journal gives");
}
