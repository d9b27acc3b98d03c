//! Promise: a person sees who would be hit, sheds by hand, and stops everything; whoever reads the control topic, over
//! Kafka or HTTP, obeys the signed lease until it is let go.

mod support;

use control::{Clamps, Me, Record, Subscriber, Verdict};
use kafka::testing::{Broker, real_broker};
use kafka::{Edge, Tail, TailConfig, Topics};
use model::GuardReport;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Running, environment, eventually, free_port, lines, python, root, stopbank, succeed};

const PATIENCE: Duration = Duration::from_secs(40);

/// What the shop's requests are worth; products are `CRITICAL`, as everything that is not named.
const WORTH: &str = "gateway:/api/checkout=CRITICAL_PLUS,gateway:/api/recommendations=SHEDDABLE_PLUS,\
                     gateway:/api/reports/stock=SHEDDABLE";

/// A running stopbank that only observes, with a live graph of the shop; and the two keys.
struct Station {
    broker: &'static Broker,
    topics: Topics,
    domain: String,
    port: u16,
    folder: tempfile::TempDir,
    _run: Running,
}

impl Station {
    fn start() -> Option<Station> {
        let broker = real_broker()?;
        let (topics, domain) = (broker.topics("hand"), broker.unique("hand"));
        broker.create_topic(&topics.traces[0], 1);
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let out = folder.path().to_str().unwrap();
        for role in ["engine", "operator"] {
            succeed(&mut stopbank(&["keygen", "--out", out, "--name", role, "--role", role]));
        }
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 21;
        let mut generate = stopbank(&["generate", "--rate", "1500", "--for", "20s", "--start", &start.to_string()]);
        succeed(generate.args(["--brokers", &broker.connection.brokers, "--topic", &topics.traces[0]]));
        let mut run = stopbank(&["run", "--format", "json"]);
        environment(&mut run, broker, &topics, &domain);
        run.env("STOPBANK_ADMIN_ADDRESS", format!("127.0.0.1:{port}"))
            .env("STOPBANK_SIGNING_KEY_FILE", folder.path().join("engine.key"))
            .env("STOPBANK_SIGNING_OPERATORS_FILE", folder.path().join("operator.pub"))
            .env("STOPBANK_WINDOW_FLOW_SAMPLE", "1")
            .env("STOPBANK_CRITICALITY", WORTH)
            .env("STOPBANK_LOG_LEVEL", "warn");
        let station = Station { broker, topics, domain, port, folder, _run: Running::start(&mut run) };
        eventually("the graph knows the flows", PATIENCE, || {
            let graph: Value = serde_json::from_str(&station.get("/graph")?).ok()?;
            let classes: std::collections::BTreeSet<&str> =
                graph["flows"].as_array()?.iter().filter_map(|flow| flow["criticality"].as_str()).collect();
            (classes.len() == 4).then_some(())
        });
        Some(station)
    }

    fn get(&self, path: &str) -> Option<String> {
        ureq::get(format!("http://127.0.0.1:{}{path}", self.port)).call().ok()?.body_mut().read_to_string().ok()
    }

    fn key(&self, role: &str) -> PathBuf {
        self.folder.path().join(format!("{role}.key"))
    }

    /// A command of a person, signed with the key of this role.
    fn order(&self, arguments: &[&str], role: &str) -> Output {
        let mut command = stopbank(arguments);
        environment(&mut command, self.broker, &self.topics, &self.domain);
        command.args(["--format", "json", "--by", "kim", "--admin", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--key").arg(self.key(role)).output().unwrap()
    }

    /// What a person reads.
    fn told(&self, arguments: &[&str]) -> String {
        let mut command = stopbank(arguments);
        environment(&mut command, self.broker, &self.topics, &self.domain);
        command.args(["--admin", &format!("127.0.0.1:{}", self.port), "--key"]).arg(self.key("operator"));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// A guard of the gateway that reports.
    fn guard(&self) -> guard::Guard {
        let kafka = guard::KafkaSettings {
            brokers: self.broker.connection.brokers.clone(),
            control_topic: self.topics.control.clone(),
            reports_topic: self.topics.reports.clone(),
            ..guard::KafkaSettings::default()
        };
        let builder = guard::Guard::builder("gateway").instance("gateway-1", "", "").domain(&self.domain).kafka(kafka);
        let guard = builder.keyring(control::Keyring::new()).start().unwrap();
        eventually("the guard reports", PATIENCE, || guard.health().heard_ago_ms);
        guard
    }

    /// The same, and it must be carried out.
    fn ordered(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.order(arguments, "operator");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output.stdout)
    }

    fn stranger(&self, python: PathBuf) -> Running {
        let mut stranger = Command::new(python);
        stranger.arg(root().join("schemas/examples/subscriber.py")).arg(&self.broker.connection.brokers);
        stranger.arg(self.folder.path().join("engine.pub")).args([&self.domain, &self.topics.control]);
        Running::start(&mut stranger)
    }
}

fn in_force(stranger: &mut Running, count: usize) -> Vec<Value> {
    let line = stranger.line(PATIENCE, |line| line["in_force"].as_array().is_some_and(|all| all.len() == count));
    line["in_force"].as_array().unwrap().clone()
}

#[test]
fn a_person_previews_sheds_releases_and_disarms_and_a_subscriber_obeys() {
    let (Some(station), Some(python)) = (Station::start(), python()) else { return };
    let shed = ["shed", "gateway", "--below", "CRITICAL", "--for", "5m"];

    let preview = station.ordered(&[&shed[..], &["--preview"]].concat()).remove(0);
    let blast = &preview["blast"];
    for flow in blast["flows"].as_array().unwrap() {
        let class = flow["criticality"].as_str().unwrap();
        assert_eq!(flow["shed"], class.starts_with("SHEDDABLE"), "{flow}");
    }
    let (shed_rps, target_rps) = (blast["shed_rps"].as_f64().unwrap(), blast["target_rps"].as_f64().unwrap());
    assert!(0.0 < shed_rps && shed_rps < target_rps, "{blast}");
    assert!(!blast["spared_rps"].as_array().unwrap().is_empty(), "{blast}");
    let control = || {
        let tail = TailConfig::new(station.broker.connection.clone(), &station.topics.control, Edge::Earliest);
        Tail::connect(&tail).unwrap().read_to_end(Duration::from_secs(20)).unwrap()
    };
    assert!(control().is_empty(), "a preview orders nothing");
    let guards = station.guard();
    let heard = station.ordered(&[&shed[..], &["--preview"]].concat()).remove(0);
    assert_eq!(heard["guards"], serde_json::json!(["gateway-1"]), "whose guard would obey");
    drop(guards);
    let text = station.told(&[&shed[..], &["--preview"]].concat());
    for said in ["gateway: admit CRITICAL and above, for 5m", "  stays   CRITICAL_PLUS", "refuses ", "spares "] {
        assert!(text.contains(said), "{said}: {text}");
    }

    let unasked = station.order(&shed, "operator");
    assert_eq!(unasked.status.code(), Some(2), "nobody can be asked, so nothing is ordered");
    let unknown = station.order(&["shed", "gatewy", "--below", "CRITICAL", "--for", "5m", "--preview"], "operator");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("gateway"), "it says which services there are");

    let done = station.ordered(&[&shed[..], &["--yes", "--note", "drill"]].concat());
    let order = done.iter().find(|line| line["type"] == "order").unwrap();
    assert_eq!((&order["done"], &order["order"]["by"]), (&Value::Bool(true), &Value::from("kim")), "{order}");
    let mut stranger = station.stranger(python);
    let commands = in_force(&mut stranger, 1);
    assert_eq!(commands[0]["target"]["service"], "gateway");
    assert_eq!(commands[0]["setting"]["lowest"], "CRITICAL");
    assert!(commands[0]["reason"]["summary"].as_str().unwrap().contains("drill"), "{}", commands[0]);

    let preview = station.told(&["release", "gateway"]);
    assert!(preview.starts_with("releases gateway: admit CRITICAL and above; ends in "), "{preview}");
    let released = station.ordered(&["release", "gateway", "--yes"]);
    assert_eq!(released[0]["releases"].as_array().unwrap().len(), 1, "{released:?}");
    in_force(&mut stranger, 0);

    station.ordered(&[&shed[..], &["--yes"]].concat());
    station.ordered(&["shed", "search", "--below", "SHEDDABLE_PLUS", "--for", "5m", "--yes"]);
    in_force(&mut stranger, 2);
    let disarmed = station.ordered(&["disarm", "--yes"]);
    assert_eq!(disarmed[0]["in_force"].as_array().unwrap().len(), 2, "{disarmed:?}");
    in_force(&mut stranger, 0);
    let refused = station.order(&[&shed[..], &["--yes"]].concat(), "operator");
    assert_eq!(refused.status.code(), Some(1), "a disarmed engine does not shed");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("disarmed"));

    station.ordered(&["arm", "--yes"]);
    station.ordered(&[&shed[..], &["--yes"]].concat());
    in_force(&mut stranger, 1);
    let frozen = station.ordered(&["disarm", "--freeze", "--yes"]);
    assert!(frozen[1]["result"].as_str().unwrap().starts_with("frozen: 1 commands"), "{frozen:?}");
    assert_eq!(control_in_force(&station).len(), 1, "what is frozen stays");
    station.ordered(&["disarm", "--ramp", "--yes"]);
    in_force(&mut stranger, 0);

    let stranger_key = station.order(&["arm", "--yes"], "engine");
    assert_eq!(stranger_key.status.code(), Some(1), "a key that is not an operator's orders nothing");
}

/// What `stopbank release` would let go.
fn control_in_force(station: &Station) -> Vec<Value> {
    let preview = station.order(&["release", "--all"], "operator");
    lines(&preview.stdout)[0]["releases"].as_array().unwrap().clone()
}

#[test]
fn a_guard_without_kafka_gets_the_same_signed_lease_over_http_and_reports_back() {
    let Some(station) = Station::start() else { return };
    station.ordered(&["shed", "cart", "--below", "CRITICAL", "--for", "5m", "--yes"]);
    let keyring = std::fs::read_to_string(station.folder.path().join("engine.pub")).unwrap();
    let me = Me { service: "cart".into(), instance: "cart-1".into(), ..Me::default() };
    let mut subscriber =
        Subscriber::new(&station.domain, me, control::parse_keyring(&keyring).unwrap(), Clamps::default());
    let mut events = follow(station.port);
    let state: Vec<(String, Value)> = events.by_ref().take_while(|(name, _)| name != "caught_up").collect();
    assert_eq!(state.len(), 1, "{state:?}");
    assert_eq!(offer(&mut subscriber, &state[0].1), Verdict::Accepted);
    subscriber.caught_up();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    assert_eq!(subscriber.in_force(now_ms).len(), 1, "the lease that was signed is in force");
    station.ordered(&["release", "--all", "--yes"]);
    let (_, release) = events.find(|(name, event)| name == "command" && is_release(event)).unwrap();
    assert_eq!(offer(&mut subscriber, &release), Verdict::Accepted);
    assert!(subscriber.in_force(now_ms).is_empty());

    let report =
        GuardReport { service: "cart".into(), instance: "cart-1".into(), at_ms: now_ms, ..GuardReport::default() };
    let url = format!("http://127.0.0.1:{}/reports", station.port);
    let request = ureq::post(&url).header("content-type", "application/json");
    assert_eq!(request.send(serde_json::to_string(&report).unwrap()).unwrap().status().as_u16(), 202);
    let tail = TailConfig::new(station.broker.connection.clone(), &station.topics.reports, Edge::Earliest);
    let mut tail = Tail::connect(&tail).unwrap();
    let heard = eventually("the report is on its topic", PATIENCE, || tail.next(Duration::from_millis(200)).unwrap());
    assert_eq!(control::decode_report(&heard.into_record()).unwrap(), report);
}

fn is_release(event: &Value) -> bool {
    serde_json::from_str::<Value>(event["value"].as_str().unwrap()).unwrap()["released"] == true
}

fn offer(subscriber: &mut Subscriber, event: &Value) -> Verdict {
    let headers = event["headers"].as_object().unwrap().iter();
    let record = Record {
        key: event["key"].as_str().unwrap().to_owned(),
        value: event["value"].as_str().unwrap().as_bytes().to_vec(),
        headers: headers.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect(),
    };
    subscriber.offer(&record, event["timestamp_ms"].as_u64().unwrap())
}

/// The events of `GET /control`: name and data.
fn follow(port: u16) -> impl Iterator<Item = (String, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /control HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let (mut name, mut data) = (None, None);
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            name = line.strip_prefix("event: ").map(str::to_owned).or(name.take());
            data = line.strip_prefix("data: ").and_then(|text| serde_json::from_str(text).ok()).or(data.take());
            if let (Some(_), Some(_)) = (&name, &data) {
                return name.take().zip(data.take());
            }
        }
    })
}
