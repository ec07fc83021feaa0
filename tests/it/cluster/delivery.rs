//! What is sent on one node arrives on the others, over the bus.

use roomcast::config::Protection;

use super::pair_without;
use crate::hub::texts;

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_alone_carries_over_what_is_sent() {
    let Some([first, second]) = pair_without(&[Protection::Sweep]).await else { return };
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mut here = first.connect(&acme["mia"]).await;
    let mut there = second.connect(&acme["mia"]).await;
    let start = first.head(&acme.admin).await;
    for number in 0..30 {
        let node = if number % 2 == 0 { &first } else { &second };
        node.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = first.head(&acme.admin).await;
    let feed = first.feed_after(&acme["mia"], start).await;
    assert_eq!(feed.0.len(), 30);
    assert_eq!(texts(&here.up_to(head).await), feed.texts());
    assert_eq!(texts(&there.up_to(head).await), feed.texts());
}
