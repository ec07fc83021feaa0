//! `roomcast load`: the program, against a hub that it starts, one that runs, and servers that break their
//! promises.

mod arguments;
mod faults;
mod plain;
mod proxy;
mod scenarios;
mod targets;

use std::path::Path;
use std::process::ExitStatus;

use serde_json::Value;

use crate::harness::environment::on_postgres;
use crate::harness::{Child, TestDatabase};

/// What a run left.
struct Ran {
    status: ExitStatus,
    /// All that it wrote to a terminal that is none.
    output: String,
    report: Value,
    page: String,
}

impl Ran {
    #[track_caller]
    fn figure(&self, name: &str) -> f64 {
        let figure = self.report["figures"][name].as_f64();
        figure.unwrap_or_else(|| panic!("no {name} in {}", self.report["figures"]))
    }

    /// A number of the report.
    #[track_caller]
    fn count(&self, pointer: &str) -> u64 {
        let found = self.report.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no {pointer} in {}", self.report))
    }

    #[track_caller]
    fn expect_passed(self) -> Self {
        assert!(self.status.success(), "{}", self.output);
        for name in ["lost", "doubled", "outOfOrder", "foreign", "gaps", "brokenPages", "violations", "gone"]
        {
            assert_eq!(self.count(&format!("/verdict/{name}")), 0, "{}", self.output);
        }
        assert_eq!(self.report["problems"], serde_json::json!([]));
        self
    }

    #[track_caller]
    fn expect_failed(self, words: &[&str]) -> Self {
        assert_eq!(self.status.code(), Some(1), "{}", self.output);
        for word in words {
            assert!(self.output.contains(word), "{word:?} in:\n{}", self.output);
        }
        self
    }
}

/// Runs it to its end, with both reports.
async fn load(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, html) = (path("report.json"), path("report.html"));
    let mut all = vec!["load"];
    all.extend(arguments);
    all.extend(["--json", &json, "--html", &html]);
    let (status, output) = Child::start(&all, environment).ended_at_last().await;
    assert!(!output.contains("panicked"), "{output}");
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    Ran { status, output, report: serde_json::from_str(&read(&json)).unwrap_or_default(), page: read(&html) }
}

/// The same against a hub that it starts, on the database that the tests run on.
async fn spawned(arguments: &[&str]) -> Ran {
    let database = if on_postgres() { Some(TestDatabase::create().await) } else { None };
    let url = database.as_ref().map(TestDatabase::url_text);
    let mut all = arguments.to_vec();
    all.push("--spawn");
    if let Some(url) = &url {
        all.extend(["--database-url", url]);
    }
    load(&all, &[]).await
}

/// One that must be refused before anything is started, in these words.
async fn refused(arguments: &[&str], words: &[&str]) {
    let mut all = vec!["load"];
    all.extend(arguments);
    let (status, output) = Child::start(&all, &[]).ended().await;
    assert!(!status.success(), "{arguments:?}");
    for word in words {
        assert!(output.contains(word), "{word:?} in:\n{output}");
    }
}
