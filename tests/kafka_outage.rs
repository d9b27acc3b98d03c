//! Promise: an outage of the broker costs nothing but time. A step whose outcome nobody knows is left alone until a new
//! sink has decided it; a source reads on where it was.

use kafka::testing::own_broker;
use kafka::{
    Connection, Edge, Outgoing, RecordRef, Sink, SinkConfig, SinkError, Source, SourceConfig, Start, Step, Tail,
    TailConfig,
};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn sink_config(connection: &Connection, id: &str) -> SinkConfig {
    let (connection, id) = (connection.clone(), id.to_owned());
    SinkConfig { connection, transactional_id: id.clone(), group: id, ..SinkConfig::default() }
}

fn step(topic: &str, value: &str) -> Step {
    Step { records: vec![Outgoing::new(topic, "k", value)], ..Step::default() }
}

fn read(connection: &Connection, topic: &str) -> Vec<String> {
    let config = TailConfig::new(connection.clone(), topic, Edge::Earliest);
    let records = Tail::connect(&config).expect("the topic is there").read_to_end(PATIENCE).expect("in time");
    records.into_iter().map(|record| String::from_utf8(record.value.unwrap_or_default()).expect("text")).collect()
}

#[test]
fn a_broker_that_freezes_leaves_the_step_undecided_and_a_new_sink_decides_it() {
    let Some(broker) = own_broker() else { return };
    let Some(pid) = broker.pid() else { return };
    let topic = broker.unique("frozen");
    broker.create_topic(&topic, 1);
    let config = SinkConfig { timeout_ms: 2_000, ..sink_config(&broker.connection, &topic) };
    let mut sink = Sink::connect(&config).expect("answers");
    sink.commit(&step(&topic, "before")).expect("committed");
    let source = SourceConfig {
        start: Start::Earliest,
        topics: vec![topic.clone()],
        connection: broker.connection.clone(),
        statistics_ms: 100,
        ..SourceConfig::default()
    };
    let mut source = Source::connect(&source).expect("answers");
    let mut seen = Vec::new();
    let poll = |source: &mut Source, seen: &mut Vec<String>, wanted: usize| {
        let deadline = Instant::now() + PATIENCE;
        while seen.len() < wanted && Instant::now() < deadline {
            let mut each = |record: RecordRef<'_>| seen.push(String::from_utf8_lossy(record.payload).into_owned());
            source.poll(Duration::from_millis(50), 100, &mut each).expect("an outage is no error");
        }
    };
    poll(&mut source, &mut seen, 1);

    signal(pid, "STOP");
    let error = sink.commit(&step(&topic, "during")).expect_err("nobody answers");
    assert!(matches!(error, SinkError::Indefinite { .. }), "{error}");
    signal(pid, "CONT");
    let error = sink.commit(&step(&topic, "by-a-dead-sink")).expect_err("thrown away");
    assert!(matches!(error, SinkError::Indefinite { .. }), "{error}");

    // And once more, harder: killed, and started again with its data.
    signal(pid, "KILL");
    broker.restart();
    let mut sink = Sink::connect(&sink_config(&broker.connection, &topic)).expect("answers again");
    sink.commit(&step(&topic, "after")).expect("committed");
    let log = read(&broker.connection, &topic);
    assert_eq!((log.first().map(String::as_str), log.last().map(String::as_str)), (Some("before"), Some("after")));
    assert!(!log.iter().any(|value| value == "by-a-dead-sink"), "{log:?}");
    poll(&mut source, &mut seen, log.len());
    assert_eq!(seen, log, "the source has read on through all of it");
}

fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}
