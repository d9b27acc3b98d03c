//! Commands reach the guards, leases end, and guards report.

use super::World;
use super::plan::Plan;
use crate::CommandKey;
use control::{Clamps, Drop, InForce, Keyring, Me, Record, Subscriber, Verdict};
use model::{Command, CommandId, GuardReport, Knob, KnobKind, Obeyed, Setting};
use std::collections::{BTreeMap, BTreeSet};
