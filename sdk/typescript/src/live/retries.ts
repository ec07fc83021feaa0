import { type BackoffOptions, backoffMs } from "./backoff.js";
import { CloseCode, reactionTo } from "./close-codes.js";

/** A link that stayed as long proves that the hub takes this client: the next loss is a first one again. */
const STABLE_MS = 5_000;

/** So often a fresh token may be refused in a row before nobody counts as signed in. */
const MAX_REFUSALS = 3;

/**
 * Whoever asks for more, such as a proxy, does not keep clients away for good. A timer beyond 2^31-1 ms would fire at
 * once.
 */
const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** Whether and when a link is tried again after others ended. */
export class Retries {
    readonly #backoff: BackoffOptions | undefined;
    #failures = 0;
    #refusals = 0;
    #timer: ReturnType<typeof setTimeout> | undefined;
    /** Whether the next link takes a fresh token. */
    needsRefresh = false;

    constructor(backoff: BackoffOptions | undefined) {
        this.#backoff = backoff;
    }

    /** A link is open. */
    opened(): void {
        this.#refusals = 0;
    }

    /** One was closed before it was open. */
    refused(code: number): void {
        this.#refusals += code === CloseCode.UNAUTHENTICATED ? 1 : 0;
    }

    /** One that was open since then has ended. */
    lost(since: number): void {
        if (Date.now() - since >= STABLE_MS) {
            this.forgive();
        }
    }

    /** The next failure is a first one. */
    forgive(): void {
        this.#failures = 0;
    }

    /** Forgets what was. */
    reset(): void {
        this.#failures = 0;
        this.#refusals = 0;
    }

    /** How long to wait before another attempt; `null` where it would end the same. */
    waitMs(code: number, retryAfterMs: number): number | null {
        const reaction = reactionTo(code);
        if (reaction === "never" || this.#refusals > MAX_REFUSALS) {
            return null;
        }
        const isAtOnce = this.#failures === 0 && reaction !== "back-off" && retryAfterMs === 0;
        const ownMs = isAtOnce ? 0 : backoffMs(this.#failures, this.#backoff);
        this.#failures += 1;
        // On top of what was asked for, since all who were sent away together were asked for the same.
        return Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) + ownMs;
    }

    plan(open: () => void, waitMs: number): void {
        this.#timer = setTimeout(open, waitMs);
    }

    /** Nothing is planned any more. */
    cancel(): void {
        clearTimeout(this.#timer);
    }
}
