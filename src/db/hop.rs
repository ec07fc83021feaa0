//! How SQLite is reached from async code: it blocks, so it is asked on threads that may.
//!
//! A statement takes a few microseconds, the way to such a thread and back ten times that. Ordinarily each
//! statement takes that way by itself, because what stands between two of them may belong to anybody. Who has
//! nothing else to do in between goes there once ([`in_one`]), and finds that every statement is answered at
//! once.

use std::cell::Cell;
use std::error::Error;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

thread_local! {
    /// Whether this thread is one that may block, and is there for [`in_one`].
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// The type of the runtime in a wrapper, which the library has no name for.
trait HasRuntime {
    type Runtime;
}

impl<C, S> HasRuntime for SyncConnectionWrapper<C, S> {
    type Runtime = S;
}

type Tokio = <SyncConnectionWrapper<SqliteConnection> as HasRuntime>::Runtime;

/// Takes a statement to a thread that may block, or runs it where it is on one.
pub struct Hop(Tokio);

impl SpawnBlocking for Hop {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        if !MAY_BLOCK.get() {
            return self.0.spawn_blocking(task);
        }
        // A statement that panics fails, here as there.
        let outcome = catch_unwind(AssertUnwindSafe(task)).map_err(|_| "a statement panicked".into());
        Box::pin(ready(outcome))
    }

    fn get_runtime() -> Self {
        Self(Tokio::get_runtime())
    }
}

/// Runs the whole of `work` on one thread that may block. Once begun, it goes on to its end, whatever becomes of who waits
/// for it.
pub(super) async fn in_one<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Handle::current();
    let hop = tokio::task::spawn_blocking(move || {
        /// Threads are used again, for others.
        struct Reset;

        impl Drop for Reset {
            fn drop(&mut self) {
                MAY_BLOCK.set(false);
            }
        }

        let _reset = Reset;
        MAY_BLOCK.set(true);
        runtime.block_on(work)
    });
    match hop.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // It was not begun: the runtime ends, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use diesel::connection::SimpleConnection as _;
    use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};

    use super::*;

    type Wrapper = SyncConnectionWrapper<SqliteConnection, Hop>;

    async fn thread_of_a_statement(conn: &mut Wrapper) -> thread::ThreadId {
        let statement = conn.spawn_blocking(|conn| {
            conn.batch_execute("SELECT 1")?;
            Ok(thread::current().id())
        });
        statement.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn statements_stay_on_the_thread_that_they_came_to_in_one_hop() {
        let mut conn = Wrapper::establish(":memory:").await.unwrap();
        let here = thread::current().id();
        assert_ne!(thread_of_a_statement(&mut conn).await, here);
        let (mut conn, there, of_statements) = in_one(async move {
            let there = thread::current().id();
            let first = thread_of_a_statement(&mut conn).await;
            conn.batch_execute("SELECT 1").await.unwrap();
            let second = thread_of_a_statement(&mut conn).await;
            (conn, there, [first, second])
        })
        .await;
        assert_eq!(of_statements, [there, there]);
        let (mut conn, failed) = in_one(async move {
            let failed = conn.spawn_blocking(|_| -> diesel::QueryResult<()> { panic!("a fault") }).await;
            (conn, failed)
        })
        .await;
        assert!(failed.is_err());
        // Whoever uses that thread next hops again.
        let again = tokio::task::spawn_blocking(|| MAY_BLOCK.get()).await.unwrap();
        assert!(!again);
        assert_ne!(thread_of_a_statement(&mut conn).await, thread::current().id());
    }
}
