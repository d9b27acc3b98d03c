//! Promise: `docker-compose.yml` works: each of its services, started with its command and its environment, plays its part,
//! and the fleet that goes down comes back.
//!
//! The services run as processes instead of containers: names of hosts, ports and paths are put in place of the containers'
//! own, and the settings reach Kafka through the same program that the image's entry point runs. What this cannot show is
//! that the images can be pulled and built.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Running, collector, eventually, free_port, lines, python, root, stopbank, succeed};

const PATIENCE: Duration = Duration::from_secs(60);
/// The fleet's fault begins after 20 s and lasts 12; then it has to be seen and answered.
const STORY: Duration = Duration::from_secs(120);
const HEALTHY_S: usize = 18;

/// `docker-compose.yml`, with what stands for the containers' network and volumes.
struct Compose {
    services: Value,
    /// What is written there, and what it is here; the first that fits is put in place.
    instead: Vec<(String, String)>,
}

impl Compose {
    fn here(&self, text: &str) -> String {
        self.instead.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    fn words(&self, service: &str, key: &str) -> Vec<String> {
        let words = self.services[service][key].as_array().unwrap_or_else(|| panic!("{service} has a {key}"));
        words.iter().map(|word| self.here(word.as_str().expect("words are text"))).collect()
    }

    fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let variables = self.services[service]["environment"].as_object().into_iter().flatten();
        variables.map(|(name, value)| (name.clone(), self.here(&text(value)))).collect()
    }

    /// The program with the service's command and environment.
    fn stopbank(&self, service: &str) -> Command {
        let words = self.words(service, "command");
        let mut command = stopbank(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(self.environment(service));
        command
    }
}

#[test]
fn the_services_of_the_compose_file_play_together() {
    let (Some(libraries), Some(collector), Some(python)) = (support::kafka_libraries(), collector(), python()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let port = || format!("127.0.0.1:{}", free_port());
    let (kafka, controller, outside, grpc, http, admin) = (port(), port(), port(), port(), port(), port());
    let keys = home.join("keys");
    std::fs::create_dir(&keys).unwrap();
    let script = root().join("tests/support/yaml_to_json.py");
    let read = succeed(Command::new(&python).arg(script).arg(root().join("docker-compose.yml")));
    let mut compose = Compose { services: lines(&read.stdout).remove(0)["services"].take(), instead: Vec::new() };
    compose.instead = [
        ("kafka:9092", kafka.clone()),
        ("localhost:9093", controller.clone()),
        ("localhost:29092", outside.clone()),
        // Where a listener names no host, it listens everywhere.
        ("PLAINTEXT://:9092", format!("PLAINTEXT://{kafka}")),
        ("CONTROLLER://:9093", format!("CONTROLLER://{controller}")),
        ("HOST://:29092", format!("HOST://{outside}")),
        ("collector:4318", http.clone()),
        ("0.0.0.0:4317", grpc),
        ("0.0.0.0:4318", http.clone()),
        ("0.0.0.0:9464", admin.clone()),
        ("/etc/collector.yaml", home.join("collector.yaml").display().to_string()),
        // Only who is root there can give them away, and here nobody else reads them.
        ("chown -R nobody /keys", "true".to_owned()),
        ("/keys", keys.display().to_string()),
    ]
    .map(|(there, here)| (there.to_owned(), here))
    .to_vec();

    let _kafka = start_kafka(&compose, &libraries, home);
    eventually("Kafka answers", PATIENCE, || std::net::TcpStream::connect(&kafka).ok());

    let configuration = std::fs::read_to_string(root().join("deploy/collector.yaml")).unwrap();
    std::fs::write(home.join("collector.yaml"), compose.here(&configuration)).unwrap();
    let binary = succeed(Command::new(collector).arg("fetch")).stdout;
    let image = compose.services["collector"]["image"].as_str().expect("an image");
    let binary = String::from_utf8(binary).unwrap();
    let version = image.rsplit(':').next().unwrap_or_default();
    assert!(binary.contains(version), "the tests' Collector is {binary}, the image {image}");
    let mut command = Command::new(binary.trim());
    let _collector = Running::silent(command.args(compose.words("collector", "command")));
    eventually("the Collector listens", PATIENCE, || std::net::TcpStream::connect(&http).ok());

    let entry = compose.words("keys", "entrypoint");
    let beside = support::binary().parent().expect("a program lies in a folder");
    let path = format!("{}:{}", beside.display(), std::env::var("PATH").unwrap_or_default());
    succeed(Command::new(&entry[0]).args(&entry[1..]).env("PATH", path));
    assert!(keys.join("stopbank.key").exists() && keys.join("stopbank.pub").exists());

    let _stopbank = Running::silent(&mut compose.stopbank("stopbank"));
    eventually("stopbank is ready", PATIENCE, || get(&admin, "/health/readyz"));
    let mut fleet = Running::start(compose.stopbank("fleet").args(["--format", "json"]));

    let good = |second: &Value| second["goodput_rps"].as_u64().unwrap_or(0);
    let mut before = Vec::new();
    let mean = |seconds: &[u64]| seconds.iter().sum::<u64>() / seconds.len().max(1) as u64;
    fleet.line(STORY, |second| {
        before.push(good(second));
        before.len() > HEALTHY_S && good(second) < mean(&before[..HEALTHY_S]) / 2
    });
    let healthy = mean(&before[..HEALTHY_S]);
    assert!(healthy > 200, "the fleet served {healthy} requests a second before it went down");
    let mut after = Vec::new();
    fleet.line(STORY, |second| {
        after.push(good(second));
        after.len() > 10 && mean(&after[after.len() - 5..]) * 10 >= healthy * 9
    });
    let graph: Value = serde_json::from_str(&get(&admin, "/graph").expect("it answers")).unwrap();
    assert!(graph["edges"].as_array().is_some_and(|edges| edges.len() >= 8), "{graph}");

    // And what was commanded lies there to be read, on the listener for the host.
    let tail = succeed(
        stopbank(&["tap", "control", "--from-beginning", "--for", "3s"])
            .env("STOPBANK_BROKERS", &outside)
            .stderr(Stdio::null()),
    );
    assert!(!lines(&tail.stdout).is_empty(), "something was commanded");
}

/// The broker, as the image's entry point prepares and starts it.
fn start_kafka(compose: &Compose, libraries: &Path, home: &Path) -> Running {
    let image = compose.services["kafka"]["image"].as_str().expect("an image");
    let version = image.rsplit(':').next().unwrap_or_default();
    assert!(libraries.display().to_string().contains(version), "the tests' Kafka is {libraries:?}, the image {image}");
    let class_path = format!("{}/*", libraries.display());
    let folders = ["default", "mounted", "final"].map(|name| home.join(name));
    for folder in &folders {
        std::fs::create_dir(folder).unwrap();
    }
    let [default, mounted, made] = &folders;
    let mut prepare = Command::new("java");
    prepare.args(["-cp", &class_path, "kafka.docker.KafkaDockerWrapper", "setup"]);
    prepare.arg("--default-configs-dir").arg(default).arg("--mounted-configs-dir").arg(mounted);
    prepare.arg("--final-configs-dir").arg(made).envs(compose.environment("kafka"));
    // The image has these two itself.
    prepare.env("CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw").env("KAFKA_LOG_DIRS", home.join("data"));
    succeed(&mut prepare);
    let mut serve = Command::new("java");
    serve.args(["-Xmx512m", "-cp", &class_path, "kafka.Kafka"]).arg(made.join("server.properties"));
    Running::silent(serve.current_dir(home))
}

fn get(address: &str, path: &str) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}
