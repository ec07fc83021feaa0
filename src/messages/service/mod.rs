//! Looking at messages, and calling them off.

pub(super) mod send;

use super::model::{Attempt, Message, Status};
use super::queries::{self, Filter};
use super::wire::{GatewayBody, GatewaysBody, MessagesQuery, cursor};
use crate::activity::{self, Activity, MessageEvent};
use crate::app::App;
use crate::credits::Closing;
use crate::db::Conn;
use crate::error::{Code, Error, Result};
use crate::http::{Member, Page};
use crate::jobs::service as jobs;
use crate::types::{Channel, MessageId, Role, UserId};
use crate::{credits, read, transaction};

/// Whose messages a member may see: an admin everybody's, others their own.
fn sender_seen_by(member: &Member) -> Option<UserId> {
    match member.role {
        Role::Admin => None,
        Role::Member => Some(member.user),
    }
}

/// A page of the messages that a member may see, the newest first.
pub(super) async fn list(app: &App, member: &Member, query: &MessagesQuery) -> Result<Page<Message>> {
    let filter = Filter {
        org: member.org,
        created_by: sender_seen_by(member),
        status: query.status,
        channel: query.channel,
        recipient: query.kept_recipient(),
        from: query.from,
        until: query.until,
        after: query.after,
    };
    let messages =
        read!(app.db.org(member.org), |conn| Ok(queries::list(conn, &filter, query.limit + 1).await?))?;
    Ok(Page::new(messages, query.limit, cursor))
}

/// A message that a member may see, and the attempts to send it.
pub(super) async fn load(app: &App, member: &Member, id: MessageId) -> Result<(Message, Vec<Attempt>)> {
    read!(app.db.org(member.org), |conn| {
        let message = find_seen(conn, member, id).await?;
        Ok((message, queries::list_attempts(conn, member.org, id).await?))
    })
}

async fn find_seen(conn: &mut Conn, member: &Member, id: MessageId) -> Result<Message> {
    let message = queries::find(conn, member.org, id).await?;
    let sender = sender_seen_by(member);
    let seen = message.filter(|message| sender.is_none_or(|sender| message.created_by == sender));
    seen.ok_or_else(|| Error::not_found("message"))
}

/// Calls a message off that waits. Fails with `message_not_cancellable` where it is being sent, or has ended.
pub(super) async fn cancel(app: &App, member: &Member, id: MessageId) -> Result<()> {
    let now = app.clock.now();
    transaction!(app.db.org(member.org), |tx| {
        let message = find_seen(tx, member, id).await?;
        // The job first, as who sends it does: one of the two has it.
        let withdrawn =
            message.status == Status::Queued && jobs::withdraw(tx, member.org, message.job_id).await?;
        if !withdrawn {
            return Err(Error::refused(
                Code::MessageNotCancellable,
                "The message is being sent, or has ended already.",
            ));
        }
        queries::transition(tx, member.org, &[id], &[Status::Queued], Status::Cancelled, now).await?;
        let refund = credits::jobs::close(vec![(id, Closing::Cancelled)])?;
        jobs::enqueue(tx, member.org, vec![refund], now).await?;
        let cancelled = Activity::MessageMoved { message: message.facts(), event: MessageEvent::Cancelled };
        activity::append(tx, &member.origin(now), cancelled).await?;
        Ok(())
    })?;
    app.jobs.wake(member.org);
    Ok(())
}

/// What messages leave through.
pub(super) fn gateways(app: &App, member: &Member) -> GatewaysBody {
    let items = Channel::ALL.map(|channel| {
        let gateway = app.gateways.of(channel);
        GatewayBody {
            channel,
            gateway: gateway.name(),
            simulated: gateway.is_simulated(),
            breaker: app.gateways.breaker(member.org, channel),
            price: app.config.messages.prices.of(channel),
        }
    });
    GatewaysBody { items: items.into() }
}
