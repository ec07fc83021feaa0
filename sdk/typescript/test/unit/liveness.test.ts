import { describe, expect, test, vi } from "vitest";
import { connected, fakeTime, pass, prepare } from "./bench.js";

fakeTime();

describe("a heartbeat", () => {
    test("that is missed twice ends the link", async () => {
        const { hub, client, statuses } = await connected();
        await pass(49_000);
        expect(client.status).toBe("connected");
        await pass(4_000);
        expect(statuses.filter(({ status }) => status === "reconnecting")[0]?.reason).toEqual({
            code: 1006,
            text: "no heartbeat",
        });
        expect(hub.sockets).toHaveLength(2);
    });

    test("keeps the link, and is a position", async () => {
        const { hub, client } = await connected();
        hub.append("SESSION_STARTED", false);
        for (let beat = 0; beat < 20; beat += 1) {
            await pass(25_000);
            hub.socket.pong();
        }
        expect(hub.sockets).toHaveLength(1);
        expect(client.position?.seq).toBe(1);
    });

    test("is as often as the hub says", async () => {
        const bench = prepare();
        bench.hub.heartbeatSeconds = 5;
        void bench.client.connect();
        await pass(13_000);
        expect(bench.hub.sockets.length).toBeGreaterThan(1);
    });

    test("may be any frame", async () => {
        const { hub } = await connected();
        for (let second = 0; second < 120; second += 1) {
            await pass(1_000);
            hub.append();
        }
        expect(hub.sockets).toHaveLength(1);
    });
});

describe("a handshake", () => {
    test("without a WELCOME is given up", async () => {
        const { hub, client } = prepare({ transport: "websocket" });
        hub.answer = "hold";
        void client.connect();
        await pass(14_000);
        expect(hub.sockets).toHaveLength(1);
        hub.answer = "accept";
        await pass(2_000);
        expect(client.status).toBe("connected");
        expect(hub.open).toHaveLength(1);
    });
});

describe("a machine that slept", () => {
    test("asks whether the link lives, instead of giving up frames that wait", async () => {
        const { hub, client } = await connected();
        // No timer ran meanwhile.
        vi.setSystemTime(Date.now() + 3_600_000);
        await pass(53_000);
        expect(hub.socket.sent).toEqual([{ type: "PING" }]);
        hub.socket.pong();
        await pass(20_000);
        expect(client.status).toBe("connected");
        expect(hub.sockets).toHaveLength(1);
    });

    test("gives the link up where no answer comes", async () => {
        const { hub, client, statuses } = await connected();
        client.wake();
        await pass(4_900);
        expect(hub.sockets).toHaveLength(1);
        await pass(700);
        expect(hub.sockets).toHaveLength(2);
        expect(statuses.some(({ reason }) => reason?.text === "no answer after waking up")).toBe(true);
        expect(client.status).toBe("connected");
    });
});

/** A page, as far as this library knows one. */
function stubPage() {
    const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const scope = new EventTarget();
    vi.stubGlobal("document", page);
    vi.stubGlobal("addEventListener", scope.addEventListener.bind(scope));
    vi.stubGlobal("removeEventListener", scope.removeEventListener.bind(scope));
    return { page, scope };
}

describe("waking up", () => {
    test.each(["online", "pageshow", "visible", "wake()"])("by %s opens the link at once", async how => {
        const { page, scope } = stubPage();
        const { hub, client } = await connected({ transport: "websocket" });
        await pass(10_000);
        hub.answer = "refuse";
        hub.socket.drop();
        await pass(120_000);
        hub.answer = "accept";
        const before = hub.sockets.length;
        page.visibilityState = "hidden";
        page.dispatchEvent(new Event("visibilitychange"));
        expect(hub.sockets).toHaveLength(before);
        if (how === "visible") {
            page.visibilityState = "visible";
            page.dispatchEvent(new Event("visibilitychange"));
        } else if (how === "wake()") {
            client.wake();
        } else {
            scope.dispatchEvent(new Event(how));
        }
        await pass(5);
        expect(client.status).toBe("connected");
        expect(hub.sockets).toHaveLength(before + 1);
    });

    test("begins an attempt anew that hangs", async () => {
        const { hub, client } = await connected({ transport: "websocket" });
        await pass(10_000);
        hub.answer = "hold";
        hub.socket.drop(1012);
        await pass(1_000);
        client.wake();
        await pass(5);
        expect(hub.sockets).toHaveLength(2);
        await pass(2_000);
        hub.answer = "accept";
        client.wake();
        await pass(5);
        expect(client.status).toBe("connected");
        expect(hub.open).toHaveLength(1);
    });

    test("does nothing to a client that was closed", async () => {
        const { scope } = stubPage();
        const { hub, client } = await connected();
        await client.close();
        client.wake();
        scope.dispatchEvent(new Event("online"));
        await pass(1_000);
        expect(hub.sockets).toHaveLength(1);
        expect(prepare().client.status).toBe("idle");
    });
});

describe("ping", () => {
    test("measures the time to the answer, and asks once for all who ask meanwhile", async () => {
        const { hub, client } = await connected();
        const pings = [client.ping(), client.ping()];
        await pass(40);
        hub.socket.pong();
        expect(await Promise.all(pings)).toEqual([40, 40]);
        expect(hub.socket.sent).toEqual([{ type: "PING" }]);
        const lost = client.ping();
        hub.socket.drop();
        await expect(lost).rejects.toThrow("the link was closed");
        await expect(prepare().client.ping()).rejects.toThrow("Not connected");
    });
});
