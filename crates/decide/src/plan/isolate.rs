//! An outlier is left alone: its instances take a twentieth of their usual traffic, their peers the rest. The twentieth keeps
//! telling whether they have come back; without it nobody would know.
//!
//! Only where guards of the service obey, and only as far as the peers have room: an instance that fails half of what it is
//! asked is better than peers that are pushed over their capacity. Source: Envoy's outlier ejection with its panic
//! threshold; weights from the instance itself, as HAProxy's agent check.

use super::{Intent, fact};
use crate::guards::Guards;
use model::{Finding, Setting, Target};

/// What is left to an outlier, as a share of its usual traffic.
const PROBES: f64 = 0.05;
/// Peers are filled up to this share of their workers at most.
const PEERS_BUSY_MAX: f64 = 0.95;
/// Leaving it more than this of its traffic is not worth a command.
const KEEPS_MAX: f64 = 0.7;

/// The intent for an outlier, or why nothing is done about it.
pub(super) fn intent(index: usize, finding: &Finding, guards: &Guards) -> Result<Intent, String> {
    let Some(target) = Target::parse(&finding.subject) else {
        return Err("its name cannot be told apart from its parts".to_owned());
    };
    let Some(peers_busy) = guards.busy_share(&target.service, target.instance.as_deref()) else {
        return Err("no guard reports for its peers".to_owned());
    };
    let told = |name: &str| finding.evidence.iter().find(|fact| fact.fact == name).map(|fact| fact.value);
    let (Some(traffic), Some(usual)) = (told("calls_share"), told("instances_share")) else {
        return Err("how much of the traffic it takes is not known".to_owned());
    };
    let keeps = keeps(peers_busy, traffic, usual);
    if keeps > KEEPS_MAX {
        return Err(format!("its peers have no room: {:.0} % of their workers are busy", peers_busy * 100.0));
    }
    let subject = &finding.subject;
    Ok(Intent {
        setting: Setting::Route { share_permille: libm::ceil(keeps * 1000.0) as u16 },
        about: subject.clone(),
        distance: 0,
        evidence: vec![fact("busy_share_of_peers", &target.service, peers_busy, PEERS_BUSY_MAX)],
        expected: format!("what {} is asked goes to instances that answer it", target.service),
        undone_by: format!("the requests that {subject} still gets go well again"),
        summary: format!("leave {subject} {:.0} % of its usual traffic; its peers take the rest", keeps * 100.0),
        finding: index,
        target,
    })
}

/// The share of its usual traffic that an outlier keeps: as little as its peers, busy to `peers_busy` with all but `traffic` of
/// the requests, have room for. `usual` is its share of the requests when all are served alike.
fn keeps(peers_busy: f64, traffic: f64, usual: f64) -> f64 {
    let all_to_peers = peers_busy / (1.0 - traffic).max(0.01);
    if all_to_peers <= 0.0 {
        return PROBES;
    }
    let kept = (1.0 - PEERS_BUSY_MAX / all_to_peers) / usual.clamp(0.001, 1.0);
    kept.clamp(PROBES, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_keeps_what_its_peers_have_no_room_for() {
        assert_eq!(keeps(0.2, 0.5, 0.5), PROBES, "one of two, and the other can do it all");
        assert_eq!(keeps(0.0, 0.5, 0.5), PROBES);
        let half = keeps(0.6, 0.5, 0.5);
        assert!((half - 2.0 * (1.0 - 0.95 / 1.2)).abs() < 1e-9, "{half}");
        assert_eq!(keeps(1.0, 0.5, 0.5), 1.0, "the other one is full");
        let isolated = keeps(0.4, 0.025, 0.5);
        assert_eq!(isolated, PROBES, "once it is isolated its peers carry the rest already");
    }
}
