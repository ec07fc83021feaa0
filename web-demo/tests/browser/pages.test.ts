import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { broadcast, live, PASSWORD, signUp, status, visit } from "./acts";
import { shoot } from "./browser";
import { stage } from "./setup";

const on = stage();
let axe = "";

beforeAll(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});

/** Keeps a picture, and expects that axe finds nothing, nor that the page is wider than its window. */
async function check(page: Page, name: string): Promise<void> {
    await page.getByRole("status", { name: /Reading|Loading/ }).waitFor({ state: "detached" });
    await shoot(page, name);
    await page.evaluate(axe);
    const found = await page.evaluate(
        () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run() as Promise<AxeResults>,
    );
    const violations = found.violations.map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`),
    }));
    expect(violations, name).toEqual([]);
    const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(width, `${name} is wider than its window`).toBeLessThanOrEqual(0);
}

/** The buttons in the window that a toast lies on. */
function covered(page: Page): Promise<(string | null)[]> {
    return page.locator("button, a").evaluateAll(items =>
        items
            .filter(item => item.closest(".mantine-Notification-root") === null)
            .filter(item => {
                const { left, top, width, height } = item.getBoundingClientRect();
                const front = document.elementFromPoint(left + width / 2, top + height / 2);
                return front?.closest(".mantine-Notification-root") != null;
            })
            .map(item => item.textContent),
    );
}

const looks = [
    { look: "light", options: { colorScheme: "light" } },
    { look: "dark", options: { colorScheme: "dark" } },
    {
        look: "phone",
        options: {
            colorScheme: "light",
            viewport: { width: 390, height: 844 },
            isMobile: true,
            hasTouch: true,
        },
    },
] as const;

describe.each(looks)("$look", ({ look, options }) => {
    test("every page can be read by everybody", async () => {
        const ana = await on.person(options);
        // The refusals that are asked for below.
        ana.expect(/status of 4(01|04|09|22)/);
        const page = await ana.window();

        await page.goto("/");
        await page.getByRole("heading", { name: "Found an organisation" }).waitFor();
        await check(page, `${look}-sign-up`);
        await page.getByLabel("Email").fill("nonsense");
        await page.getByLabel("Password", { exact: true }).fill("short");
        await page.getByRole("button", { name: "Sign up" }).click();
        await page.locator("input[aria-invalid=true]").nth(3).waitFor();
        await check(page, `${look}-sign-up-refused`);

        await page.goto("/sign-in");
        await page.getByLabel("Email").fill("nobody@example.com");
        await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByRole("alert").waitFor();
        await check(page, `${look}-sign-in-refused`);

        await page.goto("/invite#nonsense");
        await page.getByLabel("Your name").fill("Bo");
        await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
        await page.getByRole("button", { name: "Join" }).click();
        await page.getByRole("alert").waitFor();
        await check(page, `${look}-invite-refused`);

        await signUp(page, "Acme", "Ana", `ana-${look}@acme.example`);
        await broadcast(page, "The heating is repaired.\nAll of it.");
        if (look === "phone") {
            await page.getByRole("alert").waitFor();
            expect(await covered(page)).toEqual([]);
        }
        await check(page, `${look}-live`);
        await page.getByRole("button", { name: "Drop my connection" }).click();
        await status(page, "cut");
        await check(page, `${look}-live-dropped`);
        await page.getByRole("button", { name: "Reconnect" }).click();
        await status(page, "connected");

        await visit(page, "Feed");
        await page.getByText("That is everything.").waitFor();
        await check(page, `${look}-feed`);
        await page.getByRole("combobox", { name: "Type" }).click();
        await page.getByRole("option", { name: "Plan upgraded" }).click();
        await page.getByText("Nothing here").waitFor();
        await check(page, `${look}-feed-empty`);

        await visit(page, "Broadcast");
        await page.getByLabel("Data for applications").fill("[1]");
        await page.getByRole("button", { name: "Broadcast" }).click();
        await page.getByText("A JSON object, or nothing").waitFor();
        await check(page, `${look}-broadcast`);

        await visit(page, "Messages");
        await page.getByText("No message yet").waitFor();
        await page.getByText("100 credits left").waitFor();
        await page.getByLabel("Phone number").fill("nonsense");
        await page.getByLabel("Text").fill("Your table is ready.");
        await page.getByRole("button", { name: "Send", exact: true }).click();
        await page.locator("input[aria-invalid=true]").waitFor();
        await check(page, `${look}-messages-refused`);
        await page.getByLabel("Phone number").fill("+441632960961");
        await page.getByRole("button", { name: "Send", exact: true }).click();
        await page.locator("[data-status-of-message=SENT]").waitFor();
        await page.getByText("99 credits left", { exact: true }).waitFor();
        await check(page, `${look}-messages`);
        await page.locator("[data-message] button").click();
        await page.getByRole("dialog").getByText("Through simulated").waitFor();
        await check(page, `${look}-message`);
        await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();

        await visit(page, "Members");
        await page.getByText("Nobody is invited").waitFor();
        await page.getByLabel("Email").fill("bo@acme.example");
        await page.getByRole("button", { name: "Invite" }).click();
        await page.getByLabel("Invite link").waitFor();
        await check(page, `${look}-members`);
        await page.getByRole("button", { name: "Remove Ana" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Remove Ana" }).click();
        await page.getByRole("dialog").getByRole("alert").waitFor();
        await check(page, `${look}-members-last-admin`);
        await page.getByRole("button", { name: "Keep" }).click();

        await visit(page, "Organisation");
        await page.getByRole("img", { name: /broadcasts and/ }).waitFor();
        await check(page, `${look}-organisation`);
    });
});

test("the page can be used without a mouse", async () => {
    const ana = await on.person();
    const page = await ana.window();
    await page.goto("/");
    await page.getByLabel("Organisation").focus();
    for (const text of ["Acme", "Ana", "keys@acme.example", PASSWORD]) {
        await page.keyboard.type(text);
        await page.keyboard.press("Tab");
    }
    await page.getByRole("button", { name: "Sign up" }).focus();
    await page.keyboard.press("Enter");
    await live(page);
    await page.reload();
    await live(page);
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.closest("main")?.id)).toBe("content");

    // Whoever goes to another page is brought to its heading.
    await page.getByRole("link", { name: "Feed" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Feed", level: 1 }).waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    expect(await page.title()).toBe("Feed · Roomcast");
});

test("another colour is kept, and another window of the browser signs out with this one", async () => {
    const ana = await on.person({ colorScheme: "light" });
    const page = await ana.window();
    await signUp(page, "Acme", "Ana", "twice@acme.example");
    await page.getByRole("button", { name: "Dark colours" }).click();
    const second = await ana.window();
    await second.goto("/organisation");
    await second.getByRole("heading", { name: "Organisation", level: 1 }).waitFor();
    expect(await second.locator("html").getAttribute("data-mantine-color-scheme")).toBe("dark");
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.getByText("You are signed out.").waitFor();
    await page.getByText("You are signed out.").waitFor();
});

test("an organisation is renamed, upgraded, and another one founded and switched to", async () => {
    const ana = await on.person();
    const page = await ana.window();
    await signUp(page, "Acme", "Ana", "many@acme.example");
    await visit(page, "Organisation");
    await page.getByLabel("What members see").fill("Acme and Sons");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByText("Acme and Sons (acme").waitFor();
    await page.getByRole("combobox", { name: "Plan" }).click();
    await page.getByRole("option", { name: /Pro/ }).click();
    await page.getByRole("button", { name: "Change plan" }).click();
    await page.getByText("1 of 10 seats used").waitFor();

    await page.getByRole("button", { name: "New organisation" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("Globex");
    await page.getByRole("button", { name: "Found it" }).click();
    await page.getByText(/^Globex \(globex/).waitFor();
    await page.getByRole("button", { name: "Switch to Acme and Sons" }).click();
    await page.getByText("Acme and Sons (acme").waitFor();
});

test("a suspended organisation says so on every page, until it is resumed", async () => {
    const ana = await on.person();
    const page = await ana.window();
    let isSuspended = true;
    await page.routeWebSocket(/\/ws/, socket => {
        if (isSuspended) {
            void socket.close({ code: 4404, reason: "organisation suspended" });
        } else {
            socket.connectToServer();
        }
    });
    await page.goto("/");
    await page.getByLabel("Organisation").fill("Acme");
    await page.getByLabel("Your name").fill("Ana");
    await page.getByLabel("Email").fill("closed@acme.example");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Sign up" }).click();
    await page.getByRole("heading", { name: "Acme is suspended" }).waitFor();
    await page.getByRole("link", { name: "Feed" }).click();
    await page.getByRole("heading", { name: "Acme is suspended" }).waitFor();
    await check(page, "suspended");
    isSuspended = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await status(page, "connected");
    await page.getByRole("heading", { name: "Feed", level: 1 }).waitFor();
});

test("the documents load their own files alone", async () => {
    const reader = await on.person();
    const page = await reader.window();
    await page.goto("/docs/");
    await page.locator(".opblock-summary").first().click();
    await page.locator(".opblock-body").first().waitFor();
    await shoot(page, "docs", false);
});
