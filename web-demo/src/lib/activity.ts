import { type Activity, isActivity } from "@roomcast/client";
import { CHANNELS } from "./messages";

/** How an activity is told to a person. */
export interface Told {
    /** What happened, as a sentence. */
    title: string;
    /** What somebody wrote. */
    message?: string;
    tone: Tone;
}

/** Which kind of thing it is: decides colour and icon. */
export type Tone = "message" | "people" | "session" | "organisation" | "plan" | "outside" | "other";

/** The types that the feed can be filtered by. */
export const TYPES = [
    "BROADCAST_MESSAGE",
    "USER_JOINED",
    "USER_UPDATED",
    "USER_ROLE_CHANGED",
    "USER_REMOVED",
    "USER_INVITED",
    "INVITE_REVOKED",
    "SESSION_STARTED",
    "SESSION_ENDED",
    "PASSWORD_CHANGED",
    "ORGANISATION_CREATED",
    "ORGANISATION_UPDATED",
    "PLAN_UPGRADED",
    "PLAN_DOWNGRADED",
    "MESSAGE_QUEUED",
    "MESSAGE_SENT",
    "MESSAGE_FAILED",
    "MESSAGE_CANCELLED",
    "CREDITS_LOW",
    "CREDITS_CHANGED",
] as const;

/** `USER_ROLE_CHANGED` as "User role changed". */
export function typeName(type: string): string {
    const words = type.toLowerCase().replaceAll("_", " ");
    return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What an activity says. One of a type that is not known says its name. */
export function tell(activity: Activity): Told {
    const actor = activity.actor?.name ?? "The operator";
    const target = activity.target?.name ?? "somebody";
    const isOwn = activity.actor !== null && activity.actor.id === activity.target?.id;
    if (isActivity(activity, "BROADCAST_MESSAGE")) {
        return { title: `${actor} broadcast`, message: activity.payload.message, tone: "message" };
    }
    if (isActivity(activity, "USER_JOINED")) {
        return {
            title: `${activity.payload.name} joined as ${roleName(activity.payload.role)}`,
            tone: "people",
        };
    }
    if (isActivity(activity, "USER_UPDATED")) {
        const name = activity.payload.changes.name;
        const title =
            typeof name === "string" ? `${actor} is now called ${name}` : `${actor} changed their profile`;
        return { title, tone: "people" };
    }
    if (isActivity(activity, "USER_ROLE_CHANGED")) {
        const whom = isOwn ? "themselves" : target;
        return { title: `${actor} made ${whom} ${roleName(activity.payload.to)}`, tone: "people" };
    }
    if (isActivity(activity, "USER_REMOVED")) {
        return { title: isOwn ? `${actor} left` : `${actor} removed ${target}`, tone: "people" };
    }
    if (isActivity(activity, "USER_INVITED")) {
        return { title: `${actor} invited ${activity.payload.email}`, tone: "people" };
    }
    if (isActivity(activity, "INVITE_REVOKED")) {
        return { title: `${actor} revoked the invite of ${activity.payload.email}`, tone: "people" };
    }
    if (isActivity(activity, "SESSION_STARTED")) {
        return { title: `${actor} signed in${reasons[activity.payload.reason] ?? ""}`, tone: "session" };
    }
    if (isActivity(activity, "SESSION_ENDED")) {
        return {
            title: `A session of ${target} ended${reasons[activity.payload.reason] ?? ""}`,
            tone: "session",
        };
    }
    if (isActivity(activity, "PASSWORD_CHANGED")) {
        return { title: `${actor} set a new password for ${isOwn ? "themselves" : target}`, tone: "session" };
    }
    if (isActivity(activity, "ORGANISATION_CREATED")) {
        return { title: `${actor} founded ${activity.payload.name}`, tone: "organisation" };
    }
    if (isActivity(activity, "ORGANISATION_UPDATED")) {
        const name = activity.payload.changes.name;
        const title =
            typeof name === "string"
                ? `${actor} renamed the organisation to ${name}`
                : `${actor} changed the organisation`;
        return { title, tone: "organisation" };
    }
    if (isActivity(activity, "PLAN_UPGRADED") || isActivity(activity, "PLAN_DOWNGRADED")) {
        const { from, to } = activity.payload as { from: string; to: string };
        return { title: `${actor} changed the plan from ${from} to ${to}`, tone: "plan" };
    }
    if (isActivity(activity, "MESSAGE_QUEUED")) {
        return { title: `${actor} sends ${aMessage(activity.payload)}`, tone: "outside" };
    }
    if (isActivity(activity, "MESSAGE_CANCELLED")) {
        return { title: `${actor} cancelled ${aMessage(activity.payload)}`, tone: "outside" };
    }
    if (isActivity(activity, "MESSAGE_SENT")) {
        return { title: `Sent: ${aMessage(activity.payload)}`, tone: "outside" };
    }
    if (isActivity(activity, "MESSAGE_FAILED")) {
        const { detail } = activity.payload;
        const why = detail === undefined ? "" : ` (${detail})`;
        return { title: `Failed: ${aMessage(activity.payload)}${why}`, tone: "outside" };
    }
    if (isActivity(activity, "CREDITS_LOW")) {
        return { title: `Credits are low: ${activity.payload.balance} left`, tone: "plan" };
    }
    if (isActivity(activity, "CREDITS_CHANGED")) {
        const { amount, reason } = activity.payload;
        const credits = Math.abs(amount) === 1 ? "1 credit was" : `${Math.abs(amount)} credits were`;
        return { title: `${credits} ${amount < 0 ? "taken away" : "added"}: ${reason}`, tone: "plan" };
    }
    return { title: `${typeName(activity.type)} by ${actor}`, tone: "other" };
}

/** Why a session began or ended, as it is added to a sentence. */
const reasons: Readonly<Record<string, string>> = {
    register: " for the first time",
    switch: " from another organisation",
    accept_invite: " with an invite",
    logout: ": signed out",
    refresh_reuse: ": its token was used twice",
    password_changed: ": the password was changed",
};

function aMessage({ channel, to }: { channel: string; to: string }): string {
    return `${CHANNELS[channel]?.inSentence ?? `a message on ${channel}`} to ${to}`;
}

/** A role in a sentence: "an admin". */
export function roleName(role: string): string {
    const name = role.toLowerCase();
    return `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;
}
