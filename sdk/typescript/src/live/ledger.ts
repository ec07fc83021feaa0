import type { KeyValueStorage } from "../storage.js";
import { type ClientError, callInTurn, type Handlers } from "./events.js";
import { Inbox, type Item } from "./inbox.js";
import { type Position, PositionStore } from "./position.js";
import type { Activity, ResumeGap, Welcome } from "./protocol.js";

/** What of the client's options is meant for the ledger. */
interface LedgerOptions {
    storage?: KeyValueStorage;
    storageKey?: string;
    onHandlerError?: "continue" | "stop";
    maxBufferedBytes?: number;
}

/** What the ledger tells. */
interface LedgerEvents {
    report(error: ClientError): void;
    /** A handler failed, and nothing more is to be handed over. */
    stopped(seq: number): void;
    /** After it was full, there is room again. */
    hasRoom(): void;
}

type Mark = Pick<Position, "seq" | "epoch">;

const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/**
 * What came in and what the application took, whatever links it came over: each activity once, in order. The two
 * differ by what waits to be handed over.
 */
export class Ledger {
    readonly #handlers: Handlers;
    readonly #events: LedgerEvents;
    readonly #stopsOnError: boolean;
    readonly #inbox: Inbox;
    readonly #store: PositionStore;
    /** Whose position it is. */
    #identity: Pick<Position, "organisationId" | "userId"> | null = null;
    #received: Mark | null = null;
    #taken: Mark | null = null;

    constructor(options: LedgerOptions, handlers: Handlers, events: LedgerEvents) {
        this.#handlers = handlers;
        this.#events = events;
        this.#stopsOnError = options.onHandlerError === "stop";
        this.#inbox = new Inbox(options.maxBufferedBytes ?? MAX_BUFFERED_BYTES, {
            take: item => this.#hand(item),
            taken: (epoch, seq) => this.#took({ epoch, seq }),
            failed: item => events.stopped(item.seq),
            hasRoom: () => events.hasRoom(),
        });
        this.#store = new PositionStore(options.storage, options.storageKey ?? "roomcast:position", error =>
            events.report({ kind: "storage", error }),
        );
    }

    /** Everything up to here came in; `null` before the first link. */
    get received(): Mark | null {
        return this.#received;
    }

    /** Everything up to here was taken by the application. */
    get position(): Position | null {
        return this.#taken === null || this.#identity === null ? null : { ...this.#identity, ...this.#taken };
    }

    /** Whether more waits for the application than may. */
    get isFull(): boolean {
        return this.#inbox.isFull;
    }

    /** Takes up the position that was stored by an earlier run of the application. */
    async load(): Promise<void> {
        const stored = await this.#store.load();
        if (stored !== null) {
            const { seq, epoch, organisationId, userId } = stored;
            this.#taken = { seq, epoch };
            this.#identity = { organisationId, userId };
        }
    }

    /** What the hub is asked for next begins where the application is. What it is still at does not come again. */
    begin(): void {
        const { current } = this.#inbox;
        this.#received = current === null ? this.#taken : { seq: current.seq, epoch: current.epoch };
    }

    /** Forgets what was not handed over. */
    clear(): void {
        this.#inbox.clear();
    }

    /** Resolves once the position is stored. */
    flush(): Promise<void> {
        return this.#store.flush();
    }

    /** Whether the member is another than the one whose position it was, which then is forgotten. */
    recognise(userId: string, organisationId: string): boolean {
        const known = this.#identity;
        if (known?.userId === userId && known.organisationId === organisationId) {
            return false;
        }
        this.#identity = { userId, organisationId };
        if (known === null) {
            return false;
        }
        this.#inbox.forget();
        this.#received = null;
        this.#taken = null;
        return true;
    }

    /** A link has begun. Where it does not go on from the position that was asked for, a RESUME_GAP follows. */
    welcomed({ seq, epoch }: Welcome, wasAsked: boolean): void {
        if (this.#received === null || !wasAsked) {
            this.#position({ seq, epoch });
        }
    }

    /** Another link may send again what the one before has sent. */
    activity(activity: Activity, headSeq: number, bytes: number): void {
        const { seq } = activity;
        if (this.#received !== null && seq > this.#received.seq) {
            const { epoch } = this.#received;
            this.#received = { seq, epoch };
            this.#inbox.push({ kind: "activity", activity, replayed: seq <= headSeq, seq, epoch, bytes });
        }
    }

    /** Everything up to there has been sent. */
    pong(seq: number): void {
        if (this.#received !== null && seq > this.#received.seq) {
            this.#position({ seq, epoch: this.#received.epoch });
        }
    }

    /** What lies between will not come. */
    gap(gap: ResumeGap, epoch: string): void {
        const seq = gap.nextSeq - 1;
        const received = this.#received;
        // What is no longer kept may have come over the link before. Another log may be shorter.
        if (gap.reason === "expired" && received?.epoch === epoch && received.seq >= seq) {
            return;
        }
        this.#received = { seq, epoch };
        this.#inbox.push({ kind: "gap", gap, seq, epoch, bytes: 0 });
    }

    #position(mark: Mark): void {
        this.#received = mark;
        this.#inbox.push({ kind: "position", ...mark, bytes: 0 });
    }

    #hand(item: Item): Promise<void> | undefined {
        if (item.kind === "position") {
            return undefined;
        }
        const isGap = item.kind === "gap";
        const event = isGap ? item.gap : item.activity;
        const handlers = isGap
            ? this.#handlers.of("RESUME_GAP")
            : [...this.#handlers.of(item.activity.type), ...this.#handlers.of("activity")];
        const errors: unknown[] = [];
        const judge = (): void => {
            if (errors.length > 0 && this.#stopsOnError) {
                throw errors[0];
            }
        };
        const done = callInTurn(handlers, event, { replayed: !isGap && item.replayed }, error => {
            errors.push(error);
            this.#events.report({ kind: "handler", error, activity: isGap ? null : item.activity });
        });
        if (done !== undefined) {
            return done.then(judge);
        }
        judge();
        return undefined;
    }

    #took(mark: Mark): void {
        this.#taken = mark;
        const { position } = this;
        if (position !== null) {
            this.#store.save(position);
        }
    }
}
