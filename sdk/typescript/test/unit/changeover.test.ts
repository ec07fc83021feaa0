import { expect, test } from "vitest";
import { connected, fakeTime, pass } from "./bench.js";

fakeTime();

test("on GOAWAY the next link opens before the old one closes", async () => {
    const { hub, client, seqs, statuses } = await connected();
    const [old] = hub.open;
    hub.append();
    old?.say("GOAWAY", { closesInMs: 10_000 });
    await pass(8_000);
    expect(hub.sockets).toHaveLength(1);
    hub.answer = "hold";
    await pass(1_500);
    // The next is on its way. The old one still delivers.
    expect(hub.sockets).toHaveLength(2);
    hub.append();
    expect(seqs).toEqual([1, 2]);
    const next = hub.sockets[1];
    expect(next?.after).toBe(1);
    next?.accept();
    expect(old?.readyState).toBe(3);
    // It was sent by both, and handed over once.
    expect(seqs).toEqual([1, 2]);
    hub.append();
    expect(seqs).toEqual([1, 2, 3]);
    expect(client.status).toBe("connected");
    expect(statuses.map(({ status }) => status)).not.toContain("reconnecting");
});

test("a next link that is refused leaves the old one alone, and is tried again", async () => {
    const { hub, client, seqs, statuses } = await connected();
    hub.socket.say("GOAWAY", { closesInMs: 10_000 });
    hub.answer = "refuse";
    await pass(9_500);
    expect(hub.sockets).toHaveLength(2);
    hub.append();
    expect(seqs).toEqual([1]);
    expect(client.status).toBe("connected");
    hub.answer = "accept";
    await pass(2_000);
    expect(hub.sockets).toHaveLength(3);
    hub.append();
    expect(seqs).toEqual([1, 2]);
    expect(statuses.map(({ status }) => status)).not.toContain("reconnecting");
});

test("an old link that closes first is followed by the next", async () => {
    const { hub, client, seqs } = await connected();
    hub.answer = "hold";
    hub.socket.say("GOAWAY", { closesInMs: 1_000 });
    await pass(950);
    hub.sockets[0]?.drop(1012);
    expect(client.status).toBe("reconnecting");
    hub.append();
    hub.sockets[1]?.accept();
    expect(client.status).toBe("connected");
    expect(seqs).toEqual([1]);
    expect(hub.sockets).toHaveLength(2);
});

test("closing lets go of both", async () => {
    const { hub, client } = await connected();
    hub.answer = "hold";
    hub.socket.say("GOAWAY", { closesInMs: 1_000 });
    await pass(950);
    await client.close();
    hub.sockets[1]?.accept();
    expect(client.status).toBe("closed");
    expect(hub.sockets.map(socket => socket.readyState)).toEqual([3, 3]);
});
