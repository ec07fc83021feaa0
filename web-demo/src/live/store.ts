import {
    type Activity,
    type ClientEvents,
    CloseCode,
    type CloseReason,
    type Delivery,
    type Handler,
    type Page,
    type Status,
    type Transport,
} from "@roomcast/client";
import { type Outage, Timeline } from "./timeline";

/** What the page knows of its connection and of what came over it. */
export interface LiveState {
    status: Status;
    transport: Transport | null;
    /** Why there is no connection; null while there is one. */
    reason: CloseReason | null;
    /** When the next attempt is made, by this machine's clock. */
    retryAt: number | null;
    /** Whether the reader has cut the connection. */
    isCut: boolean;
    timeline: Timeline;
    /** Up to which `seq` everything has come. */
    seq: number | null;
    online: ReadonlySet<string>;
    /** The last answers to a PING, in milliseconds, oldest first. */
    latencies: readonly Latency[];
    /** Why the history could not be read. */
    error: unknown;
    /** Whether the history is there. */
    isReady: boolean;
}

/** How long an answer took. */
export interface Latency {
    at: number;
    ms: number;
}

/** What the store needs of a client. */
export interface LiveClient {
    readonly status: Status;
    readonly online: ReadonlySet<string>;
    readonly position: { seq: number } | null;
    on<T extends keyof ClientEvents>(type: T, handler: Handler<T>): () => void;
    connect(): Promise<void>;
    close(): Promise<void>;
    ping(): Promise<number>;
}

/** Where the store gets what it needs. */
export interface LiveSources {
    /** The newest activities, newest first. */
    history(): Promise<Page<Activity>>;
    /** A client that begins after this `seq`. */
    client(after: number): LiveClient;
}

/** Called with an activity as it comes. */
export type ArrivalListener = (activity: Activity, delivery: Delivery) => void;

/** Between two measurements of the latency. */
const PING_EVERY_MS = 5_000;

const MOST_LATENCIES = 60;

const FIRST: LiveState = {
    status: "idle",
    transport: null,
    reason: null,
    retryAt: null,
    isCut: false,
    timeline: Timeline.empty,
    seq: null,
    online: new Set(),
    latencies: [],
    error: null,
    isReady: false,
};

/** The live connection of one member, for as long as they are signed in. */
export class LiveStore {
    readonly #sources: LiveSources;
    #state: LiveState = FIRST;
    #client: LiveClient | null = null;
    #pinging: ReturnType<typeof setInterval> | undefined;
    #isStopped = false;
    readonly #listeners = new Set<() => void>();
    readonly #arrivals = new Set<ArrivalListener>();

    constructor(sources: LiveSources) {
        this.#sources = sources;
    }

    /** Calls the listener after each change. Returns what ends that. */
    readonly subscribe = (listener: () => void): (() => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    };

    readonly snapshot = (): LiveState => this.#state;

    /** Calls the listener with each activity that comes. Returns what ends that. */
    onArrival(listener: ArrivalListener): () => void {
        this.#arrivals.add(listener);
        return () => this.#arrivals.delete(listener);
    }

    /** Reads the history and goes on from its end. Again after a failure. */
    async start(): Promise<void> {
        this.#isStopped = false;
        this.#set({ error: null });
        try {
            const { items } = await this.#sources.history();
            if (this.#isStopped || this.#client !== null) {
                return;
            }
            const seq = items[0]?.seq ?? 0;
            this.#set({ timeline: Timeline.from(items), seq, isReady: true });
            this.#follow(this.#sources.client(seq));
        } catch (error) {
            this.#set({ error });
        }
    }

    /** Lets go of the connection for good. */
    stop(): void {
        this.#isStopped = true;
        clearInterval(this.#pinging);
        void this.#client?.close();
        this.#client = null;
    }

    /** Cuts the connection, until `reconnect`. */
    cut(): void {
        this.#set({ isCut: true });
        void this.#client?.close();
    }

    /** Connects again after a cut, or after the hub closed for good. */
    reconnect(): void {
        this.#set({ isCut: false });
        this.#client?.connect().catch(() => undefined);
    }

    #follow(client: LiveClient): void {
        this.#client = client;
        client.on("activity", (activity, delivery) => this.#arrived(activity, delivery));
        client.on("status", change => {
            if (this.#client !== client) {
                return;
            }
            const { status, transport, reason, retryInMs } = change;
            const timeline = this.#afterStatus(status, change.previous, reason);
            const retryAt = retryInMs === null ? null : Date.now() + retryInMs;
            this.#set({ status, transport, reason, retryAt, timeline });
            if (status === "connected") {
                void this.#ping();
            }
        });
        client.on("RESUME_GAP", async ({ reason, nextSeq }) => {
            const text =
                reason === "expired"
                    ? `Older activities are no longer kept: it goes on with #${nextSeq}.`
                    : "The log was replaced: what was here before belongs to another one.";
            this.#set({ timeline: this.#state.timeline.gap(text, Date.now()), seq: nextSeq - 1 });
            if (reason !== "expired") {
                const { items } = await this.#sources.history();
                this.#set({ timeline: Timeline.from(items).gap(text, Date.now()) });
            }
        });
        for (const type of ["USER_ONLINE", "USER_OFFLINE", "WELCOME"] as const) {
            client.on(type, () => this.#set({ online: new Set(client.online) }));
        }
        client.on("error", () => undefined);
        client.connect().catch(() => undefined);
        this.#pinging = setInterval(() => void this.#ping(), PING_EVERY_MS);
    }

    #afterStatus(status: Status, previous: Status, reason: CloseReason | null): Timeline {
        const { timeline, isCut } = this.#state;
        if (status === "connected") {
            return timeline.back(Date.now());
        }
        const isLost = previous === "connected" || previous === "reconnecting";
        return isLost && reason !== null ? timeline.lost(this.#outage(reason, isCut)) : timeline;
    }

    #outage(reason: CloseReason, isOnPurpose: boolean): Outage {
        const text = isOnPurpose ? "you dropped the connection" : lossOf(reason);
        return { from: Date.now(), to: null, reason: text, isOnPurpose, replayed: 0 };
    }

    #arrived(activity: Activity, delivery: Delivery): void {
        const timeline = this.#state.timeline.received(activity, delivery.replayed);
        this.#set({ timeline, seq: activity.seq });
        for (const listener of this.#arrivals) {
            listener(activity, delivery);
        }
    }

    async #ping(): Promise<void> {
        const client = this.#client;
        // Nobody looks at a hidden window, and its timers are late.
        if (client === null || client.status !== "connected" || document.visibilityState === "hidden") {
            return;
        }
        try {
            const ms = await client.ping();
            const latencies = [...this.#state.latencies, { at: Date.now(), ms }].slice(-MOST_LATENCIES);
            this.#set({ latencies, seq: client.position?.seq ?? this.#state.seq });
        } catch {
            // The connection went meanwhile, which its status tells.
        }
    }

    #set(change: Partial<LiveState>): void {
        this.#state = { ...this.#state, ...change };
        for (const listener of this.#listeners) {
            listener();
        }
    }
}

/** Why a connection was lost, in words. */
export function lossOf({ code, text }: CloseReason): string {
    switch (code) {
        case CloseCode.LOST:
            return "the hub could not be reached";
        case CloseCode.GOING_AWAY:
        case CloseCode.RESTART:
            return "the hub is restarting";
        case CloseCode.UNAUTHENTICATED:
            return "the session has ended";
        case CloseCode.REMOVED:
            return "you were removed from the organisation";
        case CloseCode.SUSPENDED:
            return "the organisation is suspended";
        default:
            return text === "" ? `the hub closed it (${code})` : text;
    }
}
