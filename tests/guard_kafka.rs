//! Promise: a guard follows the control topic of a real Kafka: it finds the state when it starts, obeys a command well
//! under a millisecond after its receipt, reports each second, and lets go by itself when the lease ends, also while the
//! broker is dead; and a service that does not ask for Kafka does not get librdkafka.

use control::{Key, Keyring, Role, Signer, decode_report};
use guard::{Guard, GuardBuilder, KafkaSettings, Request, Settings};
use kafka::testing::{Broker, own_broker, real_broker};
use kafka::{Edge, Outgoing, Provision, Tail, TailConfig, Topics, Writer, WriterConfig, ensure_topics};
use model::{Command, CommandId, Criticality, GuardReport, Mode, Setting, Target};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const DOMAIN: &str = "shop";
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn without_the_feature_no_rdkafka_is_in_the_tree() {
    let tree = |features: &str| {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "-p",
                "guard",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
                "--features",
                features,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo tree starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let has = |tree: &str, name: &str| tree.lines().any(|line| line.starts_with(name));
    let (plain, http, kafka) = (tree(""), tree("http"), tree("kafka"));
    assert!(has(&plain, "admission ") && !has(&plain, "rdkafka") && !has(&plain, "hyper"), "{plain}");
    assert!(has(&http, "hyper ") && !has(&http, "rdkafka"), "{http}");
    assert!(has(&kafka, "rdkafka "), "the test can see it where it is: {kafka}");
}

fn signer() -> Signer {
    Signer::from_seed([5; 32])
}

fn start(broker: &Broker, topics: &Topics, instance: &str) -> Guard {
    let mut keyring = Keyring::new();
    keyring.add(Key::new(signer().public(), Role::Engine)).expect("a good key");
    let (service, domain, instance) = ("cart".to_owned(), DOMAIN.to_owned(), instance.to_owned());
    let settings = Settings { service, domain, instance, keyring: Some(keyring), ramp_ms: 1000, ..Settings::default() };
    let kafka = KafkaSettings {
        brokers: broker.connection.brokers.clone(),
        control_topic: topics.control.clone(),
        reports_topic: topics.reports.clone(),
        ..KafkaSettings::default()
    };
    GuardBuilder::from(settings).kafka(kafka).start().expect("the settings are good")
}

fn send(writer: &Writer, topics: &Topics, sequence: u64, setting: Setting, ttl_ms: u32) {
    let command = Command {
        id: CommandId(format!("{}-1", setting.knob().as_str())),
        sequence,
        ttl_ms,
        target: Target::service("cart"),
        knob: setting.knob(),
        setting: Some(setting),
        reason: model::Reason::default(),
        mode: Mode::Act,
    };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let record = signer().command(DOMAIN, 1, &command, now_ms);
    writer.send(&Outgoing::of(&topics.control, record)).expect("room");
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn reports(broker: &Broker, topics: &Topics) -> Vec<GuardReport> {
    let config = TailConfig::new(broker.connection.clone(), &topics.reports, Edge::Earliest);
    let records = Tail::connect(&config).expect("the topic is there").read_to_end(PATIENCE).expect("in time");
    records.into_iter().map(|record| decode_report(&record.into_record()).expect("a report")).collect()
}

#[test]
fn a_guard_finds_the_state_obeys_reports_and_lets_go() {
    let Some(broker) = real_broker() else { return };
    let topics = broker.topics("guard");
    ensure_topics(&broker.connection, &topics, &Provision::default()).expect("made");
    let writer = Writer::connect(&WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() })
        .expect("answers");
    let boundary = |lowest| Setting::Admission { lowest, fraction_permille: 1000 };
    send(&writer, &topics, 1, boundary(Criticality::Critical), 60_000);
    writer.flush(PATIENCE).expect("written");

    let guard = start(broker, &topics, "cart-1");
    wait_until("the command that was there before", || guard.table().service.lowest == Criticality::Critical);
    wait_until("caught up", || guard.health().caught_up);
    let sheddable = Request { criticality: Criticality::Sheddable, ..Request::default() };
    assert!(guard.try_admit(&sheddable).is_err() && guard.try_admit(&Request::default()).is_ok());

    let mut applied_us: Vec<u64> = (0..50)
        .map(|sequence| {
            let limit = 100 + sequence as u32;
            send(&writer, &topics, 2 + sequence, Setting::Concurrency { limit }, 60_000);
            wait_until("the limit", || {
                guard.health().orders.iter().any(|order| order.setting == Setting::Concurrency { limit })
            });
            guard.health().applied_us
        })
        .collect();
    applied_us.sort_unstable();
    let median_us = applied_us[applied_us.len() / 2];
    println!("from receipt to effect: median {median_us} us, longest {} us", applied_us[applied_us.len() - 1]);
    assert!(median_us < 1000, "well under a millisecond: {applied_us:?}");

    wait_until("a report that names both commands", || {
        reports(broker, &topics).iter().any(|report| report.instance == "cart-1" && report.obeyed.len() == 2)
    });
    assert!(guard.health().heard_ago_ms.is_some_and(|ago_ms| ago_ms < 5000));

    // the lease ends although nobody says so, and on a ramp
    send(&writer, &topics, 100, boundary(Criticality::CriticalPlus), 1500);
    wait_until("the stricter class", || guard.table().service.lowest == Criticality::CriticalPlus);
    wait_until("on the way back", || guard.table().service.lowest == Criticality::SheddablePlus);
    wait_until("normal", || guard.try_admit(&sheddable).is_ok());
}

#[test]
fn a_guard_outlives_its_broker_and_takes_up_the_topic_again() {
    let Some(broker) = own_broker() else { return };
    let Some(pid) = broker.pid() else { return };
    let topics = broker.topics("guard");
    ensure_topics(&broker.connection, &topics, &Provision::default()).expect("made");
    let writer = || {
        let config = WriterConfig { connection: broker.connection.clone(), ..WriterConfig::default() };
        Writer::connect(&config).expect("answers")
    };
    let lowest = |guard: &Guard| guard.table().service.lowest;
    let boundary = Setting::Admission { lowest: Criticality::CriticalPlus, fraction_permille: 1000 };
    let guard = start(&broker, &topics, "cart-1");
    wait_until("caught up", || guard.health().caught_up);
    let first = writer();
    send(&first, &topics, 1, boundary, 8_000);
    first.flush(PATIENCE).expect("written");
    wait_until("the command", || lowest(&guard) == Criticality::CriticalPlus);
    drop(first);

    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let killed = Instant::now();
    // it carries on with the orders that it has, and says how old they are and how long it has heard nothing
    loop {
        let health = guard.health();
        let Some(order) = health.orders.first().filter(|order| order.ends_in_ms > 300) else { break };
        assert_eq!(health.admits.0, Criticality::CriticalPlus, "{} ms before its end", order.ends_in_ms);
        std::thread::sleep(Duration::from_millis(100));
    }
    let health = guard.health();
    assert!(health.orders_age_ms.is_some_and(|age_ms| (7_000..10_000).contains(&age_ms)), "{health:?}");
    let heard_ago_ms = health.heard_ago_ms.expect("it was heard before");
    assert!(u128::from(heard_ago_ms) + 1_500 > killed.elapsed().as_millis(), "nobody was heard since: {heard_ago_ms}");
    // at its end the lease decays, class by class, though nobody says so
    wait_until("on the way back", || (Criticality::Sheddable..Criticality::CriticalPlus).contains(&lowest(&guard)));
    wait_until("normal", || !guard.health().commanded && lowest(&guard) == Criticality::Sheddable);
    assert!(guard.try_admit(&Request { criticality: Criticality::Sheddable, ..Request::default() }).is_ok());

    broker.restart();
    let second = writer();
    send(&second, &topics, 2, Setting::KillSwitch { level: 3 }, 60_000);
    second.flush(PATIENCE).expect("written");
    wait_until("a command after the outage", || guard.kill_level() == 3);
    assert!(guard.health().heard_ago_ms.is_some_and(|ago_ms| ago_ms < 2_000));
    assert_eq!(lowest(&guard), Criticality::Sheddable, "what has ended does not come back with the topic");
    wait_until("a report after the outage", || {
        reports(&broker, &topics).iter().any(|report| report.obeyed.iter().any(|obeyed| obeyed.id.0 == "kill_switch-1"))
    });
}
