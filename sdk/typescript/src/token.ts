/** What a token is asked for. */
export interface TokenRequest {
    /** Whether the last one was refused or ends soon, so that another is wanted. */
    refresh: boolean;
    /** The token that was handed out last, to tell whether somebody else has refreshed it since. */
    last: string | null;
}

/**
 * Where access tokens come from. `null`, or an error with `status` 401, or 403 and a `code` of the hub's, says that
 * nobody is signed in any more: the client closes. Any other error is tried again.
 */
export type TokenSource = (request: TokenRequest) => string | null | Promise<string | null>;

/** What is read of an access token, which is a JWT. It is not verified: the hub does that. */
export interface Claims {
    userId?: string;
    organisationId?: string;
    sessionId?: string;
    /** Seconds from its making to its end. */
    lifetimeSeconds?: number;
}

/** Reads the claims of a token; nothing of one that is not a JWT. */
export function readClaims(token: string): Claims {
    try {
        const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
        const claims = JSON.parse(atob(part)) as Record<string, unknown>;
        const { sub, org, sid, iat, exp } = claims;
        return {
            ...(typeof sub === "string" ? { userId: sub } : {}),
            ...(typeof org === "string" ? { organisationId: org } : {}),
            ...(typeof sid === "string" ? { sessionId: sid } : {}),
            ...(typeof iat === "number" && typeof exp === "number" ? { lifetimeSeconds: exp - iat } : {}),
        };
    } catch {
        return {};
    }
}

/** The codes that the hub refuses with 403. */
const FORBIDDEN: readonly unknown[] = [
    "role_forbidden",
    "no_membership",
    "member_limit_reached",
    "registration_closed",
];

/**
 * Whether a 403 with this code is the hub's own. Firewalls and captive portals say 403 too, and know nothing about who
 * is signed in.
 */
export function isForbiddenByHub(code: unknown): boolean {
    return FORBIDDEN.includes(code);
}

/** Whether an error of a token source says that nobody is signed in. */
export function isSignedOut(error: unknown): boolean {
    const { status, code } = (error ?? {}) as { status?: unknown; code?: unknown };
    return status === 401 || (status === 403 && isForbiddenByHub(code));
}
