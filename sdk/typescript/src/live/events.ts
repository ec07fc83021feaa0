import type { Transport } from "./link.js";
import type { Activity, ActivityPayloads, Refused, ResumeGap, Welcome } from "./protocol.js";

/**
 * Where the client is.
 *
 * - `idle`: not asked to connect yet.
 * - `connecting`: on its first way to the hub.
 * - `connected`: the hub said WELCOME, and the link lives.
 * - `reconnecting`: the link was lost; another attempt is under way or comes in `retryInMs`.
 * - `paused`: the application takes longer than the hub sends. Goes on by itself when it has caught up.
 * - `closed`: by `close()`, or because another attempt would end the same; `reason` says which.
 */
export type Status = "idle" | "connecting" | "connected" | "reconnecting" | "paused" | "closed";

/** Why a link or the client was closed. */
export interface CloseReason {
    /** The close code of the hub's table; 1000 for `close()`, 1006 for a link that was lost. */
    code: number;
    /** For people. */
    text: string;
}

/** Says why `connect()` came to nothing: another attempt would end the same. */
export class ClosedError extends Error {
    override readonly name = "ClosedError";
    readonly code: number;

    constructor({ code, text }: CloseReason) {
        super(`The client was closed: ${text} (${code})`);
        this.code = code;
    }
}

/** A change of status. */
export interface StatusChange {
    status: Status;
    previous: Status;
    /** What carries the frames, while connected. */
    transport: Transport | null;
    /** Why the link was lost or the client closed. */
    reason: CloseReason | null;
    /** How long until the next attempt; `null` where none is planned or one is under way. */
    retryInMs: number | null;
}

/** Something that went wrong in the application or beside the link. The client goes on unless said. */
export type ClientError =
    | { kind: "handler"; error: unknown; activity: Activity | null }
    | { kind: "token"; error: unknown }
    | { kind: "storage"; error: unknown }
    | { kind: "frame"; error: unknown };

/** What is said about an activity besides itself. */
export interface Delivery {
    /** Whether it happened before this connection began, so that it is a replay of what was missed. */
    replayed: boolean;
}

/** What `on` takes besides the types of activities. */
export interface ControlEvents {
    /** Every activity, those of unknown types included. */
    activity: Activity;
    /** Entries that were missed will not come. Comes in its place among the activities. */
    RESUME_GAP: ResumeGap;
    WELCOME: Welcome;
    /** The node goes away. The client changes over to another link by itself. */
    GOAWAY: { closesInMs: number };
    USER_ONLINE: { userId: string };
    USER_OFFLINE: { userId: string };
    /** The hub refused something that this client sent. */
    ERROR: Refused;
    status: StatusChange;
    error: ClientError;
}

/** All events with what their handlers get. */
export type ClientEvents = ControlEvents & { [T in keyof ActivityPayloads]: Activity<T> };

/** The activity of a type, or what another event carries. */
export type EventOf<T extends string> = T extends keyof ClientEvents ? ClientEvents[T] : Activity<T>;

/**
 * Is called with an event. For activities and RESUME_GAP a promise is awaited before the next is handed over;
 * for the others it is not.
 */
export type Handler<T extends string> = (event: EventOf<T>, delivery: Delivery) => unknown;

type AnyHandler = (event: never, delivery: Delivery) => unknown;

/** Handlers by the name of their event. */
export class Handlers {
    readonly #byName = new Map<string, readonly AnyHandler[]>();

    add(name: string, handler: AnyHandler): void {
        this.#byName.set(name, [...this.of(name), handler]);
    }

    remove(name: string, handler: AnyHandler): void {
        const left = this.of(name).filter(other => other !== handler);
        if (left.length === 0) {
            this.#byName.delete(name);
        } else {
            this.#byName.set(name, left);
        }
    }

    of(name: string): readonly AnyHandler[] {
        return this.#byName.get(name) ?? [];
    }

    /** Calls those of an event that waits for nobody. */
    emit(name: keyof ControlEvents, event: unknown): void {
        const delivery: Delivery = { replayed: false };
        for (const handler of this.of(name)) {
            void callInTurn([handler], event, delivery, error => {
                this.report({ kind: "handler", error, activity: null });
            });
        }
    }

    /** Tells of an error. One that nobody listens for is not lost. */
    report(error: ClientError): void {
        const handlers = this.of("error");
        if (handlers.length === 0) {
            console.error(`roomcast: ${error.kind} error`, error.error);
        }
        for (const handler of handlers) {
            void callInTurn([handler], error, { replayed: false }, failure => console.error(failure));
        }
    }
}

/**
 * Calls one handler after the other, each once the one before is done. One that fails keeps the others from
 * nothing. Returns a promise only where a handler did.
 */
export function callInTurn(
    handlers: readonly AnyHandler[],
    event: unknown,
    delivery: Delivery,
    onError: (error: unknown) => void,
): Promise<void> | undefined {
    for (const [index, handler] of handlers.entries()) {
        try {
            const done = handler(event as never, delivery);
            if (isThenable(done)) {
                return Promise.resolve(done)
                    .catch(onError)
                    .then(() => callInTurn(handlers.slice(index + 1), event, delivery, onError));
            }
        } catch (error) {
            onError(error);
        }
    }
    return undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
    return (
        typeof value === "object" &&
        value !== null &&
        typeof (value as { then?: unknown }).then === "function"
    );
}
