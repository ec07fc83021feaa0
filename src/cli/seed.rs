//! `roomcast seed`: something to play with.

use std::net::Ipv4Addr;

use anyhow::{Context as _, bail};

use crate::app::App;
use crate::auth::{Register, SignedIn, sign_in};
use crate::config::{Config, Registration};
use crate::http::extract::Standing;
use crate::http::{Admin, ClientInfo, Member};
use crate::idempotency::Once;
use crate::invites::service::accept;
use crate::invites::{AcceptInvite, InviteUser};
use crate::types::{Clock, Email, Message, NewPassword, PlanCode, Role};
use crate::{broadcast, invites, organisations, users};

/// The one password of everybody who is made here. The hub must be empty, so that nobody real has it.
const PASSWORD: &str = "roomcast-demo";

/// One line of the closing table.
struct Row {
    organisation: String,
    plan: String,
    name: String,
    email: String,
    role: Role,
}

/// Fills an empty hub with two organisations, their members and some history, and says who can sign in.
pub(super) async fn run(mut config: Config) -> anyhow::Result<()> {
    let (database, port) = (config.database_url()?, config.server.port);
    // Nobody is meant to connect while this runs, and it is no registration by the public.
    config.server.host = Ipv4Addr::LOCALHOST.into();
    config.server.port = 0;
    config.auth.registration = Registration::Open;
    let running = App::start(config, Clock::default()).await?;
    let outcome = fill(&running.app).await;
    running.stop().await;
    let (rows, invite) = outcome?;
    println!("filled {database:?}");
    println!();
    print(&rows, &invite, port);
    Ok(())
}

/// Who can sign in, and the token of an invite that waits.
async fn fill(app: &App) -> anyhow::Result<(Vec<Row>, String)> {
    let found = organisations::service::list_names(app).await?;
    if !found.is_empty() {
        bail!(
            "seed fills an empty hub only, and this one has organisations ({}); give it another \
             ROOMCAST_DATA_DIR or DATABASE_URL",
            found.join(", ")
        );
    }
    let (mut rows, invite) = fill_acme(app).await?;
    rows.extend(fill_globex(app).await?);
    Ok((rows, invite))
}

/// On PRO, with two admins, two members, a dozen broadcasts and an invite that waits.
async fn fill_acme(app: &App) -> anyhow::Result<(Vec<Row>, String)> {
    let founder = register(app, "Acme", "Ana", "ana@acme.example").await?;
    let admin = admin_of(&founder)?;
    change_plan(app, &admin, "PRO").await?;
    let mut members = vec![founder];
    for (name, email) in
        [("Bo", "bo@acme.example"), ("Chen", "chen@acme.example"), ("Dina", "dina@acme.example")]
    {
        members.push(join(app, &admin, name, email).await?);
    }
    let [.., last] = members.as_mut_slice() else {
        bail!("nobody joined");
    };
    last.user = users::service::change_role(app, &admin, last.user.id, Role::Admin).await?;
    for text in [
        "Welcome to Acme!",
        "The new office opens on Monday.",
        "Deploy of the shop begins at 14:00.",
        "Deploy of the shop is done.",
        "Lunch is at twelve today.",
        "The car park is closed this week.",
        "Release 1.4 is out.",
        "Please update your passwords.",
        "All hands at 16:00 in the big room.",
    ] {
        say(app, &admin, text).await?;
    }
    let eli = invitation("Eli", "eli@acme.example")?;
    let invite = invites::service::invite_directly(app, &admin, eli).await?;
    Ok((rows(&members, "PRO"), invite.to_opaque().reveal().to_owned()))
}

/// On FREE, with an admin and a member.
async fn fill_globex(app: &App) -> anyhow::Result<Vec<Row>> {
    let founder = register(app, "Globex", "Gil", "gil@globex.example").await?;
    let admin = admin_of(&founder)?;
    let member = join(app, &admin, "Hana", "hana@globex.example").await?;
    for text in ["Welcome to Globex!", "The heating is repaired.", "Friday is a holiday."] {
        say(app, &admin, text).await?;
    }
    Ok(rows(&[founder, member], "FREE"))
}

async fn register(app: &App, organisation: &str, name: &str, email: &str) -> anyhow::Result<SignedIn> {
    let new = Register {
        organisation_name: organisation.to_owned().try_into()?,
        name: name.to_owned().try_into()?,
        email: Email::try_from(email.to_owned())?,
        password: NewPassword::try_from(PASSWORD.to_owned())?,
    };
    let signed_in = sign_in::register(app, &ClientInfo::default(), new).await;
    signed_in.with_context(|| format!("registering {organisation}"))
}

fn admin_of(signed_in: &SignedIn) -> anyhow::Result<Admin> {
    let member = Member {
        org: signed_in.user.org_id,
        user: signed_in.user.id,
        session: signed_in.session,
        role: signed_in.user.role,
        name: signed_in.user.name.to_string(),
        standing: Standing::User,
        client: ClientInfo::default(),
    };
    Ok(Admin::try_from(member)?)
}

fn invitation(name: &str, email: &str) -> anyhow::Result<InviteUser> {
    Ok(InviteUser {
        email: Email::try_from(email.to_owned())?,
        role: None,
        name: Some(name.to_owned().try_into()?),
    })
}

async fn join(app: &App, admin: &Admin, name: &str, email: &str) -> anyhow::Result<SignedIn> {
    let token = invites::service::invite_directly(app, admin, invitation(name, email)?).await?;
    let body = AcceptInvite {
        token: token.to_opaque(),
        name: name.to_owned().try_into()?,
        password: PASSWORD.to_owned().try_into()?,
    };
    let joined = accept::accept(app, &ClientInfo::default(), body).await;
    joined.with_context(|| format!("letting {name} join"))
}

async fn change_plan(app: &App, admin: &Admin, plan: &str) -> anyhow::Result<()> {
    let plan = PlanCode::try_from(plan.to_owned())?;
    organisations::service::change_plan(app, admin, plan).await?;
    Ok(())
}

async fn say(app: &App, admin: &Admin, text: &str) -> anyhow::Result<()> {
    let message = Message::try_from(text.to_owned())?;
    broadcast::service::send(app, admin, message, None, &Once::default()).await?;
    Ok(())
}

fn rows(members: &[SignedIn], plan: &str) -> Vec<Row> {
    let row = |member: &SignedIn| Row {
        organisation: member.organisation.settings.name.to_string(),
        plan: plan.to_owned(),
        name: member.user.name.to_string(),
        email: member.user.email.to_string(),
        role: member.user.role,
    };
    members.iter().map(row).collect()
}

fn print(rows: &[Row], invite: &str, port: u16) {
    println!("organisation  plan  name  role    email");
    for row in rows {
        let (organisation, plan, name) = (&row.organisation, &row.plan, &row.name);
        println!("{organisation:<12}  {plan:<4}  {name:<4}  {:<6}  {}", row.role.as_str(), row.email);
    }
    println!();
    println!("everybody's password: {PASSWORD}");
    println!("an invite to Acme for eli@acme.example waits: {invite}");
    println!();
    println!("next: start the hub with the same settings (`make run`), then sign in:");
    println!("  curl http://127.0.0.1:{port}/api/v1/auth/login --json \\");
    println!("    '{{\"email\": \"ana@acme.example\", \"password\": \"{PASSWORD}\"}}'");
}
