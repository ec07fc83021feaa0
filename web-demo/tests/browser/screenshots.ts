// The pictures of the README.
import { mkdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { arrives, broadcast, live, PASSWORD, signUp, status } from "./acts";
import { stage } from "./setup";

const IMAGES = resolve(import.meta.dirname, "../../../docs/images");
const MOST_BYTES = 200_000;

const on = stage();
const size = { viewport: { width: 1280, height: 860 } };

async function keep(page: Page, name: string): Promise<void> {
    await page.evaluate(() => scrollTo(0, 0));
    mkdirSync(IMAGES, { recursive: true });
    const path = join(IMAGES, `${name}.png`);
    await page.screenshot({ path });
    expect((await stat(path)).size, name).toBeLessThan(MOST_BYTES);
}

/** Until the toasts are gone. They stay while the mouse is over one. */
async function quiet(page: Page): Promise<void> {
    await page.mouse.move(0, 0);
    await page.locator(".mantine-Notification-root").first().waitFor({ state: "detached" });
}

test("live after a cut, in the light and in the dark", async () => {
    const ana = await on.person({ ...size, colorScheme: "light" });
    const page = await ana.window();
    await signUp(page, "Acme", "Ana", "ana@acme.example");
    const token = await page.evaluate(
        () => JSON.parse(localStorage.getItem("roomcast:session") ?? "{}").accessToken,
    );
    const invite = await on.hub.call<{ inviteToken: string }>("POST", "/users/invite", token, {
        email: "bo@acme.example",
    });
    const bo = await on.person({ ...size, colorScheme: "dark" });
    const his = await bo.window();
    await his.goto(`/invite#${invite.inviteToken}`);
    await his.getByLabel("Your name").fill("Bo");
    await his.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await his.getByRole("button", { name: "Join" }).click();
    await live(his);
    await broadcast(page, "Lunch is ready");
    await arrives(his, "Lunch is ready");
    await his.getByRole("button", { name: "Drop my connection" }).click();
    await status(his, "cut");
    await broadcast(page, "The kitchen closes at two");
    await broadcast(page, "There is cake left");
    await his.getByRole("button", { name: "Reconnect" }).click();
    await arrives(his, "There is cake left");
    await quiet(his);
    await keep(his, "live-dark");

    await page.getByRole("button", { name: "Drop my connection" }).click();
    await status(page, "cut");
    for (const message of ["The lift works again", "The cake is gone", "See you tomorrow"]) {
        await on.hub.call("POST", "/organisations/broadcast", token, { message });
    }
    await page.getByRole("button", { name: "Reconnect" }).click();
    await arrives(page, "See you tomorrow");
    await quiet(page);
    await keep(page, "live");
});
