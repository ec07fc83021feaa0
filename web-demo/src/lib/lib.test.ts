import { type Activity, ApiError, ConnectionError, type Message, type Organisation } from "@roomcast/client";
import { expect, test } from "vitest";
import { tell, typeName } from "./activity";
import { hideToken, tokenOf } from "./inviteLink";
import { afterNews, creditsOf } from "./messages";
import { choicesWith, seatsOf } from "./plans";
import { explain, fieldErrors } from "./problem";
import { isSuspension, standingOf } from "./standing";
import { spanOf } from "./time";
import { usageOf } from "./usage";

function activity(type: string, payload: Record<string, unknown>, rest: Partial<Activity> = {}): Activity {
    const actor = { id: "ana", name: "Ana" };
    return {
        type,
        seq: 1,
        id: "1",
        actor,
        target: null,
        payload,
        createdAt: "2026-11-21T10:00:00.000Z",
        ...rest,
    };
}

test("activities are told in words", () => {
    const bo = { id: "bo", name: "Bo" };
    const ana = { id: "ana", name: "Ana" };
    const cases: [Activity, string][] = [
        [activity("BROADCAST_MESSAGE", { message: "Hi" }), "Ana broadcast"],
        [activity("USER_JOINED", { name: "Bo", role: "MEMBER" }), "Bo joined as a member"],
        [activity("USER_ROLE_CHANGED", { to: "ADMIN" }, { target: bo }), "Ana made Bo an admin"],
        [activity("USER_REMOVED", {}, { target: bo }), "Ana removed Bo"],
        [activity("USER_REMOVED", {}, { target: ana }), "Ana left"],
        [
            activity("SESSION_ENDED", { reason: "logout" }, { target: ana }),
            "A session of Ana ended: signed out",
        ],
        [activity("PLAN_UPGRADED", { from: "FREE", to: "PRO" }), "Ana changed the plan from FREE to PRO"],
        [
            activity("ORGANISATION_UPDATED", { changes: { name: "Acme" } }),
            "Ana renamed the organisation to Acme",
        ],
        [
            activity("PASSWORD_CHANGED", {}, { actor: null, target: bo }),
            "The operator set a new password for Bo",
        ],
        [
            activity("MESSAGE_QUEUED", { channel: "sms", to: "+441632960961" }),
            "Ana sends an SMS to +441632960961",
        ],
        [
            activity("MESSAGE_FAILED", { channel: "fax", to: "1", detail: "No line" }),
            "Failed: a message on fax to 1 (No line)",
        ],
        [activity("CREDITS_LOW", { balance: 20, lowAt: 20 }), "Credits are low: 20 left"],
        [activity("CREDITS_CHANGED", { amount: 50, reason: "Bought" }), "50 credits were added: Bought"],
        [activity("CREDITS_CHANGED", { amount: -1, reason: "Error" }), "1 credit was taken away: Error"],
        [activity("ROBOT_BUILT", {}), "Robot built by Ana"],
    ];
    for (const [given, expected] of cases) {
        expect(tell(given).title).toBe(expected);
    }
    expect(tell(activity("BROADCAST_MESSAGE", { message: "Hi" })).message).toBe("Hi");
    expect(typeName("USER_ROLE_CHANGED")).toBe("User role changed");
});

test("what the hub says about a field stands at the field", () => {
    const invalid = new ApiError({
        status: 422,
        code: "validation_failed",
        detail: "Not acceptable.",
        errors: [
            { field: "email", message: "must be an email address" },
            { field: "data.x", message: "is too deep" },
        ],
    });
    const fields = ["email", "data"];
    expect(fieldErrors(invalid, fields)).toEqual({
        byField: { email: "Must be an email address", data: "Is too deep" },
        rest: null,
    });
    expect(fieldErrors(invalid, ["email"]).rest?.detail).toBe("data.x: is too deep");
    const taken = new ApiError({ status: 409, code: "email_taken", detail: "It has an account." });
    expect(fieldErrors(taken, fields)).toEqual({ byField: { email: "It has an account." }, rest: null });
    expect(fieldErrors(taken, ["name"]).rest?.detail).toBe("It has an account.");
});

test("whatever goes wrong is explained", () => {
    expect(explain(new ConnectionError("x")).title).toBe("The hub cannot be reached");
    const fault = new ApiError({ status: 500, title: "Fault", detail: "", requestId: "01" });
    expect(explain(fault)).toEqual({ title: "Fault", detail: "The hub gave no reason.", requestId: "01" });
    expect(explain(new Error("odd")).detail).toBe("odd");
});

test("seats count against the plan", () => {
    const organisation = { memberCount: 3, memberLimit: 3 } as Parameters<typeof seatsOf>[0];
    expect(seatsOf(organisation)).toMatchObject({ percent: 100, isFull: true, text: "3 of 3 seats used" });
    expect(seatsOf({ ...organisation, memberLimit: null })).toMatchObject({ isFull: false, percent: 0 });
    expect(choicesWith("FREE")).toHaveLength(3);
    expect(choicesWith("CUSTOM").at(-1)).toEqual({ value: "CUSTOM", label: "CUSTOM" });
});

test("days are counted by the calendar, those with nothing too", () => {
    const now = new Date(2026, 10, 21, 12);
    const on = (day: number): Activity =>
        activity(
            "BROADCAST_MESSAGE",
            { message: "" },
            { createdAt: new Date(2026, 10, day, 23).toISOString() },
        );
    const days = usageOf(
        [on(21), on(21), on(19), activity("X", {}, { createdAt: now.toISOString() }), on(1)],
        3,
        now,
    );
    expect(days.map(({ broadcasts, other }) => [broadcasts, other])).toEqual([
        [1, 0],
        [0, 0],
        [2, 1],
    ]);
});

test("spans are for people", () => {
    expect([420, 9_900, 12_400, 60_000, 185_000].map(spanOf)).toEqual([
        "0.4 s",
        "9.9 s",
        "12 s",
        "1 min",
        "3 min 5 s",
    ]);
});

test("an invite is its link or what stands behind the #", () => {
    for (const link of ["secret", " secret ", "https://hub.test/invite#secret", "#secret\n"]) {
        expect(tokenOf(link)).toBe("secret");
    }
});

test("the token of an invite does not stay in the address bar, however often the page is mounted", () => {
    const location = { hash: "#secret", pathname: "/invite", search: "?lang=en" };
    const replaced: unknown[] = [];
    const history = {
        state: { from: "wouter" },
        replaceState: (...args: unknown[]) => {
            replaced.push(args);
            location.hash = "";
        },
    };
    const page = { location, history } as unknown as Window;
    hideToken(page);
    hideToken(page);
    expect(replaced).toEqual([[history.state, "", "/invite?lang=en"]]);
});

test("what a hub says of an organisation's standing is shown, and nothing else", () => {
    const acme = { name: "Acme" } as Organisation;
    expect(standingOf(acme)).toEqual({ isolation: null, isSuspended: null });
    const apart = standingOf({ ...acme, isolation: "database", status: "active" } as Organisation);
    expect(apart).toEqual({ isolation: "In a database of its own", isSuspended: false });
    const later = standingOf({ ...acme, isolation: "continent", status: "suspended" } as Organisation);
    expect(later).toEqual({ isolation: "continent", isSuspended: true });
});

test("a suspension is told by a close and by a refusal", () => {
    const refused = (code: string) => new ApiError({ status: 403, code }, null);
    expect(isSuspension({ code: 4404, text: "" }, null)).toBe(true);
    expect(isSuspension(null, refused("organisation_suspended"))).toBe(true);
    expect(isSuspension({ code: 4403, text: "" }, refused("role_forbidden"))).toBe(false);
    expect(isSuspension(null, null)).toBe(false);
});

test("a message stands where the log says, whatever comes late", () => {
    const message = { id: "m", status: "SENDING" } as Message;
    expect(afterNews(message, { messageId: "m", status: "SENT" }).status).toBe("SENT");
    expect(afterNews(message, { messageId: "m", status: "QUEUED" })).toBe(message);
    expect(afterNews(message, { messageId: "n", status: "SENT" })).toBe(message);
    expect(afterNews(message, { messageId: "m", status: "LOST" })).toBe(message);
});

test("credits are told in words, and when they are low", () => {
    const credits = { balance: 50, reserved: 0, initial: 100, lowAt: 20 };
    expect(creditsOf(credits)).toEqual({ text: "50 credits left", percent: 50, isLow: false });
    const low = creditsOf({ ...credits, balance: 1, reserved: 3 });
    expect(low).toEqual({ text: "1 credit left, 3 put aside", percent: 1, isLow: true });
    expect(creditsOf({ ...credits, balance: 500 }).percent).toBe(100);
    expect(creditsOf({ balance: 50, reserved: 0, initial: 0, lowAt: 0 }).percent).toBe(100);
});
