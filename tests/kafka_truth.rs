//! Promise: what stopbank says of Kafka is true on a real Apache Kafka: transactions, positions in transactions, fencing,
//! epochs, hand-over, TLS and logins, and the topics' policies. `scripts/kafka` starts the broker.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka::testing::{Broker, real_broker};
use kafka::{
    Claim, ClaimEvent, Claims, ClaimsConfig, Connection, Edge, Error, Isolation, Outgoing, Position, Positions,
    Provision, RecordRef, Sink, SinkConfig, SinkError, Source, SourceConfig, SourceEvent, Start, Step, Tail,
    TailConfig, Telemetry, TopicPartition, TopicState, Topics, Writer, WriterConfig, check, ensure_topics,
};
use native_tls::{Identity, TlsAcceptor, TlsStream};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

const PATIENCE: Duration = Duration::from_secs(20);

/// The shared broker; a test returns at once where there is none.
macro_rules! broker {
    () => {
        match real_broker() {
            Some(broker) => broker,
            None => return,
        }
    };
}

fn sink_config(broker: &Broker, id: &str) -> SinkConfig {
    let (connection, id) = (broker.connection.clone(), id.to_owned());
    SinkConfig { connection, transactional_id: id.clone(), group: id, ..SinkConfig::default() }
}

fn step(topic: &str, values: &[&str]) -> Step {
    let records = values.iter().map(|value| Outgoing::new(topic, "k", *value)).collect();
    Step { records, ..Step::default() }
}

fn read(connection: &Connection, topic: &str, isolation: Isolation) -> Vec<String> {
    let config = TailConfig { isolation, ..TailConfig::new(connection.clone(), topic, Edge::Earliest) };
    let records = Tail::connect(&config).expect("the topic is there").read_to_end(PATIENCE).expect("in time");
    records.into_iter().map(|record| String::from_utf8(record.value.unwrap_or_default()).expect("text")).collect()
}

fn create(broker: &Broker, stem: &str, partitions: i32) -> String {
    let topic = broker.unique(stem);
    broker.create_topic(&topic, partitions);
    topic
}

#[test]
fn a_committed_step_is_seen_whole_and_an_aborted_one_never() {
    let broker = broker!();
    let topic = create(broker, "steps", 1);
    let mut sink = Sink::connect(&sink_config(broker, &topic)).expect("answers");
    let first = sink.commit(&step(&topic, &["a", "b"])).expect("committed");
    assert_eq!(first.placed.iter().map(|placed| placed.offset).collect::<Vec<_>>(), [0, 1]);
    // The second record cannot be written, so the first of the same step must not be seen either.
    let mut refused = step(&topic, &["torn"]);
    refused.records.push(Outgoing::new(&topic, "k", vec![0; 3_000_000]));
    let error = sink.commit(&refused).expect_err("too large");
    assert!(matches!(error, SinkError::Refused { index: 1, .. }), "{error}");
    let third = sink.commit(&step(&topic, &["c"])).expect("the sink goes on");
    assert!(third.placed[0].offset > 2, "markers of transactions take offsets too: {third:?}");
    assert_eq!(read(&broker.connection, &topic, Isolation::ReadCommitted), ["a", "b", "c"]);
}

#[test]
fn an_open_transaction_is_invisible_until_a_new_sink_of_the_same_id_settles_it() {
    let broker = broker!();
    let topic = create(broker, "open", 1);
    open_transaction(broker, &topic, "left-open");
    assert_eq!(read(&broker.connection, &topic, Isolation::ReadCommitted), [""; 0]);
    assert_eq!(read(&broker.connection, &topic, Isolation::ReadUncommitted), ["left-open"]);
    let mut sink = Sink::connect(&sink_config(broker, &topic)).expect("answers");
    sink.commit(&step(&topic, &["after"])).expect("committed");
    assert_eq!(read(&broker.connection, &topic, Isolation::ReadCommitted), ["after"]);
}

/// A producer with the sink's id that writes one record, and dies without a word.
fn open_transaction(broker: &Broker, topic: &str, value: &str) {
    use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
    let producer: ThreadedProducer<DefaultProducerContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &broker.connection.brokers)
        .set("transactional.id", topic)
        .create()
        .expect("a right configuration");
    producer.init_transactions(PATIENCE).expect("answers");
    producer.begin_transaction().expect("initialised");
    producer.send(BaseRecord::<str, str>::to(topic).payload(value)).map_err(|(error, _)| error).expect("room");
    producer.flush(PATIENCE).expect("acknowledged");
}

#[test]
fn positions_and_notes_are_committed_with_the_step_and_a_source_starts_there() {
    let broker = broker!();
    let (input, output) = (create(broker, "input", 2), create(broker, "output", 1));
    let writer = WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() };
    let writer = Writer::connect(&writer).expect("answers");
    (0..200u32).for_each(|n| writer.send_bytes(&input, Some(&n.to_le_bytes()), b"x").expect("room"));
    assert_eq!(writer.flush(PATIENCE).expect("acknowledged").acknowledged, 200);

    let mut sink = Sink::connect(&sink_config(broker, &output)).expect("answers");
    let position = |offset| Position { offset, note: format!("closed-at-{offset}") };
    let positions = Positions::from([
        (TopicPartition::new(&input, 0), position(11)),
        (TopicPartition::new(&input, 1), position(22)),
    ]);
    sink.commit(&Step { positions: positions.clone(), ..step(&output, &["command"]) }).expect("committed");
    let mut torn =
        Step { positions: Positions::from([(TopicPartition::new(&input, 0), position(99))]), ..Step::default() };
    torn.records.push(Outgoing::new(&output, "k", vec![0; 3_000_000]));
    sink.commit(&torn).expect_err("too large");
    let asked = [input.clone()];
    assert_eq!(sink.positions(&asked).expect("answers"), positions, "an aborted step moves no position");

    let config = SourceConfig {
        start: Start::Positions { otherwise: Edge::Latest },
        group: output.clone(),
        topics: vec![input.clone()],
        connection: broker.connection.clone(),
        statistics_ms: 100,
        ..SourceConfig::default()
    };
    let mut source = Source::connect(&config).expect("answers");
    let mut first = std::collections::BTreeMap::new();
    let mut notes = Vec::new();
    let mut count = 0;
    let deadline = Instant::now() + PATIENCE;
    while !source.at_end() {
        assert!(Instant::now() < deadline, "the source did not come to the end");
        let mut each = |record: RecordRef<'_>| {
            count += 1;
            first.entry(record.partition).or_insert(record.offset);
        };
        for event in source.poll(Duration::from_millis(50), 500, &mut each).expect("goes on").events {
            if let SourceEvent::Assigned { note, .. } = event {
                notes.push(note);
            }
        }
    }
    assert_eq!((first[&0], first[&1], count), (11, 22, 200 - 11 - 22));
    assert_eq!(notes, ["closed-at-11", "closed-at-22"]);
}

#[test]
fn a_step_right_behind_another_does_not_wait_for_a_tenth_of_a_second() {
    let broker = broker!();
    let topic = create(broker, "close", 1);
    let mut sink = Sink::connect(&sink_config(broker, &topic)).expect("answers");
    let mut took = [Vec::new(), Vec::new()];
    for offset in 0..40 {
        let position = Position { offset, note: String::new() };
        let positions = Positions::from([(TopicPartition::new(&topic, 0), position)]);
        for took in &mut took {
            let began = Instant::now();
            sink.commit(&Step { positions: positions.clone(), ..step(&topic, &["x"]) }).expect("committed");
            took.push(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let [alone, behind] = took.map(|mut took| {
        took.sort_unstable();
        took[took.len() / 2]
    });
    // While the broker still settles the step before it refuses the next one; the client's default is to ask again after 100 ms.
    assert!(behind < alone + Duration::from_millis(60), "{behind:?} right behind another, {alone:?} alone");
}

#[test]
fn the_end_is_seen_although_markers_of_transactions_stand_behind_the_last_record() {
    let broker = broker!();
    let topic = create(broker, "markers", 1);
    let mut sink = Sink::connect(&sink_config(broker, &topic)).expect("answers");
    (0..5).for_each(|_| drop(sink.commit(&step(&topic, &["x"])).expect("committed")));
    let config = SourceConfig {
        start: Start::Earliest,
        topics: vec![topic],
        connection: broker.connection.clone(),
        statistics_ms: 100,
        ..SourceConfig::default()
    };
    let mut source = Source::connect(&config).expect("answers");
    let (mut count, deadline) = (0, Instant::now() + PATIENCE);
    while !source.at_end() && Instant::now() < deadline {
        source.poll(Duration::from_millis(50), 500, &mut |_| count += 1).expect("goes on");
    }
    assert_eq!((count, source.at_end(), source.lag()), (5, true, 0));
}

#[test]
fn a_second_sink_with_the_same_id_fences_the_first_for_good() {
    let broker = broker!();
    let topic = create(broker, "fence", 1);
    let config = sink_config(broker, &topic);
    let mut old = Sink::connect(&config).expect("answers");
    old.commit(&step(&topic, &["old-1"])).expect("committed");
    let mut new = Sink::connect(&config).expect("answers");
    for _ in 0..2 {
        let error = old.commit(&step(&topic, &["zombie"])).expect_err("fenced");
        assert!(matches!(error, SinkError::Fenced { .. }), "{error}");
    }
    new.commit(&step(&topic, &["new-1"])).expect("the new one acts");
    assert_eq!(read(&broker.connection, &topic, Isolation::ReadCommitted), ["old-1", "new-1"]);
}

#[test]
fn epochs_rise_with_every_claim_and_the_old_owner_cannot_act_after_the_hand_over() {
    let broker = broker!();
    let topics = broker.topics("claims");
    let provision = Provision { telemetry: Telemetry::Create { partitions: 2 }, ..Provision::default() };
    ensure_topics(&broker.connection, &topics, &provision).expect("made");
    let domain = broker.unique("domain");
    let config = |owner: &str| ClaimsConfig {
        connection: broker.connection.clone(),
        topic: topics.claims.clone(),
        domain: domain.clone(),
        owner: owner.to_owned(),
        session_timeout_ms: 2_000,
        ..ClaimsConfig::default()
    };
    let mut first = Claims::join(&config("first")).expect("answers");
    await_event(&mut first, &ClaimEvent::Elected);
    let mut old = Sink::connect(&sink_config(broker, &domain)).expect("answers");
    let one = first.claim(&mut old).expect("claimed");
    let mut second = Claims::join(&config("second")).expect("answers");
    let deadline = Instant::now() + PATIENCE;
    while second.poll(Duration::from_millis(50)).expect("goes on") != Some(ClaimEvent::Standby) {
        assert_eq!(first.poll(Duration::from_millis(50)).expect("goes on"), None, "a newcomer takes nothing away");
        assert!(Instant::now() < deadline, "the second one never heard that it stands by");
    }
    let begun = Instant::now();
    std::thread::spawn(move || first.leave()).join().expect("leaving does not panic");
    await_event(&mut second, &ClaimEvent::Elected);
    assert!(begun.elapsed() < Duration::from_secs(5), "the hand-over took {:?}", begun.elapsed());
    let mut new = Sink::connect(&sink_config(broker, &domain)).expect("answers");
    let two = second.claim(&mut new).expect("claimed");
    assert!(two.epoch > one.epoch, "{one:?} then {two:?}");
    assert!(matches!(old.commit(&step(&topics.control, &["zombie"])), Err(SinkError::Fenced { .. })));
    new.commit(&step(&topics.control, &["acts"])).expect("the new owner acts");
    assert_eq!(read(&broker.connection, &topics.control, Isolation::ReadCommitted), ["acts"]);
    assert_eq!(two, Claim { epoch: two.epoch, owner: "second".to_owned() });
}

#[test]
fn an_owner_that_does_not_poll_loses_the_domain_and_hears_of_it() {
    let broker = broker!();
    let topics = broker.topics("hung");
    ensure_topics(&broker.connection, &topics, &Provision::default()).expect("made");
    let config = |owner: &str| ClaimsConfig {
        connection: broker.connection.clone(),
        topic: topics.claims.clone(),
        domain: topics.claims.clone(),
        owner: owner.to_owned(),
        session_timeout_ms: 2_000,
        poll_timeout_ms: 2_000,
        ..ClaimsConfig::default()
    };
    let mut hung = Claims::join(&config("hung")).expect("answers");
    await_event(&mut hung, &ClaimEvent::Elected);
    let mut standby = Claims::join(&config("standby")).expect("answers");
    await_event(&mut standby, &ClaimEvent::Elected);
    let deadline = Instant::now() + PATIENCE;
    let lost = loop {
        if let Some(event) = hung.poll(Duration::from_millis(100)).expect("goes on") {
            break event;
        }
        assert!(Instant::now() < deadline, "the hung owner never heard that it lost the domain");
    };
    assert!(matches!(&lost, ClaimEvent::Lost { reason } if reason.contains("not polled in time")), "{lost:?}");
    assert!(!hung.is_elected());
    let mut sink = Sink::connect(&sink_config(broker, &topics.claims)).expect("answers");
    let error = hung.claim(&mut sink).expect_err("not elected");
    assert!(matches!(error, SinkError::Fenced { .. }), "{error}");
}

fn await_event(claims: &mut Claims, wanted: &ClaimEvent) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match claims.poll(Duration::from_millis(100)).expect("goes on") {
            Some(event) if event == *wanted => return,
            Some(ClaimEvent::Standby) | None => {}
            Some(event) => panic!("{event:?} instead of {wanted:?}"),
        }
    }
    panic!("{wanted:?} did not come");
}

#[test]
fn every_login_works_over_tls_for_reading_and_writing() {
    let broker = broker!();
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        round_trip(broker, &broker.sasl.connection(mechanism), mechanism);
    }
    let mut unsecured = broker.sasl.connection("OAUTHBEARER");
    unsecured.properties.retain(|name, _| !matches!(name.as_str(), "sasl.username" | "sasl.password"));
    let token = [("enable.sasl.oauthbearer.unsecure.jwt", "true"), ("sasl.oauthbearer.config", "principal=stopbank")];
    unsecured.properties.extend(token.map(|(name, value)| (name.to_owned(), value.to_owned())));
    round_trip(broker, &unsecured, "OAUTHBEARER");
}

#[test]
fn tokens_of_an_openid_provider_let_us_in_and_its_refusal_is_told() {
    let broker = broker!();
    let provider = Provider::start(broker);
    let mut connection = broker.sasl.connection("OAUTHBEARER");
    connection.properties.retain(|name, _| !matches!(name.as_str(), "sasl.username" | "sasl.password"));
    let login = [
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", provider.url.as_str()),
        ("sasl.oauthbearer.client.id", "stopbank"),
        ("sasl.oauthbearer.client.secret", "right:secret"),
        ("sasl.oauthbearer.scope", "kafka telemetry"),
        ("https.ca.location", provider.authority.as_str()),
    ];
    connection.properties.extend(login.map(|(name, value)| (name.to_owned(), value.to_owned())));
    round_trip(broker, &connection, "OIDC");
    assert!(provider.given.load(Ordering::Relaxed) >= 4, "every client fetched a token of its own");

    connection.properties.insert("sasl.oauthbearer.client.secret".to_owned(), "wrong".to_owned());
    let refused = check(&connection, &broker.topics("refused"), PATIENCE).expect_err("the secret is wrong");
    assert!(matches!(&refused, Error::Login { reason, .. } if reason.contains("invalid_client")), "{refused}");

    // The certificate is no public authority's: without its own it is not trusted.
    connection.properties.remove("https.ca.location");
    let refused = check(&connection, &broker.topics("refused"), PATIENCE).expect_err("nobody vouches for the endpoint");
    assert!(matches!(&refused, Error::Login { reason, .. } if reason.contains("certificate")), "{refused}");
}

/// A token endpoint on loopback, over TLS with the test broker's certificate, that gives unsecured tokens, as the test broker takes them, to whoever knows the secret.
struct Provider {
    url: String,
    /// The file that vouches for its certificate.
    authority: String,
    given: Arc<AtomicUsize>,
}

impl Provider {
    fn start(broker: &Broker) -> Provider {
        let authority = broker.sasl.ca.clone();
        let key = std::fs::read(Path::new(&authority).with_file_name("broker.p12")).expect("it lies beside");
        let key = Identity::from_pkcs12(&key, &broker.sasl.password).expect("the broker reads it, too");
        let acceptor = TlsAcceptor::new(key).expect("a key and its certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}/token", listener.local_addr().expect("it is bound"));
        let given = Arc::new(AtomicUsize::new(0));
        let count = given.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who does not trust the certificate hangs up here.
                if let Ok(stream) = acceptor.accept(stream) {
                    serve_token(stream, &count);
                }
            }
        });
        Provider { url, authority, given }
    }
}

fn serve_token(mut stream: TlsStream<TcpStream>, given: &AtomicUsize) {
    const FORM: &str = "grant_type=client_credentials&scope=kafka%20telemetry";
    let (mut request, mut bytes) = (String::new(), [0; 4096]);
    while !request.ends_with(FORM) {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => request.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    // `stopbank:right%3Asecret`: both halves are form-encoded first (RFC 6749, section 2.3.1).
    let known = request.contains("Basic c3RvcGJhbms6cmlnaHQlM0FzZWNyZXQ=") && request.ends_with(FORM);
    let (status, body) = if known {
        given.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = format!("{{\"sub\":\"stopbank\",\"iat\":{now},\"exp\":{},\"scope\":\"kafka\"}}", now + 600);
        let token = format!("{}.{}.", part("{\"alg\":\"none\"}"), part(&claims));
        ("200 OK", format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":600}}"))
    } else {
        ("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned())
    };
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).expect("the client listens");
}

/// Sink, source, tail, writer and admin client, all through `connection`.
fn round_trip(broker: &Broker, connection: &Connection, mechanism: &str) {
    let topic = create(broker, "login", 1);
    let topics = Topics { traces: vec![topic.clone()], ..broker.topics("login") };
    let checked = check(connection, &topics, PATIENCE).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    assert!(checked.topics.contains(&TopicState::Present { topic: topic.clone() }), "{mechanism}: {checked:?}");
    let config = SinkConfig { connection: connection.clone(), ..sink_config(broker, &topic) };
    let mut sink = Sink::connect(&config).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    sink.commit(&step(&topic, &["through-tls"])).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    assert_eq!(read(connection, &topic, Isolation::ReadCommitted), ["through-tls"], "{mechanism}");
    let config = SourceConfig {
        start: Start::Earliest,
        topics: vec![topic],
        connection: connection.clone(),
        ..SourceConfig::default()
    };
    let mut source = Source::connect(&config).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    let (mut seen, deadline) = (0, Instant::now() + PATIENCE);
    while seen == 0 && Instant::now() < deadline {
        source.poll(Duration::from_millis(50), 10, &mut |_| seen += 1).expect("goes on");
    }
    assert_eq!(seen, 1, "{mechanism}");
}

#[test]
fn a_wrong_password_a_missing_authority_and_a_wrong_protocol_are_told_apart() {
    let broker = broker!();
    let topics = broker.topics("wrong");
    let wait = Duration::from_secs(4);
    let with = |name: &str, value: &str| {
        let mut connection = broker.sasl.connection("SCRAM-SHA-512");
        connection.properties.insert(name.to_owned(), value.to_owned());
        connection
    };
    let refused = check(&with("sasl.password", "not-it"), &topics, wait).expect_err("wrong password");
    let said = refused.to_string();
    assert!(matches!(refused, Error::Login { .. }) && said.contains("sasl.password"), "{said}");
    assert!(!said.contains("not-it"), "{said}");

    let mut no_authority = broker.sasl.connection("SCRAM-SHA-512");
    no_authority.properties.remove("ssl.ca.location");
    let said = check(&no_authority, &topics, wait).expect_err("an unknown authority").to_string();
    assert!(said.contains("ssl.ca.location"), "{said}");

    let plain = Connection::to(&broker.sasl.brokers);
    let said = check(&plain, &topics, wait).expect_err("a TLS listener").to_string();
    assert!(said.contains("security.protocol"), "{said}");
}

#[test]
fn topics_are_made_with_their_policies_and_wrong_ones_are_told_with_the_cure() {
    let broker = broker!();
    let topics = broker.topics("policies");
    // Somebody has made two of them by hand, with the broker's defaults and too many partitions.
    broker.create_topic(&topics.control, 1);
    broker.create_topic(&topics.claims, 3);
    let before = check(&broker.connection, &topics, PATIENCE).expect("answers");
    assert!(before.topics.contains(&TopicState::Missing { topic: topics.audit.clone() }));
    let states = ensure_topics(&broker.connection, &topics, &Provision::default()).expect("made");
    let created = states.iter().filter(|state| matches!(state, TopicState::Created { .. })).count();
    assert_eq!(created, topics.specs().len() - 2, "{states:?}");
    assert!(states.contains(&TopicState::Missing { topic: topics.traces[0].clone() }), "telemetry is the user's");
    let differs = |topic: &str, setting: &str| {
        states.iter().any(|state| {
            matches!(state, TopicState::Differs { topic: of, setting: name, mend, .. }
                if of == topic && name == setting && !mend.is_empty())
        })
    };
    assert!(differs(&topics.control, "cleanup.policy") && differs(&topics.claims, "partitions"), "{states:?}");
    assert!(differs(&topics.control, "message.timestamp.type"), "{states:?}");
    let again = ensure_topics(&broker.connection, &topics, &Provision::default()).expect("looked at");
    assert!(again.contains(&TopicState::Present { topic: topics.journal.clone() }));
    assert!(again.contains(&TopicState::Present { topic: topics.snapshots.clone() }));
    assert!(!again.iter().any(|state| matches!(state, TopicState::Created { .. })));
}

#[test]
fn partitions_that_are_added_while_reading_are_read_from_their_first_record() {
    let broker = broker!();
    let topic = create(broker, "grows", 1);
    let config = SourceConfig {
        start: Start::Latest,
        topics: vec![topic.clone()],
        connection: broker.connection.clone(),
        refresh_ms: 300,
        ..SourceConfig::default()
    };
    let mut source = Source::connect(&config).expect("answers");
    source.poll(Duration::from_millis(100), 1, &mut |_| {}).expect("goes on");
    add_partitions(broker, &topic, 3);
    let writer = WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() };
    let writer = Writer::connect(&writer).expect("answers");
    (0..90u32).for_each(|n| writer.send_bytes(&topic, Some(&n.to_le_bytes()), b"x").expect("room"));
    writer.flush(PATIENCE).expect("acknowledged");
    let mut seen = std::collections::BTreeSet::new();
    let deadline = Instant::now() + PATIENCE;
    while seen.len() < 90 && Instant::now() < deadline {
        let mut each = |record: RecordRef<'_>| assert!(seen.insert((record.partition, record.offset)), "twice");
        source.poll(Duration::from_millis(50), 100, &mut each).expect("goes on");
    }
    assert_eq!((seen.len(), source.partitions().len()), (90, 3));
}

fn add_partitions(broker: &Broker, topic: &str, count: usize) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", &broker.connection.brokers);
    let admin: AdminClient<rdkafka::client::DefaultClientContext> = config.create().expect("a right configuration");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads are there");
    let new = [NewPartitions::new(topic, count)];
    let answers = runtime.block_on(admin.create_partitions(&new, &AdminOptions::new())).expect("answers");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}
