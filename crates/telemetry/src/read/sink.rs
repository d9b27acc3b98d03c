//! Where both walkers put what they find: budgets, the reduction of each span, and its copies for links.

use super::draft::{Draft, Link, Slots};
use super::names::Names;
use super::resource::Resource;
use crate::reduce::{Verdict, by_words, kind, linked, polls, reduce, unusable, verdict};
use crate::{Oddities, Oddity, PoisonReason, ReaderConfig};
use model::{Outcome, Span, SpanFlags, SpanKind, Weight};

/// What the reduction works with; kept from record to record.
pub(crate) struct Work {
    pub(crate) names: Names,
    /// The weight of a span without any mark of a sampler.
    pub(crate) unmarked: Weight,
    /// For names that are put together.
    pub(crate) buffer: Vec<u8>,
    /// Of the record that is being read.
    pub(crate) oddities: Oddities,
}

/// One record's way out.
pub(crate) struct Sink<'r> {
    pub(crate) work: &'r mut Work,
    pub(crate) config: &'r ReaderConfig,
    pub(crate) spans: &'r mut Vec<Span>,
    /// The links of the span that is being read.
    pub(crate) links: &'r mut Vec<Link>,
    /// The length of `spans` before this record.
    pub(crate) start: usize,
    /// Spans met, also those left out.
    pub(crate) met: usize,
    /// Resources met.
    pub(crate) resources: usize,
    /// Spans appended, copies not counted.
    pub(crate) read: usize,
}

impl Sink<'_> {
    /// Forgets what was found in this record so far.
    pub(crate) fn rewind(&mut self) {
        self.spans.truncate(self.start);
        self.work.oddities = Oddities::default();
        (self.met, self.resources, self.read) = (0, 0, 0);
    }

    /// A resource begins.
    pub(crate) fn begin_resource(&mut self) -> Result<(), PoisonReason> {
        self.resources += 1;
        if self.resources > self.config.resources_max { Err(PoisonReason::TooManyResources) } else { Ok(()) }
    }

    /// A span begins.
    #[inline(always)]
    pub(crate) fn begin_span(&mut self) -> Result<(), PoisonReason> {
        self.met += 1;
        self.links.clear();
        if self.met > self.config.spans_max { Err(PoisonReason::TooManySpans) } else { Ok(()) }
    }

    /// May the span have one more attribute? Counts where it may not for the first time.
    #[inline(always)]
    pub(crate) fn attribute_fits(&mut self, already: usize) -> bool {
        if already == self.config.attributes_per_span_max {
            self.odd(Oddity::AttributesCut);
        }
        already < self.config.attributes_per_span_max
    }

    /// A link of the span that is being read.
    pub(crate) fn link(&mut self, link: Link) {
        if link.trace == 0 || link.id == 0 {
            self.odd(Oddity::Link);
        } else if self.links.len() < self.config.links_per_span_max {
            self.links.push(link);
        } else if self.links.len() == self.config.links_per_span_max {
            self.odd(Oddity::LinksCut);
        }
    }

    #[cold]
    pub(crate) fn odd(&mut self, oddity: Oddity) {
        self.work.oddities.count(oddity);
    }

    /// The span is complete. `exceptions` puts the attributes of its exception events into the slots; it is asked only
    /// if the span failed and nothing better says how.
    #[inline]
    pub(crate) fn finish<'a, E>(
        &mut self,
        draft: &Draft,
        slots: &mut Slots<'a>,
        resource: &Resource,
        exceptions: impl FnOnce(&mut Slots<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(oddity) = unusable(draft) {
            self.odd(oddity);
            return Ok(());
        }
        let kind = kind(draft.kind, &mut self.work.oddities);
        let polls = polls(kind, draft, slots, !self.links.is_empty());
        let kind = if polls { SpanKind::Internal } else { kind };
        let outcome = match verdict(draft, kind, slots) {
            Verdict::Known(outcome) => outcome,
            Verdict::FailedSomehow => {
                exceptions(slots)?;
                Outcome::Failed(by_words(slots))
            }
        };
        let marks = if polls { SpanFlags::MESSAGING.with(SpanFlags::STREAMING) } else { SpanFlags::default() };
        let identity = &self.config.identity;
        self.spans.push(reduce(draft, slots, resource, (kind, outcome, marks), identity, self.work));
        self.read += 1;
        if !self.links.is_empty() && matches!(kind, SpanKind::Consumer | SpanKind::Server) {
            self.copies();
        }
        Ok(())
    }

    /// Copies the last span for its links.
    #[cold]
    fn copies(&mut self) {
        let Some(span) = self.spans.last().copied() else { return };
        for at in 0..self.links.len() {
            let link = self.links[at];
            if link.trace == span.trace.0 && link.id == span.parent.0 {
                continue;
            }
            if self.spans.len() - self.start >= self.config.spans_max {
                return self.odd(Oddity::LinksCut);
            }
            self.spans.push(linked(&span, link.trace, link.id));
        }
    }

    /// Marks the spans from `first` on with what their scope says of all of them.
    pub(crate) fn mark(&mut self, first: usize, marks: SpanFlags) {
        if marks == SpanFlags::default() {
            return;
        }
        for span in &mut self.spans[first..] {
            span.flags = span.flags.with(marks);
            if marks.has(SpanFlags::BIASED) {
                span.weight = Weight::UNKNOWN;
            }
        }
    }
}
