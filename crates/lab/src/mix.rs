//! The fleets of benchmarks: layered, of any width, with skew, and if wanted with a retry storm in progress.

use crate::Topology;
use std::fmt::Write;

/// A fleet of three layers: entries call the middle, the middle calls leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Services in each layer.
    pub layers: [usize; 3],
    /// Callees of each entry and of each service in the middle.
    pub fan_out: [usize; 2],
    /// How many of them one request calls, on average.
    pub calls: [f64; 2],
    /// Requests per second at all entries.
    pub requests_per_s: f64,
    /// About the bytes of a span.
    pub span_bytes: usize,
    /// Spans per record at most.
    pub batch_max: usize,
    /// Leaves that are too slow for their callers' timeouts, so that these try again and again.
    pub stormy_leaves: usize,
}

impl Mix {
    /// What most fleets are like: 64 services, about 200 edges, spans of 480 bytes, up to 100 in a record.
    pub const PLAIN: Mix = Mix {
        layers: [4, 20, 40],
        fan_out: [10, 8],
        calls: [2.0, 1.6],
        requests_per_s: 1_500.0,
        span_bytes: 480,
        batch_max: 100,
        stormy_leaves: 0,
    };

    /// What is hard: 2,000 services, some 10,000 edges with skew, traces of about 6 to 20 spans, spans of 2 KB in short
    /// records, and a retry storm in progress.
    pub const HARD: Mix = Mix {
        layers: [200, 800, 1000],
        fan_out: [20, 9],
        calls: [2.0, 1.5],
        requests_per_s: 2_000.0,
        span_bytes: 2_000,
        batch_max: 100,
        stormy_leaves: 20,
    };

    /// The fleet.
    pub fn topology(&self) -> Topology {
        Topology::from_toml(&self.toml()).expect("a test reads both mixes")
    }

    fn toml(&self) -> String {
        let mut out = format!(
            "name = \"bench\"\n[telemetry]\nflush_ms = 1000\nbatch_max = {}\nspan_bytes = {}\n",
            self.batch_max, self.span_bytes
        );
        let [entries, middle, leaves] = self.layers;
        for (number, share) in skewed(entries).enumerate() {
            let rate = self.requests_per_s * share;
            let _ = writeln!(out, "[[client]]\nname = \"client-{number}\"\nto = \"entry-{number}\"\nrate_rps = {rate}");
        }
        for number in 0..entries {
            service(&mut out, "entry", number, 300);
            let first = number * self.fan_out[0] * 7 / 3;
            self.call(&mut out, "middle", middle, first, 0);
        }
        for number in 0..middle {
            service(&mut out, "middle", number, 500);
            let first = number * self.fan_out[1] * 5 / 3;
            self.call(&mut out, "leaf", leaves, first, 1);
        }
        for number in 0..leaves {
            service(&mut out, "leaf", number, 1_000);
        }
        for number in 0..self.stormy_leaves.min(leaves) {
            let leaf = number * leaves / self.stormy_leaves;
            let _ = writeln!(
                out,
                "[[fault]]\nkind = \"slow\"\nservice = \"leaf-{leaf}\"\nfactor = 100.0\nstart_s = 0.0\nduration_s = 1000.0"
            );
        }
        out
    }

    /// The callees of a service, the first called most.
    fn call(&self, out: &mut String, layer: &str, services: usize, first: usize, depth: usize) {
        let fan_out = self.fan_out[depth].min(services);
        for (step, share) in skewed(fan_out).enumerate() {
            let probability = (self.calls[depth] * share).min(1.0);
            let callee = (first + step) % services;
            let _ = writeln!(
                out,
                "[[service.operation.call]]\nto = \"{layer}-{callee}\"\nprobability = {probability}\ntimeout_ms = 80\n\
                 retries = 2\nbackoff_ms = 5"
            );
        }
    }
}

fn service(out: &mut String, layer: &str, number: usize, mean_us: u32) {
    let _ = writeln!(
        out,
        "[[service]]\nname = \"{layer}-{number}\"\nworkers = 64\nholds = \"work\"\n[[service.operation]]\n\
         name = \"GET /{layer}/{{id}}\"\nmean_us = {mean_us}"
    );
}

/// Shares that fall with the square root of the rank and sum to one.
fn skewed(count: usize) -> impl Iterator<Item = f64> {
    let weight = |rank: usize| 1.0 / ((rank + 1) as f64).sqrt();
    let whole: f64 = (0..count).map(weight).sum();
    (0..count).map(move |rank| weight(rank) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Chorus;
    use telemetry::{Encoding, Facts, Reader, ReaderConfig};

    /// Spans per record and bytes per span of the first records.
    fn measured(mix: Mix) -> (f64, f64, Chorus) {
        let mut chorus = Chorus::new(&mix.topology(), 1, Encoding::OtlpProto);
        chorus.sing(1, 1_750_000_000_000_000_000);
        let (mut record, mut spans, mut bytes, mut records) = (Vec::new(), 0, 0, 0);
        while spans < 20_000 {
            let meta = chorus.next_record(&mut record).expect("it sings on");
            spans += meta.spans;
            bytes += record.len();
            records += 1;
        }
        (f64::from(spans) / f64::from(records), bytes as f64 / f64::from(spans), chorus)
    }

    #[test]
    fn the_plain_mix_is_what_it_says() {
        let (per_record, span_bytes, _) = measured(Mix::PLAIN);
        assert!((60.0..=100.0).contains(&per_record), "{per_record} spans a record");
        assert!((430.0..530.0).contains(&span_bytes), "{span_bytes} bytes a span");
    }

    #[test]
    fn the_hard_mix_is_what_it_says() {
        let (per_record, span_bytes, chorus) = measured(Mix::HARD);
        assert!(per_record < 60.0, "{per_record} spans a record");
        assert!((1_800.0..2_200.0).contains(&span_bytes), "{span_bytes} bytes a span");
        assert!(chorus.voice_spans_per_s() > 10_000.0);
    }

    #[test]
    fn many_voices_are_a_steady_load_of_distinct_traces() {
        let mut chorus = Chorus::new(&Mix::PLAIN.topology(), 1, Encoding::OtlpProto);
        let start_ns = 1_760_000_000_000_000_000;
        chorus.sing(4, start_ns);
        let expected = 4.0 * chorus.voice_spans_per_s();
        let (mut record, mut last_ns) = (Vec::new(), 0);
        let (mut reader, mut facts) = (Reader::new(ReaderConfig::default()), Facts::default());
        let (mut seconds, mut ids) = ([0u32; 5], Vec::new());
        loop {
            let meta = chorus.next_record(&mut record).expect("it sings on");
            assert!(meta.at_ns >= last_ns && meta.at_ns >= start_ns, "records come in the order of time");
            last_ns = meta.at_ns;
            let second = (meta.at_ns - start_ns) / 1_000_000_000;
            let Some(sum) = seconds.get_mut(second as usize) else { break };
            *sum += meta.spans;
            facts.clear();
            reader.read(Encoding::OtlpProto, &record, &mut facts).expect("a good record");
            ids.extend(facts.spans.iter().map(|span| (span.trace, span.id)));
        }
        for spans in seconds {
            let share = f64::from(spans) / expected;
            assert!((0.6..1.4).contains(&share), "{seconds:?} spans a second, {expected} expected");
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "every span has an id of its own");
    }
}
