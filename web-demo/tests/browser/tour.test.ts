import { expect, test } from "vitest";
import { arrives, broadcast, live, PASSWORD, shown, signUp, status, visit } from "./acts";
import { shoot } from "./browser";
import { stage } from "./setup";

const on = stage();

test("two windows: a broadcast arrives in both, and what a cut one missed is replayed", async () => {
    const ana = await on.person();
    const left = await ana.window();
    await signUp(left, "Acme", "Ana", "ana@acme.example");
    await shoot(left, "tour-1-signed-up");

    const opened = ana.context.waitForEvent("page");
    await left.getByRole("link", { name: "Open one" }).click();
    const right = await opened;
    await live(right);
    await left.locator("[data-step=window][data-done]").waitFor();

    await broadcast(left, "Lunch is ready");
    await arrives(left, "Lunch is ready");
    await arrives(right, "Lunch is ready");
    await left.locator("[data-step=broadcast][data-done]").waitFor();
    expect((await shown(right))[0]).toMatchObject({ arrival: "live" });

    await left.getByRole("button", { name: "Drop my connection" }).click();
    await status(left, "cut");
    await shoot(left, "tour-2-dropped");
    for (const message of ["One", "Two", "Three"]) {
        await broadcast(right, message);
    }
    await arrives(right, "Three");
    expect((await shown(left)).map(({ text }) => text).join()).not.toContain("One");

    await left.getByRole("button", { name: "Reconnect" }).click();
    await arrives(left, "Three");
    const top = (await shown(left)).slice(0, 4);
    expect(top.map(({ arrival }) => arrival)).toEqual(["replayed", "replayed", "replayed", "live"]);
    for (const [index, message] of ["Three", "Two", "One", "Lunch is ready"].entries()) {
        expect(top[index]?.text).toContain(message);
    }
    await left.getByText("3 missed, 3 replayed").waitFor();
    await left.getByText("3 missed activities were replayed, in order.").waitFor();
    await left.locator("[data-step=replay][data-done]").waitFor();
    // The same log in both, without a hole and without a double.
    for (const page of [left, right]) {
        const seqs = (await shown(page)).map(({ seq }) => seq);
        expect(seqs).toEqual(seqs.map((_, index) => seqs.length - index));
    }
    await shoot(left, "tour-3-replayed");
});

test("a second member comes with an invite, is seen online, and leaves when removed", async () => {
    const ana = await on.person();
    const page = await ana.window();
    await signUp(page, "Globex", "Ana", "ana@globex.example");
    await visit(page, "Members");
    await page.getByText("1 of 3 seats used").waitFor();
    await page.getByLabel("Email").fill("bo@globex.example");
    await page.getByRole("button", { name: "Invite" }).click();
    const link = await page.getByLabel("Invite link").inputValue();
    expect(new URL(link).pathname).toBe("/invite");
    await page.getByRole("list", { name: "Pending invites" }).getByText("bo@globex.example").waitFor();

    const bo = await on.person();
    const his = await bo.window();
    await his.goto(link);
    await his.getByLabel("Your name").fill("Bo");
    await his.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await his.getByRole("button", { name: "Join" }).click();
    await live(his);
    // A member does not broadcast.
    expect(await his.getByRole("link", { name: "Broadcast" }).count()).toBe(0);

    await page.getByText("2 of 3 seats used").waitFor();
    await page.getByRole("list", { name: "Members" }).getByText("online").nth(1).waitFor();
    await visit(page, "Live");
    await page.getByRole("region", { name: "Online" }).getByText("Bo", { exact: true }).waitFor();
    await broadcast(page, "Welcome, Bo");
    await arrives(his, "Welcome, Bo");
    await shoot(his, "member-live");

    await visit(page, "Members");
    await page.getByRole("combobox", { name: "Role of Bo" }).click();
    await page.getByRole("option", { name: "Admin" }).click();
    await his.getByRole("link", { name: "Broadcast" }).waitFor();

    await page.getByRole("button", { name: "Remove Bo" }).click();
    await shoot(page, "members-remove");
    await page.getByRole("dialog").getByRole("button", { name: "Remove Bo" }).click();
    await status(his, "closed");
    await his.getByText("you were removed from the organisation").first().waitFor();
    await page.getByText("1 of 3 seats used").waitFor();
    // His session is over, and the page told him so before the hub did.
    bo.expect(/401 \(Unauthorized\)/);
});
