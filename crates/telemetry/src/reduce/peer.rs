//! Whom a client, producer or consumer span talks to.
//!
//! A service's name where the span says one; `system:…` for databases and destinations of messages; else an address,
//! marked as such: an address is no identity.

use super::operation::DESTINATIONS;
use crate::read::draft::{Slots, set};
use crate::read::key::Key;
use crate::read::sink::Work;
use model::{NameId, SpanFlags, SpanKind};

const DATABASE: u128 = set(&[Key::DbSystemName, Key::DbSystem]);
const MESSAGING: u128 = set(&[Key::MessagingSystem, Key::DestinationTemplate, Key::DestinationName, Key::Destination]);

/// The peer's name and what kind of peer it is.
#[inline]
pub(crate) fn peer(kind: SpanKind, slots: &Slots<'_>, work: &mut Work) -> (NameId, SpanFlags) {
    let Work { names, buffer, oddities, .. } = work;
    match kind {
        SpanKind::Client if slots.any(DATABASE) => {
            (names.intern(database(slots, buffer), oddities), SpanFlags::DATABASE)
        }
        SpanKind::Client | SpanKind::Producer | SpanKind::Consumer if slots.any(MESSAGING) => {
            (names.intern(destination(slots, buffer), oddities), SpanFlags::MESSAGING)
        }
        SpanKind::Producer | SpanKind::Consumer => (NameId::NONE, SpanFlags::MESSAGING),
        SpanKind::Client => match slots.first_text(&[Key::ServicePeerName, Key::PeerService]) {
            Some(name) => (names.intern(name, oddities), SpanFlags::default()),
            None => match address(slots, buffer) {
                [] => (NameId::NONE, SpanFlags::default()),
                address => (names.intern(address, oddities), SpanFlags::ADDRESS),
            },
        },
        SpanKind::Server | SpanKind::Internal => (NameId::NONE, SpanFlags::default()),
    }
}

/// `service.peer.name`, else `system:host/namespace`: the host only if it is a name, or if there is no telling
/// namespace.
fn database<'s>(slots: &'s Slots<'_>, buffer: &'s mut Vec<u8>) -> &'s [u8] {
    if let Some(name) = slots.first_text(&[Key::ServicePeerName, Key::PeerService]) {
        return name;
    }
    let host = slots.first_text(HOSTS);
    let namespace = slots.first_text(&[Key::DbNamespace, Key::DbName]);
    // Redis numbers its databases: alone, a number names nothing.
    let telling = namespace.is_some_and(|name| !name.iter().all(u8::is_ascii_digit));
    buffer.clear();
    buffer.extend_from_slice(slots.first_text(&[Key::DbSystemName, Key::DbSystem]).unwrap_or(b"database"));
    let mut joint = b':';
    if let Some(host) = host.filter(|host| !telling || !is_ip(host)) {
        buffer.push(joint);
        buffer.extend_from_slice(host);
        joint = b'/';
    }
    if let Some(namespace) = namespace {
        buffer.push(joint);
        buffer.extend_from_slice(namespace);
    }
    buffer
}

/// `system:destination`.
fn destination<'s>(slots: &'s Slots<'_>, buffer: &'s mut Vec<u8>) -> &'s [u8] {
    buffer.clear();
    buffer.extend_from_slice(slots.text(Key::MessagingSystem).unwrap_or(b"messaging"));
    if let Some(destination) = slots.first_text(DESTINATIONS) {
        buffer.push(b':');
        buffer.extend_from_slice(destination);
    }
    buffer
}

/// Where a host is said, the best place first.
const HOSTS: &[Key] = &[
    Key::ServerAddress,
    Key::NetPeerName,
    Key::SockPeerName,
    Key::PeerHostname,
    Key::NetworkPeerAddress,
    Key::SockPeerAddress,
    Key::NetPeerIp,
];
const NAMED_HOSTS: &[Key] = &[Key::ServerAddress, Key::NetPeerName];
const OTHER_HOSTS: &[Key] =
    &[Key::SockPeerName, Key::PeerHostname, Key::NetworkPeerAddress, Key::SockPeerAddress, Key::NetPeerIp];

/// The address: a host's name without its port, or an IP address with it (several services may share a host).
fn address<'s>(slots: &'s Slots<'_>, buffer: &'s mut Vec<u8>) -> &'s [u8] {
    if let Some(cluster) = slots.first_text(&[Key::UpstreamClusterName, Key::UpstreamCluster]).and_then(istio_host) {
        return cluster;
    }
    let named = slots.first_text(NAMED_HOSTS);
    let url = || slots.first_text(&[Key::UrlFull, Key::HttpUrl]).and_then(authority);
    let host_port = named.is_none().then(|| slots.text(Key::HttpHost).or_else(url)).flatten();
    if let Some(host_port) = host_port {
        let (host, port) = split_port(host_port);
        return if is_ip(host) || host == b"localhost" { with_port(host, port, buffer) } else { host };
    }
    if let Some(host) = named.or_else(|| slots.first_text(OTHER_HOSTS)) {
        if !is_ip(host) && host != b"localhost" {
            return host;
        }
        let port = [Key::ServerPort, Key::NetPeerPort, Key::NetworkPeerPort].iter().find_map(|key| slots.int(*key));
        let port = port.and_then(|port| u16::try_from(port).ok()).map(DecimalPort::of);
        return with_port(host, port.as_ref().map(DecimalPort::text), buffer);
    }
    slots.text(Key::PeerAddress).unwrap_or_default()
}

fn with_port<'b>(host: &[u8], port: Option<&[u8]>, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.extend_from_slice(host);
    if let Some(port) = port {
        buffer.push(b':');
        buffer.extend_from_slice(port);
    }
    buffer
}

/// A port in decimal digits, without an allocation.
struct DecimalPort([u8; 5], usize);

impl DecimalPort {
    fn of(mut port: u16) -> DecimalPort {
        let mut digits = [0; 5];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (port % 10) as u8;
            port /= 10;
            if port == 0 {
                return DecimalPort(digits, start);
            }
        }
    }

    fn text(&self) -> &[u8] {
        &self.0[self.1..]
    }
}

/// Istio's cluster names: `outbound|8080|v1|cart.default.svc.cluster.local`.
fn istio_host(cluster: &[u8]) -> Option<&[u8]> {
    if !cluster.starts_with(b"outbound|") {
        return None;
    }
    cluster.rsplit(|byte| *byte == b'|').next().filter(|host| !host.is_empty())
}

/// `host:port` of a URL.
fn authority(url: &[u8]) -> Option<&[u8]> {
    let start = url.windows(3).position(|window| window == b"://")? + 3;
    let rest = &url[start..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or(authority);
    (!host.is_empty()).then_some(host)
}

fn split_port(host_port: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = host_port.iter().rposition(|byte| *byte == b':');
    match colon {
        Some(colon) if colon + 1 < host_port.len() && host_port[colon + 1..].iter().all(u8::is_ascii_digit) => {
            (&host_port[..colon], Some(&host_port[colon + 1..]))
        }
        _ => (host_port, None),
    }
}

/// Digits and dots, or hex and colons (in brackets or not).
fn is_ip(host: &[u8]) -> bool {
    let v4 = host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let v6 = || host.contains(&b':') && host.iter().all(|byte| byte.is_ascii_hexdigit() || b":[].%".contains(byte));
    v4 || v6()
}
