import { describe, expect, expectTypeOf, test, vi } from "vitest";
import {
    ApiError,
    ConnectionError,
    everyItem,
    type Page,
    RestClient,
    type TokenRequest,
    type User,
} from "../../src/index.js";
import { fakeTime, pass } from "./bench.js";
import { makeToken } from "./fake-hub.js";

fakeTime();

type Answer = Response | Error;

/** A client whose requests get these answers in turn. */
function answering(answers: Answer[], options: ConstructorParameters<typeof RestClient>[0] = {}) {
    const requests: { url: string; init: RequestInit }[] = [];
    const rest = new RestClient({
        url: "https://hub.test/",
        token: "t",
        fetch: async (url, init = {}) => {
            requests.push({ url, init });
            const answer = answers[Math.min(requests.length, answers.length) - 1];
            if (answer instanceof Response) {
                return answer.clone();
            }
            throw answer;
        },
        ...options,
    });
    const header = (name: string) => requests.map(({ init }) => new Headers(init.headers).get(name));
    return { rest, requests, header };
}

const json = (body: object, status = 200, headers: Record<string, string> = {}) =>
    new Response(JSON.stringify(body), { status, headers });

const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
    json(
        { type: "about:blank", title: "No", status, detail: "Why", code, requestId: "r-1" },
        status,
        headers,
    );

const lost = new TypeError("fetch failed");

describe("a refusal", () => {
    test("is an error with all that the hub said", async () => {
        const errors = [{ field: "name", message: "must not be empty" }];
        const body = {
            title: "Invalid",
            status: 422,
            detail: "See errors",
            code: "invalid",
            requestId: "r-1",
            errors,
        };
        const { rest } = answering([json(body, 422)]);
        const error = await rest.updateMe({ name: "" }).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(ApiError);
        expect(error).toMatchObject({ name: "ApiError", message: "See errors", ...body, retryAfterMs: null });
    });

    test("without a problem, as of a proxy, is one too", async () => {
        for (const text of ["<html>", "null", "7"]) {
            const { rest } = answering([new Response(text, { status: 403 })]);
            await expect(rest.getMe()).rejects.toMatchObject({
                status: 403,
                code: "unknown",
                title: "HTTP 403",
                errors: [],
            });
        }
    });
});

describe("a request", () => {
    test("is sent with what it needs", async () => {
        const { rest, requests, header } = answering([json({ items: [], nextCursor: null })]);
        await rest.listActivities({ type: "A&B", limit: 5 });
        expect(requests[0]?.url).toBe("https://hub.test/api/v1/activities?type=A%26B&limit=5");
        expect(header("authorization")).toEqual(["Bearer t"]);
        await rest.createBroadcast({ message: "x" }, { idempotencyKey: "mine" });
        expect(header("idempotency-key")).toEqual([null, "mine"]);
        expect(header("content-type")).toEqual([null, "application/json"]);
    });

    test("goes to the page's own origin unless told where", async () => {
        vi.stubGlobal("location", { origin: "https://page.test" });
        const fetch = vi.fn(async () => json({}));
        vi.stubGlobal("fetch", fetch);
        await new RestClient().login({ email: "a@b.c", password: "x" });
        expect(fetch.mock.calls[0]?.at(0)).toBe("https://page.test/api/v1/auth/login");
    });

    test.each([
        ["a lost answer", lost],
        ["502", problem(502, "x")],
        ["503", problem(503, "unavailable")],
        ["504", problem(504, "x")],
        ["429", problem(429, "rate_limited", { "retry-after": "2" })],
        ["its key in use", problem(409, "idempotency_in_progress", { "retry-after": "1" })],
    ])("that creates something is sent again under one key after %s", async (_, answer) => {
        const { rest, header } = answering([answer, answer, json({ seq: 7 }, 201)]);
        const done = rest.createBroadcast({ message: "x" });
        await pass(10_000);
        expect((await done).seq).toBe(7);
        const keys = header("idempotency-key");
        expect(keys).toHaveLength(3);
        expect(new Set(keys).size).toBe(1);
        expect(keys[0]).toMatch(/^[\w-]{20,}$/);
    });

    test("that changes something is not, save where it was not begun", async () => {
        const { rest, requests } = answering([
            lost,
            problem(503, "x"),
            problem(429, "rate_limited"),
            json({}),
        ]);
        await expect(rest.updateSubscription({ plan: "PRO" })).rejects.toBeInstanceOf(ConnectionError);
        await expect(rest.deleteUser("u")).rejects.toMatchObject({ status: 503 });
        const done = rest.updateMe({ name: "x" });
        await pass(5_000);
        await done;
        expect(requests).toHaveLength(4);
    });

    test("that reads is sent again, but not for ever", async () => {
        const { rest, requests } = answering([lost]);
        const done = rest.getMe();
        const refused = expect(done).rejects.toMatchObject({ name: "ConnectionError", cause: lost });
        await pass(20_000);
        await refused;
        expect(requests).toHaveLength(4);
        const none = answering([lost], { retries: 0 });
        await expect(none.rest.getMe()).rejects.toBeInstanceOf(ConnectionError);
        expect(none.requests).toHaveLength(1);
    });

    test("waits as long as the hub asks for, unless that is long", async () => {
        const { rest, requests } = answering([
            problem(429, "rate_limited", { "retry-after": "5" }),
            json({}),
        ]);
        const done = rest.getMe();
        await pass(4_900);
        expect(requests).toHaveLength(1);
        await pass(200);
        await done;
        const long = answering([problem(429, "rate_limited", { "retry-after": "60" })]);
        await expect(long.rest.getMe()).rejects.toMatchObject({ status: 429, retryAfterMs: 60_000 });
    });

    test("whose token has ended is sent again with another, once", async () => {
        const asked: unknown[] = [];
        const { rest, header } = answering([problem(401, "token_expired"), json({})], {
            token: request => {
                asked.push(request);
                return request.refresh ? "next" : "t";
            },
        });
        await rest.updateMe({ name: "x" });
        expect(header("authorization")).toEqual(["Bearer t", "Bearer next"]);
        expect(asked).toEqual([
            { refresh: false, last: null },
            { refresh: true, last: "t" },
        ]);
        let calls = 0;
        const refused = answering([problem(401, "session_ended")], { token: () => `${++calls}` });
        await expect(refused.rest.getMe()).rejects.toMatchObject({ code: "session_ended" });
        expect(refused.requests).toHaveLength(2);
        // There is no other.
        for (const token of ["fixed", ({ refresh }: TokenRequest) => (refresh ? null : "t")]) {
            const ended = answering([problem(401, "session_ended")], { token });
            await expect(ended.rest.getMe()).rejects.toMatchObject({ status: 401 });
            expect(ended.requests).toHaveLength(1);
        }
    });

    test("is not sent again for another member or organisation", async () => {
        const of = (sub: string, org: string, name = "next") => makeToken(name, 900, { sub, org });
        const cases: [string, number][] = [
            [of("ana", "acme"), 2],
            [of("bo", "acme"), 1],
            [of("ana", "globex"), 1],
        ];
        for (const [after, sent] of cases) {
            const { rest, requests } = answering([problem(401, "token_expired")], {
                token: ({ refresh }) => (refresh ? after : of("ana", "acme", "last")),
            });
            await expect(rest.createBroadcast({ message: "x" })).rejects.toMatchObject({ status: 401 });
            expect(requests).toHaveLength(sent);
        }
    });

    test("is given up in time, and when its caller wants", async () => {
        const hanging = (_: string, init?: RequestInit) =>
            new Promise<Response>((_resolve, reject) => {
                init?.signal?.addEventListener("abort", () =>
                    reject(new DOMException("aborted", "AbortError")),
                );
            });
        const rest = new RestClient({
            url: "https://hub.test",
            fetch: hanging,
            retries: 0,
            timeoutMs: 1_000,
        });
        const slow = expect(rest.getMe()).rejects.toBeInstanceOf(ConnectionError);
        await pass(1_100);
        await slow;
        const abort = new AbortController();
        const aborted = expect(rest.getMe({ signal: abort.signal })).rejects.toMatchObject({
            name: "AbortError",
        });
        await pass(1);
        abort.abort();
        await aborted;
        await expect(rest.getMe({ signal: AbortSignal.abort(new Error("mine")) })).rejects.toThrow("mine");
        const waiting = new AbortController();
        const { rest: limited } = answering([problem(429, "rate_limited", { "retry-after": "5" })]);
        const pausing = expect(limited.getMe({ signal: waiting.signal })).rejects.toThrow("enough");
        await pass(100);
        waiting.abort(new Error("enough"));
        await pausing;
    });

    test("has a key without crypto too", async () => {
        vi.stubGlobal("crypto", undefined);
        const { rest, header } = answering([json({})]);
        await rest.createOrganisation({ name: "x" });
        await rest.createOrganisation({ name: "x" });
        vi.restoreAllMocks();
        await rest.createOrganisation({ name: "x" });
        expect(header("idempotency-key")[2]).toMatch(/^[\w-]{10,255}$/);
        expect(header("idempotency-key")[2]).not.toBe(header("idempotency-key")[1]);
    });
});

describe("a list", () => {
    test("is gone through page after page", async () => {
        const pages: Page<{ id: string }>[] = [
            { items: [{ id: "1" }, { id: "2" }], nextCursor: "c" },
            { items: [{ id: "3" }], nextCursor: null },
        ];
        const { rest, requests } = answering(pages.map(page => json(page)));
        const ids: string[] = [];
        for await (const user of everyItem(query => rest.listUsers(query))) {
            expectTypeOf(user.online).toEqualTypeOf<boolean>();
            ids.push(user.id);
        }
        expect(ids).toEqual(["1", "2", "3"]);
        expect(requests[1]?.url).toMatch(/users\?cursor=c$/);
    });
});

test("roles and plans that a later hub knows are accepted", () => {
    expectTypeOf<"OWNER">().toExtend<User["role"]>();
});
