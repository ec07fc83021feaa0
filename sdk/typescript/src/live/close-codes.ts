// Close codes, and what a client does about each: the hub's contract.

/** What to do after a connection was closed. */
export type Reaction = "at-once" | "back-off" | "refresh-token" | "never";

/** The codes that the hub closes with, or that stand for a link that was lost. */
export const CloseCode = {
    NORMAL: 1000,
    GOING_AWAY: 1001,
    NO_STATUS: 1005,
    LOST: 1006,
    TOO_BIG: 1009,
    FAULT: 1011,
    RESTART: 1012,
    BAD_REQUEST: 4400,
    UNAUTHENTICATED: 4401,
    REMOVED: 4403,
    SUSPENDED: 4404,
    TOO_SLOW: 4408,
    TOO_MANY: 4429,
    UNAVAILABLE: 4503,
} as const;

/** What to do about a close code. One of 44xx that is not known speaks of this client: it stays away. */
export function reactionTo(code: number): Reaction {
    switch (code) {
        case CloseCode.GOING_AWAY:
        case CloseCode.RESTART:
        case CloseCode.TOO_SLOW:
            return "at-once";
        case CloseCode.UNAUTHENTICATED:
            return "refresh-token";
        case CloseCode.TOO_MANY:
            return "back-off";
        case CloseCode.TOO_BIG:
            return "never";
        default:
            return code >= 4400 && code <= 4499 ? "never" : "back-off";
    }
}
