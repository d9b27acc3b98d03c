//! What a service embeds: it sheds by priority, bounds its queue, breaks retry loops and watches its callees, by itself and
//! as stopbank's control topic says.
//!
//! [`GuardLayer`] goes before a server, [`ClientGuardLayer`] before a client (axum, hyper, tonic: anything that is a tower
//! service of `http` requests). Without tower there are [`Guard::admit`] and [`Callee::call`]. Decisions are those of the
//! crate `admission`; here are the clock, the threads and the headers.
//!
//! Invariant: no command makes the guard admit what it would refuse by itself, and when nobody commands, or nobody can be
//! heard any more, it works on its own settings.
#![forbid(unsafe_code)]

mod builder;
mod callee;
mod clock;
mod control;
mod event;
mod follow;
mod gate;
mod guard;
mod health;
mod http;
mod labels;
mod metrics;
mod permit;
mod random;
mod refusal;
mod report;
mod settings;
mod shards;
mod shared;
mod span;
mod sync;

pub use admission::{BreakerConfig, BreakerMode, BreakerWindow, Decision, OpenReason, Reason, Request, Retry};
pub use builder::GuardBuilder;
pub use callee::{Attempt, Call, Callee, CalleeState, End, Stopped, StoppedCounts};
pub use clock::Clock;
pub use event::Event;
pub use guard::Guard;
pub use health::{BreakerHealth, Health, OrderHealth};
pub use http::{
    Again, ClientError, ClientGuardLayer, ClientGuardService, Cloned, GuardFuture, GuardLayer, GuardService, Head,
    LOAD, Once, PUSHBACK, REASON, RETRY, refusal_response, retry_of,
};
pub use labels::{ATTEMPT, COHORT, CRITICALITY, Labels, TIMEOUT_MS};
pub use permit::Permit;
pub use refusal::Refusal;
pub use report::KNOBS;
pub use settings::{
    BoundSettings, ClampSettings, ClientSettings, ConsoleSettings, KafkaSettings, LimitSettings, ServerSettings,
    Settings, SettingsError,
};

#[cfg(test)]
mod interleavings;

/// The examples of the owner's guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guard.md")]
struct Guide;
