//! Promise: no acknowledged span is lost and none is counted twice, however a pipeline ends and starts again; a disarmed
//! engine stays disarmed; the audit chain goes on. On a real broker, because it rests on transactions.

mod domain;
mod fixture;

use control::{Key, Keyring, Role, Signer};
use domain::Domain;
use engine::Input;
use fixture::{Fleet, records, write};
use kafka::{Edge, Tail, TailConfig, TailRecord};
use model::{Order, OrderKind, Window};
use runtime::{Ended, Ending, Pipeline};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

fn windows(domain: &Domain) -> Vec<Window> {
    let window = |input| match input {
        Input::Window(window) => Some(window),
        _ => None,
    };
    domain.inputs().into_iter().filter_map(window).collect()
}

#[test]
fn a_forced_end_loses_no_span_and_counts_none_twice() {
    let Some(domain) = Domain::new("restart") else { return };
    let fleet = Fleet::recent(40);
    end_and_start_again(&domain, &records(&fleet, 50), fleet.spans(50));
}

#[test]
fn a_forced_end_amid_late_spans_loses_none_and_counts_none_twice() {
    let Some(domain) = Domain::new("late") else { return };
    let fleet = Fleet::recent(30);
    let mut all = records(&fleet, 50);
    let third = all.len() / 3;
    all.chunks_mut(third).for_each(fixture::shuffle);
    end_and_start_again(&domain, &all, fleet.spans(50));
}

/// Writes a third, reads some of it, ends by force; three times; then reads the rest.
fn end_and_start_again(domain: &Domain, all: &[Vec<u8>], spans: u64) {
    let thirds: Vec<&[Vec<u8>]> = all.chunks(all.len() / 3).collect();
    for part in &thirds {
        write(&domain.real.connection, &domain.topics.traces[0], part);
        let before = windows_counted(domain);
        let handle = Pipeline::start(domain.config(Ending::Never)).expect("the broker answers");
        fixture::wait_until("windows are journalled", PATIENCE, || {
            handle.state().counters.windows.get() > 2 && handle.state().counters.commits.get() > 2
        });
        handle.force();
        assert_eq!(handle.wait().expect("an end").ended, Ended::Forced);
        assert!(windows_counted(domain) > before, "the journal has grown");
    }
    let idle = Ending::Idle(Duration::from_millis(2000));
    let summary = Pipeline::start(domain.config(idle)).expect("the broker answers").wait().expect("an orderly end");
    assert_eq!(summary.ended, Ended::Drained);

    let windows = windows(domain);
    let counted: u64 = windows.iter().map(|window| window.spans).sum();
    assert_eq!(counted, spans, "every span once");
    assert!(windows.is_sorted_by(|a, b| a.end_ns < b.end_ns), "no window twice");
}

fn windows_counted(domain: &Domain) -> u64 {
    let config = TailConfig::new(domain.real.connection.clone(), &domain.topics.journal, Edge::Earliest);
    // Before the first start there is no journal.
    if Tail::connect(&config).is_err() {
        return 0;
    }
    windows(domain).iter().map(|window| window.spans).sum()
}

#[test]
fn a_disarmed_engine_stays_disarmed_after_a_restart_and_the_trail_goes_on() {
    let Some(domain) = Domain::new("disarmed") else { return };
    let order =
        |id: &str, kind| Order { id: id.into(), by: "kim".into(), note: String::new(), at_ms: fixture::now_ms(), kind };
    for (round, kind) in [OrderKind::Disarm, OrderKind::Arm].into_iter().enumerate() {
        let handle = Pipeline::start(domain.config(Ending::Never)).expect("the broker answers");
        fixture::wait_until("a generation runs", PATIENCE, || handle.state().counters.commits.get() > 0);
        let disarmed = handle.state().autonomy.get().disarmed_by.is_some();
        assert_eq!(disarmed, round == 1, "armed at first, disarmed after the restart");
        handle.order(order(&format!("o{round}"), kind)).expect("an engine runs");
        handle.drain(Duration::from_secs(20));
        assert_eq!(handle.wait().expect("an end").ended, Ended::Drained);
    }
    let mut ring = Keyring::new();
    ring.add(Key::new(Signer::from_seed([7; 32]).public(), Role::Engine)).expect("a good key");
    let links: Vec<control::Record> =
        domain.read(&domain.topics.audit).into_iter().map(TailRecord::into_record).collect();
    assert!(links.len() >= 3, "{}", links.len());
    control::verify_chain(&links, &ring).expect("one chain over both starts");
}
