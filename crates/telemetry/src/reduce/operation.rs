//! Which operation a span is: the most stable name of low cardinality that it has.

use crate::read::draft::{Slots, set};
use crate::read::key::Key;
use crate::read::names::Shape;
use crate::read::sink::Work;
use model::NameId;

/// Any of these makes the operation something else than the span's name.
const NAMING: u128 = set(&[
    Key::HttpRoute,
    Key::UrlTemplate,
    Key::RpcService,
    Key::RpcMethod,
    Key::DbSummary,
    Key::DbOperationName,
    Key::DbOperation,
    Key::MessagingOperationName,
    Key::MessagingOperationType,
    Key::MessagingOperation,
    Key::DestinationTemplate,
    Key::DestinationName,
    Key::Destination,
]);

/// `http.route`; database operation and collection; messaging operation and destination; rpc service and method;
/// `url.template`; else the span's name, templated. A sidecar's span is named after the proxy's configuration: there the
/// path of the URL says more.
#[inline]
pub(crate) fn operation(service: NameId, sidecar: bool, slots: &Slots<'_>, work: &mut Work) -> NameId {
    let Work { names, buffer, oddities, .. } = work;
    if slots.any(NAMING)
        && let Some((text, shape)) = by_attributes(slots, buffer)
    {
        return names.operation(service, text, shape, oddities);
    }
    if sidecar && let Some(path) = slots.first_text(&[Key::UrlFull, Key::HttpUrl]).and_then(path) {
        return names.operation(service, path, Shape::Raw, oddities);
    }
    names.operation(service, slots.text(Key::SpanName).unwrap_or_default(), Shape::Raw, oddities)
}

fn by_attributes<'s>(slots: &'s Slots<'_>, buffer: &'s mut Vec<u8>) -> Option<(&'s [u8], Shape)> {
    if let Some(route) = slots.text(Key::HttpRoute) {
        return Some((route, Shape::Ready));
    }
    if let Some(summary) = slots.text(Key::DbSummary) {
        return Some((summary, Shape::Raw));
    }
    if let Some(operation) = slots.first_text(&[Key::DbOperationName, Key::DbOperation]) {
        return Some((joined(operation, b' ', slots.first_text(COLLECTIONS), buffer), Shape::Raw));
    }
    const DOINGS: &[Key] = &[Key::MessagingOperationName, Key::MessagingOperationType, Key::MessagingOperation];
    match (slots.first_text(DOINGS), slots.first_text(DESTINATIONS)) {
        (Some(doing), destination) => return Some((joined(doing, b' ', destination, buffer), Shape::Raw)),
        (None, Some(destination)) => return Some((destination, Shape::Raw)),
        (None, None) => {}
    }
    match (slots.text(Key::RpcService), slots.text(Key::RpcMethod)) {
        (_, Some(method)) if method.contains(&b'/') => return Some((method, Shape::Ready)),
        (Some(service), method) => return Some((joined(service, b'/', method, buffer), Shape::Ready)),
        (None, Some(method)) => return Some((method, Shape::Ready)),
        (None, None) => {}
    }
    slots.text(Key::UrlTemplate).map(|url| (url, Shape::Ready))
}

/// The path of a URL, without what is asked of it.
fn path(url: &[u8]) -> Option<&[u8]> {
    let start = url.windows(3).position(|window| window == b"://")? + 3;
    let path = &url[start + url[start..].iter().position(|byte| *byte == b'/')?..];
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
    Some(&path[..end])
}

/// Where a query's collection is said.
const COLLECTIONS: &[Key] = &[Key::DbCollectionName, Key::DbTable, Key::DbMongoCollection, Key::DbCassandraTable];
/// Where a message's destination is said.
pub(crate) const DESTINATIONS: &[Key] = &[Key::DestinationTemplate, Key::DestinationName, Key::Destination];

fn joined<'b>(first: &[u8], joint: u8, second: Option<&[u8]>, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.extend_from_slice(first);
    if let Some(second) = second {
        buffer.push(joint);
        buffer.extend_from_slice(second);
    }
    buffer
}
