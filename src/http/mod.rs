//! What every route shares.
pub mod request_id;
