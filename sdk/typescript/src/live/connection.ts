import { CloseCode } from "./close-codes.js";
import type { Link, LinkEvents, Transport } from "./link.js";
import { type Activity, type ControlFrame, parseFrame, type Welcome } from "./protocol.js";

/** What a connection tells. Nothing follows `closed`. */
export interface ConnectionEvents {
    /** The first frame, at which `connection.welcome` is there. */
    welcomed(connection: Connection): void;
    frame(connection: Connection, frame: Activity | ControlFrame, bytes: number): void;
    /** Something came that is no frame. */
    garbled(text: string): void;
    closed(connection: Connection, code: number, reason: string, retryAfterMs?: number): void;
}

/** How long from the start of a link to its WELCOME. */
const WELCOME_TIMEOUT_MS = 15_000;

/** How long an answer to a PING may take where it is asked whether the link still lives. */
const PROBE_TIMEOUT_MS = 5_000;

/** What two heartbeats may be late by, and a timer on a busy machine. */
const SLACK_MS = 2_000;

/** One link to the hub, from its opening to its end. It notices when the link is dead. */
export class Connection {
    readonly #events: ConnectionEvents;
    readonly #link: Link;
    #welcome: Welcome | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #probe: ReturnType<typeof setTimeout> | undefined;
    #seenAt = Date.now();
    #pings: { resolve: (ms: number) => void; reject: (error: Error) => void; sentAt: number }[] = [];
    #isOver = false;

    constructor(open: (events: LinkEvents) => Link, events: ConnectionEvents) {
        this.#events = events;
        this.#timer = setTimeout(() => this.#lose("no WELCOME in time"), WELCOME_TIMEOUT_MS);
        this.#link = open({
            frame: text => this.#receive(text),
            beat: () => this.#beat(),
            closed: (code, reason, retryAfterMs) => this.#end(code, reason, retryAfterMs),
        });
    }

    get transport(): Transport {
        return this.#link.transport;
    }

    /** The hub's first frame, once it has come. */
    get welcome(): Welcome | null {
        return this.#welcome;
    }

    send(frame: object): boolean {
        return !this.#isOver && this.#link.send(JSON.stringify(frame));
    }

    /** Measures the time until a PONG comes, in milliseconds. */
    ping(): Promise<number> {
        return new Promise((resolve, reject) => {
            this.#pings.push({ resolve, reject, sentAt: performance.now() });
            // Those who ask meanwhile share the answer: the hub counts frames.
            if (this.#pings.length === 1 && !this.send({ type: "PING" })) {
                this.#failPings("the link cannot be asked");
            }
        });
    }

    /** Asks whether the link still lives, after the machine may have slept. */
    check(): void {
        if (this.#welcome === null || this.#probe !== undefined || this.#isOver) {
            return;
        }
        if (this.send({ type: "PING" })) {
            this.#probe = setTimeout(() => this.#lose("no answer after waking up"), PROBE_TIMEOUT_MS);
        } else if (Date.now() - this.#seenAt > this.#silenceMs() / 2) {
            // Nothing can be asked on a stream. One that had missed a heartbeat is not waited for.
            this.#lose("silent while asleep");
        }
    }

    /** Closes the link. No event follows. */
    close(): void {
        if (!this.#isOver) {
            this.#finish();
            this.#link.close();
        }
    }

    #receive(text: string): void {
        if (this.#isOver) {
            return;
        }
        this.#beat();
        const frame = parseFrame(text);
        if (frame === null) {
            this.#events.garbled(text);
            return;
        }
        if (this.#welcome === null) {
            if (frame.type === "WELCOME") {
                this.#welcome = (frame as { payload: Welcome }).payload;
                clearTimeout(this.#timer);
                this.#watch();
                this.#events.welcomed(this);
            }
            return;
        }
        if (frame.type === "PONG") {
            const now = performance.now();
            for (const { resolve, sentAt } of this.#pings.splice(0)) {
                resolve(now - sentAt);
            }
        }
        this.#events.frame(this, frame, text.length);
    }

    #beat(): void {
        this.#seenAt = Date.now();
        clearTimeout(this.#probe);
        this.#probe = undefined;
    }

    #silenceMs(): number {
        return (this.#welcome?.heartbeatSeconds ?? 25) * 2_000 + SLACK_MS;
    }

    /** Looks at the latest moment at which something must have come. */
    #watch(): void {
        const due = this.#seenAt + this.#silenceMs();
        this.#timer = setTimeout(
            () => {
                const now = Date.now();
                if (now < this.#seenAt + this.#silenceMs()) {
                    this.#watch();
                } else if (now > due + SLACK_MS) {
                    // This timer is late itself: the machine slept, and what came waits to be read.
                    this.check();
                    if (!this.#isOver) {
                        this.#seenAt = now;
                        this.#watch();
                    }
                } else {
                    this.#lose("no heartbeat");
                }
            },
            Math.max(0, due - Date.now()),
        );
    }

    #lose(reason: string): void {
        this.#link.close();
        this.#end(CloseCode.LOST, reason);
    }

    #end(code: number, reason: string, retryAfterMs?: number): void {
        if (!this.#isOver) {
            this.#finish();
            this.#events.closed(this, code, reason, retryAfterMs);
        }
    }

    #finish(): void {
        this.#isOver = true;
        clearTimeout(this.#timer);
        clearTimeout(this.#probe);
        this.#failPings("the link was closed");
    }

    #failPings(reason: string): void {
        for (const { reject } of this.#pings.splice(0)) {
            reject(new Error(reason));
        }
    }
}
