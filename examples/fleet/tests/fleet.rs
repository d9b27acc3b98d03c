//! Promise: a real fleet that a slow database has brought down stays down without stopbank, is back within seconds with it,
//! and is back as well if stopbank is killed while its commands are in force: the guards carry on, and let go at expiry.

use kafka::testing::real_broker;
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// Plays the story in one arm.
fn play(arm: &str, brokers: &str) -> Child {
    let mut compare = Command::new(env!("CARGO_BIN_EXE_fleet"));
    compare.args(["compare", "--json", "--arms", arm, "--brokers", brokers]);
    compare.stdout(Stdio::piped()).spawn().expect("the program starts")
}

fn verdict(played: Child) -> Value {
    let output = played.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "compare ends with {}", output.status);
    let line: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    line["verdict"].clone()
}

fn number(verdict: &Value, name: &str) -> f64 {
    verdict[name].as_f64().unwrap_or_else(|| panic!("{name} stands in {verdict}"))
}

#[test]
fn a_fleet_stays_down_without_stopbank_and_is_back_with_it_even_if_that_is_killed_half_way() {
    let Some(broker) = real_broker() else { return };
    let brokers = &broker.connection.brokers;
    // Sleeps are most of what a fleet does: two play at the same time.
    let (without, with) = (play("without", brokers), play("with", brokers));
    let (without, with) = (verdict(without), verdict(with));

    assert!(number(&without, "before_rps") > 0.9 * number(&without, "offered_rps"), "it was well: {without}");
    assert!(number(&without, "after_rps") < 0.5 * number(&without, "before_rps"), "it stays down: {without}");
    assert_eq!((&without["back_after_s"], &without["commands"]), (&Value::Null, &Value::from(0)), "{without}");

    assert!(number(&with, "during_rps") < number(&with, "before_rps"), "it was hit as well: {with}");
    assert!(number(&with, "commands") > 0.0, "{with}");
    assert!(number(&with, "vital_back_after_s") <= 25.0, "what matters most is back: {with}");
    assert!(number(&with, "after_rps") > 5.0 + 2.0 * number(&without, "after_rps"), "{with}");

    let killed = verdict(play("killed", brokers));
    assert!(number(&killed, "killed_after_s") > 0.0, "it was killed while guards obeyed: {killed}");
    assert!(number(&killed, "obeyed_on_for_s") > 0.5, "they went on obeying: {killed}");
    assert_eq!(killed["obeying_at_the_end"], 0, "and let go by themselves: {killed}");
}
