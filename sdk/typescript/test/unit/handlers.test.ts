import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { type Activity, isActivity } from "../../src/index.js";
import { connected, fakeTime, pass, prepare } from "./bench.js";
import { USER } from "./fake-hub.js";

fakeTime();

describe("handlers", () => {
    test("get the activities of their type, typed", async () => {
        const { hub, client } = await connected();
        const heard: string[] = [];
        client.on("BROADCAST_MESSAGE", activity => {
            expectTypeOf(activity.payload.message).toEqualTypeOf<string>();
            heard.push(`broadcast ${activity.payload.message}`);
        });
        client.on("PLAN_UPGRADED", ({ payload }) => {
            expectTypeOf(payload.from).toEqualTypeOf<string>();
            heard.push("plan");
        });
        client.on("SOMETHING_NEW", activity => {
            expectTypeOf(activity.payload).toEqualTypeOf<Record<string, unknown>>();
            heard.push(`new ${activity.seq}`);
        });
        client.on("activity", activity => {
            expectTypeOf(activity).toEqualTypeOf<Activity>();
            if (isActivity(activity, "BROADCAST_MESSAGE")) {
                expectTypeOf(activity.payload.sentBy).toEqualTypeOf<string>();
            }
            heard.push(`any ${activity.seq}`);
        });
        hub.append();
        hub.append("PLAN_UPGRADED");
        hub.append("SOMETHING_NEW");
        expect(heard).toEqual(["broadcast 1", "any 1", "plan", "any 2", "new 3", "any 3"]);
    });

    test("are taken away again", async () => {
        const { hub, client } = await connected();
        const first = vi.fn();
        const second = vi.fn();
        const away = client.on("BROADCAST_MESSAGE", first);
        client.on("BROADCAST_MESSAGE", second);
        hub.append();
        away();
        client.off("BROADCAST_MESSAGE", second);
        client.off("PLAN_UPGRADED", second);
        hub.append();
        expect(first).toHaveBeenCalledTimes(1);
        expect(second).toHaveBeenCalledTimes(1);
    });

    test("are awaited one after the other, over reconnects too", async () => {
        const { hub, client } = await connected();
        const log: string[] = [];
        const slow = (name: string) => async (activity: Activity) => {
            log.push(`${name}${activity.seq}`);
            await new Promise(resolve => setTimeout(resolve, 100));
            log.push(`/${name}${activity.seq}`);
        };
        client.on("BROADCAST_MESSAGE", slow("a"));
        client.on("BROADCAST_MESSAGE", slow("b"));
        hub.append();
        hub.append();
        expect(client.position?.seq).toBe(0);
        await pass(150);
        hub.socket.drop(1012);
        await pass(100);
        expect(client.position?.seq).toBe(1);
        hub.append();
        await pass(1_000);
        expect(log.join(" ")).toBe("a1 /a1 b1 /b1 a2 /a2 b2 /b2 a3 /a3 b3 /b3");
        expect(client.position?.seq).toBe(3);
    });

    test("are told what is a replay", async () => {
        const { hub, client } = await connected();
        const replayed: boolean[] = [];
        client.on("activity", (_, delivery) => void replayed.push(delivery.replayed));
        hub.append();
        await client.close();
        hub.append();
        void client.connect();
        await pass(5);
        hub.append();
        expect(replayed).toEqual([false, true, false]);
    });

    test("that fail are told of, and the next activity comes", async () => {
        const { hub, client } = await connected();
        const errors: unknown[] = [];
        const heard: number[] = [];
        client.on("error", error => void errors.push(error));
        client.on("BROADCAST_MESSAGE", () => {
            throw new Error("sync");
        });
        client.on("BROADCAST_MESSAGE", async () => {
            throw new Error("async");
        });
        client.on("BROADCAST_MESSAGE", ({ seq }) => void heard.push(seq));
        hub.append();
        hub.append();
        await pass(1);
        expect(heard).toEqual([1, 2]);
        expect(errors).toMatchObject([
            { kind: "handler", error: { message: "sync" }, activity: { seq: 1 } },
            { kind: "handler", error: { message: "async" }, activity: { seq: 1 } },
            { kind: "handler", error: { message: "sync" }, activity: { seq: 2 } },
            { kind: "handler", error: { message: "async" }, activity: { seq: 2 } },
        ]);
        expect(client.position?.seq).toBe(2);
    });

    test("that fail go to the console where nobody listens", async () => {
        const { hub, client } = await connected();
        const written = vi.spyOn(console, "error").mockReturnValue();
        const error = new Error("mine");
        client.on("BROADCAST_MESSAGE", () => {
            throw error;
        });
        client.on("status", () => {
            throw error;
        });
        hub.append();
        await client.close();
        expect(written.mock.calls).toEqual([
            ["roomcast: handler error", error],
            ["roomcast: handler error", error],
        ]);
    });

    test.each(["throws", "rejects"])("where one %s, stop, and get the same again", async how => {
        const { hub, client, statuses } = await connected({ onHandlerError: "stop" });
        client.on("error", () => undefined);
        const heard: number[] = [];
        let isBroken = true;
        client.on("BROADCAST_MESSAGE", ({ seq }) => {
            heard.push(seq);
            if (seq === 2 && isBroken) {
                if (how === "throws") {
                    throw new Error("broken");
                }
                return Promise.reject(new Error("broken"));
            }
            return undefined;
        });
        hub.append();
        hub.append();
        hub.append();
        await pass(1);
        expect(client.status).toBe("closed");
        expect(statuses.at(-1)?.reason?.text).toBe("a handler failed at 2");
        expect(heard).toEqual([1, 2]);
        expect(client.position?.seq).toBe(1);
        isBroken = false;
        void client.connect();
        await pass(5);
        expect(heard).toEqual([1, 2, 2, 3]);
    });

    test("may close and connect from inside", async () => {
        const { hub, client, seqs } = await connected();
        client.on("BROADCAST_MESSAGE", async ({ seq }) => {
            if (seq === 1) {
                await client.close();
                void client.connect();
                await new Promise(resolve => setTimeout(resolve, 50));
            }
        });
        hub.append();
        hub.append();
        await pass(100);
        expect(seqs).toEqual([1, 2]);
        expect(client.status).toBe("connected");
    });
});

describe("a gap", () => {
    test("comes in its place among the activities, and moves the position", async () => {
        const { hub, client } = await connected();
        const log: string[] = [];
        client.on("activity", async ({ seq }) => {
            await new Promise(resolve => setTimeout(resolve, 10));
            log.push(`${seq}`);
        });
        client.on("RESUME_GAP", async ({ reason, nextSeq }) => {
            await new Promise(resolve => setTimeout(resolve, 10));
            log.push(`${reason} ${nextSeq}`);
        });
        hub.append();
        hub.isLive = false;
        const socket = hub.socket;
        for (let count = 0; count < 5; count += 1) {
            hub.append();
        }
        hub.firstSeq = 4;
        socket.drop(1012);
        await pass(5);
        hub.socket.deliver();
        await pass(1_000);
        expect(log).toEqual(["1", "expired 4", "4", "5", "6"]);
        expect(client.position?.seq).toBe(6);
    });

    test("that says that the log is another one may go back", async () => {
        const { hub, client, seqs } = await connected();
        const gaps: unknown[] = [];
        client.on("RESUME_GAP", gap => void gaps.push(gap));
        hub.append();
        hub.append();
        hub.append();
        hub.replaceLog("epoch-2", 1);
        await pass(5);
        expect(gaps).toEqual([{ reason: "epoch_changed", nextSeq: 2 }]);
        expect(client.position).toMatchObject({ epoch: "epoch-2", seq: 1 });
        hub.append();
        expect(seqs).toEqual([1, 2, 3, 2]);
        await pass(6_000);
        hub.socket.drop(1012);
        await pass(5);
        expect(hub.socket.epoch).toBe("epoch-2");
    });

    test("on the link that takes over says nothing of what came on the one before", async () => {
        const { hub, client, seqs } = await connected();
        const gaps: unknown[] = [];
        client.on("RESUME_GAP", gap => void gaps.push(gap));
        const [old] = hub.open;
        hub.answer = "hold";
        old?.say("GOAWAY", { closesInMs: 1_000 });
        await pass(950);
        hub.append();
        hub.append();
        hub.firstSeq = 3;
        hub.sockets[1]?.accept();
        hub.append();
        expect(gaps).toEqual([]);
        expect(seqs).toEqual([1, 2, 3]);
    });
});

describe("presence", () => {
    test("is kept over links: only changes are told", async () => {
        const { hub, client } = await connected({ presence: true });
        const log: string[] = [];
        client.on("USER_ONLINE", ({ userId }) => void log.push(`+${userId}`));
        client.on("USER_OFFLINE", ({ userId }) => void log.push(`-${userId}`));
        expect(hub.socket.presence).toBe(true);
        for (const userId of ["ana", "bo", "cy"]) {
            hub.socket.say("USER_ONLINE", { userId });
        }
        hub.socket.say("USER_OFFLINE", { userId: "cy" });
        expect([...client.online]).toEqual(["ana", "bo"]);
        hub.socket.drop(1012);
        await pass(5);
        hub.socket.say("USER_ONLINE", { userId: "ana" });
        hub.socket.say("USER_ONLINE", { userId: "di" });
        expect(log).toEqual(["+ana", "+bo", "+cy", "-cy", "+di"]);
        await pass(3_000);
        // The hub does not say of anybody that they have gone meanwhile.
        expect(log.at(-1)).toBe("-bo");
        expect([...client.online]).toEqual(["ana", "di"]);
    });
});

describe("frames", () => {
    test("that are none, or not known, do no harm", async () => {
        const { hub, client, seqs } = await connected();
        const errors: string[] = [];
        client.on("error", ({ kind }) => void errors.push(kind));
        for (const text of ["", "null", "[]", "{}", '{"type":1,"payload":{}}', '{"type":"X"}', "{"]) {
            hub.socket.text(text);
        }
        expect(errors).toEqual(Array(7).fill("frame"));
        hub.socket.say("FROM_A_LATER_HUB", { seq: 99 });
        hub.append();
        expect(seqs).toEqual([1]);
        expect(client.status).toBe("connected");
    });

    test("of the hub are told", async () => {
        const { hub, client } = prepare();
        const log: unknown[] = [];
        client.on("WELCOME", welcome => void log.push(welcome.userId));
        client.on("ERROR", error => void log.push(error));
        client.on("GOAWAY", away => void log.push(away));
        void client.connect();
        await pass(5);
        hub.socket.say("ERROR", { code: "bad_frame", detail: "?" });
        hub.socket.say("GOAWAY", { closesInMs: 5 });
        expect(log).toEqual([USER, { code: "bad_frame", detail: "?" }, { closesInMs: 5 }]);
        expect(client.welcome?.epoch).toBe("epoch-1");
        expect(client.transport).toBe("websocket");
    });
});

describe("an application that falls behind", () => {
    test("bounds what waits for it, and misses nothing", async () => {
        const { hub, client, statuses } = await connected({ maxBufferedBytes: 20_000 });
        const heard: number[] = [];
        client.on("activity", async ({ seq }) => {
            await new Promise(resolve => setTimeout(resolve, 10));
            heard.push(seq);
        });
        for (let count = 0; count < 500; count += 1) {
            hub.append();
        }
        expect(client.status).toBe("paused");
        expect(hub.open).toHaveLength(0);
        client.wake();
        expect(client.status).toBe("paused");
        await pass(10_000);
        expect(heard).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
        expect(client.status).toBe("connected");
        expect(statuses.filter(({ status }) => status === "paused").length).toBeGreaterThan(2);
        // Each began where the one before was let go: nothing was fetched again.
        const starts = hub.sockets.map(({ after }) => after ?? 0);
        expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    });
});
