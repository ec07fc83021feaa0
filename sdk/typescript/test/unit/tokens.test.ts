import { describe, expect, test, vi } from "vitest";
import { createSession, type KeyValueStorage, type SessionStarted } from "../../src/index.js";
import { readClaims } from "../../src/token.js";
import { connected, fakeTime, pass, prepare } from "./bench.js";
import { makeToken } from "./fake-hub.js";

fakeTime();

/** What the client said on its socket of that type. */
const said = (sent: { type: string; payload?: Record<string, unknown> }[], type: string) =>
    sent.filter(frame => frame.type === type).map(({ payload }) => payload);

describe("the token on an open link", () => {
    test("is replaced before it ends, and again", async () => {
        const { hub, client, tokens } = await connected();
        const { socket } = hub;
        for (let beat = 0; beat < 180; beat += 1) {
            await pass(20_000);
            socket.pong();
            const latest = said(socket.sent, "AUTH").at(-1)?.token;
            if (typeof latest === "string" && latest !== socket.token) {
                socket.token = latest;
                const until = new Date(Date.now() + (readClaims(latest).lifetimeSeconds ?? 0) * 1_000);
                socket.say("AUTH_OK", { tokenExpiresAt: until.toISOString(), role: "ADMIN" });
            }
        }
        // 15 minutes each, less the lead of one: the fifth comes after an hour.
        expect(said(socket.sent, "AUTH")).toHaveLength(4);
        expect(tokens.map(({ refresh }) => refresh)).toEqual([false, true, true, true, true]);
        expect(hub.sockets).toHaveLength(1);
        expect(client.status).toBe("connected");
    }, 20_000);

    test("is asked for again where that fails, while the old one counts", async () => {
        let calls = 0;
        const { hub, client } = prepare({
            token: () => {
                calls += 1;
                if (calls === 2 || calls === 3) {
                    throw new Error("no network");
                }
                return makeToken(`${calls}`, 60);
            },
        });
        hub.tokenSeconds = 60;
        client.on("error", () => undefined);
        void client.connect();
        await pass(45_000);
        expect(calls).toBe(4);
        expect(said(hub.socket.sent, "AUTH")).toHaveLength(1);
        expect(hub.sockets).toHaveLength(1);
    });

    test.each(["token_invalid", "access_unknown"])("is sent again after %s", async code => {
        const bench = prepare();
        bench.hub.tokenSeconds = 60;
        void bench.client.connect();
        await pass(41_000);
        const { socket } = bench.hub;
        expect(said(socket.sent, "AUTH")).toHaveLength(1);
        socket.say("ERROR", { code, detail: "" });
        await pass(1_300);
        expect(said(socket.sent, "AUTH")).toHaveLength(2);
    });

    test("is sent again where no answer comes", async () => {
        const bench = prepare();
        bench.hub.tokenSeconds = 90;
        void bench.client.connect();
        await pass(30_000);
        bench.hub.socket.pong();
        await pass(31_000);
        expect(said(bench.hub.socket.sent, "AUTH")).toHaveLength(1);
        await pass(10_100);
        expect(said(bench.hub.socket.sent, "AUTH")).toHaveLength(2);
    });

    test("is not asked for all the time by a clock that is wrong", async () => {
        // To this machine every token looks as if it had ended long ago, or lasted for ever.
        for (const tokenSeconds of [-3_600, 3_600]) {
            const bench = prepare({ token: () => makeToken(`${Math.random()}`, 900) });
            bench.hub.tokenSeconds = tokenSeconds;
            void bench.client.connect();
            for (let beat = 0; beat < 36; beat += 1) {
                await pass(25_000);
                bench.hub.socket.pong();
                bench.hub.socket.say("AUTH_OK", {
                    tokenExpiresAt: new Date(Date.now() + tokenSeconds * 1_000).toISOString(),
                    role: "ADMIN",
                });
            }
            const { length } = said(bench.hub.socket.sent, "AUTH");
            expect(length).toBeLessThanOrEqual(11);
            await bench.client.close();
        }
    });

    test("is replaced in time where it was kept from before", async () => {
        const { hub, tokens } = prepare();
        const { client } = prepare({
            WebSocket: hub.WebSocket,
            token: request => {
                tokens.push(request);
                return makeToken(`${tokens.length}`, 900);
            },
        });
        // Most of its life is over.
        hub.tokenSeconds = 30;
        void client.connect();
        await pass(25_000);
        expect(tokens.map(({ refresh }) => refresh)).toEqual([false, true]);
        expect(said(hub.socket.sent, "AUTH")).toHaveLength(1);
    });

    test("ends with the session", async () => {
        let calls = 0;
        const { hub, client, statuses } = prepare({
            token: () => (++calls === 1 ? makeToken("1", 60) : null),
        });
        hub.tokenSeconds = 60;
        void client.connect();
        await pass(45_000);
        expect(statuses.at(-1)).toMatchObject({ status: "closed", reason: { code: 4401 } });
    });
});

describe("claims", () => {
    test("are read of a JWT, and of nothing else", () => {
        expect(readClaims(makeToken("x", 30, { sub: "u", org: "o", sid: "s" }))).toEqual({
            userId: "u",
            organisationId: "o",
            sessionId: "s",
            lifetimeSeconds: 30,
        });
        for (const text of ["", "a.b.c", "opaque", `a.${btoa("null")}.c`, `a.${btoa("{}")}.c`]) {
            expect(readClaims(text)).toEqual({});
        }
    });
});

function started(name: string, expiresIn = 900): SessionStarted {
    return {
        accessToken: `access-${name}`,
        refreshToken: `refresh-${name}`,
        expiresIn,
        tokenType: "Bearer",
        user: { id: "u", name: "Ana", email: "a@b.c", role: "ADMIN", createdAt: "" },
        organisation: {
            id: "o",
            name: "Acme",
            slug: "acme",
            plan: "FREE",
            memberLimit: 3,
            memberCount: 1,
            createdAt: "",
            updatedAt: "",
        },
    };
}

class Shelf implements KeyValueStorage {
    readonly items = new Map<string, string>();
    getItem(key: string) {
        return this.items.get(key) ?? null;
    }
    setItem(key: string, value: string) {
        this.items.set(key, value);
    }
    removeItem(key: string) {
        this.items.delete(key);
    }
}

/** A hub of sessions: a refresh token counts once. */
function tokenServer() {
    const used: string[] = [];
    let rotations = 0;
    const refresh = async (token: string) => {
        await new Promise(resolve => setTimeout(resolve, 20));
        if (used.includes(token)) {
            throw Object.assign(new Error("reused"), { status: 401 });
        }
        used.push(token);
        rotations += 1;
        const { accessToken, refreshToken, expiresIn, tokenType } = started(`${rotations}`);
        return { accessToken, refreshToken, expiresIn, tokenType };
    };
    return { refresh, used };
}

/** A hub to sign out at: by which tokens sessions were ended. */
function logoutServer() {
    const ended: (string | undefined)[] = [];
    const refused: string[] = [];
    const fetch = async (_: string, init?: RequestInit) => {
        const token = new Headers(init?.headers).get("authorization")?.replace("Bearer ", "");
        if (refused.includes(token ?? "")) {
            return new Response("{}", { status: 401 });
        }
        ended.push(token);
        return new Response(null, { status: 204 });
    };
    return { fetch, ended, refused };
}

const url = "http://hub.test";

describe("a session", () => {
    test("hands its token out until it ends, then the next", async () => {
        const { refresh, used } = tokenServer();
        const session = createSession({ url, refresh });
        expect(await session.token({ refresh: false, last: null })).toBeNull();
        await session.keep(started("0"));
        expect(await session.token({ refresh: false, last: null })).toBe("access-0");
        await pass(880_000);
        expect(await session.token({ refresh: false, last: null })).toBe("access-0");
        await pass(11_000);
        const next = session.token({ refresh: false, last: null });
        await pass(50);
        expect(await next).toBe("access-1");
        expect(used).toEqual(["refresh-0"]);
        expect((await session.current())?.user.name).toBe("Ana");
    });

    test("with short tokens does not refresh at each call", async () => {
        const { refresh, used } = tokenServer();
        const session = createSession({ url, refresh });
        await session.keep(started("0", 5));
        await pass(3_000);
        expect(await session.token({ refresh: false, last: null })).toBe("access-0");
        expect(used).toEqual([]);
    });

    test.each(["with Web Locks", "without"])("is refreshed once, however many ask: %s", async how => {
        if (how === "with Web Locks") {
            vi.stubGlobal("navigator", { locks: fakeLocks() });
        } else {
            vi.stubGlobal("navigator", {});
        }
        const { refresh, used } = tokenServer();
        const storage = new Shelf();
        const tabs = [1, 2, 3].map(() => createSession({ url, refresh, storage }));
        await tabs[0]?.keep(started("0"));
        const asked = tabs.flatMap(tab => [
            tab.token({ refresh: true, last: "access-0" }),
            tab.token({ refresh: true, last: "access-0" }),
        ]);
        await pass(500);
        expect(await Promise.all(asked)).toEqual(Array(6).fill("access-1"));
        expect(used).toEqual(["refresh-0"]);
        // What another tab has fetched since is as good.
        expect(await tabs[2]?.token({ refresh: true, last: "access-0" })).toBe("access-1");
    });

    test("that another program refreshed meanwhile goes on with what that stored", async () => {
        const storage = new Shelf();
        const session = createSession({
            url,
            storage,
            refresh: async () => {
                // It shares the storage, but no lock.
                storage.setItem(
                    "roomcast:session",
                    JSON.stringify({ ...started("theirs"), staleAt: Date.now() + 900_000 }),
                );
                throw Object.assign(new Error("reused"), { status: 401 });
            },
        });
        await session.keep(started("0"));
        expect(await session.token({ refresh: true, last: "access-0" })).toBe("access-theirs");
    });

    test("that has ended is forgotten and told of, one out of reach is not", async () => {
        let error: Error = new Error("no network");
        const session = createSession({ url, refresh: () => Promise.reject(error) });
        const told: unknown[] = [];
        const end = session.onChange(signedIn => told.push(signedIn?.user.name ?? null));
        await session.keep(started("0"));
        await expect(session.token({ refresh: true, last: "access-0" })).rejects.toThrow("no network");
        expect(await session.token({ refresh: false, last: null })).toBe("access-0");
        error = Object.assign(new Error("ended"), { status: 401 });
        expect(await session.token({ refresh: true, last: "access-0" })).toBeNull();
        expect(await session.current()).toBeNull();
        expect(told).toEqual(["Ana", null]);
        end();
        await session.keep(started("1"));
        expect(told).toHaveLength(2);
    });

    test.each([
        ["a firewall", new Response("<html>", { status: 403 }), "Ana"],
        ["another program", new Response('{"code": "1020"}', { status: 403 }), "Ana"],
        ["the hub", new Response('{"code": "no_membership"}', { status: 403 }), undefined],
        ["the hub, of the session", new Response('{"code": "session_ended"}', { status: 401 }), undefined],
    ])("is forgotten where its refresh is refused by the hub: %s", async (_, answer, name) => {
        const session = createSession({ url, fetch: async () => answer });
        await session.keep(started("0"));
        await Promise.allSettled([session.token({ refresh: true, last: "access-0" })]);
        expect((await session.current())?.user.name).toBe(name);
    });

    test("signs out here, whether or not the hub hears it", async () => {
        const calls: unknown[] = [];
        const fetch = async (address: string, init?: RequestInit) => {
            calls.push([address, new Headers(init?.headers).get("authorization")]);
            throw new TypeError("no network");
        };
        const session = createSession({ url, fetch });
        await session.signIn(async () => started("0"));
        const done = session.signOut();
        await pass(10);
        await done;
        expect(await session.current()).toBeNull();
        expect(calls).toEqual([[`${url}/api/v1/auth/logout`, "Bearer access-0"]]);
        await session.signOut();
        expect(calls).toHaveLength(1);
    });

    test("is refreshed to be ended, where its token has expired", async () => {
        const { refresh, used } = tokenServer();
        const { fetch, ended } = logoutServer();
        const session = createSession({ url, fetch, refresh });
        await session.keep(started("0"));
        await pass(1_000_000);
        const done = session.signOut();
        await pass(50);
        await done;
        expect(used).toEqual(["refresh-0"]);
        expect(ended).toEqual(["access-1"]);
    });

    test("is refreshed to be ended, where the hub refuses a token that looks good here", async () => {
        const { refresh } = tokenServer();
        const { fetch, ended, refused } = logoutServer();
        refused.push("access-0");
        const session = createSession({ url, fetch, refresh });
        await session.keep(started("0"));
        const done = session.signOut();
        await pass(50);
        await done;
        expect(ended).toEqual(["access-1"]);
    });

    test("that was signed out of during a refresh does not come back", async () => {
        const { refresh } = tokenServer();
        const { fetch, ended } = logoutServer();
        const storage = new Shelf();
        const [here, there] = [1, 2].map(() => createSession({ url, fetch, refresh, storage }));
        await here?.keep(started("0"));
        const asked = here?.token({ refresh: true, last: "access-0" });
        await pass(5);
        const done = there?.signOut();
        await pass(50);
        await Promise.all([asked, done]);
        expect(storage.items.size).toBe(0);
        expect(ended).toEqual(["access-1"]);
    });

    test("that began during the refresh of another is not overwritten", async () => {
        const { refresh } = tokenServer();
        const { fetch } = logoutServer();
        const storage = new Shelf();
        const [here, there] = [1, 2].map(() => createSession({ url, fetch, refresh, storage }));
        await here?.keep(started("0"));
        const asked = here?.token({ refresh: true, last: "access-0" });
        await pass(5);
        const kept = there?.keep(started("theirs"));
        await pass(50);
        await Promise.all([asked, kept]);
        expect(storage.items.get("roomcast:session")).toContain("access-theirs");
    });

    test.each([
        ["signs in", started("theirs"), "access-theirs"],
        ["signs out", null, null],
    ])("whose refresh ends after a program without the lock %s is not stored", async (_, theirs, token) => {
        const storage = new Shelf();
        const key = "roomcast:session";
        const session = createSession({
            url,
            storage,
            refresh: async () => {
                if (theirs === null) {
                    storage.removeItem(key);
                } else {
                    storage.setItem(key, JSON.stringify({ ...theirs, staleAt: Date.now() + 900_000 }));
                }
                return started("late");
            },
        });
        await session.keep(started("0"));
        expect(await session.token({ refresh: true, last: "access-0" })).toBe(token);
        expect(storage.items.get(key) ?? "").not.toContain("late");
    });

    test("that two tabs without a lock refreshed at once goes on with what the hub gave last", async () => {
        const storage = new Shelf();
        const tokens = (name: string): SessionStarted => ({
            ...started(name),
            accessToken: makeToken(name, 900, { sid: "one" }),
        });
        const session = createSession({
            url,
            storage,
            refresh: async () => {
                const theirs = { ...tokens("theirs"), staleAt: Date.now() + 900_000 };
                storage.setItem("roomcast:session", JSON.stringify(theirs));
                return tokens("ours");
            },
        });
        await session.keep(tokens("0"));
        await session.token({ refresh: true, last: tokens("0").accessToken });
        expect(storage.items.get("roomcast:session")).toContain("refresh-ours");
    });

    test("that another replaces is ended at the hub", async () => {
        const { refresh } = tokenServer();
        const { fetch, ended } = logoutServer();
        const session = createSession({ url, fetch, refresh });
        await session.keep(started("0"));
        await session.keep(started("other"));
        await pass(50);
        expect(ended).toEqual(["access-0"]);
        await pass(1_000_000);
        await session.signIn(async () => started("third"));
        await pass(50);
        expect(ended).toEqual(["access-0", "access-1"]);
        expect(await session.token({ refresh: false, last: null })).toBe("access-third");
    });

    test("that is kept once more goes on", async () => {
        const { fetch, ended } = logoutServer();
        const session = createSession({ url, fetch });
        const tokens = (name: string) => ({
            ...started(name),
            accessToken: makeToken(name, 900, { sid: "one" }),
        });
        await session.keep(tokens("0"));
        await session.keep(tokens("0"));
        await session.keep(tokens("1"));
        await pass(50);
        expect(ended).toEqual([]);
    });

    test("in memory does not wait for another", async () => {
        const slow = createSession({ url, refresh: () => new Promise(() => undefined) });
        await slow.keep(started("slow"));
        void slow.token({ refresh: true, last: "access-slow" });
        await pass(1);
        const kept = vi.fn();
        void createSession({ url }).keep(started("0")).then(kept);
        await pass(1);
        expect(kept).toHaveBeenCalled();
    });

    test("is told of by other tabs", async () => {
        const scope = new EventTarget();
        vi.stubGlobal("addEventListener", scope.addEventListener.bind(scope));
        vi.stubGlobal("removeEventListener", scope.removeEventListener.bind(scope));
        const storage = new Shelf();
        const session = createSession({ url, storage, storageKey: "s" });
        const told: unknown[] = [];
        session.onChange(signedIn => told.push(signedIn?.organisation.slug ?? null));
        await createSession({ url, storage, storageKey: "s" }).keep(started("0"));
        scope.dispatchEvent(Object.assign(new Event("storage"), { key: "s" }));
        scope.dispatchEvent(Object.assign(new Event("storage"), { key: "other" }));
        await pass(1);
        expect(told).toEqual(["acme"]);
    });
});

/** One holder at a time of each name, as over the tabs of a browser. */
function fakeLocks() {
    const tails = new Map<string, Promise<unknown>>();
    return {
        request: <T>(name: string, run: () => Promise<T>): Promise<T> => {
            const mine = (tails.get(name) ?? Promise.resolve()).then(run);
            tails.set(
                name,
                mine.catch(() => undefined),
            );
            return mine;
        },
    };
}
