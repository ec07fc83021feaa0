//! The vocabulary that every layer shares: ids, sequence numbers, time, roles, parsed text and the
//! entries of the log. Nothing here performs I/O; a value is valid because it exists.

mod audience;
mod channel;
mod entry;
mod id;
mod isolation;
mod organisation;
mod seq;
pub mod sql;
mod text;
mod time;

pub use audience::{Audience, Role};
pub use channel::Channel;
pub use entry::{AccessEffect, Actor, LogEntry, Named};
pub use id::{
    AccountId, ActivityId, AdministratorId, AuditId, ConnectionId, EpochId, InviteId, JobId, LeaseId,
    MessageId, NodeId, OrgId, OrgIds, ReservedId, SessionId, SignUpId, TargetId, TokenId, UserId,
};
pub use isolation::Isolation;
pub use organisation::OrganisationStatus;
pub use seq::Seq;
pub use text::{
    CreditReason, Email, InvalidText, Message, NewPassword, OrganisationName, Password, PersonName, PlanCode,
    Slug, SuspensionReason,
};
pub use time::{Clock, Timestamp};
