import { readClaims } from "../token.js";
import { baseOf } from "../url.js";
import { backoffMs } from "./backoff.js";
import { CloseCode, reactionTo } from "./close-codes.js";
import { Connection } from "./connection.js";
import { Deferred } from "./deferred.js";
import {
    type ClientEvents,
    ClosedError,
    type CloseReason,
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
import { Retries } from "./retries.js";
import { Roster } from "./roster.js";
import { type Fetch, NO_STREAMS, openStream } from "./sse.js";
import { Renewal, SignedOut, TokenKeeper } from "./tokens.js";
import { TransportChoice } from "./transport.js";
import { watchWaking } from "./wake.js";
import { openWebSocket, type WebSocketConstructor } from "./websocket.js";

/** An attempt that takes longer is begun anew when the machine wakes up. */
const STALE_ATTEMPT_MS = 2_000;

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
    readonly #retries: Retries;

    #status: Status = "idle";
    /** What `connect()` waits for. */
    #opening: Deferred | null = null;
    #current: Held | null = null;
    #attempt: Attempt | null = null;
    #changeoverTimer: ReturnType<typeof setTimeout> | undefined;
    #unwatch: (() => void) | null = null;
    /** Whether the present link is to be left for another. */
    #isLeaving = false;
    #isLoaded = false;

    constructor(options: ClientOptions) {
        this.#options = options;
        this.#base = baseOf(options.url);
        this.#tokens = new TokenKeeper(options.token);
        this.#ledger = new Ledger(options, this.#handlers, {
            report: error => this.#handlers.report(error),
            stopped: seq => this.#stop({ code: CloseCode.NORMAL, text: `a handler failed at ${seq}` }),
            hasRoom: () => this.#resume(),
        });
        const socketType =
            options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
        this.#transports = new TransportChoice(options.transport ?? "auto", socketType);
        this.#roster = new Roster((type, userId) => this.#handlers.emit(type, { userId }));
        this.#retries = new Retries(options.backoff);
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
            this.#retries.forgive();
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
        this.#retries.cancel();
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
        this.#tokens.get(this.#retries.needsRefresh).then(
            token => {
                if (!attempt.isOver) {
                    this.#retries.needsRefresh = false;
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
                this.#handlers.report({
                    kind: "frame",
                    error: new Error(`Not a frame: ${text.slice(0, 100)}`),
                }),
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
        this.#retries.opened();
        this.#transports.succeeded(connection.transport, () => this.#changeover("websocket"));
        this.#ledger.welcomed(welcome, attempt.after !== undefined);
        held.renewal = this.#renewal(held, welcome);
        this.#roster.begin();
        this.#handlers.emit("WELCOME", welcome);
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
            this.#retries.refused(code);
            this.#transports.failed(connection.transport, code, reason === NO_STREAMS);
            this.#onFailure(code, reason, retryAfterMs);
        } else if (this.#current?.connection === connection) {
            this.#retries.lost(this.#current.since);
            this.#release(this.#current);
            this.#current = null;
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
        this.#retries.needsRefresh ||= reactionTo(code) === "refresh-token";
        if (this.#current !== null) {
            // The present link is still there. Where it is to be left, that is tried again while it is.
            if (this.#isLeaving) {
                const waitMs = 1_000 + backoffMs(1, this.#options.backoff);
                this.#changeoverTimer = setTimeout(() => this.#leave(), waitMs);
            }
            return;
        }
        const retryInMs = this.#retries.waitMs(code, retryAfterMs);
        if (retryInMs === null) {
            this.#stop({ code, text });
            return;
        }
        this.#retries.plan(() => this.#open(), retryInMs);
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
            this.#handlers.report({ kind: "token", error });
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
        this.#retries.reset();
        this.#setStatus("closed", reason);
        opening.reject(new ClosedError(reason));
    }

    #dropLinks(): void {
        this.#retries.cancel();
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
                this.#handlers.emit("ERROR", frame.payload);
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
        this.#handlers.emit("GOAWAY", { closesInMs });
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
        this.#handlers.emit("status", change);
    }

    #fetch(): Fetch {
        return this.#options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    }
}

/** Makes a client. It does nothing before `connect()`. */
export function createClient(options: ClientOptions): RoomcastClient {
    return new RoomcastClient(options);
}
