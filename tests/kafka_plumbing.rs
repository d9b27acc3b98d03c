//! Promise: the plumbing to Kafka works without a real broker: reading, pausing, new partitions, lost positions, broken
//! connections, elections, and errors that say how to mend them. On the embedded broker, so nothing here is about
//! transactions, retention or compaction (see `kafka_truth.rs` for those).

use kafka::{
    Checked, Claim, ClaimEvent, Claims, ClaimsConfig, Connection, Delivery, Edge, Embedded, Error, Outgoing, Position,
    Positions, Properties, Sink, SinkConfig, SinkError, Source, SourceConfig, SourceEvent, Start, Step, Tail,
    TailConfig, TopicPartition, Topics, Writer, WriterConfig, check,
};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn embedded(topics: &[(&str, i32)]) -> Embedded {
    let embedded = Embedded::start().expect("loopback is there");
    topics.iter().for_each(|(topic, partitions)| embedded.create_topic(topic, *partitions).expect("an allowed name"));
    embedded
}

fn write(connection: &Connection, topic: &str, range: std::ops::Range<u32>) {
    let config = WriterConfig { connection: connection.clone(), ..WriterConfig::default() };
    let writer = Writer::connect(&config).expect("the broker answers");
    for number in range.clone() {
        let key = number.to_be_bytes();
        writer.send_bytes(topic, Some(&key), format!("r{number}").as_bytes()).expect("room in the buffer");
    }
    let written = writer.flush(PATIENCE).expect("everything is acknowledged");
    assert_eq!((written.acknowledged, written.failed), (u64::from(range.end - range.start), 0));
}

fn source_config(connection: &Connection, topics: &[&str]) -> SourceConfig {
    SourceConfig {
        connection: connection.clone(),
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        group: "plumbing".to_owned(),
        start: Start::Earliest,
        refresh_ms: 300,
        statistics_ms: 100,
        ..SourceConfig::default()
    }
}

/// Polls until `enough` says so; gives payloads (as text) and events in order.
fn poll_until(
    source: &mut Source,
    mut enough: impl FnMut(&Source, &[String], &[SourceEvent]) -> bool,
) -> (Vec<String>, Vec<SourceEvent>) {
    let deadline = Instant::now() + PATIENCE;
    let (mut texts, mut events) = (Vec::new(), Vec::new());
    loop {
        let mut keep = |record: kafka::RecordRef<'_>| texts.push(String::from_utf8_lossy(record.payload).into_owned());
        let polled = source.poll(Duration::from_millis(50), 1_000, &mut keep).expect("the source goes on");
        events.extend(polled.events);
        if enough(source, &texts, &events) {
            return (texts, events);
        }
        assert!(Instant::now() < deadline, "not in time: {} records, {events:?}", texts.len());
    }
}

#[test]
fn every_record_of_every_topic_and_partition_comes_once_and_the_end_is_seen() {
    let broker = embedded(&[("one", 3), ("two", 2)]);
    let connection = broker.connection();
    write(&connection, "one", 0..500);
    write(&connection, "two", 500..800);
    let mut source = Source::connect(&source_config(&connection, &["one", "two"])).expect("the broker answers");
    let (mut texts, events) = poll_until(&mut source, |source, _, _| source.at_end());
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 800);
    assert_eq!(events.iter().filter(|event| matches!(event, SourceEvent::Assigned { offset: 0, .. })).count(), 5);
    assert_eq!((source.lag(), source.partitions().len(), source.topic(1)), (0, 5, "two"));
    let second = source.partitions().into_iter().find(|state| state.partition == TopicPartition::new("two", 1));
    assert!(second.is_some_and(|state| state.topic_index == 1 && state.at_end && state.end_offset.is_some()));
}

#[test]
fn a_poll_that_breaks_off_goes_on_at_the_next_record() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..100);
    let mut source = Source::connect(&source_config(&connection, &["in"])).expect("the broker answers");
    let (mut offsets, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while offsets.len() < 100 && Instant::now() < deadline {
        let before = offsets.len();
        let mut each = |record: kafka::RecordRef<'_>| {
            offsets.push(record.offset);
            if record.offset % 10 == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let polled = source.poll_while(Duration::from_millis(50), 1_000, &mut each).expect("the source goes on");
        assert_eq!(polled.records, offsets.len() - before);
        assert!(offsets[before..].iter().rev().skip(1).all(|offset| offset % 10 != 3), "{:?}", &offsets[before..]);
    }
    assert_eq!(offsets, (0..100).collect::<Vec<i64>>());
}

#[test]
fn a_pause_holds_everything_back_and_nothing_is_lost_or_doubled_after_it() {
    let broker = embedded(&[("in", 2)]);
    let connection = broker.connection();
    write(&connection, "in", 0..1_000);
    let mut source = Source::connect(&source_config(&connection, &["in"])).expect("the broker answers");
    let mut texts = Vec::new();
    let mut take = |source: &mut Source, max: usize| {
        let mut keep = |record: kafka::RecordRef<'_>| texts.push(String::from_utf8_lossy(record.payload).into_owned());
        source.poll(Duration::from_millis(50), max, &mut keep).expect("the source goes on").records
    };
    while take(&mut source, 100) == 0 {}
    source.pause();
    assert!(source.is_paused());
    let during: usize = (0..10).map(|_| take(&mut source, 100)).sum();
    assert_eq!(during, 0, "records came while the source was paused");
    source.resume();
    let deadline = Instant::now() + PATIENCE;
    while !source.at_end() && Instant::now() < deadline {
        take(&mut source, 100);
    }
    let all = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!((all, texts.len()), (1_000, 1_000));
}

#[test]
fn a_source_that_starts_at_the_end_sees_only_what_comes_after_it_connected() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..10);
    let config = SourceConfig { start: Start::Latest, ..source_config(&connection, &["in"]) };
    let mut source = Source::connect(&config).expect("the broker answers");
    write(&connection, "in", 10..12);
    let (texts, events) = poll_until(&mut source, |_, texts, _| texts.len() >= 2);
    assert_eq!(texts, ["r10", "r11"]);
    assert!(matches!(events[0], SourceEvent::Assigned { offset: 10, .. }), "{events:?}");
}

#[test]
fn a_position_beyond_the_log_is_told_as_a_gap_and_reading_goes_on_at_the_oldest_record() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..5);
    let positions = Positions::from([(TopicPartition::new("in", 0), Position::at(900))]);
    let start = Start::At { positions, otherwise: Edge::Latest };
    let mut source = Source::connect(&SourceConfig { start, ..source_config(&connection, &["in"]) }).expect("answers");
    let (texts, events) = poll_until(&mut source, |_, texts, _| texts.len() >= 5);
    assert_eq!(texts.len(), 5);
    assert!(events.iter().any(|event| matches!(event, SourceEvent::Gap { from: 900, to: 0, .. })), "{events:?}");
}

#[test]
fn records_that_retention_takes_while_nobody_reads_are_told_as_a_gap() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..5);
    let mut source = Source::connect(&source_config(&connection, &["in"])).expect("answers");
    poll_until(&mut source, |_, texts, _| texts.len() >= 5);
    source.pause();
    // The embedded broker keeps 5 MiB: this is more, so the oldest records go.
    let producer = Properties::from([("compression.type".to_owned(), "none".to_owned())]);
    let connection = Connection { producer, ..connection };
    let writer = Writer::connect(&WriterConfig { connection, ..WriterConfig::default() }).expect("answers");
    (0..120).for_each(|_| writer.send_bytes("in", None, &[7; 100_000]).expect("room"));
    writer.flush(PATIENCE).expect("acknowledged");
    source.resume();
    let (_, events) = poll_until(&mut source, |source, _, events| source.at_end() && !events.is_empty());
    assert!(events.iter().any(|event| matches!(event, SourceEvent::Gap { from: 5, to, .. } if *to > 5)), "{events:?}");
}

#[test]
fn a_topic_that_is_missing_is_told_and_read_from_its_beginning_once_it_is_there() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    let config = SourceConfig { start: Start::Latest, ..source_config(&connection, &["in", "later"]) };
    let mut source = Source::connect(&config).expect("a missing topic is no error");
    let (_, events) = poll_until(&mut source, |_, _, events| events.len() >= 2);
    assert!(events.contains(&SourceEvent::TopicMissing { topic: "later".to_owned() }), "{events:?}");
    assert!(!source.at_end());
    broker.create_topic("later", 2).expect("an allowed name");
    write(&connection, "later", 0..20);
    let (texts, _) = poll_until(&mut source, |source, texts, _| texts.len() >= 20 && source.at_end());
    assert_eq!(texts.len(), 20);
}

#[test]
fn an_outage_of_the_broker_is_told_and_reading_goes_on_after_it() {
    let broker = embedded(&[("in", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..5);
    let mut source = Source::connect(&source_config(&connection, &["in"])).expect("answers");
    poll_until(&mut source, |_, texts, _| texts.len() >= 5);
    broker.down().expect("the cluster does it");
    let (_, events) = poll_until(&mut source, |_, _, events| !events.is_empty());
    assert!(matches!(&events[0], SourceEvent::Unreachable { reason } if !reason.is_empty()), "{events:?}");
    broker.up().expect("the cluster does it");
    write(&connection, "in", 5..10);
    let (texts, events) =
        poll_until(&mut source, |_, texts, events| texts.len() >= 5 && events.contains(&SourceEvent::Reachable));
    assert_eq!((texts.len(), events.len()), (5, 1), "{events:?}");
}

#[test]
fn a_step_is_written_with_its_headers_and_its_positions_come_back_with_their_notes() {
    let broker = embedded(&[("in", 2), ("out", 1)]);
    let connection = broker.connection();
    write(&connection, "in", 0..100);
    let config = SinkConfig {
        connection: connection.clone(),
        delivery: Delivery::Plain,
        group: "plumbing".to_owned(),
        ..SinkConfig::default()
    };
    let mut sink = Sink::connect(&config).expect("answers");
    let position = Position { offset: 7, note: "closed=1700000000000".to_owned() };
    let positions = Positions::from([(TopicPartition::new("in", 1), position.clone())]);
    let records = vec![
        Outgoing::new("out", "k", "v").header("ce_type", "test"),
        Outgoing { value: None, ..Outgoing::new("out", "k", "") },
    ];
    let committed = sink.commit(&Step { records, positions: positions.clone() }).expect("written");
    assert_eq!(committed.placed.iter().map(|placed| placed.offset).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(sink.positions(&["in".to_owned()]).expect("answers"), positions);

    let tail = TailConfig::new(connection.clone(), "out", Edge::Earliest);
    let read = Tail::connect(&tail).expect("answers").read_to_end(PATIENCE).expect("in time");
    assert_eq!(read[0].headers, [("ce_type".to_owned(), b"test".to_vec())]);
    assert_eq!((read[0].value.as_deref(), read[1].value.as_deref()), (Some(b"v".as_slice()), None));

    let start = Start::Positions { otherwise: Edge::Latest };
    let mut source = Source::connect(&SourceConfig { start, ..source_config(&connection, &["in"]) }).expect("answers");
    let (_, events) = poll_until(&mut source, |_, _, events| events.len() >= 2);
    let noted =
        |event: &SourceEvent| matches!(event, SourceEvent::Assigned { offset: 7, note, .. } if *note == position.note);
    assert!(events.iter().any(noted), "{events:?}");
}

#[test]
fn the_same_sink_code_runs_its_transactions_on_the_embedded_broker() {
    let broker = embedded(&[("out", 1)]);
    let mut sink =
        Sink::connect(&SinkConfig { connection: broker.connection(), ..SinkConfig::default() }).expect("answers");
    for number in 0..3 {
        let records = vec![Outgoing::new("out", "k", format!("{number}"))];
        sink.commit(&Step { records, ..Step::default() }).expect("the mock says yes to everything");
    }
    assert_eq!(sink.commit(&Step::default()).expect("an empty step does nothing").placed, []);
}

#[test]
fn a_record_that_will_never_fit_is_refused_with_its_place_and_the_sink_goes_on() {
    let broker = embedded(&[("out", 1)]);
    let mut sink =
        Sink::connect(&SinkConfig { connection: broker.connection(), ..SinkConfig::default() }).expect("answers");
    let records = vec![Outgoing::new("out", "k", "small"), Outgoing::new("out", "k", vec![1u8; 2_000_000])];
    let refused = sink.commit(&Step { records, ..Step::default() }).expect_err("too large");
    assert!(matches!(&refused, SinkError::Refused { index: 1, topic, .. } if topic == "out"), "{refused}");
    let records = vec![Outgoing::new("out", "k", "small")];
    sink.commit(&Step { records, ..Step::default() }).expect("the sink is still usable");
}

#[test]
fn solo_claims_rise_with_every_claim() {
    let broker = embedded(&[("stopbank.claims", 1)]);
    let config = ClaimsConfig { connection: broker.connection(), ..ClaimsConfig::default() };
    let sink = SinkConfig { connection: broker.connection(), delivery: Delivery::Plain, ..SinkConfig::default() };
    let mut sink = Sink::connect(&sink).expect("answers");
    let epochs: Vec<Claim> = (0..3).map(|_| Claims::solo(&config, &mut sink).expect("written")).collect();
    assert!(epochs.windows(2).all(|pair| pair[0].epoch < pair[1].epoch), "{epochs:?}");
}

#[test]
fn one_of_two_is_elected_and_the_other_takes_over_when_it_leaves() {
    let broker = embedded(&[("stopbank.claims", 1)]);
    let config = ClaimsConfig { connection: broker.connection(), ..ClaimsConfig::default() };
    let mut first = Claims::join(&config).expect("answers");
    wait_for(&mut first, &ClaimEvent::Elected);
    let mut second = Claims::join(&config).expect("answers");
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert_eq!(first.poll(Duration::from_millis(50)).expect("goes on"), None, "the owner keeps the domain");
        if second.poll(Duration::from_millis(50)).expect("goes on") == Some(ClaimEvent::Standby) {
            break;
        }
        assert!(Instant::now() < deadline, "the second one never heard that it stands by");
    }
    assert!(first.is_elected() && !second.is_elected());
    let left = std::thread::spawn(move || first.leave());
    wait_for(&mut second, &ClaimEvent::Elected);
    left.join().expect("leaving does not panic");
}

fn wait_for(claims: &mut Claims, wanted: &ClaimEvent) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match claims.poll(Duration::from_millis(100)).expect("goes on") {
            Some(event) if event == *wanted => return,
            Some(event) => panic!("{event:?} instead of {wanted:?}"),
            None => {}
        }
    }
    panic!("{wanted:?} did not come");
}

#[test]
fn an_election_on_a_topic_with_two_partitions_is_refused() {
    let broker = embedded(&[("stopbank.claims", 2)]);
    let config = ClaimsConfig { connection: broker.connection(), ..ClaimsConfig::default() };
    let said = Claims::join(&config).err().expect("refused").to_string();
    assert!(said.contains("2 partitions") && said.contains("must have 1"), "{said}");
}

#[test]
fn a_broker_that_is_not_there_is_named_with_the_reason_and_what_to_look_at() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let begun = Instant::now();
    let refused =
        check(&Connection::to(&address), &Topics::default(), Duration::from_secs(2)).expect_err("nobody there");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(matches!(refused, Error::Unreachable { .. }));
    let said = refused.to_string();
    for part in [&address, "Connection refused", "is Kafka running there"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    let said = check(&Connection::to("no-such-host.invalid:9092"), &Topics::default(), Duration::from_secs(2));
    let said = said.expect_err("no such host").to_string();
    assert!(said.contains("is the host name right?"), "{said}");
}

#[test]
fn an_unknown_property_stops_every_client_with_a_suggestion() {
    let properties = Properties::from([("fetch.mim.bytes".to_owned(), "1".to_owned())]);
    let connection = Connection { properties, ..Connection::to("127.0.0.1:1") };
    let source = Source::connect(&SourceConfig { connection: connection.clone(), ..SourceConfig::default() }).err();
    let sink = Sink::connect(&SinkConfig { connection: connection.clone(), ..SinkConfig::default() }).err();
    let checked = check(&connection, &Topics::default(), PATIENCE).err();
    for error in [source, sink, checked] {
        let said = error.expect("refused").to_string();
        assert!(said.contains("did you mean `fetch.min.bytes`?"), "{said}");
    }
}

#[test]
fn a_check_of_the_embedded_broker_finds_its_topics_and_says_which_are_missing() {
    let broker = Embedded::start().expect("loopback is there");
    let topics = Topics::default();
    broker.create_topics(&Topics { traces: Vec::new(), ..topics.clone() }, 4).expect("allowed names");
    let Checked { brokers, topics: found, .. } =
        check(&broker.connection(), &topics, Duration::from_secs(5)).expect("answers");
    assert_eq!(brokers, [broker.bootstrap()]);
    let missing = kafka::TopicState::Missing { topic: "otlp_spans".to_owned() };
    assert_eq!(found.iter().filter(|state| **state == missing).count(), 1, "{found:?}");
    assert_eq!(found.len(), 11);
}

#[test]
fn whoever_reads_or_writes_on_a_thread_of_its_own_can_be_sent_there() {
    fn sendable<T: Send>() {}
    sendable::<Source>();
    sendable::<Sink>();
    sendable::<Claims>();
    sendable::<Tail>();
    sendable::<Embedded>();
    fn shareable<T: Send + Sync>() {}
    shareable::<Writer>();
}
