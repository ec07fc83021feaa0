//! Nobody reaches another organisation, whichever way they try.

mod dump;
mod dumps;
mod foreign;
mod plans;
mod role;
mod routes;
mod rows;
mod sockets;
