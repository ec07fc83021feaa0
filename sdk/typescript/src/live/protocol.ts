// The frames of the socket and of the stream, as the hub sends them.

/** Who or what an activity speaks of, by the name as of then. */
export interface Named {
    id: string;
    name: string;
}

/** What is known of each type's payload. A later hub may add fields, and types. */
export interface ActivityPayloads {
    ORGANISATION_CREATED: { name: string };
    ORGANISATION_UPDATED: { changes: Record<string, unknown> };
    USER_JOINED: { userId: string; name: string; email: string; role: string };
    USER_UPDATED: { userId: string; changes: Record<string, unknown> };
    USER_REMOVED: { userId: string; removedBy: string };
    USER_ROLE_CHANGED: { userId: string; from: string; to: string };
    USER_INVITED: { inviteId: string; email: string; role: string };
    INVITE_REVOKED: { inviteId: string; email: string; role: string };
    SESSION_STARTED: { userId: string; sessionId: string; reason: string };
    SESSION_ENDED: { userId: string; sessionId: string; reason: string };
    PASSWORD_CHANGED: { userId: string; sessionId: string | null; reason: string };
    PLAN_UPGRADED: { from: string; to: string; upgradedAt: string };
    PLAN_DOWNGRADED: { from: string; to: string; downgradedAt: string };
    BROADCAST_MESSAGE: {
        message: string;
        sentBy: string;
        sentAt: string;
        data?: Record<string, unknown>;
    };
    MESSAGE_QUEUED: MessagePayload;
    MESSAGE_SENT: MessagePayload;
    MESSAGE_FAILED: MessagePayload;
    MESSAGE_CANCELLED: MessagePayload;
    CREDITS_LOW: { balance: number; lowAt: number };
    CREDITS_CHANGED: { entry: number; amount: number; balance: number; reason: string };
}

/** What is told of a message to somebody outside. */
export interface MessagePayload {
    messageId: string;
    to: string;
    channel: string;
    status: string;
    price: number;
    createdBy: string;
    /** What it left through, where it was sent or failed. */
    gateway?: string;
    /** What that said. */
    detail?: string;
}

/** The types of activity that this version knows. */
export type ActivityType = keyof ActivityPayloads;

/** Something that happened in the organisation: the same live, replayed and in the feed. */
export interface Activity<T extends string = string> {
    type: T;
    /** Its place in the organisation's log: 1, 2, 3 … A member sees holes where something was not for them. */
    seq: number;
    id: string;
    actor: Named | null;
    target: Named | null;
    payload: T extends ActivityType ? ActivityPayloads[T] : Record<string, unknown>;
    /** RFC 3339 in UTC, with milliseconds. */
    createdAt: string;
}

/** Whether an activity is of this type, which then says what its payload holds. */
export function isActivity<T extends ActivityType>(activity: Activity, type: T): activity is Activity<T> {
    return activity.type === type;
}

/** The first frame. */
export interface Welcome {
    connectionId: string;
    organisationId: string;
    userId: string;
    role: string;
    /** Where this connection starts: everything after it follows. */
    seq: number;
    /** Where the log stood then. */
    headSeq: number;
    /** Which life of the log this is. */
    epoch: string;
    /** Whether a position was given and is continued from, without a gap. */
    resumed: boolean;
    heartbeatSeconds: number;
    tokenExpiresAt: string;
}

/** What was asked for is not there: entries between the position and `nextSeq` will not come. */
export interface ResumeGap {
    /**
     * `expired`: no longer kept. `epoch_changed`, `ahead_of_log`: the log is another one; forget what came
     * from the old one, and read the feed anew. A later hub may have other reasons.
     */
    reason: "expired" | "epoch_changed" | "ahead_of_log" | (string & {});
    /** The first that may come. */
    nextSeq: number;
}

/** Something that this client sent was refused. */
export interface Refused {
    code: string;
    detail: string;
}

/** A frame without a place in the log. */
export type ControlFrame =
    | { type: "WELCOME"; payload: Welcome }
    | { type: "PONG"; payload: { seq: number } }
    | { type: "RESUME_GAP"; payload: ResumeGap }
    | { type: "AUTH_OK"; payload: { tokenExpiresAt: string; role: string } }
    | { type: "ERROR"; payload: Refused }
    | { type: "GOAWAY"; payload: { closesInMs: number } }
    | { type: "USER_ONLINE" | "USER_OFFLINE"; payload: { userId: string } };

/** Reads a frame; `null` where it is none. */
export function parseFrame(text: string): Activity | ControlFrame | null {
    try {
        const frame: unknown = JSON.parse(text);
        if (typeof frame !== "object" || frame === null) {
            return null;
        }
        const { type, payload } = frame as { type?: unknown; payload?: unknown };
        const complete = typeof type === "string" && typeof payload === "object" && payload !== null;
        return complete ? (frame as Activity | ControlFrame) : null;
    } catch {
        return null;
    }
}

/** Whether a frame is of the log. */
export function isLogged(frame: Activity | ControlFrame): frame is Activity {
    return typeof (frame as Partial<Activity>).seq === "number";
}
