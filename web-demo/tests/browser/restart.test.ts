import { expect, test } from "vitest";
import { accessToken, arrives, broadcast, live, shown, signUp, status } from "./acts";
import { shoot } from "./browser";
import { stage } from "./setup";

const on = stage();

test("a hub that is killed and started again under two windows loses and doubles nothing", async () => {
    const ana = await on.person();
    const left = await ana.window();
    await signUp(left, "Acme", "Ana", "ana@acme.example");
    const right = await ana.window();
    await right.goto("/live");
    await live(right);
    await broadcast(left, "Before");
    await arrives(right, "Before");
    const token = await accessToken(left);

    // What comes while there is no hub.
    ana.expect(/ERR_CONNECTION_REFUSED|WebSocket connection to|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
    await on.hub.kill();
    await Promise.all([status(left, "reconnecting"), status(right, "reconnecting")]);
    await shoot(left, "restart-reconnecting");
    await on.hub.run();
    // Some before the windows are back, some after.
    for (let count = 1; count <= 30; count += 1) {
        await on.hub.call("POST", "/organisations/broadcast", token, { message: `After ${count}` });
    }
    await Promise.all([status(left, "connected"), status(right, "connected")]);
    await Promise.all([arrives(left, "After 30"), arrives(right, "After 30")]);

    const log = await on.hub.call<{ items: { seq: number }[] }>("GET", "/activities?limit=200", token);
    const expected = log.items.map(({ seq }) => seq);
    for (const page of [left, right]) {
        const seqs = (await shown(page)).map(({ seq }) => seq);
        // The later window did not see its own beginning come.
        expect(seqs).toEqual(expected.slice(0, seqs.length));
        expect(seqs.length).toBeGreaterThanOrEqual(31);
        expect(await page.locator("[data-break=over]").count()).toBe(1);
    }
    await shoot(left, "restart-back");
});
