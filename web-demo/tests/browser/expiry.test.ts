import { expect, test } from "vitest";
import { accessToken, arrives, broadcast, live, signUp } from "./acts";
import { stage } from "./setup";
import { eventually } from "./wait";

const on = stage({ JWT_ACCESS_EXPIRES_IN: "5s" });

test("two windows live through the end of their token, on the connection that they have", async () => {
    const ana = await on.person();
    const left = await ana.window();
    const sockets = new Map<string, number>();
    const count = (name: string) => () => sockets.set(name, (sockets.get(name) ?? 0) + 1);
    left.on("websocket", count("left"));
    await signUp(left, "Acme", "Ana", "ana@acme.example");
    const right = await ana.window();
    right.on("websocket", count("right"));
    await right.goto("/live");
    await live(right);

    const seen = new Set<string>();
    await eventually("the token has been replaced three times", async () => {
        seen.add(await accessToken(left));
        return seen.size > 3;
    });
    await broadcast(left, "Still here");
    await Promise.all([arrives(left, "Still here"), arrives(right, "Still here")]);
    for (const page of [left, right]) {
        expect(await page.locator("[data-break]").count()).toBe(0);
    }
    expect(Object.fromEntries(sockets)).toEqual({ left: 1, right: 1 });
});
