import { describe, expect, test, vi } from "vitest";
import { ApiError, CloseCode, ClosedError, reactionTo } from "../../src/index.js";
import { backoffMs } from "../../src/live/backoff.js";
import { connected, fakeTime, pass, prepare } from "./bench.js";
import { makeToken } from "./fake-hub.js";

fakeTime();

describe("the table of close codes", () => {
    test.each([
        [4400, "never"],
        [4401, "refresh-token"],
        [4403, "never"],
        [4404, "never"],
        [4408, "at-once"],
        [4429, "back-off"],
        [4503, "back-off"],
        [1006, "back-off"],
        [1011, "back-off"],
        [1001, "at-once"],
        [1012, "at-once"],
        [1009, "never"],
        // Not known: of 44xx the client stays away, of others it backs off.
        [4402, "never"],
        [4499, "never"],
        [1000, "back-off"],
        [1002, "back-off"],
        [1005, "back-off"],
        [3000, "back-off"],
        [4500, "back-off"],
    ])("%i: %s", (code, reaction) => {
        expect(reactionTo(code)).toBe(reaction);
    });

    test.each(Object.values(CloseCode))("is acted on: %i", async code => {
        const { hub, client, statuses } = await connected();
        await pass(10_000);
        hub.socket.drop(code, "why");
        const reaction = reactionTo(code);
        if (reaction === "never") {
            expect(client.status).toBe("closed");
            expect(statuses.at(-1)?.reason).toEqual({ code, text: "why" });
            await pass(3_600_000);
            expect(hub.sockets).toHaveLength(1);
            return;
        }
        expect(client.status).toBe("reconnecting");
        await pass(5);
        expect(hub.sockets).toHaveLength(reaction === "back-off" ? 1 : 2);
        await pass(500);
        expect(client.status).toBe("connected");
    });
});

describe("back-off", () => {
    test("spans everything up to a ceiling that doubles", () => {
        const ceilings = [0, 1, 2, 3, 6, 7, 2_000].map(failures => backoffMs(failures, {}, () => 0.999_999));
        expect(ceilings.map(ms => ms + 1)).toEqual([500, 1_000, 2_000, 4_000, 30_000, 30_000, 30_000]);
        expect(backoffMs(9, {}, () => 0)).toBe(0);
        expect(backoffMs(0, { baseMs: 10, maxMs: 20 }, () => 0.999)).toBe(9);
    });

    test("grows while the hub is out of reach, and starts anew after a link that lasted", async () => {
        const { hub, client, statuses } = await connected({ transport: "websocket" });
        await pass(10_000);
        hub.answer = "refuse";
        hub.socket.drop();
        await pass(60_000);
        const waits = statuses.flatMap(({ retryInMs }) => (retryInMs === null ? [] : [retryInMs + 1]));
        expect(waits.slice(0, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
        hub.answer = "accept";
        await pass(30_000);
        expect(client.status).toBe("connected");
        await pass(6_000);
        hub.socket.drop();
        expect(statuses.at(-1)?.retryInMs).toBe(499);
    });

    test("is not skipped by a hub that sends clients away at once, again and again", async () => {
        const { hub } = await connected();
        await pass(10_000);
        hub.answer = 1012;
        hub.socket.drop(1012);
        await pass(60_000);
        expect(hub.sockets.length).toBeLessThan(12);
    });

    test.each([
        ["is as long as the hub asks for, and spread over a little more", "42", 42_499],
        ["is five minutes where more is asked for", "3600", 300_499],
        ["is five minutes where no timer could wait so long", "1e10", 300_499],
        ["is its own where nothing can be made of what is asked for", "-5", 499],
    ])("%s", async (_, retryAfter, retryInMs) => {
        let calls = 0;
        const fetch = async () => {
            calls += 1;
            return new Response("{}", { status: 429, headers: { "retry-after": retryAfter } });
        };
        const { client, statuses } = prepare({ transport: "sse", fetch });
        void client.connect();
        await pass(5);
        expect(statuses.at(-1)).toMatchObject({ status: "reconnecting", retryInMs, reason: { code: 4429 } });
        await pass(retryInMs - 10);
        expect(calls).toBe(1);
        await pass(10);
        expect(calls).toBe(2);
        await client.close();
    });
});

describe("a refused token", () => {
    test("is refreshed, and the link is opened again at once", async () => {
        const { hub, client, tokens, seqs } = await connected();
        await pass(10_000);
        hub.append();
        hub.socket.drop(4401);
        hub.append();
        await pass(5);
        expect(client.status).toBe("connected");
        expect(tokens.map(({ refresh }) => refresh)).toEqual([false, true]);
        expect(tokens[1]?.last).toBe(hub.sockets[0]?.token);
        expect(seqs).toEqual([1, 2]);
    });

    test("is not refreshed for ever", async () => {
        const { hub, client, statuses, tokens } = prepare();
        hub.answer = 4401;
        const opening = client.connect();
        await pass(60_000);
        await expect(opening).rejects.toMatchObject({ name: "ClosedError", code: 4401 });
        expect(statuses.at(-1)).toMatchObject({ status: "closed", reason: { code: 4401 } });
        expect(tokens).toHaveLength(4);
    });

    test("that is a plain text is the end", async () => {
        const { hub, client } = prepare({ token: makeToken("only") });
        hub.answer = 4401;
        const opening = client.connect();
        await pass(1_000);
        await expect(opening).rejects.toBeInstanceOf(ClosedError);
        expect(hub.sockets).toHaveLength(1);
    });
});

describe("a token callback", () => {
    test("that finds nobody signed in ends it", async () => {
        for (const token of [
            () => null,
            () => Promise.reject(new ApiError({ status: 401, code: "session_ended" })),
        ]) {
            const { hub, client } = prepare({ token });
            const opening = client.connect();
            await pass(5);
            await expect(opening).rejects.toMatchObject({ code: 4401 });
            expect(client.status).toBe("closed");
            expect(hub.sockets).toHaveLength(0);
        }
    });

    test("that fails otherwise is asked again", async () => {
        let calls = 0;
        const errors: string[] = [];
        const { client } = prepare({
            token: async () => {
                calls += 1;
                if (calls < 4) {
                    throw new Error("no network");
                }
                return makeToken("late");
            },
        });
        client.on("error", ({ kind }) => void errors.push(kind));
        void client.connect();
        await pass(10_000);
        expect(client.status).toBe("connected");
        expect(errors).toEqual(["token", "token", "token"]);
    });
});

describe("connect and close", () => {
    test("go on where the application is", async () => {
        const { hub, client, seqs, statuses } = await connected();
        hub.append();
        await client.close();
        expect(client.status).toBe("closed");
        expect(client.transport).toBeNull();
        hub.append();
        hub.append("SESSION_STARTED", false);
        void client.connect();
        await pass(5);
        expect(hub.socket.after).toBe(1);
        expect(hub.socket.epoch).toBe("epoch-1");
        expect(seqs).toEqual([1, 2]);
        expect(statuses.map(({ status }) => status)).toEqual([
            "connecting",
            "connected",
            "closed",
            "connecting",
            "connected",
        ]);
    });

    test("ask once, however often connect is called, and close before an answer", async () => {
        const { hub, client } = prepare();
        const first = client.connect();
        expect(client.connect()).toBe(first);
        await client.close();
        await expect(first).rejects.toMatchObject({ code: 1000 });
        await pass(1_000);
        expect(hub.open).toHaveLength(0);
        expect(client.status).toBe("closed");
    });

    test("may be called by whoever hears of a change", async () => {
        for (const event of ["WELCOME", "status"] as const) {
            const { hub, client } = prepare();
            const away = client.on(event, () => {
                if (event === "WELCOME" || client.status === "connected") {
                    away();
                    void client.close();
                }
            });
            void client.connect();
            await pass(5);
            expect(client.status).toBe("closed");
            expect(hub.open).toHaveLength(0);
        }
    });

    test("nobody has to wait for connect", async () => {
        const unhandled = vi.fn();
        process.on("unhandledRejection", unhandled);
        const { client } = prepare({ token: () => null });
        void client.connect();
        await pass(5);
        vi.useRealTimers();
        await new Promise(resolve => setTimeout(resolve, 5));
        process.off("unhandledRejection", unhandled);
        expect(unhandled).not.toHaveBeenCalled();
    });

    test("take addresses with a path, and refuse what is none", () => {
        expect(() => prepare({ url: "hub.test" })).toThrow(/has to begin with http/);
        expect(() => prepare({ url: "" })).toThrow(TypeError);
        const { hub, client } = prepare({ url: new URL("https://hub.test/roomcast/") });
        const urls: string[] = [];
        const socketType = hub.WebSocket;
        const spy = class extends socketType {
            constructor(url: string, protocols?: string[]) {
                urls.push(url);
                super(url, protocols);
            }
        };
        void client;
        const other = prepare({
            url: new URL("https://hub.test/roomcast/"),
            WebSocket: spy,
            presence: true,
            after: 7,
        });
        void other.client.connect();
        return pass(5).then(() => {
            expect(urls).toEqual(["wss://hub.test/roomcast/ws?after=7&presence=1"]);
        });
    });
});
