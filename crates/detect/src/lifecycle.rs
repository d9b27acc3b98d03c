//! The life of a finding: held for a few windows before it opens, and gone for a few before it closes.

use model::Finding;
use serde::{Deserialize, Serialize};

/// A signature on a subject over the windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Life {
    held: u32,
    missed: u32,
    finding: Option<Finding>,
}
