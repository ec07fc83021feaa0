//! Many connections at once.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The longest that one may take.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_connects_before_anybody_is_accepted() {
    let listener = roomcast::server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts, so whoever does not fit into the kernel's queue would wait for ever.
    let crowd = (0..1000).map(|_| TcpStream::connect_timeout(&address, LIMIT));
    let connected = tokio::task::block_in_place(|| crowd.collect::<Result<Vec<_>, _>>());
    assert_eq!(connected.unwrap().len(), 1000);
}
