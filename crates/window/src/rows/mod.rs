//! The rows of an open window: accumulators that are filled span by span and become rows when the window closes.

mod admission;
mod due;
mod edge;
mod exemplar;
mod few;
mod flow;
mod key;
mod open;
mod recorder;
mod remaining;
mod service;
mod side;
mod step;
mod table;

pub(crate) use admission::Admission;
pub(crate) use due::Due;
pub(crate) use edge::{Attempt, Called, EdgeAcc, FailedBucket, merge_failed};
pub(crate) use exemplar::{Exemplars, Ranked};
pub(crate) use flow::FlowAcc;
pub(crate) use key::RowKey;
pub(crate) use open::{Admissions, Deferred, Open, Route};
pub(crate) use recorder::{Pool, Recorder, highest_equivalent};
pub(crate) use remaining::Remaining;
pub(crate) use service::{Served, ServiceAcc};
pub(crate) use side::Side;
pub(crate) use step::{StepAcc, StepKey};
pub(crate) use table::{Accumulator, Plain, Table};
