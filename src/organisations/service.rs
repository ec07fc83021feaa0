//! Founding, renaming and changing the plan of an organisation.

pub(crate) use super::model::Apart;
use super::model::{DirectoryEntry, First, Founder, Founding, Organisation, Plan, Settings, Terms};
use super::queries;
use super::wire::OrganisationBody;
use crate::activity::{self, Activity, Origin, SessionStart};
use crate::app::App;
use crate::auth::{self, Opening};
use crate::config::{Registration, crash_point};
use crate::db::{Conn, Db, Removal, Tx};
use crate::error::{Code, Error, LogFailure as _, Result, suspended};
use crate::http::{Admin, Member};
use crate::idempotency::{Answer, Claimed, Once};
use crate::types::{Actor, OrgId, OrganisationName, OrganisationStatus, PlanCode, Slug, UserId};
use crate::users::{self, User};
use crate::{credits, read, sign_ups, transaction};

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

/// Refuses where the organisation is suspended.
pub(crate) async fn require_active(conn: &mut Conn, org: OrgId) -> Result<()> {
    match queries::find_status(conn, org).await? {
        Some(OrganisationStatus::Suspended) => Err(suspended()),
        Some(OrganisationStatus::Active) | None => Ok(()),
    }
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

/// The organisation with this id or slug, if there is one.
pub(crate) async fn find_id(db: &Db, name: &str) -> Result<Option<OrgId>> {
    read!(db.central(), |conn| Ok(queries::find_id(conn, name.parse().ok(), name).await?))
}

/// The organisations with stores of their own ordered by id, at most `limit` of those after `after`.
pub(crate) async fn list_apart(db: &Db, after: OrgId, limit: i64) -> Result<Vec<Apart>> {
    read!(db.central(), |conn| Ok(queries::list_apart(conn, after, limit).await?))
}

pub(super) async fn with_count(conn: &mut Conn, settings: Settings) -> Result<Organisation> {
    let member_count = users::service::count(conn, settings.org_id).await?;
    Ok(Organisation { settings, member_count })
}

/// The settings of an organisation, locked until the transaction ends.
pub(crate) async fn lock_settings(tx: &mut Tx, org: OrgId) -> Result<Settings> {
    let settings = queries::lock_settings(tx, org).await?;
    settings.ok_or_else(|| Error::not_found("organisation"))
}

/// Founds an organisation with its first admin, and their session where one opens; one that exists is left
/// as it is. The directory's entry is made first; if the organisation's own store then refuses, it is taken
/// back.
pub(crate) async fn found(
    app: &App,
    origin: &Origin,
    founding: &Founding,
    opening: Option<&Opening>,
) -> Result<Organisation> {
    let Entered { entry, plan, made_by } = enter(app, origin, founding).await?;
    crash_point("founding-entered");
    let settings = Settings {
        org_id: entry.id,
        name: entry.name.clone(),
        slug: entry.slug.clone(),
        plan: entry.plan.clone(),
        seats: plan.seats,
        status: entry.status,
        created_at: entry.created_at,
        updated_at: entry.created_at,
    };
    // Its store is made by the first who uses it, who is told where that is, and does not look it up. Where an earlier
    // attempt made it, that may be taking it back now: whoever makes it waits for that.
    app.db.place(entry.id, entry.isolation);
    let founded = establish(app, origin, founding, settings, opening).await;
    crash_point("founded");
    if let Err(error) = &founded
        && !error.outcome_is_unknown()
        && made_by == MadeBy::ThisAttempt
    {
        remove_entry(app, &entry)
            .await
            .log_failure("remove the directory's entry of an organisation that was not founded");
    }
    founded
}

/// An organisation's entry in the directory, before it is founded.
struct Entered {
    entry: DirectoryEntry,
    plan: Plan,
    made_by: MadeBy,
}

/// Which attempt to found an organisation made its entry.
#[derive(PartialEq, Eq)]
enum MadeBy {
    /// The one that asks, which takes it back if it comes to nothing.
    ThisAttempt,
    /// An earlier one with the same id, which may still be at it. Neither takes it back then: if both come to
    /// nothing, it is the janitor's.
    AnotherAttempt,
}

/// Makes the directory's entry and the founder's membership, under a slug that nobody has.
async fn enter(app: &App, origin: &Origin, founding: &Founding) -> Result<Entered> {
    transaction!(app.db.central(), |tx| {
        let plan = first_plan(queries::list_plans(tx).await?, founding.terms.plan.as_ref())?;
        let of_its_name = || Slug::of(&founding.name, None);
        let mut entry = DirectoryEntry {
            id: founding.org,
            name: founding.name.clone(),
            slug: founding.terms.slug.clone().unwrap_or_else(of_its_name),
            plan: plan.code.clone(),
            status: OrganisationStatus::Active,
            isolation: founding.terms.isolation,
            created_at: origin.at,
            updated_at: origin.at,
        };
        let (mut attempts, mut made_by) = (1, MadeBy::ThisAttempt);
        while !queries::insert_entry(tx, &entry).await? {
            if let Some(adopted) = queries::adopt_entry(tx, founding.org, origin.at).await? {
                (entry, made_by) = (adopted, MadeBy::AnotherAttempt);
                break;
            }
            if let Some(slug) = &founding.terms.slug {
                return Err(slug_taken(slug));
            }
            if attempts == SLUG_ATTEMPTS {
                return Err(anyhow::anyhow!("no free slug in {SLUG_ATTEMPTS} attempts").into());
            }
            attempts += 1;
            let [a, b, c] = auth::random::<3>()?;
            entry.slug = Slug::of(&founding.name, Some(&format!("{a:02x}{b:02x}{c:02x}")));
        }
        if let First::Admin(Founder { account, user, .. }) = &founding.first {
            auth::memberships::enter(tx, *account, founding.org, *user, origin.at).await?;
        }
        credits::service::open_account(tx, founding.org, plan.initial_credits, origin.at).await?;
        Ok(Entered { entry, plan, made_by })
    })
}

/// Makes the organisation in its own store, which decides whether it exists.
async fn establish(
    app: &App,
    origin: &Origin,
    founding: &Founding,
    settings: Settings,
    opening: Option<&Opening>,
) -> Result<Organisation> {
    transaction!(app.db.org(founding.org), |tx| {
        let is_new = queries::insert_settings(tx, &settings).await?;
        if is_new {
            activity::create_log(tx, founding.org, origin.at).await?;
            let created = Activity::OrganisationCreated { name: settings.name.clone() };
            activity::append(tx, origin, created).await?;
        }
        match &founding.first {
            // The attempt before opened the same one, if any.
            First::SignUp(sign_up) => sign_ups::service::open(tx, sign_up).await?,
            First::Admin(founder) if is_new => {
                users::service::join(tx, origin, &founder.to_user(founding.org, origin.at)).await?;
            }
            First::Admin(_) => {}
        }
        if !is_new {
            return load(tx, founding.org).await;
        }
        if let Some(opening) = opening {
            auth::sessions::begin(tx, origin, opening, SessionStart::Register).await?;
        }
        with_count(tx, settings).await
    })
}

/// The plan that is asked for, else the one of new organisations.
fn first_plan(plans: Vec<Plan>, asked: Option<&PlanCode>) -> Result<Plan> {
    let codes = plan_codes(&plans);
    let code = asked.map_or(FIRST_PLAN, PlanCode::as_str);
    match (plans.into_iter().find(|plan| plan.code.as_str() == code), asked) {
        (Some(plan), _) => Ok(plan),
        (None, Some(_)) => Err(Error::invalid("plan", format!("must be one of {codes}"))),
        (None, None) => Err(anyhow::anyhow!("there is no plan for new organisations").into()),
    }
}

fn plan_codes(plans: &[Plan]) -> String {
    plans.iter().map(|plan| plan.code.as_str()).collect::<Vec<_>>().join(", ")
}

fn slug_taken(slug: &Slug) -> Error {
    Error::refused(Code::SlugTaken, format!("Another organisation has the slug {slug}."))
}

/// Removes an entry that nothing stands behind, and the store that was made for it. False where another attempt to
/// found the organisation has taken them over, or has founded it.
pub(super) async fn remove_entry(app: &App, entry: &DirectoryEntry) -> Result<bool> {
    Ok(app.db.remove_unfounded(entry.id, entry.created_at).await? == Removal::Done)
}

/// Founds another organisation with the caller as its admin, and answers with it.
///
/// The organisation is in a store of its own, so no transaction holds both it and an idempotency key. The
/// key first reserves the organisation's id; an attempt that died in between is taken up by the next with
/// the same key, which founds that same organisation or finds it founded.
pub(crate) async fn create(
    app: &App,
    member: &Member,
    name: OrganisationName,
    once: &Once,
) -> Result<Answer> {
    let (caller, org) = match reserve(app, member, once).await? {
        Reserved::Now(caller, org) => (caller, org),
        Reserved::Before(caller, org) => {
            if let Some(organisation) = find(app, org).await? {
                return answer_created(once, organisation).await;
            }
            require_open_registration(app)?;
            (caller, org)
        }
        Reserved::Answered(answer) => return Ok(answer),
    };
    let User { account_id: account, name: caller, email, .. } = caller;
    let founder = Founder { account, user: UserId::new(), name: caller, email };
    let actor = Actor { id: founder.user, name: founder.name.to_string() };
    let founding =
        Founding { org, name, terms: Terms::new(app.config.tenancy.isolation), first: First::Admin(founder) };
    let origin = member.client.origin(founding.org, Some(actor), app.clock.now());
    let organisation = found(app, &origin, &founding, None).await?;
    answer_created(once, organisation).await
}

/// The id under which an organisation is founded, for whom.
enum Reserved {
    /// This request's own.
    Now(User, OrgId),
    /// That of an attempt with the same key which did not get to its end.
    Before(User, OrgId),
    /// None, because it is done.
    Answered(Answer),
}

/// Reserves the id of a new organisation in the store of the caller's.
async fn reserve(app: &App, member: &Member, once: &Once) -> Result<Reserved> {
    transaction!(app.db.org(member.org), |tx| {
        let caller = users::service::load_caller(tx, member).await?;
        let fresh = match once.claim(tx).await? {
            Claimed::Fresh(fresh) => fresh,
            Claimed::Again(answer) => return Ok(Reserved::Answered(answer)),
        };
        if let Some(id) = fresh.reserved() {
            return Ok(Reserved::Before(caller, id.as_uuid().into()));
        }
        require_open_registration(app)?;
        let org = OrgId::new();
        fresh.reserve(tx, org.as_uuid().into()).await?;
        Ok(Reserved::Now(caller, org))
    })
}

/// The directory's entry of an organisation.
pub(crate) async fn find_entry(app: &App, org: OrgId) -> Result<Option<DirectoryEntry>> {
    read!(app.db.central(), |conn| Ok(queries::find_entry(conn, org).await?))
}

/// The directory's entry of the organisation with this slug.
pub(crate) async fn find_entry_by_slug(app: &App, slug: &Slug) -> Result<Option<DirectoryEntry>> {
    read!(app.db.central(), |conn| Ok(queries::find_entry_by_slug(conn, slug).await?))
}

/// The organisation, if an earlier attempt has founded it.
pub(crate) async fn find(app: &App, org: OrgId) -> Result<Option<Organisation>> {
    // Another node may have removed what this one knows.
    app.db.forget(org);
    if app.db.by_made_store(&[org]).await?.is_empty() {
        return Ok(None);
    }
    read!(app.db.org(org), |conn| {
        match queries::find_settings(conn, org).await? {
            Some(settings) => Ok(Some(with_count(conn, settings).await?)),
            None => Ok(None),
        }
    })
}

async fn answer_created(once: &Once, organisation: Organisation) -> Result<Answer> {
    let id = organisation.settings.org_id.as_uuid().into();
    once.complete(id, Answer::created(&OrganisationBody::from(organisation))?).await
}

/// Gives the organisation another name. The name that it has already changes nothing.
pub(crate) async fn rename(app: &App, admin: &Admin, name: OrganisationName) -> Result<Organisation> {
    let origin = admin.origin(app.clock.now());
    let organisation = transaction!(app.db.org(admin.org), |tx| {
        let settings = users::service::lock_as_admin(tx, admin).await?;
        rename_locked(tx, &origin, settings, name).await
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

/// The same with the settings locked.
pub(super) async fn rename_locked(
    tx: &mut Tx,
    origin: &Origin,
    settings: Settings,
    name: OrganisationName,
) -> Result<Organisation> {
    if settings.name == name {
        return with_count(tx, settings).await;
    }
    let settings = queries::update_name(tx, origin.org, &name, settings.next_update(origin.at)).await?;
    let organisation = with_count(tx, settings).await?;
    activity::append(tx, origin, Activity::OrganisationUpdated { name }).await?;
    Ok(organisation)
}

/// Gives the organisation another plan. Fails with `plan_unchanged`, or with `member_limit_reached` where
/// it has more members than the plan allows.
pub(crate) async fn change_plan(app: &App, admin: &Admin, code: PlanCode) -> Result<Organisation> {
    let origin = admin.origin(app.clock.now());
    let change = PlanChange::load(app, code).await?;
    let organisation = transaction!(app.db.org(admin.org), |tx| {
        let settings = users::service::lock_as_admin(tx, admin).await?;
        change.apply(tx, &origin, settings).await
    })?;
    copy_to_directory(app, &organisation.settings).await;
    Ok(organisation)
}

/// A plan that an organisation is to have, beside all others.
pub(super) struct PlanChange {
    plans: Vec<Plan>,
    to: Plan,
}

impl PlanChange {
    /// Fails where there is no such plan.
    pub(super) async fn load(app: &App, code: PlanCode) -> Result<Self> {
        let plans = read!(app.db.central(), |conn| Ok(queries::list_plans(conn).await?))?;
        match plans.iter().find(|plan| plan.code == code).cloned() {
            Some(to) => Ok(Self { plans, to }),
            None => Err(Error::invalid("plan", format!("must be one of {}", plan_codes(&plans)))),
        }
    }

    /// Gives it to the organisation of these settings, which are locked.
    pub(super) async fn apply(
        &self,
        tx: &mut Tx,
        origin: &Origin,
        settings: Settings,
    ) -> Result<Organisation> {
        let present = with_count(tx, settings).await?;
        require_fit(&present, &self.to)?;
        let at = present.settings.next_update(origin.at);
        let settings = queries::update_plan(tx, origin.org, &self.to, at).await?;
        let changed = plan_change(&self.plans, present.settings.plan, &self.to);
        activity::append(tx, origin, changed).await?;
        Ok(Organisation { settings, member_count: present.member_count })
    }
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
pub(super) async fn copy_to_directory(app: &App, settings: &Settings) {
    crash_point("settings-changed");
    let copied: Result<()> =
        async { transaction!(app.db.central(), |tx| Ok(queries::refresh_entry(tx, settings).await?)) }.await;
    copied.log_failure("copy an organisation's settings to the directory");
}
