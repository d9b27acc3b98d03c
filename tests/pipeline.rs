//! Promise: spans on a topic become windows, a graph and a journal; poison stops nothing; duplicates and disorder across
//! partitions change nothing; a drain ends in order and in time; an order overtakes data; the console shows it all. On the
//! embedded broker, so nothing here is about transactions (see `pipeline_restart.rs` for those).

mod fixture;

use control::{Key, Keyring, Role, Signer};
use engine::Input;
use fixture::{Fleet, records, write};
use kafka::{Edge, Embedded, Tail, TailConfig, Topics};
use model::{Mode, Order, OrderKind, Window};
use runtime::{Broker, Ended, Ending, Pipeline, PipelineConfig};
use std::time::{Duration, Instant};
use window::Grace;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 4;

fn broker() -> (Embedded, Topics) {
    let (embedded, topics) = (Embedded::start().expect("loopback is there"), Topics::default());
    embedded.create_topics(&topics, PARTITIONS).expect("allowed names");
    (embedded, topics)
}

fn config(embedded: &Embedded) -> PipelineConfig {
    let signer = Signer::from_seed([7; 32]);
    PipelineConfig {
        beginning: runtime::Beginning::Earliest,
        shards: 2,
        // Wider than any test's stretch of time: disorder then makes nothing late.
        grace: Grace::Fixed { grace_ms: 60_000 },
        ending: Ending::Idle(Duration::from_millis(1500)),
        ..PipelineConfig::new(embedded.connection(), Broker::Embedded, signer)
    }
}

fn read(embedded: &Embedded, topic: &str) -> Vec<kafka::TailRecord> {
    let config = TailConfig::new(embedded.connection(), topic, Edge::Earliest);
    let mut tail = Tail::connect(&config).expect("the topic is there");
    tail.read_to_end(PATIENCE).expect("an end")
}

/// The windows of the journal that hold anything.
fn windows(embedded: &Embedded, topics: &Topics) -> Vec<Window> {
    let inputs = runtime::journal_inputs(read(embedded, &topics.journal), "default").expect("our own journal");
    let window = |input| match input {
        Input::Window(window) if window.spans > 0 => Some(window),
        _ => None,
    };
    inputs.into_iter().filter_map(window).collect()
}

fn order(kind: OrderKind) -> Order {
    Order { id: format!("{kind:?}"), by: "kim".into(), note: String::new(), at_ms: fixture::now_ms(), kind }
}

#[test]
fn spans_become_windows_a_graph_and_a_journal() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(10);
    write(&embedded.connection(), &topics.traces[0], &records(&fleet, 40));
    let handle = Pipeline::start(config(&embedded)).expect("the broker answers");
    let remote = handle.remote();
    let summary = handle.wait().expect("an orderly end");

    assert_eq!((summary.ended, summary.poison, summary.late), (Ended::Drained, 0, 0), "{summary:?}");
    assert_eq!((summary.spans, summary.spans_counted), (fleet.spans(40), fleet.spans(40)));
    let graph = remote.state().graph.get();
    let edges: Vec<(&str, &str)> =
        graph.edges.iter().map(|edge| (edge.caller.as_str(), edge.callee.as_str())).collect();
    assert!(edges.contains(&("frontend", "checkout")) && edges.contains(&("checkout", "payment")), "{edges:?}");
    let windows = windows(&embedded, &topics);
    assert_eq!(windows.iter().map(|window| window.spans).sum::<u64>(), fleet.spans(40));
    assert!(windows.is_sorted_by(|a, b| a.end_ns < b.end_ns), "each end once, ascending");
    let metrics = remote.state().metrics();
    let family = "traces_service_graph_request_total{client=\"frontend\",server=\"checkout\",connection_type=\"\"}";
    assert!(metrics.contains(&format!("{family} 400\n")), "{metrics}");
}

#[test]
fn duplicates_and_disorder_across_partitions_change_nothing() {
    let fleet = Fleet::recent(8);
    let plain = records(&fleet, 30);
    let (embedded, topics) = broker();
    write(&embedded.connection(), &topics.traces[0], &plain);
    Pipeline::start(config(&embedded)).expect("the broker answers").wait().expect("an orderly end");
    let expected = windows(&embedded, &topics);
    assert!(expected.len() >= 8);

    let (embedded, topics) = broker();
    write(&embedded.connection(), &topics.traces[0], &fixture::shuffled_twice(&plain));
    let sharded = PipelineConfig { shards: 3, ..config(&embedded) };
    let summary = Pipeline::start(sharded).expect("the broker answers").wait().expect("an orderly end");
    assert_eq!(summary.duplicates, fleet.spans(30), "each span came twice");
    assert_eq!(windows(&embedded, &topics), expected);
}

#[test]
fn a_window_is_settled_while_it_is_open() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(1);
    let write = |records: &[Vec<u8>]| write(&embedded.connection(), &topics.traces[0], records);
    write(&records(&fleet, 200));
    let grace = Grace::Fixed { grace_ms: 300 };
    let handle = Pipeline::start(PipelineConfig { ending: Ending::Never, grace, ..config(&embedded) });
    let handle = handle.expect("the broker answers");
    let (state, told) = (handle.state(), std::cell::Cell::new(fleet.from_ms * 1_000_000 + 900_000_000));
    // Traffic goes on within the window: how far event time has come is told with what comes.
    fixture::wait_until("slices pass", PATIENCE, || {
        write(&[fixture::lone("web", told.replace(told.get() + 1000))]);
        state.counters.settled_early.get() > 0
    });
    assert_eq!(state.counters.windows.get(), 0, "its end and the grace lie behind all spans");
    handle.force();
    handle.wait().expect("an end");
}

#[test]
fn poison_goes_to_the_dead_letter_topic_and_nothing_stops() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(4);
    let mut all = records(&fleet, 20);
    all.insert(10, b"\xff\xff\xff not otlp".to_vec());
    all.insert(30, b"{\"resourceSpans\":[{]".to_vec());
    write(&embedded.connection(), &topics.traces[0], &all);
    let summary = Pipeline::start(config(&embedded)).expect("the broker answers").wait().expect("an orderly end");
    assert_eq!((summary.poison, summary.spans, summary.generations), (2, fleet.spans(20), 1));

    let letters = read(&embedded, &topics.dead_letter);
    let letters: Vec<control::DeadLetter> = letters
        .into_iter()
        .map(|record| control::decode_dead_letter(&record.into_record()).expect("a dead letter"))
        .collect();
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.topic == topics.traces[0] && !letter.reason.is_empty()));
}

#[test]
fn a_drain_on_request_ends_in_order_and_in_time() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(6);
    write(&embedded.connection(), &topics.traces[0], &records(&fleet, 20));
    let endless = PipelineConfig { ending: Ending::Never, ..config(&embedded) };
    let handle = Pipeline::start(endless).expect("the broker answers");
    fixture::wait_until("the spans are read", PATIENCE, || handle.state().counters.spans.get() == fleet.spans(20));
    let asked = Instant::now();
    handle.drain(Duration::from_secs(20));
    let summary = handle.wait().expect("an orderly end");
    assert_eq!(summary.ended, Ended::Drained);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

#[test]
fn a_second_request_forces_the_end() {
    let (embedded, _) = broker();
    let endless = PipelineConfig { ending: Ending::Never, ..config(&embedded) };
    let handle = Pipeline::start(endless).expect("the broker answers");
    fixture::wait_until("a generation runs", PATIENCE, || handle.state().counters.generations.get() == 1);
    handle.force();
    assert_eq!(handle.wait().expect("an end").ended, Ended::Forced);
}

#[test]
fn a_disarm_order_overtakes_data_and_is_acknowledged() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(60);
    write(&embedded.connection(), &topics.traces[0], &records(&fleet, 60));
    let acting = engine::EngineConfig { mode: Mode::Act, ..engine::EngineConfig::default() };
    let endless = PipelineConfig { ending: Ending::Never, engine: acting, ..config(&embedded) };
    let handle = Pipeline::start(endless).expect("the broker answers");
    fixture::wait_until("spans come in", PATIENCE, || handle.state().counters.spans.get() > 1000);
    handle.order(order(OrderKind::Disarm)).expect("an engine runs");
    assert_eq!(handle.state().autonomy.get().disarmed_by.as_deref(), Some("kim"));
    let took = runtime::Summary::of(&handle.state(), Ended::Running, 0.0).order_latency;
    assert_eq!(took.count, 1);
    handle.order(order(OrderKind::Arm)).expect("an engine runs");
    assert_eq!(handle.state().autonomy.get().disarmed_by, None);
    handle.force();
    handle.wait().expect("an end");
    let mut ring = Keyring::new();
    ring.add(Key::new(Signer::from_seed([7; 32]).public(), Role::Engine)).expect("a good key");
    let links: Vec<control::Record> =
        read(&embedded, &topics.audit).into_iter().map(kafka::TailRecord::into_record).collect();
    assert!(links.len() >= 2, "both orders are in the trail");
    control::verify_chain(&links, &ring).expect("an unbroken chain");
}

#[test]
fn a_signed_order_on_the_topic_is_obeyed_and_an_unsigned_one_is_not() {
    let (embedded, topics) = broker();
    let operator = Signer::from_seed([9; 32]);
    let mut keyring = Keyring::new();
    keyring.add(Key::new(operator.public(), Role::Operator)).expect("a good key");
    let handle = Pipeline::start(PipelineConfig { ending: Ending::Never, keyring, ..config(&embedded) })
        .expect("the broker answers");
    let forged = Signer::from_seed([1; 32]).order("default", &order(OrderKind::SetMode { mode: Mode::Act }));
    let signed = operator.order("default", &order(OrderKind::Disarm));
    fixture::produce(&embedded.connection(), &topics.orders, vec![forged, signed]);
    let state = handle.state();
    fixture::wait_until("it is disarmed", PATIENCE, || state.autonomy.get().disarmed_by.is_some());
    assert_eq!((state.autonomy.get().mode, state.counters.orders_refused.get()), (Mode::Observe, 1));
    handle.force();
    handle.wait().expect("an end");
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_no_span() {
    let (embedded, topics) = broker();
    let (before, after) = (Fleet::recent(6), Fleet { salt: 2, ..Fleet::recent(6) });
    let handle = Pipeline::start(PipelineConfig { ending: Ending::Never, ..config(&embedded) }).expect("it answers");
    write(&embedded.connection(), &topics.traces[0], &records(&before, 20));
    let state = handle.state();
    fixture::wait_until("the first spans are read", PATIENCE, || state.counters.spans.get() == before.spans(20));
    embedded.down().expect("the cluster does it");
    fixture::wait_until("it is not ready any more", PATIENCE, || !state.progress.ready().well);
    assert!(state.progress.live().well, "no restart would help");
    embedded.up().expect("the cluster does it");
    write(&embedded.connection(), &topics.traces[0], &records(&after, 20));
    fixture::wait_until("it is ready again", PATIENCE, || state.progress.ready().well);
    let all = before.spans(20) + after.spans(20);
    // A drain counts what was read and asks for no more.
    fixture::wait_until("the rest is read", PATIENCE, || state.counters.spans.get() >= all);
    handle.remote().drain_everything(Duration::from_secs(30));
    let summary = handle.wait().expect("an orderly end");
    let traces: u64 = windows(&embedded, &topics).iter().map(|window| window.spans).sum();
    assert_eq!((summary.ended, traces), (Ended::Drained, all), "{summary:?}");
}

#[test]
fn a_record_that_crashes_decoder_shard_or_engine_is_put_aside_with_its_reason_and_nothing_stops() {
    let (embedded, topics) = broker();
    let fleet = Fleet::recent(12);
    let mut all = records(&fleet, 20);
    let at_ns = |second: u64| (fleet.from_ms + second * 1000 + 500) * 1_000_000;
    let wires = [
        (runtime::tripwire::CRASHES_DECODER, 2),
        (runtime::tripwire::CRASHES_SHARD, 4),
        (runtime::tripwire::CRASHES_ENGINE, 6),
    ];
    // From the last to the first, so that the places before them stay.
    for (service, second) in wires.iter().rev() {
        all.insert(*second as usize * 60, fixture::lone(service, at_ns(*second)));
    }
    write(&embedded.connection(), &topics.traces[0], &all);
    // Longer than a partition has to wait for its turn while records are read one by one.
    let endless = PipelineConfig { ending: Ending::Never, idle_after_ms: 3_000, ..config(&embedded) };
    let handle = Pipeline::start(endless).expect("the broker answers");
    let state = handle.state();
    // Records go one by one for half a minute after a shard's death.
    fixture::wait_until("both are put aside", 3 * PATIENCE, || state.counters.put_aside.get() >= 2);
    fixture::wait_until("windows are counted", PATIENCE, || state.counters.commits.get() > 3);
    handle.drain(Duration::from_secs(20));
    handle.wait().expect("it did not give up");

    let letters = read(&embedded, &topics.dead_letter).into_iter();
    let letters = letters.map(|record| control::decode_dead_letter(&record.into_record()).expect("a dead letter"));
    let reasons: std::collections::BTreeSet<String> = letters.map(|letter| letter.reason).collect();
    for reason in ["the decoder panicked", "crashed a shard twice", "window crashed the engine twice"] {
        assert!(reasons.iter().any(|told| told.contains(reason)), "{reason}: {reasons:?}");
    }
    assert_eq!(state.counters.generations.get(), 5, "two deaths of a shard, two of the engine");
    let windows = windows(&embedded, &topics);
    let counted: u64 = windows.iter().map(|window| window.spans).sum();
    // The engine's window is put aside whole: a second of the fleet, and what else was in it.
    let expected = fleet.spans(20);
    assert!(counted < expected && expected - counted <= 2 * fleet.spans(20) / 12, "{counted} of {expected}");
}
