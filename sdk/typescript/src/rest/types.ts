import type { Activity } from "../live/protocol.js";
import type { components, operations } from "./openapi.js";

type Schemas = components["schemas"];

/** `ADMIN`, `MEMBER`, or another that a later hub knows. */
export type Role = Schemas["Role"] | (string & {});

type WithRole<T extends { role: unknown }> = Omit<T, "role"> & { role: Role };

/** A member of an organisation. */
export type User = WithRole<Schemas["User"]>;
/** A member, and whether they are online. */
export type Member = User & Pick<Schemas["Member"], "online">;
/** An organisation, with its plan and seats. */
export type Organisation = Schemas["Organisation"];
/** A pair of tokens. */
export type Tokens = Schemas["Tokens"];
/** A session that has begun: its tokens, who signed in, and where. */
export type SessionStarted = Tokens & { user: User; organisation: Organisation };
/** The caller and their organisation. */
export type Me = { user: User; organisation: Organisation };
/** An organisation of the caller's account, and the role there. */
export type Membership = WithRole<Schemas["MembershipBody"]>;
/** An invite that waits to be accepted. */
export type Invite = WithRole<Schemas["Invite"]>;
/** An invite with its token, which is told this once. */
export type InviteCreated = WithRole<Schemas["InviteCreated"]>;
/** Who is online; `complete` is false while the hubs cannot tell each other. */
export type Presence = Schemas["Presence"];
/** A field that is not acceptable, and what was expected. */
export type FieldError = Schemas["FieldError"];
/** The body of every failure. */
export type Problem = Schemas["Problem"];

/** A page of a list; more is asked for with `cursor: nextCursor`. */
export interface Page<T> {
    items: T[];
    nextCursor: string | null;
}

/** Which part of a list. */
export interface PageQuery {
    cursor?: string;
    /** Most items on the page: 50 unless given, at most 200. */
    limit?: number;
}

export type ActivitiesQuery = NonNullable<operations["list_activities"]["parameters"]["query"]>;
export type Register = Schemas["Register"];
export type Login = Schemas["Login"];
export type ResetPassword = Schemas["ResetPassword"];
export type UpdateMe = Schemas["UpdateMe"];
export type AcceptInvite = Schemas["AcceptInvite"];
export type RedeemSignUp = Schemas["RedeemSignUp"];
export type InviteUser = Omit<Schemas["InviteUser"], "role"> & { role?: Role };
export type CreateBroadcast = Schemas["CreateBroadcast"];
/** A message on a channel: to whom, how, and what. */
export type SendMessage = Schemas["SendMessage"];
/** A message, and where it stands. */
export type Message = Schemas["Message"];
/** How a message reaches its recipient. */
export type Channel = Schemas["Channel"];
/** Where a message stands. */
export type MessageStatus = Schemas["MessageStatus"];
/** An attempt to send a message. */
export type MessageAttempt = Schemas["MessageAttempt"];
/** A message and the attempts to send it. */
export type MessageWithAttempts = Schemas["MessageWithAttempts"];
/** What became of the messages of a batch, in their order. */
export type MessagesSent = Schemas["BatchBody"];
export type MessagesQuery = NonNullable<operations["list_messages"]["parameters"]["query"]>;
/** What messages leave through, channel by channel. */
export type Gateways = Schemas["Gateways"];
/** What an organisation may spend. */
export type Credits = Schemas["Credits"];
/** An entry of the ledger. */
export type CreditEntry = Schemas["CreditEntry"];
/** Work to be done later. */
export type Job = Schemas["Job"];
export type JobsQuery = NonNullable<operations["list_jobs"]["parameters"]["query"]>;
export type { Activity };
