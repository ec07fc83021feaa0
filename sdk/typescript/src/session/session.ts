import type { Fetch } from "../live/sse.js";
import { RestClient } from "../rest/client.js";
import type { Organisation, SessionStarted, Tokens, User } from "../rest/types.js";
import type { KeyValueStorage } from "../storage.js";
import { isSignedOut, readClaims, type TokenRequest, type TokenSource } from "../token.js";
import { withLock } from "./lock.js";

/** How a session is kept. */
export interface SessionOptions {
    /** The hub, as `https://hub.example.com`. In a page the page's own origin unless given. */
    url?: string | URL;
    /** Where the tokens are kept: `localStorage` shares them over tabs. In memory unless given. */
    storage?: KeyValueStorage;
    /** Under which name (`roomcast:session`). */
    storageKey?: string;
    /** Instead of the global one. */
    fetch?: Fetch;
    /**
     * Instead of `POST /auth/refresh`, where a server of yours keeps the refresh tokens. The session waits for it, so
     * it must not wait for the session in turn.
     */
    refresh?: (refreshToken: string) => Promise<Tokens>;
}

/** Who is signed in, as of the sign-in. */
export interface SignedIn {
    user: User;
    organisation: Organisation;
}

interface Kept extends SignedIn {
    accessToken: string;
    refreshToken: string;
    /** When the access token is to be replaced, a little before it ends, by this machine's clock. */
    staleAt: number;
}

/** How long before its end a token is replaced; a quarter of its life where that is less. */
const MARGIN_SECONDS = 10;

/** How many sessions were made that share their storage with nobody. */
let inMemory = 0;

/**
 * A session's tokens: kept in a storage, and refreshed by one tab at a time, so that the refresh token, which counts
 * once, is used once.
 */
export class Session {
    readonly #storage: KeyValueStorage;
    readonly #key: string;
    readonly #lock: string;
    readonly #options: Pick<SessionOptions, "url" | "fetch">;
    readonly #rest: RestClient;
    readonly #refresh: (refreshToken: string) => Promise<Tokens>;
    readonly #listeners = new Set<(signedIn: SignedIn | null) => void>();

    constructor(options: SessionOptions = {}) {
        const { storage, storageKey, refresh, ...rest } = options;
        this.#storage = storage ?? new MemoryStorage();
        this.#key = storageKey ?? "roomcast:session";
        // What is in memory is nobody else's: a server that has many sessions lets none wait for another.
        inMemory += storage === undefined ? 1 : 0;
        this.#lock = `${this.#key}:refresh${storage === undefined ? inMemory : ""}`;
        this.#options = rest;
        this.#rest = new RestClient(rest);
        this.#refresh = refresh ?? (token => this.#rest.refreshTokens(token));
    }

    /** Where a client gets its tokens: `createClient({ token: session.token })`. */
    readonly token: TokenSource = request => this.#token(request);

    /** Signs in by what the callback calls: `session.signIn(rest => rest.login({ email, password }))`. */
    async signIn(start: (rest: RestClient) => Promise<SessionStarted>): Promise<SignedIn> {
        return this.keep(await start(this.#rest));
    }

    /**
     * Keeps a session that has begun, such as the answer to `switchOrganisation`. The one that was kept before ends,
     * unless the hub is out of reach.
     */
    async keep(started: SessionStarted): Promise<SignedIn> {
        const { user, organisation } = started;
        const next = { user, organisation, ...fresh(started) };
        const replaced = await this.#alone(async () => {
            const before = await this.#load();
            await this.#store(next);
            return before;
        });
        this.#tell({ user, organisation });
        if (replaced !== null && !isSameSession(replaced, next)) {
            // Nobody waits for it: the new session serves whether or not the hub answers.
            void this.#end(replaced);
        }
        return { user, organisation };
    }

    /** Who is signed in; `null` where nobody is. */
    async current(): Promise<SignedIn | null> {
        const kept = await this.#load();
        return kept === null ? null : { user: kept.user, organisation: kept.organisation };
    }

    /** Ends the session here and at the hub. A hub out of reach ends it later by itself. */
    async signOut(): Promise<void> {
        // A refresh under way comes first, or what it fetches would outlive the session here.
        const kept = await this.#alone(async () => {
            const before = await this.#load();
            // Before the hub is told: a page that is closed meanwhile must not stay signed in.
            await this.#forget();
            return before;
        });
        if (kept !== null) {
            // From here on nobody else has these tokens, so that no lock is needed.
            await this.#end(kept);
        }
    }

    /** Calls the listener when somebody signs in or out here, or in another tab. Returns what ends that. */
    onChange(listener: (signedIn: SignedIn | null) => void): () => void {
        this.#listeners.add(listener);
        const onStorage = (event: { key?: string | null }): void => {
            if (event.key === this.#key || event.key === null) {
                void this.current().then(listener);
            }
        };
        const scope = globalThis as {
            addEventListener?(type: string, listener: (event: never) => void): void;
            removeEventListener?(type: string, listener: (event: never) => void): void;
        };
        scope.addEventListener?.("storage", onStorage);
        return () => {
            this.#listeners.delete(listener);
            scope.removeEventListener?.("storage", onStorage);
        };
    }

    async #token({ refresh, last }: TokenRequest): Promise<string | null> {
        const kept = await this.#load();
        if (kept === null || serves(kept, refresh, last)) {
            return kept?.accessToken ?? null;
        }
        return this.#alone(async () => {
            // Another tab may have been here while this one waited.
            const now = await this.#load();
            if (now === null || serves(now, refresh, last ?? kept.accessToken)) {
                return now?.accessToken ?? null;
            }
            return this.#rotate(now);
        });
    }

    async #rotate(kept: Kept): Promise<string | null> {
        let tokens: Tokens;
        try {
            tokens = await this.#refresh(kept.refreshToken);
        } catch (error) {
            if (!isSignedOut(error)) {
                throw error;
            }
            // Without locks another tab may have been faster. What it stored counts.
            const now = await this.#load();
            if (now !== null && now.refreshToken !== kept.refreshToken) {
                return now.accessToken;
            }
            await this.#forget();
            return null;
        }
        const next = { ...kept, ...fresh(tokens) };
        // Without locks somebody may have signed in or out meanwhile, who counts. A tab that refreshed the same session
        // does not: the hub takes back what it gave the one that asked first.
        const now = await this.#load();
        if (now === null || !isSameSession(now, kept)) {
            return now?.accessToken ?? null;
        }
        await this.#store(next);
        return next.accessToken;
    }

    /** Ends a session at the hub that is no longer kept, as far as the hub can be reached. */
    async #end(kept: Kept): Promise<void> {
        let last: Kept = kept;
        // A token that has expired ends nothing. The hub may also say so where this machine's clock is wrong.
        const token: TokenSource = async ({ refresh, last: refused }) => {
            if (!serves(last, refresh, refused)) {
                last = { ...last, ...fresh(await this.#refresh(last.refreshToken)) };
            }
            return last.accessToken;
        };
        await new RestClient({ ...this.#options, token }).logout().catch(() => undefined);
    }

    /** Whatever changes what is stored happens one after the other, over all tabs. */
    #alone<T>(run: () => Promise<T>): Promise<T> {
        return withLock(this.#lock, run);
    }

    async #load(): Promise<Kept | null> {
        try {
            return JSON.parse((await this.#storage.getItem(this.#key)) ?? "null") as Kept | null;
        } catch {
            return null;
        }
    }

    async #store(kept: Kept): Promise<void> {
        await this.#storage.setItem(this.#key, JSON.stringify(kept));
    }

    async #forget(): Promise<void> {
        await this.#storage.removeItem(this.#key);
        this.#tell(null);
    }

    #tell(signedIn: SignedIn | null): void {
        for (const listener of this.#listeners) {
            listener(signedIn);
        }
    }
}

/** Makes a session, or finds the one that the storage holds. */
export function createSession(options?: SessionOptions): Session {
    return new Session(options);
}

/** Whether a token may be handed out as it is. */
function serves(kept: Kept, refresh: boolean, last: string | null): boolean {
    return Date.now() < kept.staleAt && (!refresh || (last !== null && kept.accessToken !== last));
}

/** Whether two sets of tokens are of one session. Of tokens that cannot be read only the very same are. */
function isSameSession(one: Kept, other: Kept): boolean {
    const { sessionId } = readClaims(one.accessToken);
    return (
        one.refreshToken === other.refreshToken ||
        (sessionId !== undefined && sessionId === readClaims(other.accessToken).sessionId)
    );
}

function fresh({ accessToken, refreshToken, expiresIn }: Tokens): Omit<Kept, keyof SignedIn> {
    const margin = Math.min(MARGIN_SECONDS, expiresIn / 4);
    return { accessToken, refreshToken, staleAt: Date.now() + (expiresIn - margin) * 1_000 };
}

class MemoryStorage implements KeyValueStorage {
    readonly #items = new Map<string, string>();

    getItem(key: string): string | null {
        return this.#items.get(key) ?? null;
    }

    setItem(key: string, value: string): void {
        this.#items.set(key, value);
    }

    removeItem(key: string): void {
        this.#items.delete(key);
    }
}
