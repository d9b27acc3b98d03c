//! What must hold after every input. Each has an id, a sentence, and a predicate that tests and simulations check.

use crate::{Effect, Engine};
use decide::guards::carrier_of;
use decide::{StandDown, gates, shed};
use model::{Command, Knob, Mode, Signature};
use std::collections::BTreeSet;

/// One invariant.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its id in test output and documents.
    pub id: &'static str,
    /// What it says.
    pub sentence: &'static str,
    /// Does it hold after a step that had these effects?
    pub holds: fn(&Engine, &[Effect]) -> bool,
}

/// All of them.
pub const ALL: &[Invariant] = &[
    Invariant {
        id: "E1",
        sentence: "each (target, knob) has one writer: a step sends it at most one value per topic",
        holds: one_writer,
    },
    Invariant { id: "E2", sentence: "no command without a finding, or a person, behind it", holds: with_reason },
    Invariant {
        id: "E3",
        sentence: "while disarmed nothing is in force and only releases are sent; while frozen or ramped down nothing begins",
        holds: disarmed,
    },
    Invariant {
        id: "E4",
        sentence: "admission sheds CRITICAL_PLUS only with a person's approval",
        holds: critical_plus_is_kept,
    },
    Invariant {
        id: "E5",
        sentence: "no more services are told to refuse requests than the limits allow, but by a person's approval",
        holds: blast_radius,
    },
    Invariant { id: "E6", sentence: "sequences rise", holds: sequences_rise },
];

/// The invariants that do not hold.
pub fn broken(engine: &Engine, effects: &[Effect]) -> Vec<&'static Invariant> {
    ALL.iter().filter(|invariant| !(invariant.holds)(engine, effects)).collect()
}

fn commands(effects: &[Effect]) -> impl Iterator<Item = &Command> {
    effects.iter().filter_map(|effect| if let Effect::Command(command) = effect { Some(command) } else { None })
}

fn one_writer(_: &Engine, effects: &[Effect]) -> bool {
    let mut seen = BTreeSet::new();
    let mut values = commands(effects).filter(|command| command.setting.is_some());
    values.all(|command| seen.insert((&command.target, command.knob, command.mode == Mode::Act)))
}

fn with_reason(_: &Engine, effects: &[Effect]) -> bool {
    let grounded = |command: &Command| {
        command.reason.signature == Signature::Manual
            || (!command.reason.finding.is_empty() && !command.reason.evidence.is_empty())
    };
    commands(effects).all(grounded)
}

fn disarmed(engine: &Engine, effects: &[Effect]) -> bool {
    if engine.ledger().standing_down() != StandDown::Released {
        let stands = |command: &Command| {
            let key = (command.target.clone(), command.knob);
            engine.ledger().leases().contains_key(&key) || engine.ledger().holds().contains_key(&key)
        };
        return commands(effects).all(|command| command.setting.is_none() || stands(command));
    }
    engine.disarmed_by().is_none()
        || (engine.commands().is_empty()
            && engine.ledger().holds().is_empty()
            && commands(effects).all(|command| command.setting.is_none()))
}

fn critical_plus_is_kept(engine: &Engine, effects: &[Effect]) -> bool {
    commands(effects).filter(|command| command.mode == Mode::Act && command.knob == Knob::Admission).all(|command| {
        command.reason.signature == Signature::Manual
            || !command.setting.is_some_and(shed::sheds_critical_plus)
            || engine.ledger().is_approved(&command.id)
    })
}

fn blast_radius(engine: &Engine, _: &[Effect]) -> bool {
    let total = engine.graph().services().count() as u32;
    let commands = engine.commands();
    let acting = commands.iter().filter(|command| command.mode == Mode::Act && gates::refuses(command.knob));
    let unapproved: BTreeSet<&str> =
        acting.filter(|command| !engine.ledger().is_approved(&command.id)).map(carrier_of).collect();
    // The graph may have forgotten services since the commands began.
    unapproved.len() <= gates::services_max(&engine.config().limits, total.max(engine.ledger().services_total()))
}

fn sequences_rise(_: &Engine, effects: &[Effect]) -> bool {
    let sequences: Vec<u64> = commands(effects).map(|command| command.sequence).collect();
    sequences.windows(2).all(|pair| pair[0] < pair[1])
}
