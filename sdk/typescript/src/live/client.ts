import { readClaims } from "../token.js";
import { baseOf } from "../url.js";
import { backoffMs } from "./backoff.js";
import { CloseCode, reactionTo } from "./close-codes.js";
import { Connection } from "./connection.js";
import { Deferred } from "./deferred.js";
import {
    type ClientError,
    type ClientEvents,
    type CloseReason,
    type ControlEvents,
    callInTurn,
    type Delivery,
    type Handler,
    Handlers,
    type Status,
    type StatusChange,
} from "./events.js";
import { Ledger } from "./ledger.js";
import type { LinkEvents, Transport } from "./link.js";
import type { ClientOptions } from "./options.js";
import type { Position } from "./position.js";
import { type Activity, type ControlFrame, isLogged, type Welcome } from "./protocol.js";
import { Roster } from "./roster.js";
import { type Fetch, NO_STREAMS, openStream } from "./sse.js";
import { Renewal, SignedOut, TokenKeeper } from "./tokens.js";
import { TransportChoice } from "./transport.js";
import { watchWaking } from "./wake.js";
import { openWebSocket, type WebSocketConstructor } from "./websocket.js";

/** Says why `connect()` came to nothing: another attempt would end the same. */
export class ClosedError extends Error {
    override readonly name = "ClosedError";
    readonly code: number;

    constructor({ code, text }: CloseReason) {
        super(`The client was closed: ${text} (${code})`);
        this.code = code;
    }
}

/** A link that stayed as long proves that the hub takes this client: the next loss is a first one again. */
const STABLE_MS = 5_000;

/** Whoever asks for more, such as a proxy, does not keep clients away for good. A timer beyond 2^31-1 would fire at once. */
const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** An attempt that takes longer is begun anew when the machine wakes up. */
const STALE_ATTEMPT_MS = 2_000;

/** So often a fresh token may be refused in a row before nobody counts as signed in. */
const MAX_REFUSALS = 3;

/** A connection with what belongs to it. */
interface Held {
    connection: Connection;
    token: string;
    renewal: Renewal | null;
    since: number;
}

/** An attempt to open a link. */
interface Attempt {
    held: Held | null;
    transport: Transport;
    after: number | undefined;
    since: number;
    isOver: boolean;
}

/** Live activities of one member, in order, each exactly once, over as many connections as it takes. */
export class RoomcastClient {
    readonly #options: ClientOptions;
    readonly #base: string;
    readonly #handlers = new Handlers();
    readonly #tokens: TokenKeeper;
    readonly #ledger: Ledger;
    readonly #transports: TransportChoice;
    readonly #roster: Roster;

    #status: Status = "idle";
    /** What `connect()` waits for. */
    #opening: Deferred | null = null;
    #current: Held | null = null;
    #attempt: Attempt | null = null;
    #retryTimer: ReturnType<typeof setTimeout> | undefined;
    #changeoverTimer: ReturnType<typeof setTimeout> | undefined;
    #unwatch: (() => void) | null = null;
    #failures = 0;
    #refusals = 0;
    #needsRefresh = false;
    /** Whether the present link is to be left for another. */
    #isLeaving = false;
    #isLoaded = false;

    constructor(options: ClientOptions) {
        this.#options = options;
        this.#base = baseOf(options.url);
        this.#tokens = new TokenKeeper(options.token);
        this.#ledger = new Ledger(options, this.#handlers, {
            report: error => this.#report(error),
            stopped: seq => this.#stop({ code: CloseCode.NORMAL, text: `a handler failed at ${seq}` }),
            hasRoom: () => this.#resume(),
        });
        const socketType =
            options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
        this.#transports = new TransportChoice(options.transport ?? "auto", socketType);
        this.#roster = new Roster((type, userId) => this.#emit(type, { userId }));
    }

    /** Where the client is. */
    get status(): Status {
        return this.#status;
    }

    /** What carries the frames, while connected. */
    get transport(): Transport | null {
        return this.#current?.connection.transport ?? null;
    }

    /** Up to where the application has taken everything; `null` before the first connection. */
    get position(): Position | null {
        return this.#ledger.position;
    }

    /** What the hub said first on the present link. */
    get welcome(): Welcome | null {
        return this.#current?.connection.welcome ?? null;
    }

    /** The ids of those who are online, where presence was asked for. */
    get online(): ReadonlySet<string> {
        return this.#roster.online;
    }

    /** Has a handler called with each event of a type. Returns what takes it away again. */
    on<T extends keyof ClientEvents | (string & {})>(type: T, handler: Handler<T>): () => void {
        this.#handlers.add(type, handler);
        return () => this.#handlers.remove(type, handler);
    }

    /** Takes a handler away. */
    off<T extends string>(type: T, handler: Handler<T>): void {
        this.#handlers.remove(type, handler);
    }

    /**
     * Connects, and stays connected until `close()`. Resolves at the first WELCOME; rejects with a `ClosedError`
     * where the hub will not have this client. A hub out of reach is tried again, without end.
     */
    connect(): Promise<void> {
        if (this.#opening === null) {
            this.#opening = new Deferred();
            this.#unwatch = watchWaking(() => this.wake());
            this.#setStatus("connecting");
            void this.#start();
        }
        return this.#opening.promise;
    }

    /**
     * Closes the link and stays away until `connect()`, which goes on where the application is. What came and was
     * not handed over comes again then. Resolves once the position is stored.
     */
    async close(): Promise<void> {
        this.#stop({ code: CloseCode.NORMAL, text: "closed by the application" });
        await this.#ledger.flush();
    }

    /**
     * Looks after the link at once: one that is open is asked whether it lives, and one that is waited for is
     * opened. Browsers do it by themselves; on a phone call it when the application comes to the foreground.
     */
    wake(): void {
        if (this.#opening === null || this.#status === "paused") {
            return;
        }
        if (this.#current !== null) {
            this.#current.connection.check();
            return;
        }
        const attempt = this.#attempt;
        if (attempt !== null && attempt.held !== null && Date.now() - attempt.since > STALE_ATTEMPT_MS) {
            // It may be on a network that is gone.
            attempt.held.connection.close();
            this.#attempt = null;
        }
        if (this.#attempt === null && this.#isLoaded) {
            this.#failures = 0;
            this.#open();
        }
    }

    /** The time that the hub takes to answer, in milliseconds. */
    async ping(): Promise<number> {
        const connection = this.#current?.connection;
        if (connection === undefined) {
            throw new Error("Not connected");
        }
        if (connection.transport === "websocket") {
            return connection.ping();
        }
        const sentAt = performance.now();
        await this.#fetch()(`${this.#base}/healthz`, { cache: "no-store" });
        return performance.now() - sentAt;
    }

    // --- Opening links --------------------------------------------------------------------------------------

    async #start(): Promise<void> {
        if (!this.#isLoaded) {
            await this.#ledger.load();
            this.#isLoaded = true;
        }
        if (this.#opening !== null && this.#attempt === null && this.#current === null) {
            this.#ledger.begin();
            this.#open();
        }
    }

    /** Opens a link; beside the present one, if there is one, which it then takes over from. */
    #open(transport: Transport | null = this.#transports.next()): void {
        clearTimeout(this.#retryTimer);
        clearTimeout(this.#changeoverTimer);
        if (transport === null) {
            this.#stop({ code: CloseCode.LOST, text: "there is neither WebSocket nor a fetch that streams" });
            return;
        }
        const attempt: Attempt = {
            held: null,
            transport,
            after: undefined,
            since: Date.now(),
            isOver: false,
        };
        this.#attempt = attempt;
        if (this.#status === "reconnecting") {
            this.#setStatus("reconnecting");
        }
        this.#tokens.get(this.#needsRefresh).then(
            token => {
                if (!attempt.isOver) {
                    this.#needsRefresh = false;
                    this.#link(attempt, token);
                }
            },
            (error: unknown) => {
                if (!attempt.isOver) {
                    this.#attempt = null;
                    this.#onTokenError(error);
                    this.#onFailure(CloseCode.LOST, "no token");
                }
            },
        );
    }

    #link(attempt: Attempt, token: string): void {
        const { userId, organisationId } = readClaims(token);
        if (userId !== undefined && organisationId !== undefined) {
            this.#recognise(userId, organisationId);
        }
        const { received } = this.#ledger;
        attempt.after = received?.seq ?? this.#options.after;
        const target = {
            base: this.#base,
            token,
            after: attempt.after,
            epoch: received?.epoch,
            presence: this.#options.presence,
        };
        const open = (events: LinkEvents) =>
            attempt.transport === "websocket"
                ? openWebSocket(this.#transports.socketType, target, events)
                : openStream(this.#fetch(), target, events);
        const connection = new Connection(open, {
            welcomed: opened => this.#onWelcome(attempt, opened),
            frame: (from, frame, bytes) => this.#onFrame(from, frame, bytes),
            garbled: text =>
                this.#report({ kind: "frame", error: new Error(`Not a frame: ${text.slice(0, 100)}`) }),
            closed: (closed, code, reason, retryAfterMs) =>
                this.#onClosed(closed, code, reason, retryAfterMs),
        });
        attempt.held = { connection, token, renewal: null, since: 0 };
    }

    #onWelcome(attempt: Attempt, connection: Connection): void {
        const held = attempt.held;
        const welcome = connection.welcome;
        if (held === null || welcome === null) {
            return;
        }
        if (
            this.#recognise(welcome.userId, welcome.organisationId) &&
            attempt.after !== this.#options.after
        ) {
            // The position was another member's: this link starts in the wrong place.
            connection.close();
            this.#attempt = null;
            this.#open();
            return;
        }
        this.#release(this.#current);
        this.#attempt = null;
        this.#isLeaving = false;
        this.#current = held;
        held.since = Date.now();
        this.#refusals = 0;
        this.#transports.succeeded(connection.transport, () => this.#changeover("websocket"));
        this.#ledger.welcomed(welcome, attempt.after !== undefined);
        held.renewal = this.#renewal(held, welcome);
        this.#roster.begin();
        this.#emit("WELCOME", welcome);
        if (this.#current === held) {
            this.#setStatus("connected");
            this.#opening?.resolve();
        }
    }

    #renewal(held: Held, welcome: Welcome): Renewal {
        return new Renewal(held.token, welcome.tokenExpiresAt, this.#tokens.isFresh(held.token), {
            refresh: () => this.#tokens.get(true),
            put: token => {
                held.token = token;
                if (held.connection.transport === "sse") {
                    // A stream takes no other token: another stream takes over.
                    this.#leave();
                    return false;
                }
                return held.connection.send({ type: "AUTH", payload: { token } });
            },
            failed: error => this.#onTokenError(error),
        });
    }

    /** Opens the link that takes over from the present one, which will not last. */
    #leave(): void {
        this.#isLeaving = true;
        this.#changeover();
    }

    /** Opens the next link beside the present one. */
    #changeover(transport?: Transport): void {
        if (this.#current !== null && this.#attempt === null) {
            this.#open(transport);
        }
    }

    // --- Links that end -------------------------------------------------------------------------------------

    #onClosed(connection: Connection, code: number, reason: string, retryAfterMs?: number): void {
        const attempt = this.#attempt;
        if (attempt !== null && attempt.held?.connection === connection) {
            this.#attempt = null;
            this.#refusals += code === CloseCode.UNAUTHENTICATED ? 1 : 0;
            this.#transports.failed(connection.transport, code, reason === NO_STREAMS);
            this.#onFailure(code, reason, retryAfterMs);
        } else if (this.#current?.connection === connection) {
            const { since } = this.#current;
            this.#release(this.#current);
            this.#current = null;
            if (Date.now() - since >= STABLE_MS) {
                this.#failures = 0;
            }
            if (this.#attempt === null) {
                this.#onFailure(code, reason, retryAfterMs);
            } else {
                // Its successor is on its way.
                this.#setStatus("reconnecting", { code, text: reason });
            }
        }
    }

    /** There is no link, or the one that was to take over did not open. */
    #onFailure(code: number, text: string, retryAfterMs = 0): void {
        if (this.#opening === null) {
            return;
        }
        const reaction = reactionTo(code);
        this.#needsRefresh ||= reaction === "refresh-token";
        if (this.#current !== null) {
            // The present link is still there. Where it is to be left, that is tried again while it is.
            if (this.#isLeaving) {
                const waitMs = 1_000 + backoffMs(1, this.#options.backoff);
                this.#changeoverTimer = setTimeout(() => this.#leave(), waitMs);
            }
            return;
        }
        if (reaction === "never" || this.#refusals > MAX_REFUSALS) {
            this.#stop({ code, text });
            return;
        }
        const isAtOnce = this.#failures === 0 && reaction !== "back-off" && retryAfterMs === 0;
        const waitMs = isAtOnce ? 0 : backoffMs(this.#failures, this.#options.backoff);
        // On top of what was asked for, since all who were sent away together were asked for the same.
        const retryInMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) + waitMs;
        this.#failures += 1;
        this.#retryTimer = setTimeout(() => this.#open(), retryInMs);
        this.#setStatus("reconnecting", { code, text }, retryInMs);
    }

    /** Whether the member is another than before, who may see others. */
    #recognise(userId: string, organisationId: string): boolean {
        const isAnother = this.#ledger.recognise(userId, organisationId);
        if (isAnother) {
            this.#roster.forget();
        }
        return isAnother;
    }

    #onTokenError(error: unknown): void {
        if (error instanceof SignedOut) {
            this.#stop({ code: CloseCode.UNAUTHENTICATED, text: error.message });
        } else {
            this.#report({ kind: "token", error });
        }
    }

    #release(held: Held | null): void {
        held?.renewal?.end();
        held?.connection.close();
    }

    /** Lets go of everything. */
    #stop(reason: CloseReason): void {
        const opening = this.#opening;
        if (opening === null) {
            return;
        }
        this.#opening = null;
        this.#unwatch?.();
        this.#dropLinks();
        this.#ledger.clear();
        this.#failures = 0;
        this.#refusals = 0;
        this.#setStatus("closed", reason);
        opening.reject(new ClosedError(reason));
    }

    #dropLinks(): void {
        clearTimeout(this.#retryTimer);
        clearTimeout(this.#changeoverTimer);
        this.#transports.stop();
        this.#roster.stop();
        if (this.#attempt !== null) {
            this.#attempt.isOver = true;
            this.#release(this.#attempt.held);
            this.#attempt = null;
        }
        this.#release(this.#current);
        this.#current = null;
    }

    // --- What comes in --------------------------------------------------------------------------------------

    #onFrame(from: Connection, frame: Activity | ControlFrame, bytes: number): void {
        const held = this.#current;
        if (held === null) {
            return;
        }
        if (isLogged(frame)) {
            this.#ledger.activity(frame, from.welcome?.headSeq ?? 0, bytes);
            if (this.#ledger.isFull) {
                this.#dropLinks();
                this.#setStatus("paused");
            }
            return;
        }
        switch (frame.type) {
            case "PONG":
                this.#ledger.pong(frame.payload.seq);
                break;
            case "RESUME_GAP":
                this.#ledger.gap(frame.payload, from.welcome?.epoch ?? "");
                break;
            case "AUTH_OK":
                held.renewal?.plan(held.token, frame.payload.tokenExpiresAt, true);
                break;
            case "ERROR":
                if (frame.payload.code === "token_invalid" || frame.payload.code === "access_unknown") {
                    held.renewal?.refused();
                }
                this.#emit("ERROR", frame.payload);
                break;
            case "GOAWAY":
                this.#onGoAway(frame.payload.closesInMs);
                break;
            case "USER_ONLINE":
            case "USER_OFFLINE":
                this.#roster.said(frame.type, frame.payload.userId);
                break;
            default:
                // From a later hub.
                break;
        }
    }

    #onGoAway(closesInMs: number): void {
        this.#emit("GOAWAY", { closesInMs });
        // Not at once: there is time, and others are told too.
        clearTimeout(this.#changeoverTimer);
        this.#changeoverTimer = setTimeout(() => this.#leave(), closesInMs * (0.5 + Math.random() * 0.4));
    }

    /** There is room again for what comes. */
    #resume(): void {
        if (this.#status === "paused" && this.#opening !== null) {
            this.#setStatus("reconnecting");
            this.#open();
        }
    }

    // --- What is told ---------------------------------------------------------------------------------------

    #setStatus(status: Status, reason: CloseReason | null = null, retryInMs: number | null = null): void {
        const previous = this.#status;
        this.#status = status;
        const change: StatusChange = { status, previous, transport: this.transport, reason, retryInMs };
        this.#emit("status", change);
    }

    #emit(name: keyof ControlEvents, event: unknown): void {
        const delivery: Delivery = { replayed: false };
        for (const handler of this.#handlers.of(name)) {
            void callInTurn([handler], event, delivery, error => {
                this.#report({ kind: "handler", error, activity: null });
            });
        }
    }

    /** Tells of an error. One that nobody listens for is not lost. */
    #report(error: ClientError): void {
        const handlers = this.#handlers.of("error");
        if (handlers.length === 0) {
            console.error(`roomcast: ${error.kind} error`, error.error);
        }
        for (const handler of handlers) {
            void callInTurn([handler], error, { replayed: false }, failure => console.error(failure));
        }
    }

    #fetch(): Fetch {
        return this.#options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    }
}

/** Makes a client. It does nothing before `connect()`. */
export function createClient(options: ClientOptions): RoomcastClient {
    return new RoomcastClient(options);
}
