// How the page loads: what comes over the wire, and when somebody can use it. On the loopback, with an empty cache.
import type { BrowserContext, Page } from "playwright-core";
import { test } from "vitest";
import { signUp } from "./acts";
import { stage } from "./setup";

const RUNS = 5;

const on = stage();

interface Load {
    requests: number;
    kib: number;
    firstPaintMs: number;
    interactiveMs: number;
    blockedMs: number;
    shift: number;
}

/** Loads a path, and measures until nothing has happened for a while. */
async function load(context: BrowserContext, path: string, ready: string): Promise<Load> {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Network.enable");
    await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
    let requests = 0;
    let bytes = 0;
    devtools.on("Network.requestWillBeSent", () => {
        requests += 1;
    });
    devtools.on("Network.loadingFinished", ({ encodedDataLength }) => {
        bytes += encodedDataLength;
    });
    await page.addInitScript(observe);
    await page.goto(path);
    await page.locator(ready).first().waitFor();
    const readyMs = await page.evaluate(() => performance.now());
    await page.waitForLoadState("networkidle");
    const seen = await page.evaluate(() => (window as unknown as { seen: Seen }).seen);
    await page.close();
    const busy = seen.tasks.filter(({ start }) => start < readyMs);
    const last = busy.at(-1);
    return {
        requests,
        kib: bytes / 1024,
        firstPaintMs: seen.paint,
        // When what it is there for is shown, and no long task holds it up any more.
        interactiveMs: Math.max(readyMs, last === undefined ? 0 : last.start + last.ms),
        blockedMs: busy.reduce((sum, { ms }) => sum + Math.max(0, ms - 50), 0),
        shift: seen.shift,
    };
}

interface Seen {
    paint: number;
    shift: number;
    tasks: { start: number; ms: number }[];
}

/** Runs in the page, before all else. */
function observe(): void {
    const seen: Seen = { paint: 0, shift: 0, tasks: [] };
    (window as unknown as { seen: Seen }).seen = seen;
    const watch = (type: string, each: (entry: PerformanceEntry) => void): void => {
        new PerformanceObserver(list => list.getEntries().forEach(each)).observe({ type, buffered: true });
    };
    watch("paint", ({ name, startTime }) => {
        if (name === "first-contentful-paint") {
            seen.paint = startTime;
        }
    });
    watch("longtask", ({ startTime, duration }) => seen.tasks.push({ start: startTime, ms: duration }));
    watch("layout-shift", entry => {
        seen.shift += (entry as PerformanceEntry & { value: number }).value;
    });
}

function median(values: number[]): number {
    return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test("how the page loads", async () => {
    const ana = await on.person();
    const first: Page = await ana.window();
    await signUp(first, "Acme", "Ana", "ana@acme.example");
    await first.close();
    const kept = await ana.context.storageState();
    const rows: Record<string, Record<string, string>> = {};
    for (const [name, path, ready, isIn] of [
        ["sign up", "/", "form button[type=submit]", false],
        ["live, signed in", "/live", "[data-status=connected]", true],
    ] as const) {
        const loads: Load[] = [];
        for (let run = 0; run < RUNS; run += 1) {
            const person = await on.person(isIn ? { storageState: kept } : {});
            loads.push(await load(person.context, path, ready));
            await person.context.close();
        }
        const of = (key: keyof Load): number => median(loads.map(values => values[key]));
        rows[name] = {
            requests: of("requests").toFixed(0),
            "over the wire": `${of("kib").toFixed(0)} KiB`,
            "first paint": `${of("firstPaintMs").toFixed(0)} ms`,
            interactive: `${of("interactiveMs").toFixed(0)} ms`,
            "blocked (long tasks)": `${of("blockedMs").toFixed(0)} ms`,
            "layout shift": of("shift").toFixed(3),
        };
    }
    console.table(rows);
});
