/** How long to wait before another attempt. */
export interface BackoffOptions {
    /** The longest wait after the first failure, in milliseconds (500). */
    baseMs?: number;
    /** The longest wait after any number of failures, in milliseconds (30,000). */
    maxMs?: number;
}

/**
 * Exponential back-off with full jitter: a random part of a span that doubles with each failure. The whole span is
 * random, so that clients that lost the same node do not come back in waves.
 */
export function backoffMs(failures: number, options: BackoffOptions = {}, random = Math.random): number {
    const { baseMs = 500, maxMs = 30_000 } = options;
    return Math.floor(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));
}
