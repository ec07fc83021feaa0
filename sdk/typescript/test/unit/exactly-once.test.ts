// What the client is for, against everything that may happen to it in any order.
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Activity, createClient, type ResumeGap } from "../../src/index.js";
import { FakeHub, makeToken } from "./fake-hub.js";

beforeEach(() => {
    vi.useFakeTimers();
});

afterEach(() => {
    vi.useRealTimers();
});

/** One thing that happens. */
type Step =
    | { do: "append"; count: number; isVisible: boolean }
    | { do: "deliver"; most: number }
    | { do: "repeat" }
    | { do: "pong" }
    | { do: "drop"; code: number }
    | { do: "silence" }
    | { do: "away" }
    | { do: "expire" }
    | { do: "replace"; length: number }
    | { do: "reopen" }
    | { do: "restart" }
    | { do: "wake" }
    | { do: "outage"; seconds: number }
    | { do: "wait"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
    {
        weight: 6,
        arbitrary: fc.record({
            do: fc.constant("append" as const),
            count: fc.integer({ min: 1, max: 5 }),
            isVisible: fc.boolean(),
        }),
    },
    {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant("deliver" as const), most: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("repeat" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("pong" as const) }) },
    {
        weight: 3,
        arbitrary: fc.record({
            do: fc.constant("drop" as const),
            code: fc.constantFrom(1006, 1001, 1012, 4408, 4429, 1011, 4401),
        }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("silence" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("away" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const) }) },
    {
        weight: 1,
        arbitrary: fc.record({
            do: fc.constant("replace" as const),
            length: fc.integer({ min: 0, max: 20 }),
        }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wake" as const) }) },
    {
        weight: 1,
        arbitrary: fc.record({
            do: fc.constant("outage" as const),
            seconds: fc.integer({ min: 1, max: 40 }),
        }),
    },
    {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
    },
);

/** An application that notes what it is handed, and how long it takes over each. */
class Application {
    /** What was handed over, by the log it came from. */
    readonly taken: { epoch: string; seq: number }[] = [];
    readonly gaps: { epoch: string; after: number; gap: ResumeGap }[] = [];
    /** Whether it was handed something while it was still at something else. */
    overlapped = false;
    #busy = false;
    readonly #delays: number[];
    #next = 0;

    constructor(delays: number[]) {
        this.#delays = delays;
    }

    async take(activity: Activity): Promise<void> {
        const epoch = activity.id.slice(0, activity.id.lastIndexOf("-"));
        this.overlapped ||= this.#busy;
        this.#busy = true;
        this.taken.push({ epoch, seq: activity.seq });
        const delay = this.#delays[this.#next++ % this.#delays.length] ?? 0;
        if (delay > 0) {
            await new Promise(resolve => setTimeout(resolve, delay));
        }
        this.#busy = false;
    }
}

interface Run {
    steps: Step[];
    delays: number[];
    maxBufferedBytes: number;
}

const run: fc.Arbitrary<Run> = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 60 }),
    delays: fc.array(fc.constantFrom(0, 0, 1, 50, 700), { minLength: 1, maxLength: 5 }),
    maxBufferedBytes: fc.constantFrom(1_000, 1_000_000),
});

test("whatever happens, each activity is handed over once, in order", { timeout: 120_000 }, async () => {
    const runs = Number(process.env.ROOMCAST_SDK_RUNS ?? 300);
    await fc.assert(fc.asyncProperty(run, check), { numRuns: runs });
});

/** Lets it all happen, then lets the dust settle, and compares what was handed over with the log. */
async function check({ steps, delays, maxBufferedBytes }: Run): Promise<void> {
    const hub = new FakeHub();
    hub.isLive = false;
    let epochs = 1;
    /** What may be missing of each log, as it is no longer kept. */
    const expired = new Map<string, number>();
    const logs = new Map([[hub.epoch, hub.log]]);
    const app = new Application(delays);
    const stored = new Map<string, string>();
    let tokens = 0;
    const make = () => {
        const client = createClient({
            url: "http://hub.test",
            token: () => makeToken(`${++tokens}`),
            WebSocket: hub.WebSocket,
            transport: "websocket",
            after: 0,
            maxBufferedBytes,
            storage: {
                getItem: key => stored.get(key) ?? null,
                setItem: (key, value) => void stored.set(key, value),
                removeItem: key => void stored.delete(key),
            },
        });
        client.on("activity", activity => app.take(activity));
        client.on("RESUME_GAP", gap => {
            app.gaps.push({ epoch: hub.epoch, after: app.taken.at(-1)?.seq ?? 0, gap });
        });
        return client;
    };
    let client = make();
    void client.connect();
    await vi.advanceTimersByTimeAsync(5);

    for (const now of steps) {
        switch (now.do) {
            case "append":
                for (let count = 0; count < now.count; count += 1) {
                    hub.append(now.isVisible ? "BROADCAST_MESSAGE" : "SESSION_STARTED", now.isVisible);
                }
                break;
            case "deliver":
                for (const socket of hub.open) {
                    socket.deliver(now.most);
                }
                break;
            case "repeat":
                for (const socket of hub.open) {
                    const entry = hub.log[socket.position - 1];
                    if (entry?.isVisible === true) {
                        socket.frame(entry.activity);
                    }
                }
                break;
            case "pong":
                for (const socket of hub.open) {
                    socket.pong();
                }
                break;
            case "drop":
                for (const socket of hub.open) {
                    socket.drop(now.code);
                }
                break;
            case "silence":
                await vi.advanceTimersByTimeAsync(60_000);
                break;
            case "away":
                for (const socket of hub.open) {
                    socket.say("GOAWAY", { closesInMs: 2_000 });
                }
                break;
            case "expire": {
                hub.firstSeq = Math.max(hub.firstSeq, Math.ceil(hub.head / 2));
                expired.set(hub.epoch, hub.firstSeq);
                break;
            }
            case "replace":
                epochs += 1;
                hub.replaceLog(`epoch-${epochs}`, now.length);
                logs.set(hub.epoch, hub.log);
                break;
            case "reopen":
                void client.close();
                void client.connect();
                break;
            case "restart": {
                // The application ends between two activities, and starts again from what it stored.
                await client.close();
                await vi.advanceTimersByTimeAsync(1_000);
                client = make();
                void client.connect();
                break;
            }
            case "wake":
                client.wake();
                break;
            case "outage":
                hub.answer = "refuse";
                for (const socket of hub.open) {
                    socket.drop();
                }
                await vi.advanceTimersByTimeAsync(now.seconds * 1_000);
                hub.answer = "accept";
                break;
            case "wait":
                await vi.advanceTimersByTimeAsync(now.ms);
                break;
        }
    }

    // The dust settles: heartbeats come, and everything is sent.
    hub.isLive = true;
    for (let second = 0; second < 150; second += 1) {
        for (const socket of hub.open) {
            socket.deliver();
            socket.pong();
        }
        await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(client.status).toBe("connected");
    expect(hub.open).toHaveLength(1);
    expect(app.overlapped).toBe(false);
    expect(client.position).toMatchObject({ epoch: hub.epoch, seq: hub.head });
    expect(JSON.parse(stored.get("roomcast:position") ?? "{}")).toMatchObject({
        epoch: hub.epoch,
        seq: hub.head,
    });

    for (const [epoch, log] of logs) {
        const handed = app.taken.filter(taken => taken.epoch === epoch).map(({ seq }) => seq);
        const visible = log.filter(({ isVisible }) => isVisible).map(({ activity }) => activity.seq);
        // Once, in order, nothing that is not there.
        expect(handed).toEqual([...new Set(handed)].sort((a, b) => a - b));
        expect(visible).toEqual(expect.arrayContaining(handed));
        if (epoch !== hub.epoch) {
            // What came last may have been lost with its log.
            expect(isContiguous(handed, visible, expired.get(epoch))).toBe(true);
            continue;
        }
        const from = startOf(app, epoch, epochs);
        const missing = visible.filter(seq => seq > from && !handed.includes(seq));
        const excused = app.gaps.filter(({ gap }) => gap.reason === "expired");
        expect(missing.every(seq => excused.some(({ after, gap }) => seq > after && seq < gap.nextSeq))).toBe(
            true,
        );
    }
    await client.close();
    vi.clearAllTimers();
}

/** Where the client began with a log: at its start with the first, else where a RESUME_GAP said. */
function startOf(app: Application, epoch: string, epochs: number): number {
    if (epochs === 1) {
        return 0;
    }
    const gap = app.gaps.filter(other => other.epoch === epoch && other.gap.reason !== "expired").at(-1);
    return gap === undefined ? 0 : gap.gap.nextSeq - 1;
}

/** Whether what was handed over has no hole that expiry does not explain. */
function isContiguous(handed: number[], visible: number[], firstKept = 0): boolean {
    const [first, last] = [handed.at(0), handed.at(-1)];
    if (first === undefined || last === undefined) {
        return true;
    }
    return visible.every(seq => seq < first || seq > last || seq < firstKept || handed.includes(seq));
}
