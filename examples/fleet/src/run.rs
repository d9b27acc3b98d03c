//! One run of the story: a fresh fleet on fresh topics, the database slow for a while, and stopbank or not.

use crate::children::{Running, free_ports, wait_for};
use crate::load::Second;
use crate::observer::{Observer, Seen};
use crate::plan::{Collector, Plan};
use control::{Role, Signer};
use kafka::{Connection, Provision, Telemetry};
use model::Knob;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The stopbank of the third arm is killed so long after the database is well again, as soon as guards obey more than retry
/// budgets.
const KILLED_AFTER: Duration = Duration::from_secs(1);
/// From then to the look at what guards still obey, seconds: their reports come each second.
const HELD_ON_S: f64 = 2.0;

/// What is done for the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arm {
    /// Nobody commands.
    Without,
    /// stopbank does.
    With,
    /// stopbank does, until it is killed while its commands are in force.
    Killed,
}

/// Where the run takes place.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Kafka.
    pub(crate) brokers: String,
    /// The program.
    pub(crate) stopbank: PathBuf,
    /// A Collector for the spans, if there is one.
    pub(crate) collector: Option<Collector>,
    /// Where files may be put.
    pub(crate) folder: PathBuf,
}

/// What happened.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Story {
    /// The clients' seconds.
    pub(crate) seconds: Vec<Second>,
    /// Changes of commands.
    pub(crate) commands: Vec<Seen>,
    /// How many guards obeyed something, each second.
    pub(crate) obeying: Vec<usize>,
    /// When stopbank was killed, seconds from the start.
    pub(crate) killed_at_s: Option<f64>,
    /// The knobs that guards obeyed at that moment.
    pub(crate) held_then: BTreeSet<Knob>,
    /// The knobs that guards obeyed two seconds later, with nobody left to renew them.
    pub(crate) held_on: BTreeSet<Knob>,
}

/// Plays the story once.
///
/// # Errors
/// When a part of it cannot be started.
pub(crate) fn run(arm: Arm, plan: &Plan, stage: &Stage) -> Result<Story, String> {
    let mut plan = plan.clone();
    place(&mut plan, arm, stage)?;
    let connection = Connection::to(&stage.brokers);
    let provision = Provision { telemetry: Telemetry::Create { partitions: 2 }, ..Provision::default() };
    kafka::ensure_topics(&connection, &plan.topics(), &provision).map_err(|error| error.to_string())?;
    let file = stage.folder.join(format!("{}.toml", plan.place.prefix));
    std::fs::write(&file, toml::to_string(&plan).map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;

    let mut fleet = Vec::new();
    for service in &plan.service {
        fleet.push(Running::start(&mut ourselves(&["serve", "--attached", &service.name], &file)?)?);
    }
    for service in &plan.service {
        wait_for(&format!("http://{}/ready", plan.address(&service.name)), STARTS_WITHIN)?;
    }
    let mut stopbank = match arm {
        Arm::Without => None,
        Arm::With | Arm::Killed => Some(start_stopbank(&plan, stage)?),
    };
    let mut clients = Running::start(ourselves(&["load", "--attached"], &file)?.stdout(Stdio::piped()))?;
    let began = Instant::now();
    let seconds = listen(&mut clients)?;
    let observer = Observer::start(&connection, &plan.topics(), began)?;
    let mut story = Story::default();
    let slow_at = Duration::from_secs(plan.story.slow_at_s);
    let well_at = slow_at + Duration::from_secs(plan.story.slow_for_s);
    let end = well_at + Duration::from_secs(plan.story.watch_s);
    let (mut is_slow, mut is_well) = (false, false);
    while began.elapsed() < end {
        std::thread::sleep(LOOK_EVERY);
        let now = began.elapsed();
        if now >= slow_at && !is_slow {
            is_slow = true;
            pace(&plan, plan.story.slow_ms)?;
        }
        if now >= well_at && !is_well {
            is_well = true;
            pace(&plan, usual_ms(&plan))?;
        }
        if arm == Arm::Killed && now >= well_at + KILLED_AFTER && story.killed_at_s.is_none() {
            let held = observer.knobs();
            if held.iter().any(|knob| *knob != Knob::RetryBudget) {
                // SIGKILL: no drain, no release, no goodbye.
                drop(stopbank.take());
                story.killed_at_s = Some(began.elapsed().as_secs_f64());
                story.held_then = held;
            }
        }
        if story.held_on.is_empty() && story.killed_at_s.is_some_and(|at_s| now.as_secs_f64() >= at_s + HELD_ON_S) {
            story.held_on = observer.knobs();
        }
        while story.obeying.len() < now.as_secs() as usize {
            story.obeying.push(observer.obeying());
        }
    }
    story.commands = observer.commands();
    story.seconds = seconds.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(story)
}

/// Fills in where this run takes place.
fn place(plan: &mut Plan, arm: Arm, stage: &Stage) -> Result<(), String> {
    let name = format!("fleet-{}-{}", std::process::id(), format!("{arm:?}").to_lowercase());
    let ports = free_ports(plan.service.len() + 1)?;
    plan.place.brokers.clone_from(&stage.brokers);
    plan.place.collector.clone_from(&stage.collector);
    plan.place.ports = plan.service.iter().map(|service| service.name.clone()).zip(ports.iter().copied()).collect();
    plan.place.ports.insert("stopbank".to_owned(), ports[plan.service.len()]);
    plan.place.keyring = stage.folder.join(format!("{name}.pub")).display().to_string();
    let halves = [crate::spans::random(), crate::spans::random(), crate::spans::random(), crate::spans::random()];
    let mut seed = [0; 32];
    seed.chunks_mut(8).zip(halves).for_each(|(bytes, half)| bytes.copy_from_slice(&half.to_le_bytes()));
    let public = control::public_key_line(&Signer::from_seed(seed).public(), Role::Engine);
    let write = |path: PathBuf, text: String| std::fs::write(path, text).map_err(|error| error.to_string());
    write(stage.folder.join(format!("{name}.key")), control::seed_file(&seed))?;
    write(PathBuf::from(&plan.place.keyring), public)?;
    plan.place.domain.clone_from(&name);
    plan.place.prefix = name;
    Ok(())
}

/// This program again, as another part of the fleet.
fn ourselves(arguments: &[&str], plan: &Path) -> Result<Command, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(arguments).arg("--plan").arg(plan);
    Ok(command)
}

fn start_stopbank(plan: &Plan, stage: &Stage) -> Result<Running, String> {
    let topics = plan.topics();
    let admin = plan.address("stopbank");
    // a Collector's topic holds the spans of other runs
    let start = if plan.place.collector.is_some() { "latest" } else { "earliest" };
    let mut command = Command::new(&stage.stopbank);
    command.arg("run").env_clear().envs(std::env::vars().filter(|(name, _)| !name.starts_with("STOPBANK_")));
    let settings = [
        ("BROKERS", stage.brokers.as_str()),
        ("TRACES_TOPICS", &topics.traces[0]),
        ("DOMAIN", &plan.place.domain),
        ("GROUP", &plan.place.domain),
        ("MODE", "act"),
        ("ADMIN_ADDRESS", &admin),
        ("TELEMETRY_START", start),
        ("WINDOW_GRACE", "1s"),
        ("WINDOW_FLOW_SAMPLE", "1"),
        ("ENGINE_WARM_UP", "12s"),
        ("ENGINE_LEASE", "6s"),
        ("LOG_LEVEL", "warn"),
        ("TOPICS_CONTROL", &topics.control),
        ("TOPICS_PROPOSALS", &topics.proposals),
        ("TOPICS_FINDINGS", &topics.findings),
        ("TOPICS_REPORTS", &topics.reports),
        ("TOPICS_ORDERS", &topics.orders),
        ("TOPICS_AUDIT", &topics.audit),
        ("TOPICS_JOURNAL", &topics.journal),
        ("TOPICS_SNAPSHOTS", &topics.snapshots),
        ("TOPICS_CLAIMS", &topics.claims),
        ("TOPICS_DEAD_LETTER", &topics.dead_letter),
    ];
    command.envs(settings.map(|(name, value)| (format!("STOPBANK_{name}"), value)));
    let worth = plan.load.stream.iter().map(|one| format!("web:{}={}", one.operation, one.class.as_str()));
    command.env("STOPBANK_CRITICALITY", worth.collect::<Vec<_>>().join(","));
    command.env("STOPBANK_SIGNING_KEY_FILE", stage.folder.join(format!("{}.key", plan.place.domain)));
    let running = Running::start(command.stdout(Stdio::null()))?;
    wait_for(&format!("http://{admin}/health/livez"), STARTS_WITHIN)?;
    Ok(running)
}

/// The clients' seconds, as they come.
fn listen(clients: &mut Running) -> Result<Arc<Mutex<Vec<Second>>>, String> {
    let output = clients.0.stdout.take().ok_or("the clients have no output")?;
    let seconds: Arc<Mutex<Vec<Second>>> = Arc::default();
    let shared = seconds.clone();
    let listen = move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Ok(second) = serde_json::from_str(&line) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(second);
            }
        }
    };
    std::thread::Builder::new().name("clients".into()).spawn(listen).map_err(|error| error.to_string())?;
    Ok(seconds)
}

fn usual_ms(plan: &Plan) -> u64 {
    let database = plan.service.iter().find(|service| service.database);
    database.and_then(|service| service.operation.first()).map_or(1, |operation| operation.work_ms)
}

/// Sets how long the databases take.
fn pace(plan: &Plan, ms: u64) -> Result<(), String> {
    for service in plan.service.iter().filter(|service| service.database) {
        let url = format!("http://{}/pace/{ms}", plan.address(&service.name));
        ureq::post(&url).send_empty().map_err(|error| format!("{url}: {error}"))?;
    }
    Ok(())
}
