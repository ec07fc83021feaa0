//! `docs/operations.md` and `deploy/alerts.yml` are held to the code.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;
use roomcast::cli::Cli;
use serde_json::Value;

use super::read;

const PAGE: &str = "docs/operations.md";

/// What operators set that the hub itself does not read.
const NO_SETTINGS: [&str; 7] = [
    "CAP_NET_BIND_SERVICE",
    "MALLOC_MMAP_THRESHOLD_",
    "ON_ERROR_STOP",
    "POSTGRES_PASSWORD",
    "RENEWED_LINEAGE",
    "ROOMCAST_COMMIT",
    "ROOMCAST_PORT",
];

/// The Rust files under `folder`, without what stands in files of tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

fn source() -> Vec<String> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// Words of a text that begin like this and go on in lower case, digits and underscores.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let split = text.split(|letter: char| !is_part(letter));
    split.filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
}

fn metrics() -> BTreeSet<String> {
    let source = read("src/telemetry/metric.rs");
    let found = source.split(" = \"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    found.filter(|name| name.starts_with("roomcast_")).collect()
}

/// The names of a text without what Prometheus appends to a histogram's.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let suffixes = ["_bucket", "_sum", "_count"];
    let base = |name: String| {
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix).map(str::to_owned));
        base.unwrap_or(name)
    };
    words(text, "roomcast_").into_iter().map(base).collect()
}

#[test]
fn every_metric_is_in_the_page_and_none_that_is_not_there() {
    let (metrics, told) = (metrics(), metrics_in(&read(PAGE)));
    assert!(metrics.len() > 20);
    let missing: Vec<_> = metrics.difference(&told).collect();
    assert!(missing.is_empty(), "{PAGE} does not tell of {missing:?}");
    let invented: Vec<_> = told.difference(&metrics).collect();
    assert!(invented.is_empty(), "{PAGE} tells of {invented:?}");
}

#[test]
fn alerts_are_about_metrics_that_are_there_and_each_is_in_the_page() {
    let (file, page, metrics) = (read("deploy/alerts.yml"), read(PAGE), metrics());
    let rules: Value = serde_saphyr::from_str(&file).unwrap();
    let rules: Vec<&Value> = rules["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert!(rules.len() > 5);
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let expression = rule["expr"].as_str().unwrap();
        let asked = metrics_in(expression);
        assert!(asked.is_subset(&metrics), "{name} asks for {asked:?}");
        assert!(!asked.is_empty() || expression.starts_with("up{"), "{name} asks for nothing of the hub");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].is_string(), "{name} has no {annotation}");
        }
        assert!(page.contains(&format!("`{name}`")), "{PAGE} does not tell of {name}");
    }
}

/// The arguments of a call that begins after its opening bracket, each as it is written.
fn arguments(call: &str) -> Vec<String> {
    let (mut found, mut depth, mut in_text, mut escaped) = (vec![String::new()], 0, false, false);
    for letter in call.chars() {
        let current = found.last_mut().unwrap();
        if in_text {
            current.push(letter);
            in_text = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            ')' | ']' | '}' if depth == 0 => break,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '"' => in_text = true,
            _ => {}
        }
        current.push(letter);
    }
    found.into_iter().map(|argument| argument.trim().to_owned()).collect()
}

/// A literal as it is logged, with `…` for what is put in.
fn as_logged(literal: &str) -> String {
    let text = literal.trim_matches('"').split("\\\n").map(str::trim_start).collect::<String>();
    let mut parts = text.split('{');
    let mut logged = parts.next().unwrap().to_owned();
    for part in parts {
        logged.push('…');
        logged.push_str(part.split_once('}').unwrap().1);
    }
    logged
}

/// Level and text of every line that the source can log as a warning or an error.
fn log_lines() -> BTreeSet<(String, String)> {
    let mut lines = BTreeSet::new();
    for source in source() {
        for level in ["warn", "error"] {
            for call in source.split(&format!("tracing::{level}!(")).skip(1) {
                let arguments = arguments(call);
                let message = arguments.iter().find(|argument| argument.starts_with('"'));
                let message = message.unwrap_or_else(|| panic!("no message in {call:.120}"));
                lines.insert((level.to_owned(), as_logged(message)));
            }
        }
    }
    lines
}

#[test]
fn every_warning_and_error_is_in_the_page_with_what_to_do() {
    let page = read(PAGE);
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [level @ ("warn" | "error"), message, meaning] = cells[..] else { return None };
        assert!(!meaning.is_empty(), "{line}");
        Some((level.to_owned(), message.trim_matches('`').to_owned()))
    });
    let (told, logged) = (rows.collect::<BTreeSet<_>>(), log_lines());
    assert!(logged.len() > 15);
    let missing: Vec<_> = logged.difference(&told).collect();
    assert!(missing.is_empty(), "{PAGE} does not tell of {missing:#?}");
    let gone: Vec<_> = told.difference(&logged).collect();
    assert!(gone.is_empty(), "{PAGE} tells of {gone:#?}, which nothing logs");
}

#[test]
fn every_state_of_readiness_is_in_the_page() {
    let source = read("src/operations.rs");
    let readyz = source.split("async fn readyz").nth(1).unwrap().split("\n}").next().unwrap();
    let states = ["ready", "degraded", "draining", "migrations_pending", "unavailable"];
    for state in states {
        assert!(readyz.contains(&format!("\"{state}\"")), "/readyz does not say {state}");
        assert!(read(PAGE).contains(&format!("| `{state}` |")), "{PAGE} does not tell of {state}");
    }
}

/// Commands and settings are spelt as the program spells them.
#[test]
fn commands_and_settings_in_the_page_exist() {
    let page = read(PAGE);
    let command = Cli::command();
    let known: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let blocks = page.split("```").skip(1).step_by(2);
    let mut used = BTreeSet::new();
    for line in blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let program = pair[0].rsplit('/').next().unwrap();
            if ["roomcast", "hub"].contains(&program)
                && pair[1].chars().all(|letter| letter.is_ascii_lowercase())
            {
                used.insert(pair[1]);
            }
        }
    }
    let used: BTreeSet<&str> = used.intersection(&known).copied().collect();
    let told = |name: &&str| used.contains(name) || page.contains(&format!("`roomcast {name}"));
    let untold: Vec<_> = known
        .iter()
        .filter(|name| !["serve", "help", "openapi", "seed"].contains(name) && !told(name))
        .collect();
    assert!(untold.is_empty(), "{PAGE} does not tell of {untold:?}");
    for mention in page.split("`roomcast ").skip(1) {
        let name = mention.split(['`', ' ']).next().unwrap();
        assert!(known.contains(name), "{PAGE} tells of `roomcast {name}`");
    }

    let settings: BTreeSet<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    let is_name = |word: &&str| {
        word.trim_matches('_').contains('_')
            && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    for name in page.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_').filter(is_name) {
        assert!(settings.contains(name) || NO_SETTINGS.contains(&name), "{PAGE}: {name} is no setting");
    }
}

#[test]
fn files_that_the_page_names_are_there() {
    let page = read(PAGE);
    for target in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        let file = target.split('#').next().unwrap();
        if !file.is_empty() && !file.starts_with("http") {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
            assert!(path.exists(), "{PAGE} names {file}");
        }
    }
    assert!(read("README.md").contains(&format!("({PAGE})")), "README.md does not lead to {PAGE}");
}
