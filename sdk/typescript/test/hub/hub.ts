// A real hub for tests: the program under target/, on a free port, with its data in a folder that goes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const ROOT = resolve(import.meta.dirname, "../../../..");

/** The program to test against: built by cargo before. */
export const PROGRAM =
    process.env.ROOMCAST_PROGRAM ??
    join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/roomcast");

/** A running hub. It can be killed and started again on the same port and data. */
export class Hub {
    readonly #folder: string;
    readonly #env: Record<string, string>;
    #process: ChildProcess | null = null;
    #port = "0";

    private constructor(folder: string, env: Record<string, string>) {
        this.#folder = folder;
        this.#env = env;
    }

    static async start(env: Record<string, string> = {}): Promise<Hub> {
        const hub = new Hub(await mkdtemp(join(tmpdir(), "roomcast-sdk-")), env);
        await hub.start();
        return hub;
    }

    get url(): string {
        return `http://127.0.0.1:${this.#port}`;
    }

    async start(): Promise<void> {
        const child = spawn(PROGRAM, ["serve"], {
            cwd: this.#folder,
            env: {
                HOST: "127.0.0.1",
                PORT: this.#port,
                ROOMCAST_DATA_DIR: this.#folder,
                RATE_LIMIT_PER_MINUTE: "0",
                AUTH_RATE_LIMIT_PER_MINUTE: "0",
                HANDSHAKES_PER_MINUTE: "0",
                ...this.#env,
            },
            stdio: ["ignore", "pipe", "pipe"],
        });
        this.#process = child;
        let log = "";
        child.stderr.on("data", data => {
            log = (log + data).slice(-4000);
        });
        for await (const line of createInterface(child.stdout)) {
            const port = /^listening on http:\/\/.*:(\d+)$/.exec(line)?.[1];
            if (port !== undefined) {
                this.#port = port;
                child.stdout.resume();
                return;
            }
        }
        throw new Error(`The hub did not start:\n${log}`);
    }

    /** Ends the process without a word, as a crash does. */
    async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
        const child = this.#process;
        this.#process = null;
        if (child !== null && child.exitCode === null && child.signalCode === null) {
            const exited = once(child, "exit");
            child.kill(signal);
            await exited;
        }
    }

    async stop(): Promise<void> {
        await this.kill();
        await rm(this.#folder, { recursive: true, force: true });
    }
}
