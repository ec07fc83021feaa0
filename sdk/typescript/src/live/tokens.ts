import { isSignedOut, readClaims, type TokenSource } from "../token.js";
import { backoffMs } from "./backoff.js";

/** Thrown where nobody is signed in any more. */
export class SignedOut extends Error {
    override readonly name = "SignedOut";
}

/** How long before its end a token is replaced, where it lives long enough: most of a minute. */
const LEAD_MS = 60_000;

/** How long until a token is replaced, at least. */
const SHORTEST_MS = 500;

/** How long an AUTH may wait for its answer. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Gets tokens from their source, one call at a time. */
export class TokenKeeper {
    readonly #source: TokenSource;
    #last: string | null = null;
    #refreshed: string | null = null;
    #call: { promise: Promise<string>; refresh: boolean } | null = null;

    constructor(source: string | TokenSource) {
        this.#source = typeof source === "string" ? fixed(source) : source;
    }

    /** Whether the token was got by a refresh. */
    isFresh(token: string): boolean {
        return token === this.#refreshed;
    }

    /** The token to use now. Throws [`SignedOut`] where there is none to be had. */
    async get(refresh: boolean): Promise<string> {
        while (this.#call !== null) {
            const { promise, refresh: refreshes } = this.#call;
            const token = await promise.catch(() => null);
            if (token !== null && (refreshes || !refresh)) {
                return token;
            }
        }
        const promise = this.#ask(refresh);
        this.#call = { promise, refresh };
        try {
            return await promise;
        } finally {
            this.#call = null;
        }
    }

    async #ask(refresh: boolean): Promise<string> {
        try {
            const token = await this.#source({ refresh, last: this.#last });
            if (token === null || token === "") {
                throw new SignedOut("Nobody is signed in");
            }
            this.#last = token;
            this.#refreshed = refresh ? token : this.#refreshed;
            return token;
        } catch (error) {
            throw isSignedOut(error) ? new SignedOut("The session has ended", { cause: error }) : error;
        }
    }
}

/** A token that cannot be replaced. */
function fixed(token: string): TokenSource {
    return ({ refresh, last }) => (refresh && last !== null ? null : token);
}

/** What the renewal of a link's token needs to know and do. */
export interface RenewalEvents {
    /** Gets a fresh token. */
    refresh(): Promise<string>;
    /** Puts it on the link. False where that cannot be done. */
    put(token: string): boolean;
    failed(error: unknown): void;
}

/** Puts a fresh token on an open link before the old one ends. */
export class Renewal {
    readonly #events: RenewalEvents;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #failures = 0;
    #isOver = false;

    /** `isFresh` says that the token was refreshed for this link, and not kept from before. */
    constructor(token: string, expiresAt: string, isFresh: boolean, events: RenewalEvents) {
        this.#events = events;
        this.plan(token, expiresAt, isFresh);
    }

    /** The token counts until then. */
    plan(token: string, expiresAt: string, isFresh: boolean): void {
        this.#failures = 0;
        const leftMs = Date.parse(expiresAt) - Date.now();
        const lifetimeMs = (readClaims(token).lifetimeSeconds ?? 0) * 1_000;
        // By a clock that is ahead of the hub's, every token has ended. One that is fresh lasts a while.
        const leastMs = isFresh ? Math.max(lifetimeMs / 10, SHORTEST_MS) : SHORTEST_MS;
        const untilMs = lifetimeMs > 0 ? Math.min(leftMs, lifetimeMs) : leftMs;
        const leadMs = Math.min(LEAD_MS, Math.max(untilMs, 0) / 3);
        // Not all who came at once refresh at once.
        this.#wait(Math.max(leastMs, (untilMs - leadMs) * (0.9 + Math.random() * 0.1)));
    }

    /** The token on the link was refused, or the hub could not tell: tries again with another. */
    refused(): void {
        this.#retry();
    }

    end(): void {
        this.#isOver = true;
        clearTimeout(this.#timer);
    }

    #wait(ms: number): void {
        clearTimeout(this.#timer);
        if (!this.#isOver) {
            this.#timer = setTimeout(() => void this.#renew(), Math.min(ms, 2 ** 31 - 1));
        }
    }

    async #renew(): Promise<void> {
        try {
            const token = await this.#events.refresh();
            if (this.#isOver) {
                return;
            }
            if (this.#events.put(token)) {
                // An answer plans what follows. Without one it is tried again.
                this.#wait(ANSWER_TIMEOUT_MS);
            }
        } catch (error) {
            if (!this.#isOver) {
                this.#events.failed(error);
                this.#retry();
            }
        }
    }

    #retry(): void {
        this.#failures += 1;
        this.#wait(250 + backoffMs(this.#failures));
    }
}
