//! What every test stands on: a server of its own on a database of its own, callers and people as values,
//! sockets whose waits have a bound.

pub(crate) mod app;
mod caller;
pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod feed;
pub(crate) mod organisation;
pub(crate) mod platform;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod redis;
mod socket;
mod stream;
pub(crate) mod tls;
mod wait;

pub(crate) use app::{Ground, TestApp};
pub(crate) use caller::{Answer, Call, Caller};
pub(crate) use child::Child;
pub(crate) use client::{Client, options};
pub(crate) use database::TestDatabase;
pub(crate) use feed::Item;
pub(crate) use organisation::{Organisation, PASSWORD, Person};
pub(crate) use socket::{Delivered, TestSocket};
pub(crate) use stream::{StreamOptions, Streamed, TestStream};
pub(crate) use wait::{LONG, at_last, eventually, within};
