import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
    type Browser,
    type BrowserContext,
    type BrowserContextOptions,
    chromium,
    type Page,
} from "playwright-core";

/** Where to look at what the tests saw. Not in git. */
const SCREENSHOTS = resolve(import.meta.dirname, "../../screenshots");

/** Debian's, unless another is named. */
const CHROMIUM =
    process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync) ?? "chromium";

export function launch(): Promise<Browser> {
    return chromium.launch({
        executablePath: CHROMIUM,
        headless: true,
        args: [
            "--no-sandbox",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-domain-reliability",
            "--disable-sync",
            // Nobody else can be reached, so that a request to somebody else fails and is seen.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        ],
    });
}

/** Somebody's browser, which notes all that a page must not do. */
export class Person {
    readonly context: BrowserContext;
    readonly #origin: string;
    readonly #expected: RegExp[] = [];
    readonly #faults: string[] = [];

    private constructor(context: BrowserContext, origin: string) {
        this.context = context;
        this.#origin = origin;
    }

    static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Person> {
        const context = await browser.newContext({
            viewport: { width: 1280, height: 860 },
            // What moves is neither looked at nor measured half way.
            reducedMotion: "reduce",
            locale: "en-GB",
            baseURL: url,
            ...options,
        });
        context.setDefaultTimeout(30_000);
        const person = new Person(context, new URL(url).origin);
        await context.addInitScript(() => {
            addEventListener("securitypolicyviolation", event => {
                console.error(
                    `Policy: ${event.violatedDirective} of ${event.blockedURI} in ${event.sourceFile}`,
                );
            });
        });
        context.on("request", request => person.#onRequest(request.url()));
        context.on("console", message => {
            if (message.type() === "error" || message.type() === "warning") {
                person.#note(`${message.type()}: ${message.text()} (${message.location().url})`);
            }
        });
        context.on("weberror", error =>
            person.#note(`uncaught: ${error.error().stack ?? error.error().message}`),
        );
        return person;
    }

    /** A new window. */
    window(): Promise<Page> {
        return this.context.newPage();
    }

    /** What is expected in the console, and no fault. */
    expect(...patterns: RegExp[]): void {
        this.#expected.push(...patterns);
    }

    /** All that was wrong so far. */
    get faults(): readonly string[] {
        return this.#faults.filter(fault => !this.#expected.some(pattern => pattern.test(fault)));
    }

    #onRequest(url: string): void {
        const isOwn =
            url.startsWith(`${this.#origin}/`) || url.startsWith("data:") || url.startsWith("blob:");
        if (!isOwn) {
            this.#note(`a request to somebody else: ${url}`);
        }
    }

    #note(fault: string): void {
        this.#faults.push(fault);
    }
}

/** Keeps what a page looks like. */
export async function shoot(page: Page, name: string, isWhole = true): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: isWhole });
}
