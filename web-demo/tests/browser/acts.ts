import type { Page } from "playwright-core";

export const PASSWORD = "correct horse";

/** Founds an organisation, and waits until the page is live. */
export async function signUp(page: Page, organisation: string, name: string, email: string): Promise<void> {
    await page.goto("/");
    await page.getByLabel("Organisation").fill(organisation);
    await page.getByLabel("Your name").fill(name);
    await page.getByLabel("Email").fill(email);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Sign up" }).click();
    await live(page);
}

/** Waits until the page is live. */
export async function live(page: Page): Promise<void> {
    await page.getByRole("heading", { name: "Live", level: 1 }).waitFor();
    await status(page, "connected");
}

/** Waits until the connection is so. */
export async function status(page: Page, expected: string): Promise<void> {
    await page.locator(`[data-status="${expected}"]`).waitFor();
}

/** Says something to everybody from the page, and waits until it is stored. */
export async function broadcast(page: Page, message: string): Promise<void> {
    const field = page.getByLabel("Message to everybody");
    await field.fill(message);
    await page.getByRole("button", { name: "Broadcast" }).click();
    await page.waitForFunction(
        () => document.querySelector<HTMLInputElement>("[aria-label='Message to everybody']")?.value === "",
    );
}

/** A line of the list of events. */
export interface Shown {
    seq: number;
    arrival: string;
    text: string;
}

/** The events that the page shows, from the top. */
export function shown(page: Page): Promise<Shown[]> {
    return page.locator("[role=log] [data-seq]").evaluateAll(items =>
        items.map(item => ({
            seq: Number((item as HTMLElement).dataset.seq),
            arrival: (item as HTMLElement).dataset.arrival ?? "",
            text: item.textContent ?? "",
        })),
    );
}

/** Waits until the page shows a text among its events. */
export async function arrives(page: Page, text: string): Promise<void> {
    await page.locator("[role=log] [data-seq]").filter({ hasText: text }).first().waitFor();
}

/** Goes to another page by its link. */
export async function visit(page: Page, name: string): Promise<void> {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
}

/** The tokens of whoever is signed in. */
export function accessToken(page: Page): Promise<string> {
    return page.evaluate(
        () => JSON.parse(localStorage.getItem("roomcast:session") ?? "{}").accessToken as string,
    );
}
