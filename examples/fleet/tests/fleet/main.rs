//! Promise: a real fleet that a slow database has brought down stays down without stopbank, is back within seconds with it,
//! and is back as well if stopbank is killed while its commands are in force: the guards carry on, and let go at expiry.
//! And the lab's fleet is like it: the same graph, rates, latencies and collapse.

mod spans;

use kafka::testing::{Broker, real_broker};
use lab::Scenario;
use serde_json::Value;
use spans::Seen;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// An arm under way.
struct Playing {
    child: Child,
    topic: String,
}

/// How it ended.
struct Played {
    verdict: Value,
    story: Value,
    /// Where its spans are.
    topic: String,
}

fn play(arm: &str, broker: &Broker) -> Playing {
    let mut compare = Command::new(env!("CARGO_BIN_EXE_fleet"));
    compare.args(["compare", "--json", "--arms", arm, "--brokers", &broker.connection.brokers]);
    let child = compare.stdout(Stdio::piped()).spawn().expect("the program starts");
    let topic = kafka::Topics::prefixed(&format!("fleet-{}-{arm}", child.id())).traces.remove(0);
    Playing { child, topic }
}

impl Playing {
    fn end(self) -> Played {
        let output = self.child.wait_with_output().expect("the program ends");
        assert!(output.status.success(), "compare ends with {}", output.status);
        let line: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        Played { verdict: line["verdict"].clone(), story: line["story"].clone(), topic: self.topic }
    }
}

/// The arms without and with stopbank. Sleeps are most of what a fleet does: the two play at the same time.
fn played(broker: &Broker) -> &'static [Played; 2] {
    static PLAYED: OnceLock<[Played; 2]> = OnceLock::new();
    PLAYED.get_or_init(|| ["without", "with"].map(|arm| play(arm, broker)).map(Playing::end))
}

fn number(verdict: &Value, name: &str) -> f64 {
    verdict[name].as_f64().unwrap_or_else(|| panic!("{name} stands in {verdict}"))
}

#[test]
fn a_fleet_stays_down_without_stopbank_and_is_back_with_it_even_if_that_is_killed_half_way() {
    let Some(broker) = real_broker() else { return };
    let [without, with] = played(broker);
    let (story, without, with) = (&with.story, &without.verdict, &with.verdict);

    assert!(number(without, "before_rps") > 0.9 * number(without, "offered_rps"), "it was well: {without}");
    assert!(number(without, "after_rps") < 0.5 * number(without, "before_rps"), "it stays down: {without}");
    assert_eq!((&without["back_after_s"], &without["commands"]), (&Value::Null, &Value::from(0)), "{without}");

    assert!(number(with, "during_rps") < number(with, "before_rps"), "it was hit as well: {with}");
    assert!(number(with, "commands") > 0.0, "{with}");
    assert!(number(with, "back_after_s") <= 20.0, "it is back within seconds: {with} {story}");
    assert!(number(with, "after_rps") >= 0.9 * number(with, "before_rps"), "and stays: {with} {story}");

    let Played { verdict: killed, story, .. } = play("killed", broker).end();
    assert!(number(&killed, "killed_after_s") > 0.0, "it was killed while guards obeyed: {killed}");
    let held = killed["held_on"].as_array().expect("knobs");
    let more = held.iter().any(|knob| knob == "queue_bound" || knob == "admission");
    assert!(more && number(&killed, "obeyed_on_for_s") >= 2.0, "they went on obeying: {killed} {story}");
    assert!(number(&killed, "after_rps") >= 0.9 * number(&killed, "before_rps"), "the fleet is back: {killed} {story}");
    assert_eq!(killed["obeying_at_the_end"], 0, "and let go by themselves: {killed} {story}");
}

#[test]
fn the_simulated_fleet_has_the_graph_the_rates_the_latencies_and_the_collapse_of_the_real_one() {
    let Some(broker) = real_broker() else { return };
    let [without, _] = played(broker);
    let real = Seen::on(&broker.connection, &without.topic);
    let text = Command::new(env!("CARGO_BIN_EXE_fleet")).arg("scenario").output().expect("the program starts").stdout;
    let scenario = Scenario::from_toml(&String::from_utf8_lossy(&text)).expect("a scenario");
    let calm = Seen::simulated(scenario.topology.without_faults(), 310, 1).graph(6..306);
    let storm = Seen::simulated(scenario.topology, u64::from(scenario.terms.length_s), 1);

    let there = real.graph(6..18);
    assert_eq!(there.keys().collect::<Vec<_>>(), calm.keys().collect::<Vec<_>>(), "the same graph");
    println!("real | simulated: calls/s, p50 ms, p99 ms");
    for ((from, to, what), real) in &there {
        let simulated = &calm[&(from.clone(), to.clone(), what.clone())];
        println!("{from} -> {to} {what}\n{real}\n{simulated}");
        let within = |real: f64, simulated: f64, factor: f64| real <= simulated * factor && simulated <= real * factor;
        let rate = within(real.calls_rps, simulated.calls_rps, 1.15);
        let middle = within(real.p50_ms, simulated.p50_ms, 1.3);
        // processes wait for a processor too, and where others use it that is most of their slowest hundredth
        let tail = real.p99_ms >= 0.6 * simulated.p99_ms && real.p99_ms <= 2.0 * simulated.p99_ms + 80.0;
        assert!(rate && middle && tail, "{from} -> {to} {what}: {real} and {simulated}");
    }

    // calm, fault, long after it: the same story, and nothing gets better by itself
    for (seen, name) in [(&real, "real"), (&storm, "simulated")] {
        let (before, after, falls_at) = (seen.good_share(6..18), seen.good_share(42..55), seen.falls_at(18));
        println!("{name}: {before:.2} answered well before, {after:.2} long after, down at {falls_at:?} s");
        assert!(before > 0.95 && after < 0.2, "{name}: {before} before, {after} after");
        assert!(falls_at.is_some_and(|at_s| (20..=24).contains(&at_s)), "{name}: {falls_at:?}");
    }
}
