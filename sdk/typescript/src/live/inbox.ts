import type { Activity, ResumeGap } from "./protocol.js";

/** What waits to be handed to the application, and the position once it took it. */
export type Item =
    | { kind: "activity"; activity: Activity; replayed: boolean; seq: number; epoch: string; bytes: number }
    | { kind: "gap"; gap: ResumeGap; seq: number; epoch: string; bytes: number }
    | { kind: "position"; seq: number; epoch: string; bytes: number };

/** What the inbox does with its items. */
export interface InboxEvents {
    /** Hands an item over. A promise is awaited before the next. */
    take(item: Item): void | Promise<void>;
    /** The application took everything up to here. */
    taken(epoch: string, seq: number): void;
    /** The application did not take it. */
    failed(item: Item): void;
    /** There is room again. */
    hasRoom(): void;
}

/** What an item holds in memory besides its text, about. */
const OVERHEAD = 256;

/** A queue that hands one item after the other over. */
export class Inbox {
    readonly #events: InboxEvents;
    readonly #maxBytes: number;
    #items: Item[] = [];
    #head = 0;
    #bytes = 0;
    #running = false;
    #wasFull = false;
    /** What the application is at. */
    #current: Item | null = null;

    constructor(maxBytes: number, events: InboxEvents) {
        this.#maxBytes = maxBytes;
        this.#events = events;
    }

    get isFull(): boolean {
        return this.#bytes > this.#maxBytes;
    }

    /** What the application is at. */
    get current(): Item | null {
        return this.#current;
    }

    get length(): number {
        return this.#items.length - this.#head;
    }

    push(item: Item): void {
        const last = this.#items.at(-1);
        if (
            item.kind === "position" &&
            last?.kind === "position" &&
            this.length > 0 &&
            last.epoch === item.epoch
        ) {
            last.seq = item.seq;
            return;
        }
        this.#items.push(item);
        this.#bytes += item.bytes + OVERHEAD;
        this.#wasFull ||= this.isFull;
        if (!this.#running) {
            this.#running = true;
            this.#run();
        }
    }

    /** Forgets what waits, and that what the application is at now will have been taken. */
    forget(): void {
        this.clear();
        this.#current = null;
    }

    /** Forgets what waits. What the application is at goes on to its end. */
    clear(): void {
        this.#items = [];
        this.#head = 0;
        this.#bytes = 0;
        this.#wasFull = false;
    }

    /** Hands over until nothing waits, or until a handler returns a promise, after which it goes on. */
    #run(): void {
        for (let item = this.#shift(); item !== undefined; item = this.#shift()) {
            const current = item;
            this.#current = item;
            try {
                const done = this.#events.take(current);
                if (done !== undefined) {
                    done.then(
                        () => this.#finish(current),
                        () => this.#fail(current),
                    ).then(() => this.#run());
                    return;
                }
                this.#finish(current);
            } catch {
                this.#fail(current);
            }
        }
        this.#running = false;
    }

    #finish(item: Item): void {
        if (this.#current === item) {
            this.#current = null;
            this.#events.taken(item.epoch, item.seq);
        }
    }

    #fail(item: Item): void {
        if (this.#current === item) {
            this.#current = null;
            this.#events.failed(item);
        }
    }

    #shift(): Item | undefined {
        const item = this.#items[this.#head];
        if (item === undefined) {
            this.#items = [];
            this.#head = 0;
        } else {
            this.#head += 1;
            this.#bytes -= item.bytes + OVERHEAD;
            // Not at each: moving what is left costs its length.
            if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
                this.#items = this.#items.slice(this.#head);
                this.#head = 0;
            }
        }
        if (this.#wasFull && this.#bytes <= this.#maxBytes / 2) {
            this.#wasFull = false;
            this.#events.hasRoom();
        }
        return item;
    }
}
