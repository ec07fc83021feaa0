//! The model notices when a protection is missing.
#![cfg(debug_assertions)]

use proptest::test_runner::{Config, TestError, TestRunner};

use super::{stories, tell};
use crate::config::{Broken, Protection};

/// Fails unless some story goes wrong without this protection.
fn is_noticed(protection: Protection) {
    let config = Config { cases: 2000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let told = TestRunner::new(config).run(&stories(), |(history, steps)| {
        tell(history, &steps, Broken::default().without(protection));
        Ok(())
    });
    assert!(matches!(told, Err(TestError::Fail(..))), "{told:?}");
}

#[test]
fn the_model_notices_a_sweep_that_does_not_look() {
    is_noticed(Protection::Sweep);
}

#[test]
fn the_model_notices_what_is_delivered_twice() {
    is_noticed(Protection::DuplicateDrop);
}

#[test]
fn the_model_notices_what_is_skipped() {
    is_noticed(Protection::ReorderWindow);
}

#[test]
fn the_model_notices_access_that_does_not_end() {
    is_noticed(Protection::AccessView);
}
