import { expect, test } from "vitest";
import type { KeyValueStorage } from "../../src/index.js";
import { connected, fakeTime, pass, prepare } from "./bench.js";
import { FakeHub, makeToken, ORGANISATION, USER } from "./fake-hub.js";

fakeTime();

class Shelf implements KeyValueStorage {
    readonly items = new Map<string, string>();
    readonly writes: number[] = [];

    getItem(key: string) {
        return this.items.get(key) ?? null;
    }

    setItem(key: string, value: string) {
        this.items.set(key, value);
        this.writes.push(JSON.parse(value).seq);
    }

    removeItem(key: string) {
        this.items.delete(key);
    }
}

/** The same, but it takes a while. */
class SlowShelf implements KeyValueStorage {
    readonly shelf = new Shelf();

    async getItem(key: string) {
        await new Promise(resolve => setTimeout(resolve, 10));
        return this.shelf.getItem(key);
    }

    async setItem(key: string, value: string) {
        await new Promise(resolve => setTimeout(resolve, 10));
        this.shelf.setItem(key, value);
    }

    async removeItem(key: string) {
        this.shelf.removeItem(key);
    }
}

test("the position is stored once the application took the frame, not before", async () => {
    const storage = new Shelf();
    const { hub, client } = await connected({ storage, storageKey: "mine" });
    const during: unknown[] = [];
    client.on("BROADCAST_MESSAGE", async () => {
        during.push(JSON.parse(storage.getItem("mine") ?? "{}").seq);
        await Promise.resolve();
        during.push(JSON.parse(storage.getItem("mine") ?? "{}").seq);
    });
    hub.append();
    hub.append();
    hub.append("SESSION_STARTED", false);
    hub.socket.pong();
    await pass(1);
    expect(during).toEqual([0, 0, 1, 1]);
    expect(storage.writes).toEqual([0, 1, 2, 3]);
    expect(JSON.parse(storage.getItem("mine") ?? "{}")).toEqual({
        epoch: "epoch-1",
        seq: 3,
        organisationId: ORGANISATION,
        userId: USER,
    });
});

test("the next run of the application goes on from it", async () => {
    const storage = new SlowShelf();
    const first = await connected({ storage, after: 0 });
    await pass(30);
    first.hub.append();
    first.hub.append();
    void first.client.close();
    await pass(50);
    first.hub.append();
    const second = prepare({ storage, after: 0, WebSocket: first.hub.WebSocket });
    void second.client.connect();
    await pass(30);
    expect(first.hub.socket.after).toBe(2);
    expect(second.seqs).toEqual([3]);
    // Once loaded, what the client knows itself counts.
    storage.shelf.items.clear();
    await second.client.close();
    void second.client.connect();
    await pass(30);
    expect(first.hub.socket.after).toBe(3);
});

test("a storage that takes its time is written to once at a time, with what is latest", async () => {
    const storage = new SlowShelf();
    const { hub, client } = await connected({ storage });
    await pass(50);
    for (let count = 0; count < 100; count += 1) {
        hub.append();
    }
    let isClosed = false;
    void client.close().then(() => {
        isClosed = true;
    });
    await pass(9);
    expect(isClosed).toBe(false);
    await pass(20);
    expect(isClosed).toBe(true);
    expect(storage.shelf.writes).toEqual([0, 1, 100]);
});

test("a storage that fails is told of, and the client goes on", async () => {
    for (const broken of [
        () => {
            throw new Error("full");
        },
        () => Promise.reject(new Error("full")),
    ]) {
        const { hub, client, seqs } = prepare({
            storage: { getItem: broken, setItem: broken, removeItem: broken },
        });
        const errors: string[] = [];
        client.on("error", ({ kind }) => void errors.push(kind));
        void client.connect();
        await pass(5);
        hub.append();
        await pass(5);
        expect(seqs).toEqual([1]);
        expect(errors).toEqual(["storage", "storage", "storage"]);
        await client.close();
    }
});

test.each([
    "nonsense",
    "null",
    "{}",
    '{"seq":"1"}',
    '{"epoch":"e","seq":-1,"organisationId":"o","userId":"u"}',
])("what is not a position counts as none: %s", async text => {
    const storage = new Shelf();
    storage.items.set("roomcast:position", text);
    const { hub } = await connected({ storage });
    expect(hub.socket.after).toBeNull();
});

test("another member's position is not gone on from", async () => {
    const stored = { epoch: "epoch-1", seq: 7, organisationId: ORGANISATION, userId: "somebody-else" };
    for (const token of [makeToken("readable"), "opaque"]) {
        const storage = new Shelf();
        storage.items.set("roomcast:position", JSON.stringify(stored));
        const { hub, client, seqs } = prepare({ storage, token });
        for (let count = 0; count < 9; count += 1) {
            hub.append();
        }
        void client.connect();
        await pass(10);
        expect(hub.socket.after).toBeNull();
        hub.append();
        expect(seqs).toEqual([10]);
        expect(client.position).toMatchObject({ userId: USER, seq: 10 });
        await client.close();
    }
});

test("a client that changes hands starts where the other member is", async () => {
    let userId = USER;
    const hub = new FakeHub();
    const { client, seqs } = prepare({
        WebSocket: hub.WebSocket,
        token: () => makeToken("t", 900, { sub: userId }),
    });
    void client.connect();
    await pass(5);
    hub.append();
    await client.close();
    userId = "another";
    hub.append();
    void client.connect();
    await pass(5);
    expect(hub.socket.after).toBeNull();
    expect(seqs).toEqual([1]);
});

test("what was handed to one member is no position of the next", async () => {
    let userId = USER;
    const storage = new Shelf();
    const { hub, client } = prepare({ storage, token: () => makeToken("t", 900, { sub: userId }) });
    client.on("BROADCAST_MESSAGE", () => new Promise(resolve => setTimeout(resolve, 1_000)));
    void client.connect();
    await pass(5);
    hub.append();
    hub.append();
    await client.close();
    userId = "another";
    void client.connect();
    await pass(2_000);
    // The first was in progress when the member changed: its place counts for nobody.
    expect(storage.writes).toEqual([0, 2]);
});
