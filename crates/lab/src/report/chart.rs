//! Curves over time, as inline SVG.

use super::number;
use super::svg::escape;
use std::fmt::Write;

/// What all charts of a scenario mark on the time axis, seconds.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) length_s: f64,
    pub(super) onset_s: f64,
    pub(super) ends_s: f64,
    pub(super) found_s: Option<f64>,
}

/// A curve: a value for each second.
pub(super) struct Line {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) values: Vec<f64>,
}

/// A chart.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) span: Span,
    pub(super) lines: Vec<Line>,
    /// `log(1 + value)` instead of the value.
    pub(super) log: bool,
    pub(super) tall: bool,
}

pub(super) const WIDTH: f64 = 960.0;
pub(super) const LEFT: f64 = 52.0;
/// Room for the names at the ends of the curves.
pub(super) const RIGHT: f64 = 96.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 26.0;
const LABEL_GAP: f64 = 13.0;

/// Where a second lies.
pub(super) fn x(second: f64, length_s: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * second / length_s.max(1.0)
}

impl Chart {
    pub(super) fn svg(&self) -> String {
        let height = if self.tall { 320.0 } else { 190.0 };
        let highest = self.lines.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max);
        let ticks = if self.log { decades(highest) } else { steps(highest) };
        let most = self.scale(ticks.last().copied().unwrap_or(1.0).max(highest));
        let y = |value: f64| height - BOTTOM - (height - BOTTOM - TOP) * self.scale(value) / most.max(1e-9);
        let mut out = String::new();
        let _ = write!(
            out,
            "<figure><figcaption>{}</figcaption><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
            escape(self.title),
            escape(self.title)
        );
        out.push_str(&marks(&self.span, TOP, height - BOTTOM));
        for tick in &ticks {
            let at = y(*tick);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                number(*tick),
                self.unit
            );
        }
        out.push_str(&seconds(&self.span, height - BOTTOM));
        for line in self.bottom_up() {
            let mut path = String::new();
            for (second, value) in line.values.iter().enumerate() {
                let letter = if second == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{:.1} {:.1}", x(second as f64 + 0.5, self.span.length_s), y(*value));
            }
            let _ = write!(out, "<path class=\"line {}\" d=\"{path}\"><title>{}</title></path>", line.class, line.name);
        }
        out.push_str(&self.labels(y, height));
        out.push_str("</svg></figure>");
        out
    }

    /// What matters most is drawn last, over the others.
    fn bottom_up(&self) -> impl Iterator<Item = &Line> {
        let height = |line: &&Line| match line.class {
            "offered" => 0,
            "clairvoyant" => 2,
            "guard" => 3,
            "stopbank" => 4,
            _ => 1,
        };
        (0..=4).flat_map(move |level| self.lines.iter().filter(move |line| height(line) == level))
    }

    fn scale(&self, value: f64) -> f64 {
        if self.log { libm::log1p(value.max(0.0)) } else { value }
    }

    /// The names at the ends of the curves, moved apart where they would cover each other.
    fn labels(&self, y: impl Fn(f64) -> f64, height: f64) -> String {
        let mut places: Vec<(f64, &Line)> =
            self.lines.iter().filter_map(|line| Some((y(*line.values.last()?), line))).collect();
        places.sort_by(|one, two| one.0.total_cmp(&two.0));
        let mut at = f64::NEG_INFINITY;
        for place in &mut places {
            place.0 = place.0.max(at + LABEL_GAP);
            at = place.0;
        }
        // what was pushed out at the bottom comes back up
        let mut below = height - BOTTOM + 6.0;
        for place in places.iter_mut().rev() {
            place.0 = place.0.min(below);
            below = place.0 - LABEL_GAP;
        }
        let mut out = String::new();
        for (at, line) in places {
            let _ = write!(
                out,
                "<text class=\"name {}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                line.class,
                WIDTH - RIGHT + 8.0,
                at + 4.0,
                line.name
            );
        }
        out
    }
}

/// The cause as a band, and the first finding as a line.
pub(super) fn marks(span: &Span, top: f64, bottom: f64) -> String {
    let (from, to) = (x(span.onset_s, span.length_s), x(span.ends_s, span.length_s));
    let mut out = String::new();
    let _ = write!(
        out,
        "<rect class=\"cause\" x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\"><title>the cause</title></rect>\
         <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">cause</text>",
        (to - from).max(1.0),
        bottom - top,
        from + 3.0,
        top - 5.0
    );
    if let Some(found_s) = span.found_s {
        let at = x(found_s, span.length_s);
        // beside the word for the cause if it would cover it
        let text_at = if (at - from).abs() < 44.0 { from + 44.0 } else { at + 3.0 };
        let _ = write!(
            out,
            "<path class=\"found\" d=\"M{at:.1} {top}V{bottom:.1}\"/><text class=\"mark\" x=\"{text_at:.1}\" y=\"{:.1}\">found at {found_s:.1} s</text>",
            top - 5.0
        );
    }
    out
}

/// The time axis.
pub(super) fn seconds(span: &Span, y: f64) -> String {
    let mut out = String::new();
    let step = if span.length_s > 300.0 { 60.0 * (span.length_s / 600.0).ceil() } else { 20.0 };
    let mut second = 0.0;
    while second <= span.length_s {
        let at = x(second, span.length_s);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {y:.1}v4\"/><text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second:.0} s</text>",
            y + 17.0
        );
        second += step;
    }
    out
}

/// Round steps up to at least `highest`.
fn steps(highest: f64) -> Vec<f64> {
    let rough = (highest / 4.0).max(1e-3);
    let mut power = 1.0;
    while power * 10.0 <= rough {
        power *= 10.0;
    }
    while power > rough {
        power /= 10.0;
    }
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough).unwrap_or(rough);
    (0..=5).map(|count| f64::from(count) * step).take_while(|tick| *tick < highest + step).collect()
}

fn decades(highest: f64) -> Vec<f64> {
    let mut ticks = vec![0.0];
    let mut tick = 1.0;
    while tick <= highest.max(10.0) {
        ticks.push(tick);
        tick *= 10.0;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(steps(290.0), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(steps(7.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(decades(250.0), [0.0, 1.0, 10.0, 100.0]);
    }

    #[test]
    fn names_at_the_ends_never_cover_each_other() {
        let line = |class, value| Line { class, name: class, values: vec![value; 10] };
        let span = Span { length_s: 10.0, onset_s: 2.0, ends_s: 4.0, found_s: Some(3.0) };
        let lines = vec![line("a", 100.0), line("b", 100.0), line("c", 99.0), line("d", 0.0), line("e", 0.0)];
        let svg = Chart { title: "t", unit: "", span, lines, log: false, tall: false }.svg();
        let mut places: Vec<f64> = Vec::new();
        for part in svg.split("<text class=\"name ").skip(1) {
            let at = part.split("y=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            places.push(at.parse().unwrap());
        }
        places.sort_by(f64::total_cmp);
        assert_eq!(places.len(), 5);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_GAP - 0.2), "{places:?}");
        assert!(places[4] < 190.0, "{places:?}");
    }
}
