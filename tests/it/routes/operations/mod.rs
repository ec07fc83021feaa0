//! What operators ask, and the documents.

mod documents;
mod health;
