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
    pub(super) lines: Vec<Line>,
    /// How a place on the axis below is written.
    pub(super) x: fn(f64) -> String,
    /// What stands behind the numbers at the left.
    pub(super) unit: &'static str,
    /// Whether each step at the left is the same factor, not the same sum.
    pub(super) is_logarithmic: bool,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 12.0;

/// Lines of the grid, each way.
const STEPS: u32 = 5;

impl Plot {
    /// Appends it.
    pub(super) fn draw(&self, out: &mut String) {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let (left, right) = bounds(all().map(|(x, _)| *x));
        let (low, high) = if self.is_logarithmic {
            bounds(all().map(|(_, y)| y.max(1e-3).log10()))
        } else {
            (0.0, bounds(all().map(|(_, y)| *y)).1)
        };
        let x = |value: f64| LEFT + (value - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| {
            let value = if self.is_logarithmic { value.max(1e-3).log10() } else { value };
            TOP + (1.0 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM)
        };
        putln!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
        for step in 0..=STEPS {
            let part = f64::from(step) / f64::from(STEPS);
            let (across, up) = (left + part * (right - left), low + part * (high - low));
            let value = if self.is_logarithmic { 10f64.powf(up) } else { up };
            let (at_x, at_y, floor) = (x(across), y(value), HEIGHT - BOTTOM);
            putln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at_y:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{} {}</text><text x=\"{at_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at_y + 4.0,
                short(value),
                self.unit,
                floor + 16.0,
                (self.x)(across),
            );
        }
        for (number, line) in self.lines.iter().enumerate() {
            let points: Vec<String> =
                line.points.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
            putln!(out, "<path class=\"line c{number}\" d=\"M{}\"/>", points.join("L"));
        }
        out.push_str("</svg>\n<p class=\"legend\">");
        for (number, line) in self.lines.iter().enumerate() {
            put!(out, "<b class=\"k{number}\">━</b> {} &nbsp; ", escaped(&line.name));
        }
        out.push_str("</p>\n");
    }
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

    #[test]
    fn every_point_lies_within_the_picture() {
        let points = vec![(0.0, 0.0), (1.0, 5.0), (2.0, 1e6)];
        let one = vec![(3.0, 7.0)];
        for is_logarithmic in [false, true] {
            let lines = [&points, &one].map(|points| Line { name: "a<b".to_owned(), points: points.clone() });
            let mut out = String::new();
            Plot { lines: lines.into(), x: short, unit: "ms", is_logarithmic }.draw(&mut out);
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
        Plot { lines: vec![line], x: short, unit: "", is_logarithmic: false }.draw(&mut out);
        assert!(!out.contains("NaN"), "{out}");
    }
}
