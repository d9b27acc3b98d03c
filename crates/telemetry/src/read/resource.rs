//! Who emitted the spans: identity, version, zone, instance. Read once per resource, not per span.

use super::draft::Slots;
use super::key::Key;
use super::sink::Work;
use crate::reduce::names_a_proxy;
use crate::{Identity, IdentityPart, Oddity};
use model::{NameId, SpanFlags};

/// The name that OpenTelemetry's SDKs give to a service without one.
const UNKNOWN: &[u8] = b"unknown_service";

/// What all spans of a resource share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resource {
    pub(crate) service: NameId,
    pub(crate) version: NameId,
    pub(crate) zone: NameId,
    pub(crate) instance: NameId,
    pub(crate) flags: SpanFlags,
    /// A proxy whose resource names the workload beside it, as Linkerd's does.
    pub(crate) sidecar: bool,
}

/// Reads a resource's attributes (none at all if it was not there).
pub(crate) fn resource(slots: &Slots<'_>, identity: &Identity, work: &mut Work) -> Resource {
    let Work { names, buffer, oddities, .. } = work;
    let proxy = is_proxy(slots);
    let workload = slots.first_text(WORKLOADS).filter(|_| proxy);
    buffer.clear();
    for part in &identity.0 {
        let text = match part {
            IdentityPart::Environment => slots.first_text(&[Key::EnvironmentName, Key::Environment]),
            IdentityPart::Cluster => slots.text(Key::Cluster),
            IdentityPart::Namespace => {
                slots.first_text(&[Key::ServiceNamespace, Key::K8sNamespace, Key::LinkerdNamespace])
            }
            IdentityPart::Name if workload.is_some() => workload,
            IdentityPart::Name => {
                if slots.text(Key::ServiceName).is_none() {
                    oddities.count(Oddity::ServiceName);
                }
                Some(slots.first_text(&[Key::ServiceName, Key::Deployment]).unwrap_or(UNKNOWN))
            }
        };
        if let Some(text) = text {
            if !buffer.is_empty() {
                buffer.push(b'/');
            }
            buffer.extend_from_slice(text);
        }
    }
    if buffer.is_empty() {
        buffer.extend_from_slice(UNKNOWN);
    }
    let service = names.intern(buffer, oddities);
    let mut name = |keys: &[Key]| slots.first_text(keys).map_or(NameId::NONE, |text| names.intern(text, oddities));
    Resource {
        service,
        version: name(&[Key::ServiceVersion]),
        zone: name(&[Key::Zone]),
        instance: name(&[Key::ServiceInstance, Key::Pod, Key::Host]),
        flags: if proxy { SpanFlags::PROXY } else { SpanFlags::default() },
        sidecar: workload.is_some(),
    }
}

/// Linkerd's proxies send the labels of their pods with them (injected by its control plane): whom they stand beside.
const WORKLOADS: &[Key] = &[Key::LinkerdDeployment, Key::LinkerdStatefulSet, Key::LinkerdDaemonSet];

/// Envoy names itself as its SDK; Linkerd's proxy, whose scope is empty, only as its service.
fn is_proxy(slots: &Slots<'_>) -> bool {
    const SERVICES: [&[u8]; 4] = [b"linkerd-proxy", b"istio-proxy", b"envoy", b"envoy-proxy"];
    slots.text(Key::SdkName).is_some_and(names_a_proxy)
        || slots.text(Key::ServiceName).is_some_and(|name| SERVICES.contains(&name))
}
