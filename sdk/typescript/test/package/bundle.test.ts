// What an application gets: how large, with what it does not need left out, and where it runs.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createContext, Script } from "node:vm";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import { describe, expect, test } from "vitest";
import { FakeHub, makeToken } from "../unit/fake-hub.js";

const folder = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

async function bundle(contents: string, options: BuildOptions = {}): Promise<string> {
    const { outputFiles } = await build({
        stdin: { contents, resolveDir: join(folder, "src"), loader: "ts" },
        bundle: true,
        minify: true,
        write: false,
        logLevel: "error",
        format: "esm",
        target: "es2022",
        ...options,
    });
    return outputFiles?.[0]?.text ?? "";
}

const gzippedKb = (text: string) => gzipSync(text, { level: 9 }).length / 1000;

describe("the package", () => {
    test("is as large as its README says", async () => {
        const readme = readFileSync(join(folder, "README.md"), "utf8");
        const stated = /\*\*([\d.]+) kB\*\* gzipped.*?\(([\d.]+) kB with only the live client/s.exec(readme);
        const whole = gzippedKb(await bundle('export * from "./index.js";'));
        const live = gzippedKb(await bundle('export { createClient } from "./index.js";'));
        expect(stated, "the README states the sizes").not.toBeNull();
        // Not to the byte: each Node has a gzip of its own.
        expect(Math.abs(Number(stated?.[1]) - whole)).toBeLessThan(0.1);
        expect(Math.abs(Number(stated?.[2]) - live)).toBeLessThan(0.1);
        expect(whole).toBeLessThan(12);
    });

    test("leaves out what is not used", async () => {
        const live = await bundle('export { createClient } from "./index.js";');
        const rest = await bundle('export { RestClient } from "./index.js";');
        const code = await bundle('import { CloseCode } from "./index.js"; console.log(CloseCode.REMOVED);');
        expect(live).not.toContain("/auth/register");
        expect(rest).not.toContain("roomcast.v1");
        expect(code.length).toBeLessThan(500);
        expect(await bundle('import "./index.js";')).toBe("");
    });

    test("needs nothing else, and is ESM with types", () => {
        expect(manifest.dependencies).toBeUndefined();
        expect(manifest.peerDependencies).toBeUndefined();
        expect(manifest.type).toBe("module");
        expect(manifest.sideEffects).toBe(false);
        expect(Object.keys(manifest.exports["."])).toEqual(["types", "default"]);
    });

    test("uses nothing that is of Node alone", async () => {
        // Would fail to resolve: there is nothing of Node on this platform.
        await expect(bundle('export * from "./index.js";', { platform: "browser" })).resolves.toBeTruthy();
    });

    test("is installed from whichever registry the installer uses", () => {
        for (const lock of ["../../package-lock.json", "test/runtimes/package-lock.json"]) {
            const { packages } = JSON.parse(readFileSync(join(folder, lock), "utf8"));
            const resolved = Object.values<{ resolved?: string }>(packages).flatMap(
                entry => entry.resolved ?? [],
            );
            expect(resolved.filter(source => source.includes("://"))).toEqual([]);
        }
    });

    test("has the version of the hub", () => {
        const cargo = readFileSync(join(folder, "../../Cargo.toml"), "utf8");
        expect(manifest.version).toBe(/^version = "(.*)"$/m.exec(cargo)?.[1]);
    });
});

describe("React Native", () => {
    /** What Hermes and React Native have in common with a browser, and nothing else. */
    function phone(extra: object) {
        const context: Record<string, unknown> = {
            console,
            setTimeout,
            clearTimeout,
            performance,
            AbortController,
            navigator: { product: "ReactNative" },
            ...extra,
        };
        context.globalThis = context;
        context.window = context;
        return createContext(context);
    }

    const script = () =>
        bundle('export * from "./index.js";', { format: "iife", globalName: "roomcast", target: "es2020" });

    test("can load it where there is no page, no URL, no crypto and no WebSocket", async () => {
        const context = phone({});
        new Script(await script()).runInContext(context);
        const names = new Script("Object.keys(roomcast).join()").runInContext(context);
        expect(names).toContain("createClient");
        const missing = new Script("[typeof URL, typeof crypto, typeof document, typeof TextDecoder].join()");
        expect(missing.runInContext(context)).toBe("undefined,undefined,undefined,undefined");
    });

    test("follows with a WebSocket that it is passed", async () => {
        const hub = new FakeHub();
        const heard: number[] = [];
        const context = phone({ hub, token: makeToken("t"), hear: (seq: number) => heard.push(seq) });
        new Script(await script()).runInContext(context);
        const run = new Script(`
            const stored = new Map();
            const client = roomcast.createClient({
                url: "https://hub.test",
                token: async () => token,
                WebSocket: hub.WebSocket,
                storage: {
                    getItem: async key => stored.get(key) ?? null,
                    setItem: async (key, value) => void stored.set(key, value),
                    removeItem: async key => void stored.delete(key),
                },
            });
            client.on("BROADCAST_MESSAGE", ({ seq }) => hear(seq));
            client.connect().then(() => {
                hub.append();
                hub.socket.drop(1012);
                hub.append();
                client.wake();
                return new Promise(resolve => setTimeout(resolve, 50));
            }).then(() => client.close());
        `);
        await run.runInContext(context);
        expect(heard).toEqual([1, 2]);
    });
});
