//! How jobs are run.

use std::time::Duration;

use clap::Args;

use super::parse;

/// How many jobs a node runs, and when it looks for some.
#[derive(Debug, Clone, Args)]
pub struct JobsConfig {
    /// Jobs of one kind that this node runs at a time; messages of each channel are a kind. 0 is none: other nodes
    /// have to
    #[arg(
        id = "job_concurrency",
        long = "job-concurrency",
        env = "JOB_CONCURRENCY",
        default_value_t = 128,
        global = true,
        help_heading = "Jobs"
    )]
    pub concurrency: usize,

    /// Jobs of one kind that this node runs at a time for one organisation, from 1
    #[arg(id = "job_per_organisation", long = "job-concurrency-per-organisation", env = "JOB_CONCURRENCY_PER_ORGANISATION", default_value_t = 32,
          value_parser = parse::at_least_one, global = true, help_heading = "Jobs")]
    pub per_organisation: usize,

    /// How often the database is asked for jobs of which this node was not told, from 10ms
    #[arg(id = "job_poll", long = "job-poll", env = "JOB_POLL", default_value = "5s", value_parser = parse::poll, global = true,
          help_heading = "Jobs")]
    pub poll: Duration,
}
