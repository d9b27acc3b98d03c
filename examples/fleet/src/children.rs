//! The processes of a fleet. They end when this process ends, however that is.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it with a standard input that closes with this process.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(command: &mut Command) -> Result<Running, String> {
        let started = command.stdin(Stdio::piped()).spawn();
        started.map(Running).map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The repository that this example lies in.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A Kafka of our own, through `scripts/kafka`.
///
/// # Errors
/// When there is nothing here that runs Kafka.
pub(crate) fn kafka() -> Result<(Running, String), String> {
    let mut command = Command::new(repository().join("scripts/kafka"));
    let mut broker = Running::start(command.args(["start", "--attached"]).stdout(Stdio::piped()))?;
    let output = broker.0.stdout.take().ok_or("scripts/kafka has no output")?;
    let mut bootstrap = None;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("bootstrap=") {
            bootstrap = Some(address.to_owned());
        }
        if line == "ready" {
            break;
        }
    }
    let bootstrap = bootstrap.ok_or("scripts/kafka did not start a broker; give one with --brokers")?;
    Ok((broker, bootstrap))
}

/// The program `stopbank` beside this one, built now if it is not there.
///
/// # Errors
/// When it does not build.
pub(crate) fn stopbank() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.with_file_name("stopbank");
    if !beside.exists() {
        let mut build = Command::new("cargo");
        build.args(["build", "--locked", "--quiet", "-p", "stopbank"]).current_dir(repository());
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.status().map_err(|error| format!("cargo: {error}"))?;
        if !built.success() || !beside.exists() {
            return Err(format!("{} is missing; build it, or name it with --stopbank", beside.display()));
        }
    }
    Ok(beside)
}

/// Ports that are free now.
///
/// # Errors
/// When the system gives none.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    // All are held before any is given back, so that they differ.
    let listeners: Result<Vec<TcpListener>, _> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let listeners = listeners.map_err(|error| error.to_string())?;
    listeners
        .iter()
        .map(|one| one.local_addr().map(|address| address.port()).map_err(|error| error.to_string()))
        .collect()
}

/// Waits until an address answers.
///
/// # Errors
/// When it does not in time.
pub(crate) fn wait_for(url: &str, patience: Duration) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    loop {
        match ureq::get(url).call() {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(format!("{url} does not answer: {error}")),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
