// The clients of docs/clients.md on a real hub, which is killed and started again, as they are.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { Hub } from "../hub/hub.js";
import { found, invite, type Person } from "../hub/people.js";

const examples = resolve(import.meta.dirname, "../../../../examples/clients");

/** A Python with the package websockets: scripts/sdk makes one. */
const python = process.env.ROOMCAST_PYTHON;

const programs = [
    { name: "JavaScript", command: [process.execPath, join(examples, "client.mjs")] },
    ...(python === undefined ? [] : [{ name: "Python", command: [python, join(examples, "client.py")] }]),
];

const hubs: Hub[] = [];
const folders: string[] = [];
const processes: ChildProcess[] = [];

afterAll(async () => {
    for (const running of processes) {
        running.kill("SIGKILL");
    }
    await Promise.all(hubs.map(hub => hub.stop()));
    await Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true })));
});

/** One of the clients, over as many processes as it takes. */
class Client {
    /** What it was handed, of broadcasts. */
    readonly messages: string[] = [];
    /** What it said about its connections. */
    errors = "";
    readonly #folder: string;
    readonly #command: string[];
    readonly #url: string;
    #process: ChildProcess | null = null;
    #rest = "";

    private constructor(folder: string, command: string[], url: string) {
        this.#folder = folder;
        this.#command = command;
        this.#url = url;
    }

    static async start(person: Person, command: string[]): Promise<Client> {
        const folder = await mkdtemp(join(tmpdir(), "roomcast-client-"));
        folders.push(folder);
        const { accessToken, refreshToken } = person.started;
        await writeFile(join(folder, "tokens.json"), JSON.stringify({ accessToken, refreshToken }));
        const client = new Client(folder, command, person.url);
        client.run();
        return client;
    }

    run(): void {
        const [program = "", ...args] = this.#command;
        const running = spawn(program, args, {
            env: {
                ...process.env,
                ROOMCAST_URL: this.#url,
                ROOMCAST_TOKENS: join(this.#folder, "tokens.json"),
                ROOMCAST_POSITION: join(this.#folder, "position.json"),
            },
            stdio: ["ignore", "pipe", "pipe"],
        });
        processes.push(running);
        this.#process = running;
        running.stdout.on("data", data => this.#read(`${data}`));
        running.stderr.on("data", data => {
            this.errors += data;
        });
    }

    /** Ends the process as a crash does. */
    async kill(): Promise<void> {
        this.#process?.kill("SIGKILL");
        await this.ended();
    }

    /** Waits for the process to end by itself or otherwise. */
    async ended(): Promise<number | null> {
        const running = this.#process;
        if (running !== null && running.exitCode === null && running.signalCode === null) {
            await once(running, "exit");
        }
        return running?.exitCode ?? null;
    }

    async position(): Promise<number> {
        const text = await readFile(join(this.#folder, "position.json"), "utf8").catch(() => '{"seq":0}');
        return (JSON.parse(text) as { seq: number }).seq;
    }

    #read(text: string): void {
        const lines = (this.#rest + text).split("\n");
        this.#rest = lines.pop() ?? "";
        for (const line of lines) {
            const [, type, message] = line.split(" ");
            if (type === "BROADCAST_MESSAGE") {
                this.messages.push(message ?? "");
            }
        }
    }
}

test.concurrent.each(programs)(
    "the client in $name goes on where it was: hub killed, itself killed, tokens ended, removed at last",
    { timeout: 60_000 },
    async ({ command }) => {
        const hub = await Hub.start({ JWT_ACCESS_EXPIRES_IN: "3s" });
        hubs.push(hub);
        const ana = await found(hub.url);
        const client = await Client.start(await invite(ana), command);
        const sent: string[] = [];
        let last = 0;
        const broadcast = async (count: number) => {
            for (let number = 0; number < count; number += 1) {
                const message = `${sent.length + 1}`;
                last = (await ana.rest.createBroadcast({ message })).seq;
                sent.push(message);
            }
        };
        const arrives = () =>
            vi.waitFor(
                async () => {
                    expect(client.messages, client.errors).toEqual(sent);
                    expect(await client.position()).toBeGreaterThanOrEqual(last);
                },
                { timeout: 20_000, interval: 50 },
            );
        // It starts at the head: whoever speaks before it is there is not heard.
        await vi.waitFor(async () => expect((await ana.rest.listPresence()).items).toHaveLength(1), {
            timeout: 10_000,
        });
        await broadcast(5);
        await arrives();
        await hub.kill();
        await hub.start();
        await broadcast(5);
        await arrives();
        await client.kill();
        await broadcast(5);
        client.run();
        await arrives();
        // Longer than tokens live: they are replaced on the socket. One that had all but ended is refreshed after 4401.
        const before = client.errors.length;
        for (let number = 0; number < 16; number += 1) {
            await broadcast(1);
            await new Promise(resolve => setTimeout(resolve, 500));
        }
        await arrives();
        expect(client.errors.slice(before).split("4401").length - 1).toBeLessThanOrEqual(1);
        const [bo] = (await ana.rest.listUsers()).items.filter(({ role }) => role === "MEMBER");
        await ana.rest.deleteUser(bo?.id ?? "");
        expect(await client.ended(), client.errors).toBe(0);
        expect(client.errors).toMatch(/closed 4403\n$/);
    },
);

test.runIf(process.env.ROOMCAST_SDK_RUNTIMES === "all")("all clients were tried", () => {
    expect(programs.map(({ name }) => name)).toEqual(["JavaScript", "Python"]);
});
