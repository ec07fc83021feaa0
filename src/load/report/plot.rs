//! Lines over an axis, as SVG.

use super::html::escaped;
use super::text::short;

/// A line of a plot.
pub(super) struct Line {
    pub(super) name: String,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot of a few lines.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
    /// How a place on the axis below is written.
    pub(super) x: fn(f64) -> String,
    /// The least distance between two places that are written there.
    pub(super) least_step: f64,
    /// What stands behind the numbers at the left.
    pub(super) unit: &'static str,
    /// Whether each step at the left is the same factor, not the same sum.
    pub(super) is_logarithmic: bool,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 66.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 20.0;

/// About as many lines has the grid, each way.
const STEPS: f64 = 6.0;

impl Plot {
    /// Appends it.
    pub(super) fn draw(&self, out: &mut String) {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let (left, right) = bounds(all().map(|(x, _)| *x));
        let heights = if self.is_logarithmic {
            decades(all().map(|(_, y)| *y))
        } else {
            let (_, high) = bounds(all().map(|(_, y)| *y));
            let step = round_step(high, 0.0);
            (0..=whole(high / step)).map(|number| f64::from(number) * step).collect()
        };
        let scale = |value: f64| if self.is_logarithmic { value.max(LEAST).log10() } else { value };
        let (low, high) = bounds(heights.iter().map(|value| scale(*value)));
        let x = |value: f64| LEFT + (value - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| TOP + (1.0 - (scale(value) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
        putln!(
            out,
            "<section><h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">",
            title = self.title
        );
        for value in heights {
            putln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{} {}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y(value) + 4.0,
                short(value),
                self.unit,
                at = y(value),
            );
        }
        let step = round_step(right - left, self.least_step);
        let first = (left / step).ceil();
        for number in 0..=whole((right / step - first).floor()) {
            let value = (first + f64::from(number)) * step;
            let (at, floor) = (x(value), HEIGHT - BOTTOM + 16.0);
            putln!(
                out,
                "<text x=\"{at:.1}\" y=\"{floor:.1}\" text-anchor=\"middle\">{}</text>",
                (self.x)(value)
            );
        }
        for (number, line) in self.lines.iter().enumerate() {
            let points: Vec<String> =
                line.points.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
            putln!(out, "<path class=\"line c{number}\" d=\"M{}\"/>", points.join("L"));
        }
        self.legend(out);
    }

    fn legend(&self, out: &mut String) {
        out.push_str("</svg>\n<p class=\"legend\">");
        for (number, line) in self.lines.iter().enumerate() {
            put!(out, "<span><b class=\"k{number}\">━</b> {}</span> ", escaped(&line.name));
        }
        out.push_str("</p></section>\n");
    }
}

/// What is less is drawn as this on a logarithmic axis.
const LEAST: f64 = 1e-3;

/// A round distance (1, 2 or 5 times a power of ten) that leaves few lines in this span.
fn round_step(span: f64, least: f64) -> f64 {
    let wanted = (span / STEPS).max(1e-9);
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter().find(|step| *step >= wanted);
    step.unwrap_or(10.0 * power).max(least)
}

/// How many whole steps hold this.
fn whole(steps: f64) -> u32 {
    // Rounding has no part in it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few, and not below zero")]
    let steps = (steps - 1e-9).ceil().max(0.0) as u32;
    steps
}

/// 1, 2 and 5 times the powers of ten from below the least of these to above the greatest; the powers alone
/// where those were many.
fn decades(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let (low, high) = bounds(values.map(|value| value.max(LEAST)));
    let (from, to) = (low.log10().floor(), high.log10().ceil());
    let powers = (0..=whole(to - from)).map(|number| 10f64.powf(from + f64::from(number)));
    if to - from > 3.0 {
        return powers.collect();
    }
    let all: Vec<f64> = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * power)).collect();
    let first = all.iter().rposition(|value| *value <= low).unwrap_or(0);
    let last = all.iter().position(|value| *value >= high).unwrap_or(all.len() - 1);
    all.get(first..=last.max(first + 1)).unwrap_or(&all).to_vec()
}

/// The least and the greatest of these, and room between them where there is none.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match (low.is_finite(), high > low) {
        (true, true) => (low, high),
        (true, false) => (low, low + 1.0),
        (false, _) => (0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(lines: Vec<Line>, is_logarithmic: bool) -> Plot {
        Plot { title: "", lines, x: short, least_step: 0.0, unit: "ms", is_logarithmic }
    }

    #[test]
    fn the_numbers_at_the_lines_are_round() {
        assert!((round_step(3304.0, 0.0) - 1000.0).abs() < 1e-9);
        assert!((round_step(0.359, 0.0) - 0.1).abs() < 1e-9);
        assert!((round_step(3.3, 1.0) - 1.0).abs() < 1e-9);
        assert_eq!(decades([3.48, 182.0].into_iter()), [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        assert_eq!(decades([10.0].into_iter()), [10.0, 20.0]);
        assert_eq!(decades([0.02, 900.0].into_iter()).len(), 6);
    }

    #[test]
    fn every_point_lies_within_the_picture() {
        let points = vec![(0.0, 0.0), (1.0, 5.0), (2.0, 1e6)];
        let one = vec![(3.0, 7.0)];
        for is_logarithmic in [false, true] {
            let lines = [&points, &one].map(|points| Line { name: "a<b".to_owned(), points: points.clone() });
            let mut out = String::new();
            plot(lines.into(), is_logarithmic).draw(&mut out);
            assert!(!out.contains("NaN") && !out.contains("inf") && !out.contains("a<b"), "{out}");
            for path in out.split("d=\"M").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                for point in path.split('L').filter(|point| !point.contains('H')) {
                    let (x, y) = point.split_once(' ').unwrap();
                    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                    assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{point}");
                }
            }
        }
    }

    #[test]
    fn a_single_point_is_no_division_by_zero() {
        let mut out = String::new();
        let line = Line { name: String::new(), points: vec![(1.0, 1.0)] };
        plot(vec![line], false).draw(&mut out);
        assert!(!out.contains("NaN"), "{out}");
    }
}
