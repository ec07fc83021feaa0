import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessToken, signUp, visit } from "./acts";
import { shoot } from "./browser";
import { stage } from "./setup";

/** Sends a message from the page, which goes on when the hub has it. */
async function send(page: Page, channel: string, recipient: string, to: string): Promise<void> {
    await page.getByRole("radiogroup", { name: "Channel" }).getByText(channel, { exact: true }).click();
    await page.getByLabel(recipient).fill(to);
    await page.getByLabel("Text").fill("Your table is ready.");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await message(page, to).waitFor();
}

function message(page: Page, to: string): ReturnType<Page["locator"]> {
    return page.locator("[data-message]").filter({ hasText: to });
}

/** Waits until the page says so of the credits. */
async function credits(page: Page, text: string): Promise<void> {
    await page.getByRole("region", { name: "Credits" }).getByText(text, { exact: true }).waitFor();
}

describe("as it comes", () => {
    const on = stage();

    test("a message is sent, followed live, and looked into", async () => {
        const ana = await on.person();
        const page = await ana.window();
        await signUp(page, "Acme", "Ana", "ana@acme.example");
        await visit(page, "Messages");
        await page.getByText("No message yet").waitFor();
        await credits(page, "100 credits left");
        await send(page, "Email", "Email address", "cy@globex.example");

        // It says by itself how it goes on.
        await page.locator("[data-status-of-message=SENT]").waitFor();
        await credits(page, "99 credits left");
        expect(
            await page.getByRole("progressbar", { name: "Credits left" }).getAttribute("aria-valuenow"),
        ).toBe("99");
        await message(page, "cy@globex.example").getByRole("button").click();
        const drawer = page.getByRole("dialog");
        await drawer.getByText("Your table is ready.").waitFor();
        await drawer.getByText("Through simulated").waitFor();
        await drawer.getByRole("button", { name: "Close" }).click();

        // The hub reaches nothing private: what was put aside is given back.
        await send(page, "Webhook", "URL", "http://127.0.0.1/hook");
        await page.locator("[data-status-of-message=FAILED]").waitFor();
        await credits(page, "99 credits left");
        await message(page, "http://127.0.0.1/hook").getByRole("button").click();
        await drawer.getByText("Refused for good").waitFor();
        await shoot(page, "message-failed", false);
        await drawer.getByRole("button", { name: "Close" }).click();
        await page.getByRole("combobox", { name: "Filter by status" }).click();
        await page.getByRole("option", { name: "failed" }).click();
        await message(page, "cy@globex.example").waitFor({ state: "detached" });
        await message(page, "http://127.0.0.1/hook").waitFor();
    });

    test("what is sent elsewhere is listed, and low credits are told", async () => {
        const ana = await on.person();
        const page = await ana.window();
        await signUp(page, "Globex", "Ana", "ana@globex.example");
        await visit(page, "Messages");
        await page.getByText("No message yet").waitFor();
        const messages = Array.from({ length: 80 }, (_, place) => ({
            channel: "push",
            to: `device-${place}`,
            body: "Your table is ready.",
        }));
        await on.hub.call("POST", "/messages/batch", await accessToken(page), { messages });
        await credits(page, "20 credits left");
        await page.getByText("Credits are low", { exact: true }).waitFor();
        await page.getByRole("button", { name: "More" }).click();
        await expect.poll(() => page.locator("[data-status-of-message=SENT]").count()).toBe(80);
        await shoot(page, "messages-low", false);
    });

    test("a small phone has room for the names of all pages and channels", async () => {
        const ana = await on.person({
            viewport: { width: 320, height: 640 },
            isMobile: true,
            hasTouch: true,
        });
        const page = await ana.window();
        await signUp(page, "Initech", "Ana", "ana@initech.example");
        await visit(page, "Messages");
        await page.getByText("No message yet").waitFor();
        await shoot(page, "messages-small", false);
        const cut = await page
            .locator("nav[aria-label=Pages] a, [role=radiogroup] label")
            .evaluateAll(items =>
                items
                    .filter(item => {
                        const text = document.createRange();
                        text.selectNodeContents(item);
                        return text.getBoundingClientRect().width > item.getBoundingClientRect().width;
                    })
                    .map(item => item.textContent),
            );
        expect(cut).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    });
});

describe("one at a time", () => {
    const on = stage({ SIMULATED_LATENCY: "5s", JOB_CONCURRENCY_PER_ORGANISATION: "1" });

    test("a message that waits is called off", async () => {
        const ana = await on.person();
        const page = await ana.window();
        await signUp(page, "Acme", "Ana", "ana@acme.example");
        await visit(page, "Messages");
        await send(page, "SMS", "Phone number", "+441632960961");
        await send(page, "SMS", "Phone number", "+441632960962");
        await credits(page, "98 credits left, 2 put aside");
        await message(page, "+441632960962").getByRole("button").click();
        const drawer = page.getByRole("dialog");
        await drawer.getByRole("button", { name: "Cancel the message" }).click();
        await drawer.locator("[data-status-of-message=CANCELLED]").waitFor();
        await drawer.getByRole("button", { name: "Close" }).click();
        await message(page, "+441632960962").locator("[data-status-of-message=CANCELLED]").waitFor();
        await message(page, "+441632960961").locator("[data-status-of-message=SENT]").waitFor();
        await credits(page, "99 credits left");
    });
});
