//! One rule each.

mod fan_out;
mod inverted_timeout;
mod multiplied_retries;
mod optional_blocks;
mod retries_above_capacity;
mod single_point;

pub(crate) use fan_out::fan_out;
pub(crate) use inverted_timeout::inverted_timeout;
pub(crate) use multiplied_retries::multiplied_retries;
pub(crate) use optional_blocks::optional_blocks;
pub(crate) use retries_above_capacity::retries_above_capacity;
pub(crate) use single_point::single_point;
