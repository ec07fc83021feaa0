// Two nodes of one hub, of which one goes away: only where there is a PostgreSQL and a Redis to run them on.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test, vi } from "vitest";
import { Hub } from "./hub.js";
import { found, listen } from "./people.js";
import { Relay } from "./relay.js";

const { ROOMCAST_TEST_POSTGRES_URL, ROOMCAST_TEST_POSTGRES_BIN, ROOMCAST_TEST_REDIS_URL } = process.env;
const ends: (() => unknown)[] = [];

afterAll(async () => {
    for (const end of ends.reverse()) {
        await end();
    }
});

/** What two nodes have in common. */
async function settings(): Promise<Record<string, string>> {
    const name = `sdk_${randomUUID().replaceAll("-", "")}`;
    const psql = join(ROOMCAST_TEST_POSTGRES_BIN ?? "", "psql");
    const sql = (command: string) =>
        promisify(execFile)(psql, [
            "--quiet",
            "--dbname",
            ROOMCAST_TEST_POSTGRES_URL ?? "",
            "--command",
            command,
        ]);
    await sql(`create database ${name}`);
    ends.push(() => sql(`drop database ${name} with (force)`));
    const database = new URL(ROOMCAST_TEST_POSTGRES_URL ?? "");
    database.pathname = `/${name}`;
    database.searchParams.set("sslmode", "disable");
    return {
        DATABASE_URL: `${database}`,
        REDIS_URL: ROOMCAST_TEST_REDIS_URL ?? "",
        REDIS_PREFIX: name,
        JWT_ACCESS_SECRET: randomUUID() + randomUUID(),
        DRAIN_SECONDS: "2",
    };
}

test.runIf(ROOMCAST_TEST_POSTGRES_URL !== undefined && ROOMCAST_TEST_REDIS_URL !== undefined)(
    "a node that goes away is left for the other, without a moment in between",
    { timeout: 60_000 },
    async () => {
        const shared = await settings();
        const old = await Hub.start(shared);
        ends.push(() => old.stop());
        const next = await Hub.start(shared);
        ends.push(() => next.stop());
        const relay = await Relay.start(old.url);
        ends.push(() => relay.stop());

        const ana = await found(next.url);
        const listeners = [
            await listen({ ...ana, url: relay.url }, { transport: "websocket" }),
            await listen({ ...ana, url: relay.url }, { transport: "sse" }),
        ];
        ends.push(() => Promise.all(listeners.map(({ client }) => client.close())));
        const away = vi.fn();
        for (const { client } of listeners) {
            client.on("GOAWAY", away);
        }
        const first = listeners.map(({ client }) => client.welcome?.connectionId);
        relay.target = next.url;
        const stopped = old.kill("SIGTERM");
        const sent: string[] = [];
        let isStopped = false;
        void stopped.then(() => {
            isStopped = true;
        });
        while (!isStopped || sent.length < 20) {
            const message = `${sent.length + 1}`;
            await ana.rest.createBroadcast({ message });
            sent.push(message);
        }
        for (const { heard, messages, statuses, client } of listeners) {
            await heard(sent.length);
            expect(messages).toEqual(sent);
            expect(statuses.map(({ status }) => status)).toEqual(["connecting", "connected", "connected"]);
            expect(first).not.toContain(client.welcome?.connectionId);
        }
        expect(away).toHaveBeenCalledTimes(2);
    },
);
