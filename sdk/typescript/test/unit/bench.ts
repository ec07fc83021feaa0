// A client on a hub in memory, with what it told.
import { afterEach, beforeEach, vi } from "vitest";
import {
    type Activity,
    type ClientOptions,
    createClient,
    type RoomcastClient,
    type StatusChange,
} from "../../src/index.js";
import { FakeHub, makeToken } from "./fake-hub.js";

export interface Bench {
    hub: FakeHub;
    client: RoomcastClient;
    /** The places of the activities that were handed over. */
    seqs: number[];
    statuses: StatusChange[];
    /** What tokens were asked for. */
    tokens: { refresh: boolean; last: string | null }[];
}

/** A client that is not connected yet. Time is to be faked before. */
export function prepare(options: Partial<ClientOptions> = {}): Bench {
    const hub = new FakeHub();
    const tokens: Bench["tokens"] = [];
    const client = createClient({
        url: "http://hub.test",
        token: request => {
            tokens.push(request);
            return makeToken(`token-${tokens.length}`, hub.tokenSeconds);
        },
        WebSocket: hub.WebSocket,
        ...options,
    });
    const seqs: number[] = [];
    const statuses: StatusChange[] = [];
    client.on("activity", (activity: Activity) => void seqs.push(activity.seq));
    client.on("status", change => void statuses.push(change));
    return { hub, client, seqs, statuses, tokens };
}

/** A client that is connected. */
export async function connected(options: Partial<ClientOptions> = {}): Promise<Bench> {
    const bench = prepare(options);
    void bench.client.connect();
    await pass(5);
    return bench;
}

export async function pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
}

/** Has each test of a file move the time itself, while everybody waits as long as they may at most. */
export function fakeTime(): void {
    beforeEach(() => {
        vi.useFakeTimers();
        vi.spyOn(Math, "random").mockReturnValue(0.999_999);
    });
    afterEach(() => {
        vi.useRealTimers();
        vi.restoreAllMocks();
        vi.unstubAllGlobals();
    });
}
