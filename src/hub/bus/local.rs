//! The bus within one process: an exchange of its nodes, of which the embedded default has one.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Bus, BusDown, BusState, Listener, Message};
use crate::types::OrgId;

/// Where the nodes of one process meet. Clones share it.
#[derive(Clone, Default)]
pub struct Exchange {
    nodes: Arc<Mutex<Vec<Weak<LocalBus>>>>,
}

impl Exchange {
    /// A node's end of the bus. It leaves when that is dropped.
    pub fn join(&self) -> Arc<LocalBus> {
        let bus = Arc::new(LocalBus {
            exchange: self.clone(),
            listener: OnceLock::new(),
            subscribed: Mutex::default(),
        });
        let mut nodes = self.nodes.lock();
        nodes.retain(|node| node.strong_count() > 0);
        nodes.push(Arc::downgrade(&bus));
        bus
    }
}

/// One node's end of an [`Exchange`]. Loses nothing; hands messages over where they are published.
pub struct LocalBus {
    exchange: Exchange,
    listener: OnceLock<Weak<dyn Listener>>,
    subscribed: Mutex<HashSet<OrgId>>,
}

impl LocalBus {
    fn hear(&self, org: OrgId, message: Message) {
        let subscribed = self.subscribed.lock().contains(&org);
        if subscribed && let Some(listener) = self.listener.get().and_then(Weak::upgrade) {
            listener.received(org, message);
        }
    }
}

impl Bus for LocalBus {
    fn publish(&self, org: OrgId, message: Message) {
        let nodes: Vec<Arc<Self>> = self.exchange.nodes.lock().iter().filter_map(Weak::upgrade).collect();
        for node in nodes {
            if !std::ptr::eq(&raw const *node, self) {
                node.hear(org, message.clone());
            }
        }
    }

    fn subscribe(&self, org: OrgId) -> BoxFuture<'_, Result<(), BusDown>> {
        self.subscribed.lock().insert(org);
        ready(Ok(())).boxed()
    }

    fn unsubscribe(&self, org: OrgId) -> BoxFuture<'_, ()> {
        self.subscribed.lock().remove(&org);
        ready(()).boxed()
    }

    fn state(&self) -> BusState {
        BusState::Up
    }

    fn run(self: Arc<Self>, listener: Weak<dyn Listener>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        self.listener.get_or_init(|| listener);
        async move { stop.cancelled().await }.boxed()
    }
}
