//! Two engines on one domain, as processes: they are killed, stopped, continued, asked to leave, and started again.

use crate::support::{environment_at, free_port, stopbank};
use kafka::Topics;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What every engine is told.
pub struct Setting<'a> {
    pub brokers: String,
    pub topics: &'a Topics,
    pub domain: &'a str,
    pub folder: &'a Path,
}

/// One engine's place: there is a process in it, mostly.
pub struct Engine {
    command: Command,
    pub child: Child,
    pub port: u16,
    log: PathBuf,
    /// Ended by itself with a code that means neither "done" nor "no broker answers".
    pub gave_up: u32,
}

impl Engine {
    pub fn start(number: usize, setting: &Setting<'_>) -> Engine {
        let port = free_port();
        let log = setting.folder.join(format!("engine-{number}.log"));
        let mut command = stopbank(&["run", "--format", "json"]);
        environment_at(&mut command, &setting.brokers, setting.topics, setting.domain);
        command
            .env("STOPBANK_ADMIN_ADDRESS", format!("127.0.0.1:{port}"))
            .env("STOPBANK_SIGNING_KEY_FILE", setting.folder.join("stopbank.key"))
            .env("STOPBANK_MODE", "act")
            .env("STOPBANK_ENGINE_WARM_UP", "10s")
            // An outage of the broker lasts a while; what was measured before it still counts after it.
            .env("STOPBANK_ENGINE_STALE_AFTER", "40s")
            .env("STOPBANK_WINDOW_GRACE", "1s")
            .env("STOPBANK_WINDOW_IDLE_AFTER", "1s")
            .env("STOPBANK_RUNTIME_SHUTDOWN_TIMEOUT", "8s");
        let child = spawn(&mut command, &log);
        Engine { command, child, port, log, gave_up: 0 }
    }

    /// Starts a new process if the last one has ended.
    pub fn keep_up(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            // Killed, drained, or no broker at the start: an operator's supervisor would start it again as well.
            self.gave_up += u32::from(!matches!(status.code(), None | Some(0 | 3 | 130)));
            self.child = spawn(&mut self.command, &self.log);
        }
    }

    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
    }

    /// The epoch under which it owns the domain, as it says itself.
    pub fn epoch(&self) -> Option<u64> {
        let text = self.metrics()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        value("stopbank_running ").filter(|running| *running == 1).and_then(|_| value("stopbank_epoch "))
    }

    fn metrics(&self) -> Option<String> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_millis(500))).build().into();
        let answer = agent.get(format!("http://127.0.0.1:{}/metrics", self.port)).call();
        answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok())
    }

    /// Its counters and gauges that are not zero, without histograms.
    fn measures(&self) -> Option<String> {
        let text = self.metrics()?;
        let tells = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0") && !line.contains("_bucket");
        Some(text.lines().filter(tells).collect::<Vec<_>>().join("\n"))
    }

    /// How often something stands in the logs of all its processes.
    pub fn said(&self, what: &str) -> usize {
        std::fs::read_to_string(&self.log).unwrap_or_default().matches(what).count()
    }

    /// The longest recovery that its processes have told, milliseconds, and the most entries replayed.
    pub fn recoveries(&self) -> Vec<(bool, u64, u64)> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains("the engine is as its log has it"));
        let parse = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            let fields = value.get("fields").unwrap_or(&value);
            let number = |name: &str| fields[name].as_u64().or_else(|| fields[name].as_str()?.parse().ok());
            Some((fields["warm"].as_bool()?, number("replayed")?, number("took_ms")?))
        };
        lines.filter_map(parse).collect()
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).expect("a writable folder");
    let both = log.try_clone().expect("a descriptor is left");
    command.stdout(Stdio::from(log)).stderr(Stdio::from(both)).spawn().expect("the program starts")
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            // Every start says of a dozen topics that they are there.
            let tells = |line: &&str| !line.contains("\"DEBUG\"") && !line.contains("Present {");
            let lines: Vec<&str> = text.lines().filter(tells).collect();
            eprintln!("the end of {}:\n{}", self.log.display(), lines[lines.len().saturating_sub(40)..].join("\n"));
            eprintln!("what it measures of itself:\n{}", self.measures().unwrap_or_default());
        }
        self.signal("CONT");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
