import type { Activity, Delivery, ResumeGap, StatusChange } from "@roomcast/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LiveClient, LiveStore, lossOf } from "./store";

function activity(seq: number): Activity {
    return {
        type: "X",
        seq,
        id: `id-${seq}`,
        actor: null,
        target: null,
        payload: {},
        createdAt: "2026-11-21T00:00:00.000Z",
    };
}

/** A client whose events a test makes. */
class FakeClient {
    status = "idle";
    online = new Set<string>();
    position = null;
    closed = 0;
    readonly handlers = new Map<string, (event: unknown, delivery: Delivery) => unknown>();

    on(type: string, handler: (event: never, delivery: Delivery) => unknown): () => void {
        this.handlers.set(type, handler as (event: unknown, delivery: Delivery) => unknown);
        return () => this.handlers.delete(type);
    }

    connect(): Promise<void> {
        return Promise.resolve();
    }

    close(): Promise<void> {
        this.closed += 1;
        this.to({ status: "closed", reason: { code: 1000, text: "closed by the application" } });
        return Promise.resolve();
    }

    ping(): Promise<number> {
        return Promise.resolve(3);
    }

    to(change: Partial<StatusChange> & { status: StatusChange["status"] }): void {
        const previous = this.status as StatusChange["status"];
        this.status = change.status;
        this.emit("status", { previous, transport: null, reason: null, retryInMs: null, ...change });
    }

    emit(type: string, event: unknown, replayed = false): unknown {
        return this.handlers.get(type)?.(event, { replayed });
    }
}

let client: FakeClient;
let history: Activity[];
let store: LiveStore;

beforeEach(async () => {
    vi.useFakeTimers();
    vi.stubGlobal("document", { visibilityState: "visible" });
    client = new FakeClient();
    history = [activity(2), activity(1)];
    store = new LiveStore({
        history: async () => ({ items: history, nextCursor: null }),
        client: after => {
            expect(after).toBe(2);
            return client as unknown as LiveClient;
        },
    });
    await store.start();
});

afterEach(() => {
    store.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

function seqs(): number[] {
    return store.snapshot().timeline.rows.flatMap(row => (row.kind === "entry" ? [row.activity.seq] : []));
}

test("it goes on where the history ends, and tells its listeners", () => {
    const heard: number[] = [];
    store.onArrival(({ seq }) => heard.push(seq));
    client.to({ status: "connected", transport: "websocket" });
    client.emit("activity", activity(3));
    expect(seqs()).toEqual([3, 2, 1]);
    expect(heard).toEqual([3]);
    expect(store.snapshot()).toMatchObject({
        status: "connected",
        transport: "websocket",
        seq: 3,
        isReady: true,
    });
});

test("a cut is the reader's own, and ends with the next connection", () => {
    client.to({ status: "connected" });
    store.cut();
    expect(store.snapshot()).toMatchObject({ isCut: true, status: "closed" });
    expect(store.snapshot().timeline.rows[0]).toMatchObject({
        kind: "break",
        outage: { to: null, isOnPurpose: true, reason: "you dropped the connection" },
    });
    store.reconnect();
    client.to({ status: "connected" });
    client.emit("activity", activity(3), true);
    const [first, second] = store.snapshot().timeline.rows;
    expect(first).toMatchObject({ kind: "entry", arrival: "replayed" });
    expect(second).toMatchObject({ kind: "break", outage: { replayed: 1, to: Date.now() } });
});

test("the next attempt is counted down to", () => {
    client.to({ status: "connected" });
    client.to({ status: "reconnecting", reason: { code: 1006, text: "" }, retryInMs: 1_500 });
    expect(store.snapshot().retryAt).toBe(Date.now() + 1_500);
});

test("the latency is measured while somebody looks", async () => {
    client.to({ status: "connected" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(store.snapshot().latencies.map(({ ms }) => ms)).toEqual([3, 3]);
    vi.stubGlobal("document", { visibilityState: "hidden" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.snapshot().latencies).toHaveLength(2);
});

test("another log begins with its own history", async () => {
    history = [activity(1)];
    await client.emit("RESUME_GAP", { reason: "epoch_changed", nextSeq: 2 } satisfies ResumeGap);
    expect(seqs()).toEqual([1]);
    expect(store.snapshot().timeline.rows[0]).toMatchObject({ kind: "gap" });
    await client.emit("RESUME_GAP", { reason: "expired", nextSeq: 9 } satisfies ResumeGap);
    expect(store.snapshot().timeline.rows[0]).toMatchObject({
        text: "Older activities are no longer kept: it goes on with #9.",
    });
});

test("a history that cannot be read is said, and read again on demand", async () => {
    const failing = new LiveStore({
        history: () => Promise.reject(new Error("no hub")),
        client: () => client as unknown as LiveClient,
    });
    await failing.start();
    expect(failing.snapshot()).toMatchObject({ isReady: false, error: new Error("no hub") });
    failing.stop();
});

test("every close has a reason in words", () => {
    expect(lossOf({ code: 4403, text: "removed" })).toBe("you were removed from the organisation");
    expect(lossOf({ code: 4999, text: "" })).toBe("the hub closed it (4999)");
});
