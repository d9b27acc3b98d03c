//! What a command acts on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A service, one operation of it, or an edge; narrowed by version, zone, instance, or a share of the instances (a canary).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Target {
    /// The service; for an edge the callee.
    pub service: String,
    /// Only this operation of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls from this service: the target is the edge `caller->service`, obeyed by the caller's client side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Only instances of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Only instances in this zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Only this instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Only this share of the instances, in percent, chosen by a hash of the instance's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u8>,
}

impl Target {
    /// A whole service.
    pub fn service(service: &str) -> Target {
        Target { service: service.to_owned(), ..Target::default() }
    }

    /// One operation of a service.
    pub fn operation(service: &str, operation: &str) -> Target {
        Target { operation: Some(operation.to_owned()), ..Target::service(service) }
    }

    /// Calls from `caller` to `callee`.
    pub fn edge(caller: &str, callee: &str) -> Target {
        Target { caller: Some(caller.to_owned()), ..Target::service(callee) }
    }

    /// Reads what [`Target`] prints: `[caller->]service[:operation][@version=…][@zone=…][@instance=…][@share=…]`; `None` if it names no
    /// service or a share that is no percentage. A service whose own name holds `:` or `->` cannot be written so.
    pub fn parse(text: &str) -> Option<Target> {
        let mut target = Target::default();
        let mut rest = text;
        while let Some((before, narrowing)) = rest.rsplit_once('@') {
            match narrowing.split_once('=') {
                Some(("version", version)) if !version.is_empty() => target.version = Some(version.to_owned()),
                Some(("zone", zone)) if !zone.is_empty() => target.zone = Some(zone.to_owned()),
                Some(("instance", instance)) if !instance.is_empty() => target.instance = Some(instance.to_owned()),
                Some(("share", share)) => {
                    target.share_percent = Some(share.parse().ok().filter(|share| *share <= 100)?)
                }
                _ => break,
            }
            rest = before;
        }
        if let Some((caller, callee)) = rest.split_once("->") {
            target.caller = Some(caller.to_owned()).filter(|caller| !caller.is_empty());
            target.caller.as_ref()?;
            rest = callee;
        }
        let (service, operation) = match rest.split_once(':') {
            Some((service, operation)) => (service, Some(operation.to_owned()).filter(|name| !name.is_empty())),
            None => (rest, None),
        };
        target.service = service.to_owned();
        target.operation = operation;
        (!service.is_empty()).then_some(target)
    }
}

/// `caller->service:operation@version=…@zone=…@instance=…@share=…`, the middle part of a command's record key.
impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(caller) = &self.caller {
            write!(out, "{caller}->")?;
        }
        out.write_str(&self.service)?;
        if let Some(operation) = &self.operation {
            write!(out, ":{operation}")?;
        }
        if let Some(version) = &self.version {
            write!(out, "@version={version}")?;
        }
        if let Some(zone) = &self.zone {
            write!(out, "@zone={zone}")?;
        }
        if let Some(instance) = &self.instance {
            write!(out, "@instance={instance}")?;
        }
        if let Some(share) = self.share_percent {
            write!(out, "@share={share}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        let narrowed = Target {
            version: Some("1.2".into()),
            zone: Some("b".into()),
            instance: Some("front-1".into()),
            share_percent: Some(10),
            ..Target::operation("front", "GET /a:b@c")
        };
        for target in [Target::service("cart"), Target::edge("front", "cart"), narrowed] {
            assert_eq!(Target::parse(&target.to_string()), Some(target));
        }
        for wrong in ["", "->cart", ":op", "cart@share=101", "cart@share=x"] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }
}
