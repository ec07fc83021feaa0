//! The arrows between modules point one way: features → activity → db, hub → activity, and inside a feature
//! routes → service → queries → model.

use std::path::{Path, PathBuf};

/// What lies under features: everybody may use it, it uses no feature.
const GROUND: [&str; 11] =
    ["types", "db", "activity", "hub", "http", "limits", "telemetry", "config", "error", "app", "auth"];

/// Where all ends meet.
const TOP: [&str; 8] = ["main", "lib", "app", "router", "server", "openapi", "cli", "operations"];

struct Source {
    /// Its path under `src`, without `.rs`: `hub/core/mod`.
    path: String,
    /// Every `crate::…` path that it names.
    uses: Vec<String>,
}

impl Source {
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    fn uses_module(&self, module: &str) -> bool {
        self.uses.iter().any(|path| path.split("::").next() == Some(module))
    }

    /// Which of the layers inside a feature it is.
    fn layer(&self) -> Option<&str> {
        let layer = self.path.split('/').nth(1)?;
        ["routes", "service", "queries", "model", "jobs"].into_iter().find(|known| *known == layer)
    }
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let sources = files.iter().map(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        // Tests inside a file may build on what they like.
        let text = text.split("#[cfg(test)]").next().unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        Source { path: path.to_str().unwrap().to_owned(), uses: used(&code) }
    });
    let tests = |source: &Source| source.path.ends_with("/tests") || source.path.contains("/tests/");
    sources.filter(|source| !tests(source)).collect()
}

/// Every path that begins with `crate::`, groups spelt out: `crate::{a, b::{c, d}}` is `a`, `b::c`, `b::d`.
fn used(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, _) in code.match_indices("crate::") {
        let before = code.get(..index).unwrap().chars().next_back();
        if before.is_some_and(|c| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        expand(code.get(index + "crate::".len()..).unwrap(), "", &mut found);
    }
    found
}

/// Reads one path or group from the start of `rest`; returns what follows it.
fn expand<'a>(rest: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    if let Some(mut group) = rest.strip_prefix('{') {
        loop {
            group = group.trim_start();
            if let Some(after) = group.strip_prefix('}') {
                return after;
            }
            group = expand(group, prefix, found).trim_start();
            group = group.strip_prefix(',').unwrap_or(group);
        }
    }
    let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    match after.strip_prefix("::") {
        Some(deeper) if deeper.starts_with(|c: char| c == '{' || c == '_' || c.is_alphanumeric()) => {
            expand(deeper, &path, found)
        }
        _ => {
            found.push(path);
            let after = after.strip_prefix("::*").unwrap_or(after);
            // A name that it is given here is no path.
            let alias = |rest: &'a str| rest.trim_start_matches(|c: char| c == '_' || c.is_alphanumeric());
            after.strip_prefix(" as ").map_or(after, alias)
        }
    }
}

/// Fails with all that is wrong, not with the first.
#[track_caller]
fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} arrows point the wrong way:\n{}", wrong.len(), wrong.join("\n"));
}

fn features(sources: &[Source]) -> Vec<String> {
    let mut features: Vec<String> = sources
        .iter()
        .filter(|source| source.path.ends_with("/routes") || source.path.contains("/routes/"))
        .map(|source| source.module().to_owned())
        .filter(|module| !GROUND.contains(&module.as_str()) || module == "auth")
        .collect();
    features.sort();
    features.dedup();
    features
}

#[test]
fn paths_are_read_as_they_are_written() {
    let code = "use crate::{a, b::{c, d as e}};\nuse crate::f::g;\nlet h = crate::i::j();\nuse crate::k::*;\n$crate::l";
    assert_eq!(used(code), ["a", "b::c", "b::d", "f::g", "i::j", "k"]);
}

#[test]
fn the_ground_knows_nothing_of_what_stands_on_it() {
    let sources = sources();
    let features = features(&sources);
    for known in ["auth", "invites", "organisations", "users"] {
        assert!(features.iter().any(|found| found == known), "{known} among {features:?}");
    }
    // What each must not use besides the features. The feed is the log's own list, with a route.
    let forbidden: [(&str, &[&str]); 6] = [
        ("types", &["activity", "app", "config", "db", "error", "http", "hub"]),
        ("db", &["activity", "app", "http", "hub"]),
        ("activity", &["hub"]),
        ("limits", &["activity", "app", "http", "hub"]),
        ("telemetry", &["activity", "app", "db", "http", "hub"]),
        // It knows a hub from outside alone.
        (
            "load",
            &["activity", "app", "config", "db", "error", "http", "hub", "limits", "telemetry", "types"],
        ),
    ];
    let mut wrong = Vec::new();
    for source in &sources {
        let found = forbidden.iter().find(|(module, _)| *module == source.module());
        let others = found.iter().flat_map(|(_, others)| others.iter().copied());
        for other in others.chain(features.iter().filter(|_| found.is_some()).map(String::as_str)) {
            if source.uses_module(other) {
                wrong.push(format!("src/{}.rs uses {other}", source.path));
            }
        }
    }
    expect_none(&wrong);
}

#[test]
fn features_never_touch_the_hub_and_the_hub_no_feature() {
    let sources = sources();
    let features = features(&sources);
    let mut wrong = Vec::new();
    for source in &sources {
        let is_feature = features.iter().any(|feature| feature == source.module());
        for path in &source.uses {
            let module = path.split("::").next().unwrap();
            // Tokens are read at the handshake; sign-in is none of the hub's business.
            let token = ["auth::Claims", "auth::InvalidToken", "auth::Tokens"].contains(&path.as_str());
            let feature = features.iter().any(|feature| feature == module) && !token;
            if is_feature && module == "hub" || source.module() == "hub" && feature {
                wrong.push(format!("src/{}.rs uses {path}", source.path));
            }
        }
    }
    expect_none(&wrong);
}

#[test]
fn a_feature_uses_anothers_service_and_never_its_queries() {
    let sources = sources();
    let features = features(&sources);
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !TOP.contains(&source.module())) {
        for path in &source.uses {
            let mut parts = path.split("::");
            let (module, inside) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            let other = features.iter().any(|feature| feature == module) && module != source.module();
            if other && ["queries", "routes"].contains(&inside) {
                wrong.push(format!("src/{}.rs uses {path}", source.path));
            }
        }
    }
    expect_none(&wrong);
}

#[test]
fn inside_a_feature_routes_call_services_and_these_queries() {
    let order = ["routes", "service", "queries", "model"];
    let place = |layer: &str| order.iter().position(|known| *known == layer);
    let sources = sources();
    let features = features(&sources);
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| features.iter().any(|feature| feature == source.module())) {
        let Some(here) = source.layer().and_then(place) else { continue };
        let own = format!("{}::", source.module());
        for path in &source.uses {
            let inside = path.strip_prefix(&own).and_then(|inside| inside.split("::").next());
            let back = inside.and_then(place).is_some_and(|there| there < here);
            // Queries and models know nothing of requests.
            if back || here >= 2 && path.starts_with("http::") {
                wrong.push(format!("src/{}.rs uses {path}", source.path));
            }
        }
    }
    expect_none(&wrong);
}
