import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createClient, type Fetch } from "../../src/index.js";
import { EventParser } from "../../src/live/sse.js";
import { fakeTime, pass, prepare } from "./bench.js";
import { FakeHub, FakeSocket } from "./fake-hub.js";

fakeTime();

/** Streams of the same hub: what a socket would be sent, as events. */
class FakeStreams {
    readonly hub: FakeHub;
    readonly requests: { url: string; headers: Headers }[] = [];
    readonly streams: FakeSocket[] = [];
    answer: () => Response | Promise<Response> | null = () => null;

    constructor(hub: FakeHub) {
        this.hub = hub;
    }

    readonly fetch: Fetch = async (url, init) => {
        const headers = new Headers(init?.headers);
        this.requests.push({ url, headers });
        const other = await this.answer();
        if (other !== null) {
            return other;
        }
        const encoder = new TextEncoder();
        const token = headers.get("authorization")?.replace("Bearer ", "") ?? "";
        const body = new ReadableStream<Uint8Array>({
            start: controller => {
                const socket = new FakeSocket(this.hub, url, ["", token]);
                this.streams.push(socket);
                socket.onmessage = event => {
                    const { data } = event as { data: string };
                    controller.enqueue(encoder.encode(`id: 1\ndata: ${data}\n\n`));
                };
                socket.onclose = event => {
                    const { code, reason } = event as { code: number; reason: string };
                    if (code === 1006) {
                        controller.error(new TypeError("network error"));
                    } else {
                        controller.enqueue(
                            encoder.encode(`event: CLOSE\ndata: ${JSON.stringify({ code, reason })}\n\n`),
                        );
                        controller.close();
                    }
                };
                init?.signal?.addEventListener("abort", () => {
                    socket.readyState = 3;
                });
                socket.accept();
            },
        });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
    };
}

/** A network that lets no WebSocket through. */
function blocked() {
    const sockets = new FakeHub();
    sockets.answer = "refuse";
    const hub = new FakeHub();
    const streams = new FakeStreams(hub);
    const bench = prepare({ WebSocket: sockets.WebSocket, fetch: streams.fetch });
    return { ...bench, hub, sockets, streams };
}

describe("where WebSockets are blocked", () => {
    test("a stream serves after two handshakes", async () => {
        const { client, hub, sockets, streams, seqs, statuses } = blocked();
        void client.connect();
        await pass(2_000);
        expect(client.status).toBe("connected");
        expect(client.transport).toBe("sse");
        expect(statuses.at(-1)?.transport).toBe("sse");
        expect(sockets.sockets).toHaveLength(2);
        expect(streams.requests[0]?.url).toBe("http://hub.test/api/v1/stream");
        expect(streams.requests[0]?.headers.get("authorization")).toMatch(/^Bearer h\./);
        hub.append();
        await pass(1);
        expect(seqs).toEqual([1]);
        expect(client.position?.seq).toBe(1);
    });

    test("a stream that ends is followed by another, by the same table", async () => {
        const { client, hub, sockets, streams, seqs } = blocked();
        void client.connect();
        await pass(10_000);
        hub.append();
        await pass(1);
        for (const code of [1012, 4401, 1006]) {
            hub.socket.drop(code);
            hub.append();
            await pass(600);
            expect(client.status).toBe("connected");
            await pass(6_000);
        }
        expect(streams.requests.map(({ url }) => url.split("?")[1])).toEqual([
            undefined,
            "after=1&epoch=epoch-1",
            "after=2&epoch=epoch-1",
            "after=3&epoch=epoch-1",
        ]);
        expect(seqs).toEqual([1, 2, 3, 4]);
        expect(sockets.sockets).toHaveLength(2);
        hub.socket.drop(4403, "removed");
        await pass(1);
        expect(client.status).toBe("closed");
    });

    test("a WebSocket is tried again later, beside the stream", async () => {
        const { client, hub, sockets, streams, seqs, statuses } = blocked();
        void client.connect();
        await pass(2_000);
        const beat = async (minutes: number) => {
            for (let count = 0; count < minutes * 4; count += 1) {
                await pass(15_000);
                for (const socket of [...hub.open, ...sockets.open]) {
                    socket.pong();
                }
            }
        };
        await beat(7);
        expect(sockets.sockets).toHaveLength(3);
        expect(client.transport).toBe("sse");
        await beat(6);
        expect(sockets.sockets).toHaveLength(3);
        hub.append();
        await pass(1);
        // The way is free now.
        Object.assign(sockets, { answer: "accept", log: hub.log, epoch: hub.epoch });
        await beat(8);
        expect(sockets.sockets).toHaveLength(4);
        expect(client.transport).toBe("websocket");
        expect(hub.open).toHaveLength(0);
        expect(streams.requests).toHaveLength(2);
        sockets.append();
        expect(seqs).toEqual([1, 2]);
        expect(
            statuses
                .filter(({ status }) => status === "reconnecting")
                .every(({ transport }) => transport === null),
        ).toBe(true);
    });

    test("a fresh token comes with a stream that takes over", async () => {
        const { client, hub, streams, seqs, statuses } = blocked();
        hub.tokenSeconds = 60;
        void client.connect();
        await pass(2_000);
        const before = statuses.length;
        for (let beat = 0; beat < 16; beat += 1) {
            await pass(15_000);
            hub.append();
        }
        await pass(1);
        expect(streams.requests.length).toBeGreaterThan(3);
        const tokens = streams.requests.map(({ headers }) => headers.get("authorization"));
        expect(new Set(tokens).size).toBe(tokens.length);
        expect(statuses.slice(before).map(({ status }) => status)).not.toContain("reconnecting");
        expect(seqs).toHaveLength(16);
        expect(hub.open).toHaveLength(1);
    });

    test("a stream that is silent while the machine sleeps is given up", async () => {
        const { client, hub } = blocked();
        hub.heartbeatSeconds = 15;
        void client.connect();
        await pass(2_000);
        await pass(14_000);
        client.wake();
        await pass(10);
        expect(hub.sockets).toHaveLength(1);
        await pass(4_000);
        client.wake();
        await pass(600);
        expect(hub.sockets).toHaveLength(2);
        expect(client.status).toBe("connected");
    });

    test("ping asks over HTTP", async () => {
        const { client, streams } = blocked();
        void client.connect();
        await pass(2_000);
        streams.answer = () => new Response("ok");
        expect(await client.ping()).toBeGreaterThanOrEqual(0);
        expect(streams.requests.at(-1)?.url).toBe("http://hub.test/healthz");
    });
});

describe("the choice of transport", () => {
    test("goes back to WebSockets where the hub is out of reach altogether", async () => {
        const { client, hub, sockets, streams } = blocked();
        streams.answer = () => Promise.reject(new TypeError("fetch failed"));
        void client.connect();
        await pass(60_000);
        expect(sockets.sockets.length).toBeGreaterThan(streams.requests.length);
        expect(streams.requests.length).toBeGreaterThan(1);
        Object.assign(sockets, { answer: "accept" });
        await pass(60_000);
        expect(client.transport).toBe("websocket");
        expect(hub.sockets).toHaveLength(0);
    });

    test("does not take the hub's own refusals for a blocked network", async () => {
        const { client, sockets, streams } = blocked();
        sockets.answer = 4503;
        void client.connect();
        await pass(120_000);
        expect(sockets.sockets.length).toBeGreaterThan(5);
        expect(streams.requests).toHaveLength(0);
        await client.close();
    });

    test("is a stream at once where there is no WebSocket", async () => {
        vi.stubGlobal("WebSocket", undefined);
        const hub = new FakeHub();
        const streams = new FakeStreams(hub);
        const bare = prepareWithoutSocket(streams.fetch);
        void bare.connect();
        await pass(10);
        expect(bare.transport).toBe("sse");
        await bare.close();
    });

    test("does not try streams again where fetch has none, as in React Native", async () => {
        const { client, sockets, streams } = blocked();
        streams.answer = bodiless;
        void client.connect();
        await pass(300_000);
        expect(streams.requests).toHaveLength(1);
        expect(sockets.sockets.length).toBeGreaterThan(5);
        await client.close();
    });

    test("ends where there is neither", async () => {
        vi.stubGlobal("WebSocket", undefined);
        const client = prepareWithoutSocket(async () => bodiless());
        const opening = client.connect();
        await pass(5_000);
        await expect(opening).rejects.toThrow("neither WebSocket nor a fetch that streams");
        expect(() => prepare({ transport: "websocket", WebSocket: undefined as never })).toThrow(
            "There is no WebSocket",
        );
    });

    test.each([
        [400, 4400],
        [401, 4401],
        [403, 1006],
        [422, 4400],
        [429, 4429],
        [503, 4503],
        [500, 1006],
        [404, 1006],
    ])("takes HTTP %i for %i", async (status, code) => {
        const { client, statuses } = prepare({
            transport: "sse",
            fetch: async () => new Response("{}", { status }),
        });
        void client.connect();
        await pass(1);
        expect(statuses.map(({ reason }) => reason?.code)).toContain(code);
        await client.close();
    });

    test.each([
        ["the hub's", JSON.stringify({ code: "no_membership" }), "closed", 4403],
        ["a suspension", JSON.stringify({ code: "organisation_suspended" }), "closed", 4404],
        ["another program's", JSON.stringify({ code: "1020" }), "reconnecting", 1006],
        ["a captive portal's", "<html>", "reconnecting", 1006],
        ["nobody's", "null", "reconnecting", 1006],
    ])("takes HTTP 403 for a removal where it is the hub's: %s", async (_, body, status, code) => {
        const { client, statuses } = prepare({
            transport: "sse",
            fetch: async () => new Response(body, { status: 403 }),
        });
        void client.connect();
        await pass(1);
        expect(client.status).toBe(status);
        expect(statuses.at(-1)?.reason?.code).toBe(code);
        await client.close();
    });

    test("survives a WebSocket that cannot even be made", async () => {
        const socketType = class {
            constructor() {
                throw new Error("insecure");
            }
        };
        const { client, statuses } = prepare({ transport: "websocket", WebSocket: socketType as never });
        void client.connect();
        await pass(10);
        expect(statuses.at(-1)).toMatchObject({
            status: "reconnecting",
            reason: { code: 1006, text: "insecure" },
        });
        await client.close();
    });
});

function bodiless(): Response {
    return { status: 200, headers: new Headers(), body: null } as Response;
}

function prepareWithoutSocket(fetch: Fetch) {
    return createClient({ fetch, url: "http://hub.test", token: "t" });
}

describe("server-sent events", () => {
    /** What a parser makes of the text in these pieces. */
    function parse(pieces: string[]): string[] {
        const events: string[] = [];
        const parser = new EventParser((name, data) => events.push(`${name}|${data}`));
        for (const piece of pieces) {
            parser.push(piece);
        }
        return events;
    }

    test("are read as the standard has them", () => {
        const text = [
            "\uFEFFretry: 10\n\n",
            ": heartbeat\n\n",
            "id: 7\ndata: {}\n\n",
            "data:no space\r\ndata:  two\r\n\r\n",
            "event: CLOSE\rdata: x\r\r",
            "event: nothing\n\n",
            "data\n\n",
            "unknown: y\ndata: z\n\n",
            "data: unfinished\n",
        ].join("");
        expect(parse([text])).toEqual([
            "message|{}",
            "message|no space\n two",
            "CLOSE|x",
            "message|",
            "message|z",
        ]);
    });

    test("are the same however the network cuts them", () => {
        const line = fc.constantFrom("data: a", "data:b", "event: CLOSE", ": c", "id: 1", "data", "");
        const end = fc.constantFrom("\n", "\r\n", "\r");
        const text = fc.array(fc.tuple(line, end), { maxLength: 30 }).map(lines => lines.flat().join(""));
        fc.assert(
            fc.property(text, fc.array(fc.nat(100)), (whole, cuts) => {
                const pieces: string[] = [];
                let rest = whole;
                for (const cut of cuts) {
                    pieces.push(rest.slice(0, cut));
                    rest = rest.slice(cut);
                }
                // What ends in a lone carriage return may go on with a line feed: both are fed one more.
                expect(parse([...pieces, rest, "\n"])).toEqual(parse([`${whole}\n`]));
            }),
        );
    });
});
