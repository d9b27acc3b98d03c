//! What the tests of the whole program share: the binary, its JSON lines, Python.
#![allow(dead_code)]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

/// The program as `cargo test` has built it beside this test (the package `stopbank` has a test of its own for that). Where
/// it is missing or older than a source, as after `cargo test --test NAME`, it is built now.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let beside = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join("stopbank");
        let built = std::fs::metadata(&beside).and_then(|metadata| metadata.modified());
        if built.is_err() || built.is_ok_and(|built| built < newest(&root().join("crates"))) {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--locked", "--offline", "--quiet", "-p", "stopbank"]).current_dir(root());
            assert!(build.status().expect("cargo starts").success(), "the program does not build");
        }
        beside
    })
}

/// When anything under this folder was last changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository is readable").map_while(Result::ok);
    let changed = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && entry.file_name() != "tests" => newest(&entry.path()),
        Ok(metadata) if metadata.is_file() => metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        _ => SystemTime::UNIX_EPOCH,
    };
    entries.map(changed).max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program with these arguments and no settings from the environment of the tests.
pub fn stopbank(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOPBANK_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end, and fails the test if it does not end well.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The JSON lines of an output.
pub fn lines(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

/// The last JSON line: the summary.
pub fn summary(output: &[u8]) -> Value {
    let summary = lines(output).pop().expect("there is a last line");
    assert_eq!(summary["type"], "summary", "{summary}");
    summary
}

/// A Python with the tests' packages, or `None` with a line that says why not. Under `CI=true` missing is a failure.
pub fn python() -> Option<PathBuf> {
    script("scripts/python", &["-c", "pass"])
}

/// A Java with the tests' libraries, or `None` as with [`python`].
pub fn java() -> Option<PathBuf> {
    script("scripts/java", &["--version"])
}

/// A Node.js with the tests' packages, or `None` as with [`python`].
pub fn node() -> Option<PathBuf> {
    script("scripts/node", &["-e", ""])
}

/// The OpenTelemetry Collector, built if need be, or `None` as with [`python`].
pub fn collector() -> Option<PathBuf> {
    script("scripts/collector", &["fetch"])
}

/// The folder of Kafka's own libraries, fetched if need be, or `None` as with [`python`].
pub fn kafka_libraries() -> Option<PathBuf> {
    let fetch = ["fetch"];
    let script = script("scripts/kafka", &fetch)?;
    let told = succeed(Command::new(script).args(fetch)).stdout;
    Some(PathBuf::from(String::from_utf8_lossy(&told).trim()))
}

/// The example subscriber in Go, built, or `None` as with [`python`].
pub fn go_subscriber() -> Option<PathBuf> {
    go_program("subscriber-go", &go_example())
}

/// The program in Go that lies in this folder, built under this name, or `None` as with [`python`].
pub fn go_program(name: &str, folder: &Path) -> Option<PathBuf> {
    if Command::new("go").arg("version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "Go is missing (install golang-go)");
        eprintln!("SKIPPED: Go is missing (install golang-go)");
        return None;
    }
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    succeed(Command::new("go").args(["build", "-o"]).arg(&built).arg(".").current_dir(folder));
    Some(built)
}

/// The folder of the example subscriber in Go.
pub fn go_example() -> PathBuf {
    root().join("schemas/examples/go")
}

/// The environment of a program that works on these topics.
pub fn environment(command: &mut Command, broker: &kafka::testing::Broker, topics: &kafka::Topics, domain: &str) {
    environment_at(command, &broker.connection.brokers, topics, domain);
}

/// The same where the broker is reached by another address.
pub fn environment_at(command: &mut Command, brokers: &str, topics: &kafka::Topics, domain: &str) {
    command
        .env("STOPBANK_BROKERS", brokers)
        .env("STOPBANK_TRACES_TOPICS", &topics.traces[0])
        .env("STOPBANK_DOMAIN", domain)
        .env("STOPBANK_GROUP", domain)
        .env("STOPBANK_ADMIN_ADDRESS", "127.0.0.1:0")
        .env("STOPBANK_TELEMETRY_START", "earliest")
        .env("STOPBANK_TOPICS_CONTROL", &topics.control)
        .env("STOPBANK_TOPICS_PROPOSALS", &topics.proposals)
        .env("STOPBANK_TOPICS_FINDINGS", &topics.findings)
        .env("STOPBANK_TOPICS_REPORTS", &topics.reports)
        .env("STOPBANK_TOPICS_ORDERS", &topics.orders)
        .env("STOPBANK_TOPICS_AUDIT", &topics.audit)
        .env("STOPBANK_TOPICS_JOURNAL", &topics.journal)
        .env("STOPBANK_TOPICS_SNAPSHOTS", &topics.snapshots)
        .env("STOPBANK_TOPICS_CLAIMS", &topics.claims)
        .env("STOPBANK_TOPICS_DEAD_LETTER", &topics.dead_letter);
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A script that ends with 3 where its tools are missing.
fn script(name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let path = root().join(name);
    let output = Command::new(&path).args(arguments).output().expect("the script starts");
    if output.status.success() {
        return Some(path);
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    let missing = output.status.code() == Some(3);
    assert!(missing && std::env::var("CI").as_deref() != Ok("true"), "{name}: {why}");
    eprintln!("SKIPPED: {why}");
    None
}

/// A child process that is killed when the test ends, whatever happens.
pub struct Running(pub Child, Option<Receiver<String>>);

impl Running {
    /// Starts it with its output piped.
    pub fn start(command: &mut Command) -> Running {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("the program starts");
        Running(child, None)
    }

    /// Starts it with nobody listening.
    pub fn silent(command: &mut Command) -> Running {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        Running(child, None)
    }

    /// Sends a signal by name, as `kill -NAME` does.
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill starts").success());
    }

    /// Reads its next JSON lines until `wanted` says yes, and gives that line; fails after `patience`.
    pub fn line(&mut self, patience: Duration, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let output = &mut self.0.stdout;
        let lines = self.1.get_or_insert_with(|| {
            let (send, receive) = std::sync::mpsc::channel();
            let output = output.take().expect("its output is piped");
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        break;
                    }
                }
            });
            receive
        });
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).expect("the line comes in time");
            if let Ok(value) = serde_json::from_str::<Value>(&line)
                && wanted(&value)
            {
                return value;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it gives something; fails after `patience`, saying `what` was waited for.
pub fn eventually<T>(what: &str, patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "{what} did not happen within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
