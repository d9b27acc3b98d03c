//! What goes wrong, and when.

use super::Label;
use serde::Deserialize;

/// A fault, on a schedule or at random: `[[fault]]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The service it happens to; for `packet_loss` the callee. Not for `surge`, `flash_crowd` and `zone_loss`.
    #[serde(default)]
    pub service: Option<Label>,
    /// `packet_loss`: only calls from this service.
    #[serde(default)]
    pub caller: Option<Label>,
    /// `surge` and `flash_crowd`: only this client; without it, all of them.
    #[serde(default)]
    pub client: Option<Label>,
    /// `zone_loss`: the zone.
    #[serde(default)]
    pub zone: Option<Label>,
    /// Only this instance, from 0; without it, all of them.
    #[serde(default)]
    pub instance: Option<u32>,
    /// `slow` and `deploy`: work takes this many times as long. `surge` and `flash_crowd`: this many times as many arrivals.
    #[serde(default)]
    pub factor: Option<f64>,
    /// `errors` and `deploy`: this share of requests fails. `capacity`: this share of workers is gone. `packet_loss` and
    /// `gray`: this share is lost. `cache_flush`: this share is forgotten.
    #[serde(default)]
    pub share: Option<f64>,
    /// `deploy`: the new version.
    #[serde(default)]
    pub version: Option<String>,
    /// `deploy`: the share of instances that get it.
    #[serde(default = "default_part")]
    pub part: f64,
    /// `deploy`: one instance after the other, so many seconds apart. `flash_crowd`: how long the rise takes.
    #[serde(default)]
    pub step_s: f64,
    /// `crash` and `zone_loss`: how long callers go on sending to what is gone, in seconds.
    #[serde(default = "default_detect_s")]
    pub detect_s: f64,
    /// When it begins, in seconds.
    pub start_s: f64,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
    /// It comes again, so many seconds after it began.
    #[serde(default)]
    pub every_s: Option<f64>,
    /// Its duration, and the time between its end and its next beginning, are drawn by the seed; the means stay.
    #[serde(default)]
    pub random: bool,
    /// It does not begin again after this time, in seconds.
    #[serde(default)]
    pub until_s: Option<f64>,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A service's work takes longer.
    Slow,
    /// A service answers 500.
    Errors,
    /// A service loses workers.
    Capacity,
    /// Requests to a service are lost on the way.
    PacketLoss,
    /// Answers of a service are lost on the way: its callers see it, it does not itself.
    Gray,
    /// Caches forget.
    CacheFlush,
    /// Somebody holds the lock of a service's instances: work that needs it waits until the fault ends.
    Lock,
    /// Instances get another version, which starts cold and may be slower or fail.
    Deploy,
    /// Instances die with everything they hold, and start again, cold, when it ends. With `every_s` a crash loop.
    Crash,
    /// All instances of a zone are gone, without a word, until it ends. Callers fail over to the others after `detect_s`.
    ZoneLoss,
    /// More requests come.
    Surge,
    /// More requests come: a rise of `step_s`, and then an exponential fall until the end.
    FlashCrowd,
}

impl Fault {
    /// When it is over for the last time, in seconds; infinite if it comes again and again.
    pub(crate) fn last_end_s(&self) -> f64 {
        match self.every_s {
            Some(_) => self.until_s.map_or(f64::INFINITY, |until_s| until_s + self.duration_s),
            None => self.start_s + self.duration_s,
        }
    }
}

fn default_part() -> f64 {
    1.0
}

fn default_detect_s() -> f64 {
    1.0
}
