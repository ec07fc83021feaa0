//! A socket as others reach it: its room wakes it, a walker gives it its turns, and a task of its own waits for its
//! peer and for the time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::time::Sleep;

use super::tally::Tally;
use super::walk::{Walk, Walked};
use super::websocket::{MAX_STEPS, Step, WebSocket};

/// A socket, which one thread at a time serves.
pub(in crate::hub) struct Link {
    walk: Arc<Walk>,
    /// Whether a walker will come.
    is_awaited: AtomicBool,
    /// There from its welcome to its end.
    socket: Mutex<Option<WebSocket>>,
}

impl Link {
    /// The link of a socket that is about to join the room of this walk.
    pub(in crate::hub) fn new(walk: Arc<Walk>) -> Arc<Self> {
        Arc::new(Self { walk, is_awaited: AtomicBool::new(false), socket: Mutex::new(None) })
    }

    /// Has a walker come, if none is on its way. Returns at once.
    pub(in crate::hub) fn wake(self: &Arc<Self>) {
        // Who finds it set was seen by the walker that takes it back: that looks at the room only then.
        if !self.is_awaited.swap(true, Ordering::AcqRel) {
            self.walk.push(Arc::clone(self));
        }
    }

    /// Serves a socket until it is closed.
    pub(in crate::hub) fn serve(self: Arc<Self>, socket: WebSocket) -> impl Future<Output = ()> + Send {
        *self.socket.lock() = Some(socket);
        let driver = Driver(self);
        async move {
            let mut sleep = pin!(tokio::time::sleep_until(Instant::now().into()));
            poll_fn(|cx| driver.0.poll(cx, sleep.as_mut())).await;
        }
    }

    fn poll(&self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<()> {
        let mut tally = Tally::of(self.walk.metrics());
        match self.socket.lock().as_mut() {
            Some(socket) => socket.poll(cx, sleep, &mut tally),
            None => Poll::Ready(()),
        }
    }
}

impl Walked for Link {
    /// Who has much to take goes on later.
    fn take_turns(self: &Arc<Self>, now: Instant, tally: &mut Tally<'_>) -> usize {
        self.is_awaited.swap(false, Ordering::AcqRel);
        // Its task is at it, for some steps at most. Whoever else is owed something does not wait for that.
        let Some(mut socket) = self.socket.try_lock() else {
            self.wake();
            return 1;
        };
        // One that has not begun looks for itself when it does.
        let Some(socket) = socket.as_mut() else { return 1 };
        for turn in 1..=MAX_STEPS {
            if socket.step(now, tally) != Step::More {
                socket.wake_driver_if_needed();
                return turn;
            }
        }
        self.wake();
        MAX_STEPS
    }

    fn abandon(&self) {
        // Its task ends with it.
        let socket = self.socket.lock().take();
        if let Some(driver) = socket.and_then(WebSocket::into_driver) {
            driver.wake();
        }
    }
}

/// The task's hold of its socket, which ends with it.
struct Driver(Arc<Link>);

impl Drop for Driver {
    fn drop(&mut self) {
        // Leaving takes the lock of the room, under which somebody may be waking this one.
        let socket = self.0.socket.lock().take();
        drop(socket);
    }
}
