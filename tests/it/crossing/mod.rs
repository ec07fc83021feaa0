//! Nobody reaches another organisation, whichever way they try.

mod role;
mod rows;
