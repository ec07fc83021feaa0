//! Where the hub meets the network: how it stops, TLS, peers that are slow or too many, browsers, keys.

mod browser;
mod crowd;
mod drain;
mod keys;
mod peers;
mod tls;
