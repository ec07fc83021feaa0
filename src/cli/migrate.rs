//! `roomcast migrate`.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::Config;
use crate::db::{Db, MigrationState};
use crate::tenancy::{Fleet, Outcome, Step, Task};

/// Which stores are migrated, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct MigrateArgs {
    /// Say how every store stands, and change nothing
    #[arg(long, conflicts_with = "dry_run")]
    status: bool,

    /// Say what would be applied, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// One organisation's own store alone, by the organisation's id or slug
    #[arg(long, env = "TENANT_MIGRATE_TENANT_ID", value_name = "ID|SLUG")]
    tenant: Option<String>,

    /// Stores of organisations at a time, from 1
    #[arg(long, env = "TENANT_MIGRATE_CONCURRENCY", default_value_t = 4, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,

    /// Seconds that a lock is waited for, another node's on a store among them; 0 is for ever
    #[arg(long, env = "TENANT_MIGRATE_TIMEOUT", default_value_t = 30, value_name = "SECONDS")]
    lock_timeout: u32,

    /// Add a line for every store to this file, with all that was applied or went wrong
    #[arg(long, env = "TENANT_MIGRATE_LOG", value_name = "FILE")]
    log_file: Option<PathBuf>,
}

impl MigrateArgs {
    fn changes_nothing(&self) -> bool {
        self.status || self.dry_run
    }

    fn fleet(&self) -> Fleet {
        Fleet {
            task: if self.changes_nothing() { Task::Look } else { Task::Migrate },
            concurrency: self.concurrency.into(),
            lock_timeout: (self.lock_timeout > 0).then(|| Duration::from_secs(self.lock_timeout.into())),
            only: self.tenant.clone(),
        }
    }
}

/// Runs what is pending and says what that was.
pub(super) async fn run(config: &Config, arguments: MigrateArgs) -> anyhow::Result<()> {
    let (url, connections) = (config.database_url()?, config.database.max_connections);
    let tenants = config.tenancy.bounds(false);
    let db = Db::open_bounded(&url, connections, tenants).await?;
    let mut log = arguments.log_file.as_ref().map(open_log).transpose()?;
    let is_behind = main_store(&db, &arguments).await?;
    // Where the directory itself is behind it cannot be asked for stores.
    if is_behind && !arguments.changes_nothing() {
        db.require_current().await?;
    } else if is_behind {
        println!("the stores of organisations are looked at once the database is up to date");
        return Ok(());
    }

    let fleet = arguments.fleet();
    let total = fleet.count(&db).await?;
    if let (Some(tenant), 0) = (&arguments.tenant, total) {
        bail!("no organisation {tenant} has a store of its own (--tenant, TENANT_MIGRATE_TENANT_ID)");
    }
    let (bar, started) = (progress(total), Instant::now());
    let mut failures = 0_usize;
    let mut unlogged = None;
    let outcomes = fleet
        .run(&db, |outcome| {
            failures += usize::from(outcome.step.is_err());
            bar.set_message(if failures > 0 { format!("{failures} failed") } else { String::new() });
            bar.inc(1);
            if let Some(Err(error)) = log.as_mut().map(|file| write_line(file, outcome)) {
                unlogged.get_or_insert(error);
            }
        })
        .await?;
    bar.finish_and_clear();
    summarise(&outcomes, &arguments, started.elapsed());
    if let Some(error) = unlogged {
        return Err(error).context("writing the log (--log-file, TENANT_MIGRATE_LOG)");
    }
    if failures > 0 {
        bail!("{failures} of {total} stores of organisations failed");
    }
    Ok(())
}

/// The directory and the shared tables. Whether they are behind now.
async fn main_store(db: &Db, arguments: &MigrateArgs) -> anyhow::Result<bool> {
    if arguments.tenant.is_some() {
        // Somebody wants that one alone.
        return Ok(db.migration_state().await? != MigrationState::Current);
    }
    if arguments.changes_nothing() {
        let pending = match db.migration_state().await? {
            MigrationState::Current => Vec::new(),
            MigrationState::Pending(names) => names,
        };
        for name in &pending {
            println!("pending {name}");
        }
        if pending.is_empty() {
            println!("the database is up to date");
        }
        return Ok(!pending.is_empty());
    }
    let applied = db.migrate().await?;
    for name in &applied {
        println!("applied {name}");
    }
    if applied.is_empty() {
        println!("the database is up to date");
    }
    Ok(false)
}

fn open_log(path: &PathBuf) -> anyhow::Result<File> {
    let opened = File::options().create(true).append(true).open(path);
    opened.with_context(|| format!("cannot write {} (--log-file, TENANT_MIGRATE_LOG)", path.display()))
}

fn write_line(file: &mut File, outcome: &Outcome) -> std::io::Result<()> {
    let Outcome { org, slug, isolation, took, .. } = outcome;
    let what = match &outcome.step {
        Ok(Step::Applied(names)) if names.is_empty() => "up to date".to_owned(),
        Ok(Step::Applied(names)) => format!("applied {}", names.join(", ")),
        Ok(Step::Pending(names)) => format!("pending {}", names.join(", ")),
        Ok(Step::Unmade) => "not made yet".to_owned(),
        Err(error) => format!("failed: {error}"),
    };
    let took = took.as_millis();
    writeln!(file, "{org} {slug} {} {took} ms {}", isolation.name(), what.replace('\n', " "))
}

/// What people see meanwhile: nothing, unless they look at a terminal.
fn progress(total: usize) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() && total > 0 {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    match ProgressStyle::with_template("stores {bar:30} {pos}/{len} {elapsed:>4}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Failures that are told in the table; the log has all.
const MAX_TOLD: usize = 20;

/// One table of what was found and done.
fn summarise(outcomes: &[Outcome], arguments: &MigrateArgs, took: Duration) {
    if outcomes.is_empty() {
        return;
    }
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let is_applied =
        |outcome: &Outcome| matches!(&outcome.step, Ok(Step::Applied(names)) if !names.is_empty());
    let is_current =
        |outcome: &Outcome| matches!(&outcome.step, Ok(Step::Applied(names)) if names.is_empty());
    println!();
    println!("stores of organisations  {:>7}", outcomes.len());
    println!("  up to date before      {:>7}", count(is_current));
    if arguments.changes_nothing() {
        println!("  behind                 {:>7}", count(|it| matches!(it.step, Ok(Step::Pending(_)))));
    } else {
        println!("  brought up to date     {:>7}", count(is_applied));
    }
    println!("  not made yet           {:>7}", count(|it| matches!(it.step, Ok(Step::Unmade))));
    println!("  failed                 {:>7}", count(|it| it.step.is_err()));
    println!("  took                   {:>6.1}s", took.as_secs_f64());
    for outcome in outcomes.iter().filter(|outcome| outcome.step.is_err()).take(MAX_TOLD) {
        if let Err(error) = &outcome.step {
            println!("failed {} ({}): {error}", outcome.slug, outcome.org);
        }
    }
    if !arguments.changes_nothing() && arguments.tenant.is_none() {
        return;
    }
    for outcome in outcomes {
        if let Ok(Step::Pending(names)) = &outcome.step {
            println!("pending {} ({}): {}", outcome.slug, outcome.org, names.join(", "));
        }
    }
}
