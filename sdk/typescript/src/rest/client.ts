import { backoffMs } from "../live/backoff.js";
import type { Fetch } from "../live/sse.js";
import { readClaims, type TokenSource } from "../token.js";
import { baseOf } from "../url.js";
import { ApiError, ConnectionError } from "./errors.js";
import type {
    AcceptInvite,
    ActivitiesQuery,
    Activity,
    CreateBroadcast,
    CreditEntry,
    Credits,
    Gateways,
    Invite,
    InviteCreated,
    InviteUser,
    Job,
    JobsQuery,
    Login,
    Me,
    Member,
    Membership,
    Message,
    MessagesQuery,
    MessagesSent,
    MessageWithAttempts,
    Organisation,
    Page,
    PageQuery,
    Presence,
    Problem,
    RedeemSignUp,
    Register,
    ResetPassword,
    SendMessage,
    SessionStarted,
    Tokens,
    UpdateMe,
    User,
} from "./types.js";

/** How a REST client is made. */
export interface RestOptions {
    /** The hub, as `https://hub.example.com`. In a page the page's own origin unless given. */
    url?: string | URL;
    /** An access token, or where tokens come from. Not needed to sign in. */
    token?: string | TokenSource;
    /** Instead of the global one. */
    fetch?: Fetch;
    /** How often a request is sent again that may be (3). */
    retries?: number;
    /** How long an answer may take, in milliseconds (30,000). */
    timeoutMs?: number;
}

/** What may be said about a single request. */
export interface RequestOptions {
    signal?: AbortSignal;
}

/** The same of a request that creates something. */
export interface CreateOptions extends RequestOptions {
    /**
     * The same key with the same body does nothing twice. Made up unless given; pass one that you keep, where the
     * request may be repeated after a restart of the application.
     */
    idempotencyKey?: string;
}

interface Call extends CreateOptions {
    method: "GET" | "POST" | "PATCH" | "DELETE";
    path: string;
    query?: object;
    body?: object;
    /** Whether it says who calls. */
    isPublic?: boolean;
    /** Whether it takes an idempotency key, and so can be sent again. */
    isKeyed?: boolean;
}

/** The longest wait that the hub may ask for before the error is handed on instead. */
const LONGEST_WAIT_MS = 10_000;

/**
 * Every route of the hub. The methods have the names of its operations, and throw an `ApiError` with the hub's code, or a
 * `ConnectionError`.
 *
 * A request is sent again where that is safe: reads, what creates something under an idempotency key, and whatever was
 * not begun (429). A token that ends is refreshed on the way, for the same member of the same organisation.
 */
export class RestClient {
    readonly #base: string;
    readonly #token: TokenSource | null;
    readonly #fetch: Fetch;
    readonly #retries: number;
    readonly #timeoutMs: number;

    constructor(options: RestOptions = {}) {
        const { token, fetch, retries = 3, timeoutMs = 30_000 } = options;
        this.#base = `${baseOf(options.url)}/api/v1`;
        this.#token = typeof token === "string" ? () => token : (token ?? null);
        this.#fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
        this.#retries = retries;
        this.#timeoutMs = timeoutMs;
    }

    /** Founds an organisation and signs in as its first admin. */
    register(body: Register, options?: RequestOptions): Promise<SessionStarted> {
        return this.#send({ method: "POST", path: "/auth/register", body, isPublic: true, ...options });
    }

    /** Signs in as the first admin of an organisation that the platform founded. */
    signUp(body: RedeemSignUp, options?: RequestOptions): Promise<SessionStarted> {
        return this.#send({ method: "POST", path: "/auth/sign-up", body, isPublic: true, ...options });
    }

    login(body: Login, options?: RequestOptions): Promise<SessionStarted> {
        return this.#send({ method: "POST", path: "/auth/login", body, isPublic: true, ...options });
    }

    /** The next pair of tokens. A refresh token counts once: use `createSession`, which minds that. */
    refreshTokens(refreshToken: string, options?: RequestOptions): Promise<Tokens> {
        return this.#send({
            method: "POST",
            path: "/auth/refresh",
            body: { refreshToken },
            isPublic: true,
            ...options,
        });
    }

    /** Has a token sent to who has an account with this email, if anybody has. */
    forgotPassword(email: string, options?: RequestOptions): Promise<void> {
        return this.#send({
            method: "POST",
            path: "/auth/forgot-password",
            body: { email },
            isPublic: true,
            ...options,
        });
    }

    /** Gives the account that a token is for another password, and ends its sessions. */
    resetPassword(body: ResetPassword, options?: RequestOptions): Promise<void> {
        return this.#send({ method: "POST", path: "/auth/reset-password", body, isPublic: true, ...options });
    }

    /** Signs in to another organisation of the account. */
    switchOrganisation(organisationId: string, options?: RequestOptions): Promise<SessionStarted> {
        return this.#send({ method: "POST", path: "/auth/switch", body: { organisationId }, ...options });
    }

    /** Ends the session. Its sockets close. */
    logout(options?: RequestOptions): Promise<void> {
        return this.#send({ method: "POST", path: "/auth/logout", ...options });
    }

    getMe(options?: RequestOptions): Promise<Me> {
        return this.#send({ method: "GET", path: "/auth/me", ...options });
    }

    updateMe(body: UpdateMe, options?: RequestOptions): Promise<User> {
        return this.#send({ method: "PATCH", path: "/auth/me", body, ...options });
    }

    /** The organisations of the caller's account. */
    listOrganisations(query?: PageQuery, options?: RequestOptions): Promise<Page<Membership>> {
        return this.#send({ method: "GET", path: "/auth/organisations", ...given(query), ...options });
    }

    getOrganisation(options?: RequestOptions): Promise<Organisation> {
        return this.#send({ method: "GET", path: "/organisations", ...options });
    }

    createOrganisation(body: { name: string }, options?: CreateOptions): Promise<Organisation> {
        return this.#send({ method: "POST", path: "/organisations", body, isKeyed: true, ...options });
    }

    updateOrganisation(body: { name: string }, options?: RequestOptions): Promise<Organisation> {
        return this.#send({ method: "PATCH", path: "/organisations", body, ...options });
    }

    updateSubscription(body: { plan: string }, options?: RequestOptions): Promise<Organisation> {
        return this.#send({ method: "PATCH", path: "/organisations/subscription", body, ...options });
    }

    createBroadcast(body: CreateBroadcast, options?: CreateOptions): Promise<Activity<"BROADCAST_MESSAGE">> {
        return this.#send({
            method: "POST",
            path: "/organisations/broadcast",
            body,
            isKeyed: true,
            ...options,
        });
    }

    /** Who is online. */
    listPresence(options?: RequestOptions): Promise<Presence> {
        return this.#send({ method: "GET", path: "/organisations/presence", ...options });
    }

    listUsers(query?: PageQuery, options?: RequestOptions): Promise<Page<Member>> {
        return this.#send({ method: "GET", path: "/users", ...given(query), ...options });
    }

    inviteUser(body: InviteUser, options?: CreateOptions): Promise<InviteCreated> {
        return this.#send({ method: "POST", path: "/users/invite", body, isKeyed: true, ...options });
    }

    listInvites(query?: PageQuery, options?: RequestOptions): Promise<Page<Invite>> {
        return this.#send({ method: "GET", path: "/users/invites", ...given(query), ...options });
    }

    deleteInvite(id: string, options?: RequestOptions): Promise<void> {
        return this.#send({ method: "DELETE", path: `/users/invites/${encodeURIComponent(id)}`, ...options });
    }

    acceptInvite(body: AcceptInvite, options?: RequestOptions): Promise<SessionStarted> {
        return this.#send({ method: "POST", path: "/users/accept-invite", body, isPublic: true, ...options });
    }

    updateUser(id: string, body: { role: string }, options?: RequestOptions): Promise<User> {
        return this.#send({ method: "PATCH", path: `/users/${encodeURIComponent(id)}`, body, ...options });
    }

    deleteUser(id: string, options?: RequestOptions): Promise<void> {
        return this.#send({ method: "DELETE", path: `/users/${encodeURIComponent(id)}`, ...options });
    }

    /** The feed: newest first, or oldest first with `after`. */
    listActivities(query?: ActivitiesQuery, options?: RequestOptions): Promise<Page<Activity>> {
        return this.#send({ method: "GET", path: "/activities", ...given(query), ...options });
    }

    /** Queues a message. What becomes of it is told by activities. */
    sendMessage(body: SendMessage, options?: CreateOptions): Promise<Message> {
        return this.#send({ method: "POST", path: "/messages", body, isKeyed: true, ...options });
    }

    /** Queues up to 1,000 messages; each has a result of its own. */
    sendMessages(body: { messages: SendMessage[] }, options?: CreateOptions): Promise<MessagesSent> {
        return this.#send({ method: "POST", path: "/messages/batch", body, isKeyed: true, ...options });
    }

    /** The messages, the newest first: an admin's of all, a member's of their own. */
    listMessages(query?: MessagesQuery, options?: RequestOptions): Promise<Page<Message>> {
        return this.#send({ method: "GET", path: "/messages", ...given(query), ...options });
    }

    getMessage(id: string, options?: RequestOptions): Promise<MessageWithAttempts> {
        return this.#send({ method: "GET", path: `/messages/${encodeURIComponent(id)}`, ...options });
    }

    /** Calls a message off that waits. */
    cancelMessage(id: string, options?: RequestOptions): Promise<void> {
        return this.#send({ method: "DELETE", path: `/messages/${encodeURIComponent(id)}`, ...options });
    }

    listGateways(options?: RequestOptions): Promise<Gateways> {
        return this.#send({ method: "GET", path: "/messages/gateways", ...options });
    }

    getCredits(options?: RequestOptions): Promise<Credits> {
        return this.#send({ method: "GET", path: "/credits", ...options });
    }

    /** The ledger, the newest entries first. */
    listCreditEntries(query?: PageQuery, options?: RequestOptions): Promise<Page<CreditEntry>> {
        return this.#send({ method: "GET", path: "/credits/entries", ...given(query), ...options });
    }

    /** Work that failed for good, or stands elsewhere. */
    listJobs(query?: JobsQuery, options?: RequestOptions): Promise<Page<Job>> {
        return this.#send({ method: "GET", path: "/jobs", ...given(query), ...options });
    }

    /** Has a job tried again that failed for good. */
    retryJob(id: string, options?: RequestOptions): Promise<Job> {
        return this.#send({ method: "POST", path: `/jobs/${encodeURIComponent(id)}/retry`, ...options });
    }

    async #send<T>(call: Call): Promise<T> {
        const key = call.isKeyed === true ? (call.idempotencyKey ?? newKey()) : undefined;
        const isSafe = call.method === "GET" || key !== undefined;
        let token = call.isPublic === true ? null : await this.#authorise(false, null);
        let isRefreshed = token === null;
        for (let failures = 0; ; failures += 1) {
            try {
                return await this.#attempt<T>(call, token, key);
            } catch (error) {
                if (isTokenRefused(error) && !isRefreshed) {
                    isRefreshed = true;
                    const next = await this.#authorise(true, token);
                    if (next === null || next === token || !isOfSameMember(next, token)) {
                        throw error;
                    }
                    token = next;
                    continue;
                }
                const waitMs = waitBefore(error, isSafe, failures);
                if (waitMs === null || failures >= this.#retries) {
                    throw error;
                }
                await pause(waitMs, call.signal);
            }
        }
    }

    async #authorise(refresh: boolean, last: string | null): Promise<string | null> {
        return this.#token === null ? null : this.#token({ refresh, last });
    }

    async #attempt<T>(call: Call, token: string | null, key: string | undefined): Promise<T> {
        const abort = new AbortController();
        const onAbort = (): void => abort.abort(call.signal?.reason);
        const timer = setTimeout(() => abort.abort(), this.#timeoutMs);
        call.signal?.addEventListener("abort", onAbort);
        let response: Response;
        let text: string;
        try {
            if (call.signal?.aborted === true) {
                throw call.signal.reason;
            }
            response = await this.#fetch(`${this.#base}${call.path}${queryOf(call.query)}`, {
                method: call.method,
                headers: headersOf(call, token, key),
                cache: "no-store",
                signal: abort.signal,
                ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
            });
            text = await response.text();
        } catch (error) {
            if (call.signal?.aborted === true) {
                throw error;
            }
            throw new ConnectionError("The hub could not be reached", { cause: error });
        } finally {
            clearTimeout(timer);
            call.signal?.removeEventListener("abort", onAbort);
        }
        if (!response.ok) {
            throw new ApiError({ ...problemOf(text), status: response.status }, retryAfterOf(response));
        }
        return (text === "" ? undefined : JSON.parse(text)) as T;
    }
}

/** Every item of a list, page after page: `for await (const user of everyItem(query => rest.listUsers(query)))`. */
export async function* everyItem<T>(
    list: (query: { cursor?: string }) => Promise<Page<T>>,
): AsyncGenerator<T, void> {
    let page = await list({});
    for (;;) {
        yield* page.items;
        if (page.nextCursor === null) {
            return;
        }
        page = await list({ cursor: page.nextCursor });
    }
}

/** How long to wait before the same request again; `null` where it is not to be sent again. */
function waitBefore(error: unknown, isSafe: boolean, failures: number): number | null {
    const waitMs = 100 + backoffMs(failures, { baseMs: 200, maxMs: 5_000 });
    if (error instanceof ConnectionError) {
        return isSafe ? waitMs : null;
    }
    if (!(error instanceof ApiError)) {
        return null;
    }
    const { status, code, retryAfterMs } = error;
    const isRefusedUnbegun = status === 429 || code === "idempotency_in_progress";
    const isOutage = status === 502 || status === 503 || status === 504;
    if (!isRefusedUnbegun && !(isSafe && isOutage)) {
        return null;
    }
    const asked = Math.max(waitMs, retryAfterMs ?? 0);
    return asked <= LONGEST_WAIT_MS ? asked : null;
}

function isTokenRefused(error: unknown): boolean {
    return error instanceof ApiError && error.status === 401;
}

/**
 * Whether two tokens act for the same member. Where somebody else has signed in or switched meanwhile, the request was not
 * meant for their organisation. What is no JWT says nothing.
 */
function isOfSameMember(next: string, token: string | null): boolean {
    const [theirs, ours] = [readClaims(next), readClaims(token ?? "")];
    return theirs.userId === ours.userId && theirs.organisationId === ours.organisationId;
}

function headersOf(call: Call, token: string | null, key: string | undefined): Record<string, string> {
    return {
        accept: "application/json",
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(key === undefined ? {} : { "idempotency-key": key }),
    };
}

function given(query: object | undefined): { query?: object } {
    return query === undefined ? {} : { query };
}

function queryOf(query: object | undefined): string {
    const pairs = Object.entries(query ?? {})
        .filter(([, value]) => value !== undefined && value !== null)
        .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function problemOf(text: string): Partial<Problem> {
    try {
        const problem: unknown = JSON.parse(text);
        return typeof problem === "object" && problem !== null ? problem : {};
    } catch {
        return {};
    }
}

function retryAfterOf(response: Response): number | null {
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return Number.isFinite(seconds) ? seconds * 1000 : null;
}

/** Random enough to be nobody else's; where there is no `crypto`, as in React Native, as random as it gets. */
function newKey(): string {
    const { crypto } = globalThis as { crypto?: { randomUUID?(): string } };
    const part = (): string => Math.random().toString(36).slice(2, 14);
    return crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${part()}-${part()}`;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
        const onAbort = (): void => {
            clearTimeout(timer);
            reject(signal?.reason);
        };
        const timer = setTimeout(() => {
            signal?.removeEventListener("abort", onAbort);
            resolve();
        }, ms);
        if (signal?.aborted === true) {
            onAbort();
        } else {
            signal?.addEventListener("abort", onAbort);
        }
    });
}
