//! Who of the platform may do what.
//!
//! | | `super_admin` | `support` | `billing` |
//! | --- | --- | --- | --- |
//! | look at organisations | yes | yes | yes |
//! | found one, rename, suspend, resume one, give its sign-up out again | yes | no | no |
//! | change a plan, credits | yes | no | yes |
//! | read the audit | yes | yes | no |
//! | manage administrators | yes | no | no |
//! | for an organisation: read what its admins may | yes | yes | its own row, plan and credits |
//! | for an organisation: change something | yes | no | its plan and credits |

use axum::http::Method;

use super::model::AdministratorRole;

/// What is asked for at `/platform`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// See organisations.
    ReadOrganisations,
    /// Found, rename, suspend and resume them, and give a sign-up out again.
    ManageOrganisations,
    /// Change the plan of one.
    ChangePlan,
    /// Change the credits of one.
    ChangeCredits,
    /// See what administrators did.
    ReadAudit,
    /// Make administrators, and end them.
    ManageAdministrators,
}

/// Whether this role has the permission.
pub(super) const fn allows(role: AdministratorRole, permission: Permission) -> bool {
    match (role, permission) {
        (AdministratorRole::SuperAdmin, _)
        | (AdministratorRole::Support, Permission::ReadOrganisations | Permission::ReadAudit)
        | (
            AdministratorRole::Billing,
            Permission::ReadOrganisations | Permission::ChangePlan | Permission::ChangeCredits,
        ) => true,
        (
            AdministratorRole::Support,
            Permission::ManageOrganisations
            | Permission::ChangePlan
            | Permission::ChangeCredits
            | Permission::ManageAdministrators,
        )
        | (
            AdministratorRole::Billing,
            Permission::ManageOrganisations | Permission::ReadAudit | Permission::ManageAdministrators,
        ) => false,
    }
}

/// Whether this role may call an ordinary route, by its path below `/api/v1`, for an organisation. What is about
/// the caller's own account is nobody's here: they have none.
pub(super) fn allows_acting(role: AdministratorRole, method: &Method, path: &str) -> bool {
    let is_own = path.starts_with("/auth/") || (path == "/organisations" && *method == Method::POST);
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let is_money = path == "/organisations/subscription"
        || path == "/credits"
        || path.starts_with("/credits/")
        || (path == "/organisations" && is_read);
    match role {
        _ if is_own => false,
        AdministratorRole::SuperAdmin => true,
        AdministratorRole::Support => is_read,
        AdministratorRole::Billing => is_money,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_acts_as_the_table_says() {
        use AdministratorRole::{Billing, SuperAdmin, Support};
        let (get, post, patch) = (&Method::GET, &Method::POST, &Method::PATCH);
        for (method, path, allowed) in [
            (get, "/activities", [true, true, false]),
            (get, "/organisations", [true, true, true]),
            (get, "/credits", [true, true, true]),
            (post, "/credits/grants", [true, false, true]),
            (patch, "/organisations/subscription", [true, false, true]),
            (patch, "/organisations", [true, false, false]),
            (post, "/organisations/broadcast", [true, false, false]),
            (post, "/organisations", [false, false, false]),
            (get, "/auth/me", [false, false, false]),
            (get, "/creditsandmore", [true, true, false]),
        ] {
            let found = [SuperAdmin, Support, Billing].map(|role| allows_acting(role, method, path));
            assert_eq!(found, allowed, "{method} {path}");
        }
    }
}
