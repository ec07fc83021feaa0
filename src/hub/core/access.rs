//! The access view: who may enter an organisation, as its log says up to a position.

use std::collections::HashMap;

use crate::types::{AccessEffect, OrganisationStatus, PlanCode, Role, Seq, SessionId, Timestamp, UserId};

/// Somebody who may enter, as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Their role.
    pub role: Role,
    /// Their name.
    pub name: String,
    /// The organisation's plan.
    pub plan: PlanCode,
}

/// Why somebody may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The user is not, or no longer, in the organisation.
    UserUnknown,
    /// The session has ended.
    SessionEnded,
    /// The organisation is suspended.
    Suspended,
    /// The view is too old to tell.
    Stale,
    /// There are as many sockets already as there may be.
    TooManySockets(SocketsOf),
}

/// Whose sockets are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketsOf {
    /// One user's.
    User,
    /// The whole organisation's.
    Organisation,
}

/// What the view is loaded from: one snapshot of a tenant store.
#[derive(Debug, Clone)]
pub struct AccessSnapshot {
    /// The organisation's plan.
    pub plan: PlanCode,
    /// Whether anybody may enter.
    pub status: OrganisationStatus,
    /// Every user, with name and present role.
    pub users: Vec<(UserId, String, Role)>,
    /// Every change of a role that the log holds, in its order: whose, where, from which, to which.
    pub role_changes: Vec<(UserId, Seq, Role, Role)>,
    /// Sessions that ended within a token's lifetime, and when.
    pub ended_sessions: Vec<(SessionId, Timestamp)>,
}

/// A user's roles over the log.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    first: Role,
    changes: Vec<(Seq, Role)>,
}

impl Roles {
    fn now(&self) -> Role {
        self.changes.last().map_or(self.first, |(_, role)| *role)
    }

    fn at(&self, seq: Seq) -> Role {
        let until = self.changes.partition_point(|(changed, _)| *changed <= seq);
        until.checked_sub(1).and_then(|index| self.changes.get(index)).map_or(self.first, |(_, role)| *role)
    }

    /// The role under which the entry at `seq` is seen: what it was there, unless it is less by now. A demotion applies
    /// as soon as it is known, a promotion from its place in the log on.
    pub(super) fn seen_at(&self, seq: Seq) -> Role {
        match (self.at(seq), self.now()) {
            (Role::Admin, Role::Admin) => Role::Admin,
            (Role::Member, Role::Admin | Role::Member) | (Role::Admin, Role::Member) => Role::Member,
        }
    }
}

#[derive(Debug, Clone)]
struct User {
    name: String,
    roles: Roles,
}

/// Who may enter an organisation, and on which plan it is. Advanced by the room's cursor, entry by entry.
#[derive(Debug)]
pub(super) struct AccessView {
    plan: PlanCode,
    status: OrganisationStatus,
    users: HashMap<UserId, User>,
    ended: HashMap<SessionId, Timestamp>,
}

impl AccessView {
    pub(super) fn load(snapshot: AccessSnapshot) -> Self {
        let users = snapshot
            .users
            .into_iter()
            .map(|(id, name, role)| (id, User { name, roles: Roles { first: role, changes: Vec::new() } }));
        let mut view = Self {
            plan: snapshot.plan,
            status: snapshot.status,
            users: users.collect(),
            ended: snapshot.ended_sessions.into_iter().collect(),
        };
        for (id, seq, from, to) in snapshot.role_changes {
            if let Some(user) = view.users.get_mut(&id) {
                if user.roles.changes.is_empty() {
                    user.roles.first = from;
                }
                user.roles.changes.push((seq, to));
            }
        }
        view
    }

    /// Applies what the entry at `seq` changes.
    pub(super) fn apply(&mut self, seq: Seq, at: Timestamp, effect: &AccessEffect) {
        match effect {
            AccessEffect::UserJoined { user, name, role } => {
                let roles = Roles { first: *role, changes: Vec::new() };
                self.users.insert(*user, User { name: name.clone(), roles });
            }
            AccessEffect::UserRemoved { user } => {
                self.users.remove(user);
            }
            AccessEffect::RoleChanged { user, role } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.roles.changes.push((seq, *role));
                }
            }
            AccessEffect::UserRenamed { user, name } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.name.clone_from(name);
                }
            }
            AccessEffect::SessionEnded { session } => {
                self.ended.insert(*session, at);
            }
            AccessEffect::Suspended => self.status = OrganisationStatus::Suspended,
            AccessEffect::Resumed => self.status = OrganisationStatus::Active,
            AccessEffect::PlanChanged { plan } => self.plan.clone_from(plan),
        }
    }

    /// Whether the bearer of a token may enter.
    pub(super) fn check(&self, user: UserId, session: SessionId) -> Result<Admitted, Denied> {
        let admitted = self.find(user).ok_or(Denied::UserUnknown)?;
        if self.ended.contains_key(&session) {
            return Err(Denied::SessionEnded);
        }
        match self.status {
            OrganisationStatus::Active => Ok(admitted),
            OrganisationStatus::Suspended => Err(Denied::Suspended),
        }
    }

    /// A user of the organisation, as they are now.
    pub(super) fn find(&self, user: UserId) -> Option<Admitted> {
        let user = self.users.get(&user)?;
        Some(Admitted { role: user.roles.now(), name: user.name.clone(), plan: self.plan.clone() })
    }

    /// A user's name, if they are in the organisation.
    pub(super) fn name(&self, user: UserId) -> Option<&str> {
        self.users.get(&user).map(|user| user.name.as_str())
    }

    /// A user's roles, if they are in the organisation.
    pub(super) fn roles_of(&self, user: UserId) -> Option<&Roles> {
        self.users.get(&user).map(|user| &user.roles)
    }

    /// The role under which `user` sees the entry at `seq`.
    pub(super) fn role_at(&self, user: UserId, seq: Seq) -> Option<Role> {
        Some(self.roles_of(user)?.seen_at(seq))
    }

    /// Forgets sessions that ended before `moment`: no token of theirs is alive.
    pub(super) fn forget_ended_before(&mut self, moment: Timestamp) {
        self.ended.retain(|_, ended_at| *ended_at >= moment);
    }
}
