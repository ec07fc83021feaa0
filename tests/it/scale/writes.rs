//! What waits for a socket goes out together.

use super::{counted, node, sockets};
use crate::harness::raw::RawSocket;
use crate::harness::{TestDatabase, eventually};

/// Frames that a socket takes at once, and with them whatever else there is to say.
const TURN: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_goes_out_in_one_write() {
    let database = TestDatabase::create().await;
    let (_process, client) = node(&database, &[]).await;
    let acme = client.organisation("Acme").create().await;
    let sends = (0..=2 * TURN).map(|number| client.broadcast_text(&acme.admin, number.to_string()));
    let sent = futures_util::future::join_all(sends).await;
    let head = sent.iter().map(crate::harness::Item::seq).max().unwrap();

    let mut expected = counted(&client, "roomcast_socket_writes_total").await;
    for (missed, writes) in [(0, 1), (1, 2), (TURN - 1, 2), (TURN, 2), (TURN + 1, 3), (2 * TURN + 1, 4)] {
        let after = head - i64::try_from(missed).unwrap();
        let query = format!("?token={}&after={after}", acme.admin.access_token);
        let (mut socket, _) = RawSocket::upgrade(&client.base, &query, "", None).await;
        // The WELCOME, which goes alone, and what was missed.
        for _ in 0..=missed {
            socket.next_text().await;
        }
        drop(socket);
        eventually("the end of the socket", async || (sockets(&client).await == 0).then_some(())).await;
        expected += writes;
        let written = counted(&client, "roomcast_socket_writes_total").await;
        assert_eq!(written, expected, "{missed} frames and a WELCOME take {writes} writes");
    }
}
