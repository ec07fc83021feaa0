/** What a token is asked for. */
export interface TokenRequest {
    /** Whether the last one was refused or ends soon, so that another is wanted. */
    refresh: boolean;
    /** The token that was handed out last, to tell whether somebody else has refreshed it since. */
    last: string | null;
}

/**
 * Where access tokens come from. `null`, or an error with `status` 401 or 403, says that nobody is signed in any
 * more: the client closes. Any other error is tried again.
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

/** Whether an error of a token source says that nobody is signed in. */
export function isSignedOut(error: unknown): boolean {
    const status = (error as { status?: unknown } | null)?.status;
    return status === 401 || status === 403;
}
