//! The report for people.

use super::{BUSY_SHARE, Report};
use crate::load::expect::{FIGURES, Unit, unit_of};

/// A number to three digits or so.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(&format!("{value:.1}")),
        size if size >= 1.0 => trimmed(&format!("{value:.2}")),
        _ => trimmed(&format!("{value:.3}")),
    }
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number with a comma at the thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A figure with its unit.
pub(super) fn shown(figure: &str, value: f64) -> String {
    match unit_of(figure) {
        Unit::Time => format!("{} ms", short(value)),
        Unit::Number => short(value),
    }
}

/// What was done, in a line.
pub(super) fn headline(report: &Report) -> String {
    let run = &report.run;
    let mut line = run.scenario.to_owned();
    if run.sockets > 0 {
        put!(line, ": {} sockets in {} room{}", run.sockets, run.rooms, plural(run.rooms));
    } else {
        put!(line, ": {} organisation{}", run.rooms, plural(run.rooms));
    }
    match (run.arrivals, run.requests_per_second) {
        ("open", Some(rate)) => {
            put!(line, ", {} requests a second (open loop, {} callers)", short(rate), run.callers);
        }
        ("closed", _) => {
            put!(line, ", {} callers in a closed loop", run.callers);
        }
        _ => {}
    }
    if run.missed_each > 0 {
        put!(line, ", {} missed in each room", run.missed_each);
    }
    put!(line, ", {} s", short(run.seconds));
    if run.arrivals != "none" || run.missed_each > 0 {
        put!(line, ", payload {} bytes", run.payload_bytes);
    }
    line
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What it was done to, in a few lines.
pub(super) fn surroundings(report: &Report) -> Vec<(&'static str, String)> {
    let (server, tool) = (&report.server, &report.tool);
    let build = |build: &super::Build| {
        let version = build.version.as_deref().unwrap_or("of an unknown version");
        format!("{version}, commit {}", build.commit.as_deref().unwrap_or("unknown"))
    };
    let mut lines = Vec::new();
    let whose = if server.is_spawned { " (started for this run)" } else { "" };
    if server.kind == "roomcast" {
        lines.push(("hub", format!("{}{whose}, {}", server.url, build(&server.build))));
    } else {
        lines.push(("server", format!("{}, plain WebSockets", server.url)));
    }
    if let Some(database) = &server.database {
        let durability = server.durability.as_deref().unwrap_or("durability unknown");
        lines.push(("database", format!("{database}, {durability}")));
    }
    lines.push(("limits", server.limits.clone()));
    lines.push(("generator", format!("{}, seed {}", build(tool), report.run.seed)));
    lines
}

/// Whether the generator itself was what is slow.
pub(super) fn generator(report: &Report) -> String {
    let generator = &report.generator;
    let mut line = format!("{} % of one core", short(generator.share_of_core * 100.0));
    if let Some(us) = generator.us_per_delivery {
        put!(line, ", {} µs a delivery", short(us));
    }
    line.push_str(if generator.share_of_core > BUSY_SHARE {
        ": it may be the bottleneck, the server can do more"
    } else {
        ": not the bottleneck"
    });
    if generator.longest_wait_ms >= 1.0 && report.run.arrivals == "open" {
        put!(line, "; a request was sent up to {} ms late", short(generator.longest_wait_ms));
    }
    line
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    putln!(out, "{}", headline(report));
    for (name, line) in surroundings(report) {
        putln!(out, "  {name:<10} {line}");
    }
    out.push('\n');
    for (figure, _, meaning) in &FIGURES {
        if let Some(value) = report.figures.get(figure) {
            putln!(out, "  {figure:<18} {:>12}   {meaning}", shown(figure, *value));
        }
    }
    putln!(out, "\n  the generator used {}", generator(report));
    for (what, count) in trouble(report) {
        putln!(out, "  {count} {what}");
    }
    for example in &report.verdict.examples {
        putln!(out, "  violation: {example}");
    }
    for fared in &report.expectations {
        putln!(out, "  expected {}: {}", fared.expected, if fared.held { "yes" } else { "no" });
    }
    match &report.problems[..] {
        [] => out.push_str("\npassed: nothing lost, doubled, out of order or foreign\n"),
        problems => putln!(out, "\nfailed: {}", problems.join("; ")),
    }
    out
}

/// What was refused, closed or broken, and how often.
pub(super) fn trouble(report: &Report) -> Vec<(String, u64)> {
    let trouble = &report.trouble;
    let by = |what: &'static str, counts: &std::collections::BTreeMap<u16, u64>| {
        counts.iter().map(|(code, count)| (format!("{what} {code}"), *count)).collect::<Vec<_>>()
    };
    let mut lines = by("requests refused with", &trouble.refused_requests);
    lines.extend(by("handshakes refused with", &trouble.refused_handshakes));
    lines.extend(by("sockets closed by the server with", &trouble.closed_sockets));
    let broken = trouble.broken_connections.iter();
    lines.extend(broken.map(|(what, count)| (format!("connections broke: {what}"), *count)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_few_digits() {
        let written: Vec<String> =
            [0.0, 0.0123, 1.0, 1.239, 49.96, 999.4, 1000.0, 1_234_567.8, 12.0].map(short).into();
        assert_eq!(written, ["0", "0.012", "1", "1.24", "50", "999", "1,000", "1,234,568", "12"]);
    }
}
