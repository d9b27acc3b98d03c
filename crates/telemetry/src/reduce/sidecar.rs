//! Beside which service a sidecar stands: where the service emits no spans, the sidecar's are all there is of it.
//!
//! Istio writes on each span whose sidecar it is (istio.io/latest/docs/tasks/observability/distributed-tracing, tags
//! `istio.canonical_service`, `istio.namespace`), and Envoy by which of its clusters the request went on: `outbound|…` away
//! from the service, `inbound|…` to it. Linkerd's proxy says `direction`, and its resource the workload.

use crate::read::draft::Slots;
use crate::read::key::Key;
use crate::read::resource::Resource;
use crate::read::sink::Work;
use crate::{Identity, IdentityPart};
use model::{NameId, SpanKind};

/// The identity of the service beside the proxy, if this span is the hop that leaves it (a client span) or reaches it (a
/// server span). Gateways stand beside nobody; of the two spans that a sidecar emits with `spawn_upstream_span` only the
/// hop between the services counts.
#[cold]
pub(super) fn sidecar(
    kind: SpanKind,
    slots: &Slots<'_>,
    resource: &Resource,
    identity: &Identity,
    work: &mut Work,
) -> Option<NameId> {
    let (cluster, direction): (&[u8], &[u8]) = match kind {
        SpanKind::Client => (b"outbound|", b"outbound"),
        SpanKind::Server => (b"inbound|", b"inbound"),
        _ => return None,
    };
    if resource.sidecar {
        return (slots.text(Key::Direction) == Some(direction)).then_some(resource.service);
    }
    let name = slots.text(Key::IstioService)?;
    let gateway = slots.text(Key::NodeId).is_some_and(|node| node.starts_with(b"router~"));
    let went = slots.first_text(&[Key::UpstreamClusterName, Key::UpstreamCluster])?;
    if gateway || !went.starts_with(cluster) {
        return None;
    }
    let Work { names, buffer, oddities, .. } = work;
    buffer.clear();
    for part in &identity.0 {
        let text = match part {
            IdentityPart::Environment => None,
            IdentityPart::Cluster => slots.text(Key::IstioCluster),
            IdentityPart::Namespace => slots.text(Key::IstioNamespace),
            IdentityPart::Name => Some(name),
        };
        if let Some(text) = text {
            if !buffer.is_empty() {
                buffer.push(b'/');
            }
            buffer.extend_from_slice(text);
        }
    }
    Some(names.intern(buffer, oddities))
}
