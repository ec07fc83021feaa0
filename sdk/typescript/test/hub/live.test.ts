import { afterAll, beforeAll, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { createClient, createSession, RestClient } from "../../src/index.js";
import { Hub } from "./hub.js";

let hub: Hub;

beforeAll(async () => {
    hub = await Hub.start();
});

afterAll(() => hub.stop());

test("a broadcast arrives live", async () => {
    const session = createSession({ url: hub.url });
    await session.signIn(rest =>
        rest.register({
            organisationName: "Acme",
            name: "Ana",
            email: "ana@acme.example",
            password: "correct horse",
        }),
    );
    const rest = new RestClient({ url: hub.url, token: session.token });
    const client = createClient({ url: hub.url, token: session.token, WebSocket });
    const messages: string[] = [];
    client.on("BROADCAST_MESSAGE", ({ payload }) => {
        messages.push(payload.message);
    });
    await client.connect();
    await rest.createBroadcast({ message: "one" });
    await vi.waitFor(() => expect(messages).toEqual(["one"]));
    await client.close();
    await rest.createBroadcast({ message: "two" });
    await client.connect();
    await vi.waitFor(() => expect(messages).toEqual(["one", "two"]));
    await hub.kill();
    await hub.start();
    await rest.createBroadcast({ message: "three" });
    await vi.waitFor(() => expect(messages).toEqual(["one", "two", "three"]), { timeout: 5_000 });
    await client.close();
});
