//! A trace as a tree of spans.

use model::{Span, SpanFlags, SpanId, SpanKind};

/// Hops that are followed towards a root.
const HOPS_MAX: usize = 64;

/// The spans of one trace: each span once, sorted by start, with its parent and its children.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    spans: Vec<Span>,
    parents: Vec<Option<usize>>,
    /// Children of all spans in one list, by parent; `starts[i]..starts[i + 1]` are those of span `i`.
    children: Vec<usize>,
    starts: Vec<usize>,
    /// Spans that had been there already, with the same facts.
    pub duplicates: usize,
    /// Spans whose id another span had, with other facts (but not as the two halves of one call).
    pub clashes: usize,
}

/// The traces in these spans, by id. Copies for links are left out: they are of another trace.
pub fn traces(mut spans: Vec<Span>) -> Vec<Trace> {
    spans.retain(|span| !span.flags.has(SpanFlags::LINKED));
    let order =
        |span: &Span| (span.trace, span.id, span.kind, span.start_ns, span.end_ns, span.service, span.operation);
    spans.sort_unstable_by_key(order);
    spans.chunk_by(|a, b| a.trace == b.trace).map(Trace::of).collect()
}

impl Trace {
    /// From spans of one trace, sorted by id.
    fn of(all: &[Span]) -> Trace {
        let mut trace = Trace::default();
        for span in all {
            match trace.spans.last() {
                Some(last) if last.id == span.id && last == span => trace.duplicates += 1,
                // The halves of a call may share an id, as Zipkin's do.
                Some(last) if last.id == span.id && !(sends(last) ^ sends(span)) => trace.clashes += 1,
                _ => trace.spans.push(*span),
            }
        }
        trace.spans.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.end_ns), span.id, !sends(span)));
        trace.link();
        trace
    }

    fn link(&mut self) {
        let count = self.spans.len();
        let mut by_id: Vec<(SpanId, bool, usize)> =
            self.spans.iter().enumerate().map(|(at, span)| (span.id, sends(span), at)).collect();
        by_id.sort_unstable();
        let find = |id: SpanId, sending: bool| {
            let at = by_id.partition_point(|entry| (entry.0, entry.1) < (id, sending));
            by_id.get(at).filter(|entry| (entry.0, entry.1) == (id, sending)).map(|entry| entry.2)
        };
        self.parents = (0..count)
            .map(|at| {
                let span = &self.spans[at];
                // A receiving half under the id of its sending half.
                if !sends(span)
                    && let Some(twin) = find(span.id, true)
                {
                    return Some(twin);
                }
                if !span.parent.is_some() || span.parent == span.id {
                    return None;
                }
                // What hangs under a shared id belongs to the receiving half, which is nearer.
                find(span.parent, false).or_else(|| find(span.parent, true)).filter(|parent| *parent != at)
            })
            .collect();
        let mut pairs: Vec<(usize, usize)> =
            self.parents.iter().enumerate().filter_map(|(at, parent)| parent.map(|parent| (parent, at))).collect();
        pairs.sort_unstable();
        self.starts = (0..=count).map(|at| pairs.partition_point(|pair| pair.0 < at)).collect();
        self.children = pairs.into_iter().map(|pair| pair.1).collect();
    }

    /// Its spans.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The parent of span `at`, if it is here.
    pub fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    /// The children of span `at`, by start.
    pub fn children(&self, at: usize) -> &[usize] {
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.children[*from..*to],
            _ => &[],
        }
    }

    /// Does the span name a parent that is not here?
    pub fn is_orphan(&self, at: usize) -> bool {
        let span = &self.spans[at];
        span.parent.is_some() && span.parent != span.id && self.parents[at].is_none()
    }

    /// Spans without a parent.
    pub fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.spans.len()).filter(|at| self.parents[*at].is_none() && !self.is_orphan(*at))
    }

    /// The receiving half of the call that span `at` sends, behind any proxies.
    pub fn answer(&self, at: usize) -> Option<usize> {
        let mut here = at;
        for _ in 0..HOPS_MAX {
            let mut next = None;
            for child in self.children(here) {
                let span = &self.spans[*child];
                if span.flags.has(SpanFlags::PROXY) {
                    next = next.or(Some(*child));
                } else if receives(span) {
                    return Some(*child);
                }
            }
            here = next?;
        }
        None
    }

    /// The nearest span above `at` that received a request, in the same service.
    pub fn request_of(&self, at: usize) -> Option<usize> {
        let service = self.spans[at].service;
        let above = std::iter::successors(self.parent(at), |above| self.parent(*above)).take(HOPS_MAX);
        above.take_while(|above| self.spans[*above].service == service).find(|above| receives(&self.spans[*above]))
    }

    /// The nearest span above `at` that is no proxy's.
    pub fn above(&self, at: usize) -> Option<usize> {
        let above = std::iter::successors(self.parent(at), |above| self.parent(*above)).take(HOPS_MAX);
        above.into_iter().find(|above| !self.spans[*above].flags.has(SpanFlags::PROXY))
    }
}

fn sends(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Client | SpanKind::Producer)
}

fn receives(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{NameId, TraceId};

    fn span(id: u64, parent: u64, kind: SpanKind, service: u64, from: u64, to: u64) -> Span {
        Span {
            trace: TraceId(1),
            id: SpanId(id),
            parent: SpanId(parent),
            kind,
            service: NameId(service),
            start_ns: from,
            end_ns: to,
            ..Span::default()
        }
    }

    #[test]
    fn a_call_is_answered_through_a_proxy_and_its_request_is_found_above_internal_spans() {
        let proxy = Span { flags: SpanFlags::PROXY, ..span(4, 3, SpanKind::Client, 9, 3, 7) };
        let all = traces(vec![
            span(5, 4, SpanKind::Server, 2, 4, 6),
            span(2, 1, SpanKind::Internal, 1, 1, 9),
            span(1, 0, SpanKind::Server, 1, 0, 10),
            proxy,
            span(3, 2, SpanKind::Client, 1, 2, 8),
        ]);
        let trace = &all[0];
        let at = |id: u64| trace.spans().iter().position(|span| span.id == SpanId(id)).unwrap();
        assert_eq!(trace.answer(at(3)), Some(at(5)));
        assert_eq!(trace.request_of(at(3)), Some(at(1)));
        assert_eq!(trace.above(at(5)), Some(at(3)));
        assert_eq!(trace.roots().collect::<Vec<_>>(), [at(1)]);
    }

    #[test]
    fn copies_are_counted_once_and_orphans_are_no_roots() {
        let child = span(2, 7, SpanKind::Server, 1, 0, 5);
        let all = traces(vec![child, child, Span { end_ns: 6, ..child }]);
        let trace = &all[0];
        assert_eq!((trace.spans().len(), trace.duplicates, trace.clashes), (1, 1, 1));
        assert!(trace.is_orphan(0) && trace.roots().next().is_none());
    }

    #[test]
    fn halves_that_share_an_id_are_one_call() {
        let all = traces(vec![
            span(2, 1, SpanKind::Client, 1, 0, 9),
            span(2, 1, SpanKind::Server, 2, 1, 8),
            span(3, 2, SpanKind::Client, 2, 2, 7),
        ]);
        let trace = &all[0];
        assert_eq!(trace.spans().len(), 3);
        assert_eq!(trace.answer(0), Some(1));
        assert_eq!(trace.parent(2), Some(1), "its caller is the receiving half");
    }
}
