//! The actors: each converts, calls the core, and forwards. None branches on what the data means.

mod commit;
mod engine;
mod operator;
mod overseer;
mod shard;

pub(crate) use commit::{Commit, CommitStep, Committed};
pub(crate) use engine::{Configured, EngineActor, EngineSeed, Ordered, Reports};
pub(crate) use operator::{Operator, OperatorSeed, Posted};
pub(crate) use overseer::{Door, Doors, Overseer, OverseerSeed};
pub(crate) use shard::ShardActor;
