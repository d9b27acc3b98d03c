//! A real Apache Kafka for tests, started through `scripts/kafka`, shared by all tests of a process.
//!
//! The broker ends with the test process, however that ends: the script waits for its standard input to close, and the
//! system closes it. Where nothing can run Kafka the tests say so and pass; under `CI=true` they fail.

use crate::topics::Admin;
use crate::{Connection, Properties, Topics, topics::TopicSpec};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A running real broker. It ends when this is dropped, or with the process.
pub struct Broker {
    /// A plain connection to it.
    pub connection: Connection,
    /// The listener with TLS and logins.
    pub sasl: Sasl,
    /// The listener behind a proxy (`host:port`), if the broker was started with one.
    pub through: Option<String>,
    /// Where its configuration, data and log lie (`kafka.log`, and `pid` for tests that kill it).
    pub dir: PathBuf,
    /// Kept only so that it stays open.
    _stdin: Option<ChildStdin>,
    script: Child,
}

/// How to log in over TLS.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// `host:port`.
    pub brokers: String,
    /// The certificate authority's file, PEM.
    pub ca: String,
    /// The user, for PLAIN and SCRAM.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl Sasl {
    /// A connection that logs in with `mechanism` (`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`).
    pub fn connection(&self, mechanism: &str) -> Connection {
        let mut properties = Properties::new();
        let pairs = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", &self.user),
            ("sasl.password", &self.password),
            ("ssl.ca.location", &self.ca),
        ];
        properties.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Connection { properties, ..Connection::to(&self.brokers) }
    }
}

/// The shared broker, or `None` with a line that says what is missing.
///
/// # Panics
/// If it could be started but was not, and under `CI=true` also if nothing here can run it.
pub fn real_broker() -> Option<&'static Broker> {
    static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
    let broker = SHARED.get_or_init(|| Broker::start(None)).as_ref();
    if broker.is_none() {
        tell_skipped();
    }
    broker
}

/// A broker of the test's own, to freeze and kill, or `None` as with [`real_broker`].
///
/// # Panics
/// As [`real_broker`].
pub fn own_broker() -> Option<Broker> {
    started(None)
}

/// The same, with one more listener whose clients are sent to `port` of this machine: a proxy's, which forwards to
/// [`Broker::through`].
///
/// # Panics
/// As [`real_broker`].
pub fn own_broker_behind(port: u16) -> Option<Broker> {
    started(Some(port))
}

fn started(proxy_port: Option<u16>) -> Option<Broker> {
    let broker = Broker::start(proxy_port);
    if broker.is_none() {
        tell_skipped();
    }
    broker
}

#[allow(clippy::print_stderr)]
fn tell_skipped() {
    let missing = "no JDK 17+ with Maven, and no container engine with `docker compose`";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "a real Kafka is required here: {missing}");
    eprintln!("SKIPPED ({missing}): this test needs a real Kafka broker");
}

/// What the broker's JVM is started with.
const JVM_OPTIONS: &str = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

impl Broker {
    /// Starts one; `None` if nothing on this machine can run Kafka. Panics if it can be run but does not start: its
    /// log's end stands on stderr then.
    fn start(proxy_port: Option<u16>) -> Option<Broker> {
        let mut command = Command::new(script());
        command.args(["start", "--attached", "--tls-sasl"]);
        if let Some(port) = proxy_port {
            command.args(["--through", &port.to_string()]);
        }
        // Halves what the start costs; nothing that tests look at needs the optimising compiler.
        command.env("KAFKA_JVM_OPTIONS", JVM_OPTIONS);
        // A group of its own: what kills the tests' group must leave the script alive to end the broker.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut script = command.spawn().expect("scripts/kafka lies in the repository and bash is there");
        let stdin = script.stdin.take();
        let stdout = script.stdout.take().expect("stdout was asked for");
        let mut said = BTreeMap::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("the script prints text");
            if line == "ready" {
                return Some(Broker::of(&said, stdin, script));
            }
            if let Some((key, value)) = line.split_once('=') {
                said.insert(key.to_owned(), value.to_owned());
            }
        }
        let status = script.wait().expect("the script is a child of this process");
        assert!(status.code() == Some(3), "scripts/kafka could not start the broker ({status}); see above");
        None
    }

    /// A name that no other test and no other run uses: for domains, groups, transactional ids.
    pub fn unique(&self, stem: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{stem}-{}-{count}", std::process::id())
    }

    /// Topic names under a prefix that nobody else uses; nothing is made yet.
    pub fn topics(&self, stem: &str) -> Topics {
        Topics::prefixed(&self.unique(stem))
    }

    /// Makes a topic with so many partitions.
    ///
    /// # Panics
    /// If the broker refuses: this is for tests.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let admin = Admin::connect(&self.connection, Duration::from_secs(20)).expect("the broker runs");
        admin.create(&[TopicSpec::telemetry(name, partitions)], None).expect("the broker makes topics");
    }

    /// The broker's process, for tests that stop or kill it (not with a container engine).
    pub fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.dir.join("pid")).ok()?.trim().parse().ok()
    }

    /// Starts the broker again on its ports and with its data, after a test has killed it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let mut command = Command::new(script());
        let status = command
            .args(["start", "--dir"])
            .arg(&self.dir)
            .env("KAFKA_JVM_OPTIONS", JVM_OPTIONS)
            .stdout(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the broker does not start again");
    }

    fn of(said: &BTreeMap<String, String>, stdin: Option<ChildStdin>, script: Child) -> Broker {
        let get = |key: &str| said.get(key).cloned().unwrap_or_default();
        let sasl = Sasl { brokers: get("sasl_ssl"), ca: get("ca"), user: get("user"), password: get("password") };
        Broker {
            connection: Connection::to(&get("bootstrap")),
            sasl,
            through: said.get("through").cloned(),
            dir: PathBuf::from(get("dir")),
            _stdin: stdin,
            script,
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self._stdin = None;
        // It ends because its input is closed; if it was killed before there is nothing to wait for.
        drop(self.script.wait());
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka")
}
