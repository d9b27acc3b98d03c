//! Who the subscriber is, and which targets mean it.

use model::Target;

/// One instance of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Me {
    /// The service's identity, as in the telemetry.
    pub service: String,
    /// The instance's id (`service.instance.id`, or the pod).
    pub instance: String,
    /// `service.version`.
    pub version: String,
    /// `cloud.availability_zone`.
    pub zone: String,
}

impl Me {
    /// Does the target mean this instance? An edge means the caller, whose client side obeys; version, zone, instance and
    /// share narrow the instances that obey.
    pub fn is_meant_by(&self, target: &Target) -> bool {
        let obeying = target.caller.as_ref().unwrap_or(&target.service);
        let same = |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|wanted| wanted == have);
        *obeying == self.service
            && same(&target.version, &self.version)
            && same(&target.zone, &self.zone)
            && same(&target.instance, &self.instance)
            && target.share_percent.is_none_or(|share| instance_share(&self.instance) < share)
    }
}

/// The instance's place among 100: it belongs to a share of `s` percent if this is below `s`. So a growing share keeps the
/// instances that it had, and every knob meets the same canaries. FNV-1a (64 bit) over the UTF-8 bytes of the id, the two
/// halves XORed, modulo 100: short enough to be written in any language.
pub fn instance_share(instance: &str) -> u8 {
    let hash = instance
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (((hash >> 32) ^ (hash & 0xffff_ffff)) % 100) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Me {
        Me { service: "cart".into(), instance: "cart-7f9c-x2".into(), version: "v2".into(), zone: "a".into() }
    }

    #[test]
    fn the_share_of_an_instance_is_pinned_because_other_languages_compute_it_too() {
        assert_eq!(["", "a", "cart-7f9c-x2"].map(instance_share), [41, 64, 46]);
    }

    #[test]
    fn a_growing_share_keeps_its_instances_and_has_about_the_right_size() {
        for share in [1u8, 10, 33, 50, 90] {
            let chosen = (0..20_000).filter(|n| instance_share(&format!("pod-{n}")) < share).count();
            let wanted = 200 * usize::from(share);
            assert!(chosen.abs_diff(wanted) < 200, "{share} %: {chosen} of 20000");
        }
        let target = |share| Target { share_percent: Some(share), ..Target::service("cart") };
        let first = (0..=100).find(|share| me().is_meant_by(&target(*share))).unwrap();
        assert!((first..=100).all(|share| me().is_meant_by(&target(share))));
        assert!(!me().is_meant_by(&target(0)));
        assert!(me().is_meant_by(&target(100)));
    }

    #[test]
    fn an_edge_means_its_caller_and_narrowings_narrow() {
        assert!(me().is_meant_by(&Target::service("cart")));
        assert!(me().is_meant_by(&Target::operation("cart", "GET /")));
        assert!(me().is_meant_by(&Target::edge("cart", "db")));
        assert!(!me().is_meant_by(&Target::edge("front", "cart")));
        let narrowed = |version: &str, zone: &str| Target {
            version: Some(version.into()),
            zone: Some(zone.into()),
            ..Target::service("cart")
        };
        let only = |instance: &str| Target { instance: Some(instance.into()), ..Target::service("cart") };
        assert!(me().is_meant_by(&only("cart-7f9c-x2")) && !me().is_meant_by(&only("cart-7f9c-x3")));
        assert!(me().is_meant_by(&narrowed("v2", "a")));
        assert!(!me().is_meant_by(&narrowed("v1", "a")));
        assert!(!me().is_meant_by(&narrowed("v2", "b")));
    }
}
