import type { FieldError, Problem } from "./types.js";

/** The hub refused a request, and said why. */
export class ApiError extends Error {
    override readonly name = "ApiError";
    /** The HTTP status. */
    readonly status: number;
    /** What to match on: it does not change. */
    readonly code: string;
    /** What the problem is called, for people. */
    readonly title: string;
    /** What exactly is wrong, for people. */
    readonly detail: string;
    /** The id of the request in the hub's log. */
    readonly requestId: string | null;
    /** The fields that are not acceptable, where that is the problem. */
    readonly errors: readonly FieldError[];
    /** How long to wait before another try, where the hub says so. */
    readonly retryAfterMs: number | null;

    constructor(problem: Partial<Problem> & { status: number }, retryAfterMs: number | null = null) {
        const title = problem.title ?? `HTTP ${problem.status}`;
        super(problem.detail ?? title);
        this.status = problem.status;
        this.code = problem.code ?? "unknown";
        this.title = title;
        this.detail = problem.detail ?? "";
        this.requestId = problem.requestId ?? null;
        this.errors = problem.errors ?? [];
        this.retryAfterMs = retryAfterMs;
    }
}

/** The hub could not be reached, or its answer was lost: whether the request was done is not known. */
export class ConnectionError extends Error {
    override readonly name = "ConnectionError";
}
