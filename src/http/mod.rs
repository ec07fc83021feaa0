//! What every route shares: what handlers take from a request, how lists and failures look, and the
//! middleware around all of them.

pub mod browser;
pub mod client_address;
pub mod extract;
pub mod fields;
pub mod json;
pub mod log;
pub mod meter;
pub mod middleware;
pub mod outbound;
pub mod page;
pub mod request_id;
pub(crate) mod tenant;

pub use extract::{Admin, ClientInfo, Created, Member, NoContent, PathId, ValidJson, ValidQuery};
pub use fields::{Fields, FromFields};
pub(crate) use meter::Meter;
pub(crate) use page::PageParams;
pub use page::{Page, PageQuery};
