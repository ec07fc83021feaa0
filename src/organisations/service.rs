//! Founding, renaming and changing the plan of an organisation.

use anyhow::Context as _;

use super::model::{DirectoryEntry, Founding, Isolation, Organisation, Plan, Settings, Status};
use super::queries;
use crate::activity::{self, Activity, Origin, SessionStart};
use crate::app::App;
use crate::auth::{self, Opening};
use crate::config::Registration;
use crate::db::{Conn, Db, Tx};
use crate::error::{Code, Error, LogFailure as _, Result};
use crate::http::{Admin, Member};
use crate::types::{Actor, OrgId, OrganisationName, PlanCode, Role, Slug, UserId};
use crate::users::{self, User};
use crate::{read, transaction};

/// The plan of a new organisation.
const FIRST_PLAN: &str = "FREE";

/// Slugs tried for a new organisation. Beside the plain one they have 24 random bits, so that even a
/// name that thousands chose finds a free one.
const SLUG_ATTEMPTS: usize = 8;

/// Refuses unless everybody may found organisations.
pub(crate) fn require_open_registration(app: &App) -> Result<()> {
    match app.config.auth.registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(Error::refused(
            Code::RegistrationClosed,
            "Organisations are made by the platform's administrators here.",
        )),
    }
}

/// The organisation and how many members it has.
pub(crate) async fn load(conn: &mut Conn, org: OrgId) -> Result<Organisation> {
    let settings = queries::find_settings(conn, org).await?;
    let settings = settings.ok_or_else(|| Error::not_found("organisation"))?;
    with_count(conn, settings).await
}

/// These organisations, ordered by id, of one store. Those that do not exist are left out.
pub(crate) async fn list(conn: &mut Conn, orgs: &[OrgId]) -> Result<Vec<Organisation>> {
    let counts = users::service::count_each(conn, orgs).await?;
    let with_count = |settings: Settings| Organisation {
        member_count: counts.get(&settings.org_id).copied().unwrap_or(0),
        settings,
    };
    let settings = queries::list_settings(conn, orgs).await?;
    Ok(settings.into_iter().map(with_count).collect())
}

/// The names of the first few organisations in the directory.
pub(crate) async fn list_names(app: &App) -> Result<Vec<String>> {
    let first = OrgId::from(uuid::Uuid::nil());
    let entries = read!(app.db.central(), |conn| Ok(queries::list_entries(conn, first, 5).await?))?;
    Ok(entries.iter().map(|entry| entry.name.to_string()).collect())
}

/// The organisations in the directory ordered by id, at most `limit` of those after `after`.
pub(crate) async fn list_ids(db: &Db, after: OrgId, limit: i64) -> Result<Vec<OrgId>> {
    read!(db.central(), |conn| Ok(queries::list_ids(conn, after, limit).await?))
}

async fn with_count(conn: &mut Conn, settings: Settings) -> Result<Organisation> {
    let member_count = users::service::count(conn, settings.org_id).await?;
    Ok(Organisation { settings, member_count })
}

/// The settings of an organisation, locked until the transaction ends.
pub(crate) async fn lock_settings(tx: &mut Tx, org: OrgId) -> Result<Settings> {
    let settings = queries::lock_settings(tx, org).await?;
    settings.ok_or_else(|| Error::not_found("organisation"))
}

/// Founds an organisation with its first admin, and their session where one opens. The directory's entry
/// is made first; if the organisation's own store then refuses, it is taken back.
pub(crate) async fn found(
    app: &App,
    origin: &Origin,
    founding: &Founding,
    opening: Option<&Opening>,
) -> Result<(User, Organisation)> {
    let (entry, plan) = enter(app, origin, founding).await?;
    let settings = Settings {
        org_id: entry.id,
        name: entry.name,
        slug: entry.slug,
        plan: entry.plan,
        seats: plan.seats,
        status: entry.status,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
    };
    let founded = establish(app, origin, founding, settings, opening).await;
    if let Err(error) = &founded
        && !error.outcome_is_unknown()
    {
        remove_entry(app, founding.org)
            .await
            .log_failure("remove the directory's entry of an organisation that was not founded");
    }
    founded
}

/// Makes the directory's entry and the founder's membership, under a slug that nobody has.
async fn enter(app: &App, origin: &Origin, founding: &Founding) -> Result<(DirectoryEntry, Plan)> {
    transaction!(app.db.central(), |tx| {
        let plans = queries::list_plans(tx).await?;
        let plan = plans.into_iter().find(|plan| plan.code.as_str() == FIRST_PLAN);
        let plan = plan.context("there is no plan for new organisations")?;
        let mut entry = DirectoryEntry {
            id: founding.org,
            name: founding.name.clone(),
            slug: Slug::of(&founding.name, None),
            plan: plan.code.clone(),
            status: Status::Active,
            isolation: Isolation::Shared,
            created_at: origin.at,
            updated_at: origin.at,
        };
        let mut attempts = 1;
        while !queries::insert_entry(tx, &entry).await? {
            if attempts == SLUG_ATTEMPTS {
                return Err(anyhow::anyhow!("no free slug in {SLUG_ATTEMPTS} attempts").into());
            }
            attempts += 1;
            let [a, b, c] = auth::random::<3>()?;
            entry.slug = Slug::of(&founding.name, Some(&format!("{a:02x}{b:02x}{c:02x}")));
        }
        auth::memberships::enter(tx, founding.account, founding.org, founding.user, origin.at).await?;
        Ok((entry, plan))
    })
}

/// Makes the organisation in its own store, which decides whether it exists.
async fn establish(
    app: &App,
    origin: &Origin,
    founding: &Founding,
    settings: Settings,
    opening: Option<&Opening>,
) -> Result<(User, Organisation)> {
    let user = User {
        org_id: founding.org,
        id: founding.user,
        account_id: founding.account,
        email: founding.email.clone(),
        name: founding.user_name.clone(),
        role: Role::Admin,
        created_at: origin.at,
        updated_at: origin.at,
    };
    transaction!(app.db.org(founding.org), |tx| {
        queries::insert_settings(tx, &settings).await?;
        activity::create_log(tx, founding.org, origin.at).await?;
        let created = Activity::OrganisationCreated { name: settings.name.clone() };
        activity::append(tx, origin, created).await?;
        users::service::join(tx, origin, &user).await?;
        if let Some(opening) = opening {
            auth::sessions::begin(tx, origin, opening, SessionStart::Register).await?;
        }
        let organisation = with_count(tx, settings).await?;
        Ok((user, organisation))
    })
}

async fn remove_entry(app: &App, org: OrgId) -> Result<()> {
    transaction!(app.db.central(), |tx| Ok(queries::delete_entry(tx, org).await?))
}

/// Founds another organisation with the caller as its admin.
pub(crate) async fn create(app: &App, member: &Member, name: OrganisationName) -> Result<Organisation> {
    require_open_registration(app)?;
    let caller = users::service::find_caller(app, member).await?;
    let founding = Founding {
        org: OrgId::new(),
        name,
        account: caller.account_id,
        user: UserId::new(),
        user_name: caller.name,
        email: caller.email,
    };
    let founder = Actor { id: founding.user, name: founding.user_name.to_string() };
    let origin = member.client.origin(founding.org, Some(founder), app.clock.now());
    let (_, organisation) = found(app, &origin, &founding, None).await?;
    Ok(organisation)
}

/// Gives the organisation another name. The name that it has already changes nothing.
pub(crate) async fn rename(app: &App, admin: &Admin, name: OrganisationName) -> Result<Organisation> {
    let now = app.clock.now();
    let organisation = transaction!(app.db.org(admin.org), |tx| {
        let settings = users::service::lock_as_admin(tx, admin).await?;
        if settings.name == name {
            return with_count(tx, settings).await;
        }
        let settings = queries::update_name(tx, admin.org, &name, settings.next_update(now)).await?;
        let organisation = with_count(tx, settings).await?;
        activity::append(tx, &admin.origin(now), Activity::OrganisationUpdated { name }).await?;
        Ok(organisation)
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

/// Gives the organisation another plan. Fails with `plan_unchanged`, or with `member_limit_reached` where
/// it has more members than the plan allows.
pub(crate) async fn change_plan(app: &App, admin: &Admin, code: PlanCode) -> Result<Organisation> {
    let now = app.clock.now();
    let plans = read!(app.db.central(), |conn| Ok(queries::list_plans(conn).await?))?;
    let Some(plan) = plans.iter().find(|plan| plan.code == code) else {
        let codes: Vec<&str> = plans.iter().map(|plan| plan.code.as_str()).collect();
        return Err(Error::invalid("plan", format!("must be one of {}", codes.join(", "))));
    };
    let organisation = transaction!(app.db.org(admin.org), |tx| {
        let settings = users::service::lock_as_admin(tx, admin).await?;
        let present = with_count(tx, settings).await?;
        require_fit(&present, plan)?;
        let at = present.settings.next_update(now);
        let settings = queries::update_plan(tx, admin.org, plan, at).await?;
        let changed = plan_change(&plans, present.settings.plan, plan);
        activity::append(tx, &admin.origin(now), changed).await?;
        Ok(Organisation { settings, member_count: present.member_count })
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

/// Refuses a plan that the organisation has, or that has fewer seats than it has members.
fn require_fit(present: &Organisation, plan: &Plan) -> Result<()> {
    if present.settings.plan == plan.code {
        return Err(Error::refused(
            Code::PlanUnchanged,
            format!("The organisation is on the {} plan already.", plan.code),
        ));
    }
    match plan.seats {
        Some(seats) if seats < present.member_count => Err(Error::refused(
            Code::MemberLimitReached,
            format!("The {} plan allows {seats} members and {} are in use.", plan.code, present.member_count),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether `to` is more or less than `from`. From a plan that is no longer sold, every other is more.
fn plan_change(plans: &[Plan], from: PlanCode, to: &Plan) -> Activity {
    let rank = plans.iter().find(|plan| plan.code == from).map(|plan| plan.rank);
    let code = to.code.clone();
    if rank.is_none_or(|rank| rank < to.rank) {
        Activity::PlanUpgraded { from, to: code }
    } else {
        Activity::PlanDowngraded { from, to: code }
    }
}

/// The organisation has its new settings already: a copy that failed, the janitor makes up for.
async fn copy_to_directory(app: &App, settings: &Settings) {
    let copied: Result<()> =
        async { transaction!(app.db.central(), |tx| Ok(queries::refresh_entry(tx, settings).await?)) }.await;
    copied.log_failure("copy an organisation's settings to the directory");
}
