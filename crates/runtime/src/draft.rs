//! One step of the engine on its way to the log: inputs for the journal, effects, positions.

use crate::memo::Memo;
use engine::{Effect, Input};
use kafka::Positions;

/// An input as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The kind of input.
    pub(crate) kind: &'static str,
    /// The input, postcard.
    pub(crate) input: Vec<u8>,
    /// The engine's digest before the input, where it was taken.
    pub(crate) digest: Option<[u8; 32]>,
}

impl Entry {
    /// `bytes` are expected: windows are long, and a list that grows is copied again and again.
    pub(crate) fn of(input: &Input, digest: Option<[u8; 32]>, bytes: usize) -> Result<Entry, postcard::Error> {
        Ok(Entry { kind: kind(input), input: postcard::to_extend(input, Vec::with_capacity(bytes))?, digest })
    }

    /// The input again.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Input, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// What one transaction holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) entries: Vec<Entry>,
    pub(crate) effects: Vec<Effect>,
    /// Inputs that were put aside, each with the reason.
    pub(crate) aside: Vec<(Entry, String)>,
    pub(crate) positions: Positions,
    /// What the next owner must know; present when it may have changed.
    pub(crate) memo: Option<Memo>,
}

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Window(_) => "window",
        Input::Tick { .. } => "tick",
        Input::Report(_) => "report",
        Input::Order(_) => "order",
        Input::Config(_) => "config",
        Input::Idle { .. } => "idle",
        Input::Awake { .. } => "awake",
        Input::Assigned { .. } => "assigned",
        Input::Sampling { .. } => "sampling",
        Input::GraceChanged { .. } => "grace_changed",
        Input::Measured(_) => "measured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{GuardReport, Order, OrderKind, Window};

    #[test]
    fn every_input_survives_the_journal() {
        let order = Order { id: "o".into(), by: "me".into(), note: String::new(), at_ms: 1, kind: OrderKind::Disarm };
        let inputs = [
            Input::Window(Window { end_ns: 5, ..Window::default() }),
            Input::Tick { now_ms: 7 },
            Input::Report(GuardReport::default()),
            Input::Order(order),
            Input::Config(Box::default()),
            Input::Measured(vec![model::WitnessRow { calls: 3, ..model::WitnessRow::default() }]),
        ];
        for input in inputs {
            let entry = Entry::of(&input, None, 0).expect("inputs are plain data");
            assert_eq!(Entry::decode(&entry.input).expect("what was written"), input);
        }
    }
}
