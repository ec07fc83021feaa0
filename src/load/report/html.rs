//! The report as one page that needs nothing else: no script, no font, no picture from anywhere.

use super::plot::{Line, Plot};
use super::text::{generator, headline, short, shown, surroundings, trouble};
use super::{Latency, Report};
use crate::load::expect::FIGURES;
use crate::load::watch::Sample;

/// Light and dark, as the reader's system has it.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #fff; --page: #f8f9fa; --rule: #dde2e7;
  --good: #1a7f37; --bad: #c62828; --s0: #2563c9; --s1: #c2570c; --s2: #2e8540; --s3: #8a3ffc; --s4: #b3124a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --paper: #1a1d24; --page: #13151b; --rule: #373c49;
  --good: #57c46f; --bad: #ff7b72; --s0: #6ea8ff; --s1: #ff9d57; --s2: #6fd388; --s3: #c4a2ff; --s4: #ff8fb3; } }
* { box-sizing: border-box; } body { margin: 0 auto; max-width: 76rem; padding: 2rem 1rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0; } h2 { font-size: 1rem; margin: 0 0 .6rem; }
.brand { color: var(--soft); margin: 0 0 .3rem; font-weight: 600; }
section { padding: 1rem 1.2rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 8px;
  margin: 0 0 1rem; min-width: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem; margin: 0 0 1rem; }
.tiles div { display: flex; flex-direction: column-reverse; justify-content: flex-end; padding: .8rem 1.2rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 8px; }
.tiles dt { color: var(--soft); font-size: .85rem; line-height: 1.35; } .tiles dd { margin: 0; font-size: 1.5rem;
  font-weight: 650; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--rule); vertical-align: top; font-weight: normal; }
td { overflow-wrap: anywhere; }
tr:last-child > * { border-bottom: 0; } th { color: var(--soft); } td.number { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; } .passed { color: var(--good); } .failed { color: var(--bad); }
.verdict { font-weight: 600; margin: .4rem 0 1.2rem; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 12px; } .grid { stroke: var(--rule); } .line { fill: none; stroke-width: 1.8;
  stroke-linejoin: round; } .legend { color: var(--soft); margin: .4rem 0 0; } .legend span { margin-right: 1rem; }
@media (max-width: 40rem) { .figures tr { display: grid; grid-template-columns: 1fr auto; padding: .3rem 0;
  border-bottom: 1px solid var(--rule); } .figures tr > * { border: 0; padding: 0; } .figures td:last-child {
  grid-column: 1 / -1; color: var(--soft); font-size: .85rem; } }
.c0 { stroke: var(--s0); } .c1 { stroke: var(--s1); } .c2 { stroke: var(--s2); } .c3 { stroke: var(--s3); }
.c4 { stroke: var(--s4); } .k0 { color: var(--s0); } .k1 { color: var(--s1); } .k2 { color: var(--s2); }
.k3 { color: var(--s3); } .k4 { color: var(--s4); }";

/// The page.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = escaped(&headline(report));
    put!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <p class=\"brand\">Roomcast load</p>\n<h1>{title}</h1>\n"
    );
    match &report.problems[..] {
        [] => out.push_str(
            "<p class=\"verdict passed\">Passed: nothing lost, doubled, out of order or foreign.</p>\n",
        ),
        problems => {
            putln!(out, "<p class=\"verdict failed\">Failed: {}.</p>", escaped(&problems.join("; ")));
        }
    }
    tiles(report, &mut out);
    plots(report, &mut out);
    figures(report, &mut out);
    out.push_str("<section><h2>What was measured, and with what</h2>\n<table>\n");
    for (name, line) in surroundings(report) {
        putln!(out, "<tr><th>{name}<td>{}", escaped(&line));
    }
    putln!(out, "<tr><th>cost of the generator<td>{}\n</table></section>", escaped(&generator(report)));
    notes(report, &mut out);
    out.push_str("</html>\n");
    out
}

/// What most readers look for, where it was measured.
const FIRST: [&str; 6] = ["p50", "p99", "delivered/s", "published/s", "sockets", "violations"];

fn tiles(report: &Report, out: &mut String) {
    out.push_str("<dl class=\"tiles\">\n");
    for name in FIRST {
        let meaning = FIGURES.iter().find(|(figure, ..)| *figure == name).map(|(.., meaning)| meaning);
        if let (Some(meaning), Some(value)) = (meaning, report.figures.get(name)) {
            putln!(out, "<div><dt>{name}: {meaning}</dt><dd>{}</dd></div>", shown(name, *value));
        }
    }
    out.push_str("</dl>\n");
}

fn plots(report: &Report, out: &mut String) {
    let lines: Vec<Line> =
        report.latencies.iter().map(|(name, latency)| distribution(name, latency)).collect();
    out.push_str("<div class=\"plots\">\n");
    if !lines.is_empty() {
        let title = "Distribution of latency";
        // 0, 90, 99, 99.9 … per cent.
        Plot { title, lines, x: percentile, least_step: 1.0, unit: "ms", is_logarithmic: true }.draw(out);
    }
    for (title, unit, counts) in [
        (
            "Throughput, a second",
            "",
            &[("received", received as Series), ("broadcasts", broadcasts), ("pages", pages)][..],
        ),
        ("Sockets", "", &[("open", sockets as Series)]),
        ("Memory of the server", "MiB", &[("Pss", memory as Series)]),
        ("CPU of the server, in cores", "", &[("user and system", cores as Series)]),
    ] {
        let lines: Vec<Line> =
            counts.iter().filter_map(|(name, series)| over_time(name, &report.timeline, *series)).collect();
        if !lines.is_empty() {
            Plot { title, lines, x: seconds, least_step: 0.0, unit, is_logarithmic: false }.draw(out);
        }
    }
    out.push_str("</div>\n");
}

/// What a plot shows of two samples in a row.
type Series = fn(&Sample, &Sample) -> Option<f64>;

fn per_second(before: &Sample, now: &Sample, counted: u64) -> Option<f64> {
    super::figures::ratio(counted * 1000, now.at_ms.saturating_sub(before.at_ms))
}

fn received(before: &Sample, now: &Sample) -> Option<f64> {
    per_second(before, now, now.delivered - before.delivered)
}

fn broadcasts(before: &Sample, now: &Sample) -> Option<f64> {
    per_second(before, now, now.acknowledged - before.acknowledged)
}

fn pages(before: &Sample, now: &Sample) -> Option<f64> {
    per_second(before, now, now.read - before.read)
}

fn sockets(_: &Sample, now: &Sample) -> Option<f64> {
    super::figures::ratio(now.sockets as u64, 1)
}

fn memory(_: &Sample, now: &Sample) -> Option<f64> {
    super::figures::ratio(now.memory_kib?, 1024)
}

fn cores(before: &Sample, now: &Sample) -> Option<f64> {
    super::figures::ratio(now.cpu_ms?.saturating_sub(before.cpu_ms?), now.at_ms.saturating_sub(before.at_ms))
}

/// A line over the seconds of the run; none where there is nothing but zeros.
fn over_time(name: &str, samples: &[Sample], series: Series) -> Option<Line> {
    let points = samples.windows(2).filter_map(|pair| {
        let [before, now] = pair else { return None };
        Some((f64::from(u32::try_from(now.at_ms).ok()?) / 1000.0, series(before, now)?))
    });
    let points: Vec<(f64, f64)> = points.collect();
    points.iter().any(|(_, value)| *value > 0.0).then(|| Line { name: name.to_owned(), points })
}

/// A line over the nines: 90, 99, 99.9 … per cent at equal distances.
fn distribution(name: &str, latency: &Latency) -> Line {
    let nines = |percent: f64| -(1.0 - percent / 100.0).max(1e-6).log10();
    let points = latency.curve.iter().filter(|(percent, _)| *percent < 100.0);
    let last = latency
        .curve
        .iter()
        .map(|(percent, _)| *percent)
        .filter(|percent| *percent < 100.0)
        .fold(0.0, f64::max);
    let end = std::iter::once((nines(last), latency.max));
    Line {
        name: name.to_owned(),
        points: points.map(|(percent, ms)| (nines(*percent), *ms)).chain(end).collect(),
    }
}

fn percentile(nines: f64) -> String {
    format!("{} %", short(100.0 * (1.0 - 10f64.powf(-nines))))
}

fn seconds(at: f64) -> String {
    format!("{} s", short(at))
}

fn figures(report: &Report, out: &mut String) {
    out.push_str("<section><h2>Figures</h2>\n<table class=\"figures\">\n");
    for (figure, _, meaning) in &FIGURES {
        if let Some(value) = report.figures.get(figure) {
            putln!(out, "<tr><th>{figure}<td class=\"number\">{}<td>{meaning}", shown(figure, *value));
        }
    }
    for (name, latency) in &report.latencies {
        let Latency { count, min, mean, p50, p90, p99, p999, max, .. } = latency;
        let [min, mean, p50, p90, p99, p999, max] =
            [min, mean, p50, p90, p99, p999, max].map(|ms| short(*ms));
        putln!(
            out,
            "<tr><th>{name} of {count}, in ms<td class=\"number\">{p50}<td>at least {min}, mean {mean}, 90 % {p90}, \
             99 % {p99}, 99.9 % {p999}, at most {max}"
        );
    }
    out.push_str("</table></section>\n");
}

fn notes(report: &Report, out: &mut String) {
    let mut lines: Vec<String> = report
        .expectations
        .iter()
        .map(|fared| format!("expected {}: {}", fared.expected, if fared.held { "yes" } else { "no" }))
        .collect();
    lines.extend(trouble(report).into_iter().map(|(what, count)| format!("{count} {what}")));
    lines.extend(report.verdict.examples.iter().map(|example| format!("violation: {example}")));
    if lines.is_empty() {
        return;
    }
    out.push_str("<section><h2>Notes</h2>\n<ul>\n");
    for line in lines {
        putln!(out, "<li>{}", escaped(&line));
    }
    out.push_str("</ul></section>\n");
}

/// A text between tags.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
