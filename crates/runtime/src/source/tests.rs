//! A source that reads from an embedded broker.

use super::*;
use crate::config::{Beginning, Broker};
use crate::state::Role;
use control::Signer;
use kafka::{Embedded, Topics, Writer, WriterConfig};
use model::Mode;
use window::Grace;

const WIDTH_NS: u64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A record with one request that ends at `end_ns`.
fn record(number: usize, end_ns: u64) -> String {
    let start_ns = end_ns - 1_000_000;
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"cart"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{number:032x}","spanId":"{number:016x}","name":"add","kind":2,
        "startTimeUnixNano":"{start_ns}","endTimeUnixNano":"{end_ns}"}}]}}]}}]}}"#
    )
}

#[test]
fn the_mark_lies_right_behind_the_record_that_closes_a_window() {
    let (broker, topics) = (Embedded::start().expect("it starts"), Topics::default());
    broker.create_topics(&topics, 1).expect("topics");
    let config = PipelineConfig {
        topics: topics.clone(),
        beginning: Beginning::Earliest,
        shards: 1,
        grace: Grace::Fixed { grace_ms: 0 },
        ..PipelineConfig::new(broker.connection(), Broker::Embedded, Signer::from_seed([7; 32]))
    };
    // Everything lies there when the source begins, so one poll could bring all of it.
    let window_ns = now_ms() / 1000 * WIDTH_NS - 10 * WIDTH_NS;
    let end_ns = |number: usize| window_ns + 100_000_000 + if number < 10 { 0 } else { WIDTH_NS };
    let writer = WriterConfig { connection: broker.connection(), ..WriterConfig::default() };
    let writer = Writer::connect(&writer).expect("it answers");
    for number in 0..30 {
        let payload = record(number + 1, end_ns(number));
        writer.send_bytes(&topics.traces[0], None, payload.as_bytes()).expect("room");
    }
    writer.flush(PATIENCE).expect("all is there");

    let (batches_in, mut batches) = mpsc::channel(64);
    let ((notes, _notes), (news, _news)) = (mpsc::channel(64), mpsc::channel(64));
    let stop = Arc::new(AtomicBool::new(false));
    let seed = SourceSeed {
        state: Arc::new(State::new("here", Mode::Observe, 1)),
        config: Arc::new(config),
        suspects: Arc::default(),
        signals: Arc::default(),
        stop: stop.clone(),
        positions: Positions::new(),
        shards: vec![batches_in],
        notes,
        post: Post::new(1, Role::Source, &news),
    };
    let source = std::thread::spawn(move || run(seed));
    let (mut spans, mut before_mark, deadline) = (0, None, Instant::now() + PATIENCE);
    while spans < 30 && Instant::now() < deadline {
        let Ok(batch) = batches.try_recv() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        spans += batch.spans.len();
        if batch.mark.is_some_and(|mark| mark.closed_ns == window_ns + WIDTH_NS) {
            before_mark = Some(spans);
        }
    }
    stop.store(true, Ordering::Relaxed);
    source.join().expect("no panic");
    assert_eq!((spans, before_mark), (30, Some(11)), "ten of the window, and the one that closes it");
}
