//! What is asked for wrongly is refused before anything is started, in a sentence.

use clap::CommandFactory as _;
use roomcast::cli::Cli;
use roomcast::load::expect::FIGURES;

use super::refused;
use crate::harness::{Child, at_last, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let url = ["--url", "http://127.0.0.1:1"];
    let cases: [(&[&str], &str); 24] = [
        (&["nonsense", "--spawn"], "possible values"),
        (&["idle"], "--url"),
        (&["idle", url[0], url[1]], "needs --email, --credentials or --self-serve"),
        (&["idle", "--spawn", url[0], url[1]], "cannot be used with"),
        (&["idle", "--spawn", "--rate", "1"], "idle sends no requests"),
        (&["room", "--spawn", "--rate", "1", "--closed"], "cannot be used with"),
        (&["room", "--spawn", "--rate", "0"], "--rate is from"),
        (&["room", "--spawn", "--rate", "NaN"], "--rate is from"),
        (&["room", "--spawn", "--payload", "5000"], "--payload is from 40 to 4096"),
        (&["room", "--spawn", "--sockets", "2", "--rooms", "3"], "leave some of 3 rooms empty"),
        (&["room", "--spawn", "--rooms", "0"], "--rooms is from 1"),
        (&["room", "--spawn", "--callers", "0"], "--callers is from 1"),
        (&["publish", "--spawn", "--sockets", "1"], "publish has no sockets"),
        (&["mixed", "--spawn", "--reads", "2"], "--reads is from 0 to 1"),
        (&["room", "--spawn", "--sockets", "90000000"], "open files"),
        (
            &["room", "--spawn", "--sockets", "100", "--source-addresses", "0"],
            "do not fit into 0 source addresses",
        ),
        (&["room", "--spawn", "--expect", "p99"], "compares nothing"),
        (&["room", "--spawn", "--expect", "p98<1ms"], "\"p98\" is no figure"),
        (&["idle", "--url", "https://127.0.0.1:1", "--self-serve"], "speaks no TLS"),
        (
            &["idle", url[0], url[1], "--self-serve", "--database-url", "sqlite:x"],
            "--database-url is for --spawn",
        ),
        (
            &["storm", url[0], url[1], "--adapter", "plain", "--publish-url", "http://127.0.0.1:1"],
            "keeps nothing",
        ),
        (&["room", url[0], url[1], "--adapter", "plain"], "--publish-url"),
        (&["feed", "--spawn", "--feed-query", "type=A B"], "--feed-query is part of a URL"),
        (
            &[
                "room",
                url[0],
                url[1],
                "--adapter",
                "plain",
                "--publish-url",
                "http://127.0.0.1:1",
                "--sockets",
                "20000",
                "--callers",
                "9000",
            ],
            "--sockets times --callers",
        ),
    ];
    for (arguments, words) in cases {
        refused(arguments, &[words]).await;
    }
}

/// The settings that lie around are somebody's hub: a run must not fill its database.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_the_environment_is_left_alone() {
    let environment = [("DATABASE_URL", "postgres://127.0.0.1:1/nobody")];
    let ran = super::load(&["idle", "--spawn", "--sockets", "2", "--duration", "1s"], &environment).await;
    assert_eq!(ran.expect_passed().report["server"]["database"], "SQLite");
}

/// The page tells of every figure and scenario, and of no option that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_what_there_is() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/load.md")).unwrap();
    for (figure, ..) in FIGURES {
        assert!(page.contains(&format!("`{figure}`")), "docs/load.md does not tell of {figure}");
    }
    let command = Cli::command();
    let load = command.get_subcommands().find(|command| command.get_name() == "load").unwrap();
    let scenario = load.get_arguments().find(|argument| argument.get_id() == "scenario").unwrap();
    for value in scenario.get_possible_values() {
        let name = value.get_name();
        assert!(page.contains(&format!("| `{name}` |")), "docs/load.md does not tell of {name}");
    }
    let options: Vec<&str> =
        command.get_arguments().chain(load.get_arguments()).filter_map(clap::Arg::get_long).collect();
    let words = page.split(|letter: char| !letter.is_ascii_lowercase() && letter != '-');
    for word in words.filter_map(|word| word.strip_prefix("--")).filter(|word| word.len() > 1) {
        assert!(
            ["help", "profile", "locked"].contains(&word) || options.contains(&word),
            "there is no --{word}"
        );
    }
}

/// A run that holds sockets, and the process of its hub.
async fn holding() -> (Child, String) {
    let arguments = ["load", "idle", "--spawn", "--sockets", "2", "--duration", "1h"];
    let run = Child::start(&arguments, &[]);
    let hub = at_last("the hub", async || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", run.id())).ok()?;
        let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
        let found: String = tasks.flatten().filter_map(of).collect();
        found.split_whitespace().next().map(str::to_owned)
    })
    .await;
    // Its sockets are open.
    eventually("sockets", async || {
        let open = std::fs::read_dir(format!("/proc/{hub}/fd")).ok()?.flatten();
        let sockets = open.filter(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        });
        (sockets.count() >= 4).then_some(())
    })
    .await;
    (run, hub)
}

/// A hub that was started for a run ends with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_to_stop_stops_its_hub() {
    let (run, hub) = holding().await;
    run.terminate();
    let (status, output) = run.ended_at_last().await;
    assert!(!status.success() && output.contains("stopped"), "{output}");
    assert!(!std::path::Path::new(&format!("/proc/{hub}")).exists(), "the hub is left");
}

/// Nothing tells it to: its standard input ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_no_hub() {
    let (run, hub) = holding().await;
    run.kill().await;
    eventually("the hub's end", async || {
        // Whoever adopts it may not ask how it ended.
        let stat = std::fs::read_to_string(format!("/proc/{hub}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    })
    .await;
}
