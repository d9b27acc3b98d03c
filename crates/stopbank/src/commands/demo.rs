//! `stopbank demo`: an embedded broker, a fleet that collapses, and the pipeline that brings it back.

use crate::cli::Demo;
use crate::demo::{Scenario, Script, Story, Verdict};
use crate::exit::Failure;
use crate::fleet::{Fleet, FleetConfig, Obedience, Spans};
use crate::print::{self, Format};
use crate::screen::{self, Picture};
use crate::signals::Signals;
use crate::{keys, serve};
use control::{Keyring, Role, Signer};
use kafka::{Embedded, Topics};
use model::Mode;
use runtime::{Broker, Pipeline, PipelineConfig};
use serde_json::json;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};
use window::{Grace, Labels};

const DOMAIN: &str = "demo";
/// Few partitions: the embedded broker keeps 5 MiB of each, far more than the pipeline ever lags here.
const PARTITIONS: i32 = 4;
const REDRAW: Duration = Duration::from_millis(250);
const DRAIN: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: &Demo, format: Format) -> Result<(), Failure> {
    crate::logs::start("warn", format);
    let signals = Signals::listen()?;
    let scenario = Scenario::shop();
    let broker = Embedded::start().map_err(Failure::job)?;
    let topics = Topics::default();
    broker.create_topics(&topics, PARTITIONS).map_err(Failure::job)?;
    let signer = Signer::from_seed(keys::seed()?);
    let obedience = if arguments.without {
        Obedience::Ignore
    } else {
        let mut keyring = Keyring::new();
        keyring.add(control::Key::new(signer.public(), Role::Engine)).map_err(Failure::job)?;
        Obedience::Obey { domain: DOMAIN.into(), keyring }
    };
    let pipeline = Pipeline::start(pipeline(&broker, signer)).map_err(Failure::job)?;
    let admin = serve::Admin {
        address: &arguments.admin,
        token: "",
        guard_token: "",
        connection: broker.connection(),
        topics: topics.clone(),
    };
    let admin = serve::start(&admin, pipeline.remote())?;
    let mut teller = Teller::new(format, arguments.without, admin.address().to_string());
    teller.open()?;
    let fleet = Fleet::start(FleetConfig {
        topology: scenario.topology.clone(),
        seed: arguments.seed,
        connection: broker.connection(),
        topics,
        spans: Spans::Topic,
        obedience,
        domain: DOMAIN.into(),
    })?;
    let began = Instant::now();
    let mut story = Story::new(scenario.script);
    while !signals.asked() && !fleet.ended() {
        let at = began.elapsed();
        if at >= scenario.script.length && !arguments.forever {
            break;
        }
        let state = pipeline.state();
        let news = story.hear(at, &state, fleet.seconds());
        teller.tell(&story, &scenario.script, at, &state, &news)?;
        std::thread::sleep(REDRAW);
    }
    let failed = fleet.ended();
    fleet.stop()?;
    if failed {
        return Err(Failure::job("the fleet stopped by itself"));
    }
    pipeline.drain(DRAIN);
    let summary = pipeline.wait().map_err(Failure::job)?;
    let verdict = story.verdict(arguments.without);
    teller.close(&verdict, &summary, arguments.seed)
}

/// The same pipeline that `run` starts, with the demo's settings: it acts, learns for fifteen seconds, and waits half a
/// second for late spans.
fn pipeline(broker: &Embedded, signer: Signer) -> PipelineConfig {
    let mut config = PipelineConfig::new(broker.connection(), Broker::Embedded, signer);
    config.grace = Grace::Fixed { grace_ms: 700 };
    config.window.flow_sample = 1;
    // The shop's gateway is the demo's own, and says how important each request is.
    config.window.labels = Labels::Trusted;
    config.engine.domain = DOMAIN.into();
    config.engine.mode = Mode::Act;
    config.engine.warmup_windows = 12;
    config
}

/// Tells the story: a picture on a terminal, lines otherwise, JSON lines if asked.
struct Teller {
    format: Format,
    drawn: bool,
    without: bool,
    admin: String,
    told_s: Option<u64>,
}

impl Teller {
    fn new(format: Format, without: bool, admin: String) -> Teller {
        let drawn = format == Format::Text && stdout().is_terminal();
        Teller { format, drawn, without, admin, told_s: None }
    }

    fn open(&self) -> Result<(), Failure> {
        let what = if self.without { "commands are ignored" } else { "commands are obeyed" };
        if self.format == Format::Json {
            return Ok(print::json(
                &json!({"type": "start", "policy": policy(self.without), "broker": Embedded::LIMITS,
                "admin": self.admin}),
            )?);
        }
        print::line(&format!(
            "A simulated shop of about ten services on this machine, {what}.\nBroker: {}.\nPage: http://{}/",
            Embedded::LIMITS,
            self.admin
        ))?;
        if self.drawn {
            // The alternate screen, without a cursor: what stood in the terminal comes back at the end.
            write!(stdout(), "\x1b[?1049h\x1b[?25l\x1b[2J")?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        story: &Story,
        script: &Script,
        at: Duration,
        state: &runtime::State,
        news: &[String],
    ) -> Result<(), Failure> {
        let second = at.as_secs();
        let new_second = self.told_s != Some(second);
        self.told_s = Some(second);
        if self.drawn {
            let (graph, findings) = (state.graph.get(), state.findings.get());
            let commands: Vec<_> = state.commands.get().iter().map(|standing| standing.command.clone()).collect();
            let (width, height) = screen::size();
            let picture = Picture {
                phase: script.phase(at),
                at_s: second,
                graph: &graph,
                findings: &findings,
                commands: &commands,
                events: story.events(),
                goodput: story.goodput(),
                offered: story.offered(),
                width,
                height,
            };
            stdout().write_all(screen::frame(&screen::lines(&picture)).as_bytes())?;
            return Ok(stdout().flush()?);
        }
        for text in news {
            match self.format {
                Format::Json => print::json(&json!({"type": "event", "at_ms": at.as_millis() as u64, "text": text}))?,
                Format::Text => print::line(&format!("{second:>3} s  {text}"))?,
            }
        }
        if new_second && second.is_multiple_of(2) {
            self.tick(story, script, at, state)?;
        }
        Ok(())
    }

    fn tick(&self, story: &Story, script: &Script, at: Duration, state: &runtime::State) -> Result<(), Failure> {
        let goodput = story.goodput().last().copied().unwrap_or(0);
        let (edges, commands) = (state.graph.get().edges.len(), state.commands.get().len());
        match self.format {
            Format::Json => print::json(&json!({"type": "second", "at_ms": at.as_millis() as u64,
                "phase": script.phase(at), "goodput_rps": goodput, "offered_rps": story.offered(), "edges": edges,
                "findings": state.findings.get().len(), "commands": commands}))?,
            Format::Text => print::line(&format!(
                "{:>3} s  goodput {goodput:>4}/s of {:>4}/s  {:<28} {edges} edges, commands in force: {commands}  {}",
                at.as_secs(),
                story.offered(),
                script.phase(at),
                screen::sparkline(story.goodput(), 24)
            ))?,
        }
        Ok(())
    }

    fn close(&self, verdict: &Verdict, summary: &runtime::Summary, seed: u64) -> Result<(), Failure> {
        if self.drawn {
            write!(stdout(), "\x1b[?25h\x1b[?1049l")?;
        }
        if self.format == Format::Json {
            let mut line = json!({"type": "summary", "policy": policy(self.without), "seed": seed});
            let (verdict, numbers) = (
                json!(verdict),
                json!({"findings": summary.findings, "commands": summary.commands,
                "spans": summary.spans, "calls": summary.calls, "edges": summary.edges, "poison": summary.poison,
                "late": summary.late, "cpu_s": summary.cpu_s, "max_rss_mib": summary.max_rss_mib}),
            );
            for part in [verdict, numbers] {
                if let (Some(line), Some(part)) = (line.as_object_mut(), part.as_object()) {
                    line.extend(part.clone());
                }
            }
            return Ok(print::json(&line)?);
        }
        print::line(&verdict.told(self.without, summary))?;
        Ok(())
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.drawn {
            // Also when an error ends the demo early; twice does no harm.
            let _ = write!(stdout(), "\x1b[?25h\x1b[?1049l");
            let _ = stdout().flush();
        }
    }
}

fn policy(without: bool) -> &'static str {
    if without { "without" } else { "with" }
}
