import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually } from "./wait";

const ROOT = resolve(import.meta.dirname, "../../..");

/** The program under test. */
const PROGRAM = process.env.ROOMCAST_PROGRAM ?? join(ROOT, "target/debug/roomcast");

/** A real hub, on a port and in a folder of its own. */
export class Hub {
    readonly #folder: string;
    readonly #settings: Record<string, string>;
    readonly port: number;
    #process: ChildProcess | null = null;
    #log = "";

    private constructor(folder: string, port: number, settings: Record<string, string>) {
        this.#folder = folder;
        this.#settings = settings;
        this.port = port;
    }

    static async start(settings: Record<string, string> = {}): Promise<Hub> {
        const folder = await mkdtemp(join(tmpdir(), "roomcast-page-"));
        const hub = new Hub(folder, await freePort(), settings);
        await hub.run();
        return hub;
    }

    get url(): string {
        return `http://127.0.0.1:${this.port}`;
    }

    /** Starts the program, on what an earlier one has left. */
    async run(): Promise<void> {
        const child = spawn(PROGRAM, ["serve"], {
            cwd: this.#folder,
            stdio: ["ignore", "pipe", "pipe"],
            // What a developer has set for their own hub does not reach this one.
            env: {
                PATH: process.env.PATH,
                HOST: "127.0.0.1",
                PORT: String(this.port),
                ROOMCAST_DATA_DIR: this.#folder,
                RATE_LIMIT_PER_MINUTE: "0",
                AUTH_RATE_LIMIT_PER_MINUTE: "0",
                HANDSHAKES_PER_MINUTE: "0",
                ...this.#settings,
            },
        });
        this.#process = child;
        for (const stream of [child.stdout, child.stderr]) {
            stream?.on("data", (text: Buffer) => {
                this.#log += text.toString();
            });
        }
        await eventually("the hub is ready", async () => {
            if (child.exitCode !== null) {
                throw new Error(`The hub ended with ${child.exitCode}:\n${this.#log}`);
            }
            return (await fetch(`${this.url}/readyz`).catch(() => null))?.ok === true;
        });
    }

    /** Ends the program at once, whatever it does. */
    async kill(): Promise<void> {
        const child = this.#process;
        this.#process = null;
        if (child !== null && child.exitCode === null && child.signalCode === null) {
            const ended = once(child, "exit");
            child.kill("SIGKILL");
            await ended;
        }
    }

    /** Ends the program and deletes what it has stored. */
    async stop(): Promise<void> {
        await this.kill();
        await rm(this.#folder, { recursive: true, force: true });
    }

    /** Calls the API. */
    async call<T>(method: string, path: string, token: string, body?: object): Promise<T> {
        const response = await fetch(`${this.url}/api/v1${path}`, {
            method,
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        if (!response.ok) {
            throw new Error(`${method} ${path}: ${response.status} ${text}`);
        }
        return (text === "" ? undefined : JSON.parse(text)) as T;
    }
}

/** Whether the page is in the program: a hub that was built without Node.js says how to get it. */
export async function pageIsBuilt(): Promise<boolean> {
    const page = await readFile(join(ROOT, "web-demo/dist/index.html"), "utf8").catch(() => "");
    return page.includes("/assets/");
}

async function freePort(): Promise<number> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    server.close();
    await once(server, "close");
    if (address === null || typeof address === "string") {
        throw new Error("No port");
    }
    return address.port;
}
