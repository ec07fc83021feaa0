// The client and a real hub, through all that may happen to it.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { KeyValueStorage } from "../../src/index.js";
import { Hub } from "./hub.js";
import { found, invite, type Listener, listen } from "./people.js";
import { Relay } from "./relay.js";

const hubs: Hub[] = [];
const listeners: Listener[] = [];
const relays: Relay[] = [];
let hub: Hub;

async function start(env: Record<string, string> = {}): Promise<Hub> {
    const started = await Hub.start(env);
    hubs.push(started);
    return started;
}

async function hear(...args: Parameters<typeof listen>): Promise<Listener> {
    const listener = await listen(...args);
    listeners.push(listener);
    return listener;
}

beforeAll(async () => {
    hub = await start();
});

afterEach(async () => {
    await Promise.all(listeners.splice(0).map(({ client }) => client.close()));
    for (const relay of relays.splice(0)) {
        relay.stop();
    }
});

afterAll(async () => {
    await Promise.all(hubs.map(started => started.stop()));
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}`);

describe("two members", () => {
    test("see each other, and what each may see", async () => {
        const ana = await found(hub.url);
        const bo = await invite(ana);
        const hers = await hear(ana, { presence: true });
        const his = await hear(bo, { presence: true });
        await vi.waitFor(() => expect(hers.client.online.size).toBe(2));
        expect(hers.client.online).toEqual(his.client.online);
        await ana.rest.createBroadcast({ message: "1", data: { urgent: true } });
        await ana.rest.inviteUser({ email: "cy@acme.example" });
        await ana.rest.createBroadcast({ message: "2" });
        await Promise.all([hers.heard(2), his.heard(2)]);
        expect(hers.activities.map(({ type }) => type)).toContain("USER_INVITED");
        expect(his.activities.map(({ type }) => type)).toEqual(["BROADCAST_MESSAGE", "BROADCAST_MESSAGE"]);
        expect(his.activities[0]?.payload).toMatchObject({ message: "1", data: { urgent: true } });
        // What comes live, is replayed and stands in the feed is the same.
        const { items } = await bo.rest.listActivities({ type: "BROADCAST_MESSAGE" });
        expect(items.reverse()).toEqual(his.activities);
        const again = await hear(bo, { after: 0 });
        await again.heard(2);
        expect(again.activities.slice(-2)).toEqual(his.activities);
    });

    test("part when one is removed", async () => {
        const ana = await found(hub.url);
        const bo = await invite(ana);
        const his = await hear(bo);
        await ana.rest.deleteUser(bo.started.user.id);
        await vi.waitFor(() => expect(his.client.status).toBe("closed"));
        expect(his.statuses.at(-1)?.reason?.code).toBe(4403);
        await expect(bo.rest.getMe()).rejects.toMatchObject({ status: 401, code: "session_ended" });
        await expect(his.client.connect()).rejects.toMatchObject({ name: "ClosedError" });
    });

    test("signing out closes the socket for good", async () => {
        const ana = await found(hub.url);
        const hers = await hear(ana);
        await ana.session.signOut();
        await vi.waitFor(() => expect(hers.client.status).toBe("closed"));
        expect(hers.statuses.at(-1)?.reason?.code).toBe(4401);
    });
});

test("the hub is killed and started again, and nothing is missed or doubled", async () => {
    const own = await start();
    const ana = await found(own.url);
    const hers = [await hear(ana), await hear(ana, { transport: "sse" })];
    for (const [index, message] of numbers(30).entries()) {
        await ana.rest.createBroadcast({ message });
        if (index % 10 === 5) {
            await own.kill();
            await own.start();
        }
    }
    for (const { heard, messages, client, activities } of hers) {
        await heard(30);
        expect(messages).toEqual(numbers(30));
        expect(client.status).toBe("connected");
        expect(activities.map(({ seq }) => seq)).toEqual(
            [...new Set(activities.map(({ seq }) => seq))].sort((a, b) => a - b),
        );
        expect(client.position?.seq).toBe(activities.at(-1)?.seq);
    }
});

test("a drain is told, and the client is back at once", async () => {
    const own = await start({ DRAIN_SECONDS: "1" });
    const ana = await found(own.url);
    const hers = await hear(ana, { backoff: { baseMs: 20_000, maxMs: 20_000 } });
    const away = vi.fn();
    hers.client.on("GOAWAY", away);
    await ana.rest.createBroadcast({ message: "1" });
    await hers.heard(1);
    const stopped = own.kill("SIGTERM");
    await vi.waitFor(() => expect(away).toHaveBeenCalled(), { timeout: 5_000 });
    await stopped;
    await own.start();
    // A client that saw its node go comes back at once; the next attempts back off, so it is woken here.
    hers.client.wake();
    await ana.rest.createBroadcast({ message: "2" });
    await hers.heard(2);
    expect(hers.messages).toEqual(["1", "2"]);
    expect(hers.statuses.some(({ reason }) => reason?.code === 1012)).toBe(true);
});

test("tokens that end are replaced on the open socket, without a reconnect", async () => {
    const own = await start({ JWT_ACCESS_EXPIRES_IN: "5s" });
    const ana = await found(own.url);
    const hers = await hear(ana);
    const stream = await hear(ana, { transport: "sse" });
    const connection = hers.client.welcome?.connectionId;
    let sent = 0;
    const broadcast = () => ana.rest.createBroadcast({ message: `${++sent}` });
    // All the while something is sent, and after it too.
    await vi.waitFor(
        async () => {
            await broadcast();
            // Two of its tokens have ended, and so have two of the socket's.
            expect(stream.statuses.length).toBeGreaterThan(3);
        },
        { timeout: 18_000, interval: 100 },
    );
    await broadcast();
    await hers.heard(sent);
    await stream.heard(sent);
    expect(hers.client.welcome?.connectionId).toBe(connection);
    for (const { statuses, messages } of [hers, stream]) {
        expect(statuses.map(({ status }) => status)).toEqual([
            "connecting",
            "connected",
            ...reopened(statuses),
        ]);
        expect(messages).toEqual(numbers(sent));
    }
});

/** A stream cannot take another token: another stream took over, never in between without one. */
const reopened = (statuses: Listener["statuses"]) => statuses.slice(2).map(() => "connected");

test("behind a relay that knows no WebSocket a stream serves, until the way is free", async () => {
    const relay = await Relay.start(hub.url);
    relays.push(relay);
    relay.blocksUpgrades = true;
    const ana = await found(hub.url);
    const hers = await hear({ ...ana, url: relay.url });
    expect(hers.client.transport).toBe("sse");
    expect(relay.upgrades).toBe(2);
    await ana.rest.createBroadcast({ message: "1" });
    await hers.heard(1);
    expect(await hers.client.ping()).toBeGreaterThan(0);
    relay.blocksUpgrades = false;
    await hers.client.close();
    await ana.rest.createBroadcast({ message: "2" });
    await hers.client.connect();
    await hers.heard(2);
    expect(hers.messages).toEqual(["1", "2"]);
});

test("an answer that is lost leaves one broadcast", async () => {
    const relay = await Relay.start(hub.url);
    relays.push(relay);
    const ana = await found(hub.url);
    const hers = await hear(ana);
    const { RestClient } = await import("../../src/index.js");
    const rest = new RestClient({ url: relay.url, token: ana.session.token });
    relay.losesAnswers = 2;
    const { payload } = await rest.createBroadcast({ message: "1" });
    expect(payload.message).toBe("1");
    expect(relay.losesAnswers).toBe(0);
    await ana.rest.createBroadcast({ message: "2" });
    await hers.heard(2);
    expect(hers.messages).toEqual(["1", "2"]);
});

test("the application that starts again goes on where it was", async () => {
    const items = new Map<string, string>();
    const storage: KeyValueStorage = {
        getItem: async key => items.get(key) ?? null,
        setItem: async (key, value) => void items.set(key, value),
        removeItem: async key => void items.delete(key),
    };
    const ana = await found(hub.url);
    const first = await hear(ana, { storage });
    await ana.rest.createBroadcast({ message: "1" });
    await first.heard(1);
    await first.client.close();
    await ana.rest.createBroadcast({ message: "2" });
    const second = await hear(ana, { storage });
    await second.heard(1);
    expect(second.messages).toEqual(["2"]);
    expect(await second.client.ping()).toBeGreaterThan(0);
});

test("every route answers as its types say", async () => {
    const ana = await found(hub.url);
    const { rest } = ana;
    const { user, organisation } = await rest.getMe();
    expect(user).toEqual(ana.started.user);
    expect(await rest.getOrganisation()).toEqual(organisation);
    expect((await rest.updateOrganisation({ name: "Acme & Co" })).name).toBe("Acme & Co");
    expect((await rest.updateSubscription({ plan: "PRO" })).memberLimit).toBe(10);
    expect((await rest.updateMe({ name: "Anna" })).name).toBe("Anna");
    const bo = await invite(ana);
    const { items } = await rest.listUsers({ limit: 1 });
    expect(items).toHaveLength(1);
    expect((await rest.updateUser(bo.started.user.id, { role: "ADMIN" })).role).toBe("ADMIN");
    const pending = await rest.inviteUser({ email: "cy@acme.example", role: "MEMBER", name: "Cy" });
    expect((await rest.listInvites()).items.map(({ id }) => id)).toEqual([pending.id]);
    await rest.deleteInvite(pending.id);
    expect(await rest.listPresence()).toMatchObject({ items: [], complete: true });
    const other = await rest.createOrganisation({ name: "Second" });
    expect((await rest.listOrganisations()).items.map(membership => membership.organisation.id)).toContain(
        other.id,
    );
    await ana.session.keep(await rest.switchOrganisation(other.id));
    expect((await rest.getMe()).organisation.id).toBe(other.id);
    await expect(rest.deleteUser(bo.started.user.id)).rejects.toMatchObject({ status: 404 });
    await expect(rest.createBroadcast({ message: "" })).rejects.toMatchObject({
        status: 422,
        errors: [{ field: "message" }],
    });
    await rest.logout();
    await expect(rest.getMe()).rejects.toMatchObject({ status: 401, code: "session_ended" });
});
