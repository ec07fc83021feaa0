//! A key counts for 24 hours.

use std::time::Duration;

use roomcast::error::Result;
use roomcast::idempotency::{LIFETIME, queries};
use roomcast::transaction;

use super::{Route, expect_first, expect_replay};
use crate::harness::{Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_it_is_a_new_key() {
    assert_eq!(LIFETIME, Duration::from_hours(24));
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let mut firsts = Vec::new();
    for route in Route::ALL {
        firsts.push(route.call(&app, &acme.admin, "one").await);
    }
    app.advance(LIFETIME.saturating_sub(Duration::from_mins(1)));
    let admin = app.sign_in(&acme.admin).await;
    for (route, first) in Route::ALL.into_iter().zip(&firsts) {
        expect_replay(&route.call(&app, &admin, "one").await, first);
    }
    app.advance(Duration::from_mins(1));
    for (route, first) in Route::ALL.into_iter().zip(firsts) {
        // It may even have another body.
        let second = route.call_with(&app, &admin, "one", &route.other_body()).await;
        expect_first(&second);
        assert_ne!(second.text, first.text);
        let again = route.call_with(&app, &admin, "one", &route.other_body()).await;
        expect_replay(&again, &second);
        assert_eq!(route.count(&app, &admin).await, 2, "{route:?}");
    }
}

/// Deletes what has expired, at most so many at a time; how many rows each go took.
async fn delete_expired(app: &TestApp, person: &Person, limit: i64) -> Result<Vec<usize>> {
    let (org, now) = (person.org_id(), app.clock().now());
    let mut gone = Vec::new();
    loop {
        let deleted = transaction!(app.app.db.org(org), |tx| {
            Ok(queries::delete_expired(tx, org, now, limit).await?)
        })?;
        gone.push(deleted);
        if deleted < usize::try_from(limit).unwrap() {
            return Ok(gone);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_deleted_in_chunks() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let globex = app.organisation("Globex").create().await;
    for number in 0..7 {
        Route::Broadcast.call(&app, &acme.admin, &format!("old {number}").replace(' ', "-")).await;
        // Rows of one millisecond go together.
        app.advance(Duration::from_millis(1));
    }
    Route::Broadcast.call(&app, &globex.admin, "old").await;
    app.advance(LIFETIME);
    let admin = app.sign_in(&acme.admin).await;
    let young = Route::Broadcast.call(&app, &admin, "young").await;
    assert_eq!(delete_expired(&app, &admin, 3).await.unwrap(), [3, 3, 1]);
    assert_eq!(delete_expired(&app, &admin, 3).await.unwrap(), [0]);
    expect_replay(&Route::Broadcast.call(&app, &admin, "young").await, &young);
    // Another organisation's are its own.
    assert_eq!(delete_expired(&app, &globex.admin, 100).await.unwrap(), [1]);
}
