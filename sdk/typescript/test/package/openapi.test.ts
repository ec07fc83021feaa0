import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { file, generate, readDocument } from "../../scripts/openapi.mjs";
import { RestClient } from "../../src/index.js";

const document = readDocument();

/** What the document lists, less the stream, which the live client reads, and what only the platform's administrators call. */
const operations = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { operationId, parameters = [], tags }]) => ({
            isOfPlatform: tags.includes("platform"),
            name: operationId.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
            route: `${method.toUpperCase()} ${path}`,
            isKeyed: parameters.some(({ name }) => name === "Idempotency-Key"),
            hasQuery: parameters.some(parameter => parameter.in === "query"),
        })),
    )
    .filter(({ name, isOfPlatform }) => name !== "openStream" && !isOfPlatform);

test("the types are those of the hub's document (else: npm run generate)", async () => {
    expect(readFileSync(file, "utf8")).toBe(await generate(document));
});

test("every operation has its method, and there is no other", () => {
    const methods = Object.getOwnPropertyNames(RestClient.prototype).filter(name => name !== "constructor");
    expect(methods.sort()).toEqual(operations.map(({ name }) => name).sort());
});

test.each(operations)("$name calls $route", async ({ name, route, isKeyed, hasQuery }) => {
    const calls: { route: string; headers: Headers; body: unknown }[] = [];
    const rest = new RestClient({
        url: "https://hub.test",
        token: "t",
        fetch: async (url, init) => {
            const path = url.replace("https://hub.test/api/v1", "").replace("a%2Fb", "{id}");
            calls.push({
                route: `${init?.method} ${path}`,
                headers: new Headers(init?.headers),
                body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
            });
            return new Response(null, { status: 204 });
        },
    });
    const method = (rest as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name];
    const args = route.includes("{id}") ? ["a/b", { x: 1 }] : hasQuery ? [{ limit: 2 }] : [{ x: 1 }];
    await method?.apply(rest, args);
    expect(calls.map(call => call.route)).toEqual([hasQuery ? `${route}?limit=2` : route]);
    const [call] = calls;
    const isPublic = [
        "register",
        "login",
        "signUp",
        "refreshTokens",
        "acceptInvite",
        "forgotPassword",
        "resetPassword",
    ].includes(name);
    expect(call?.headers.get("authorization")).toBe(isPublic ? null : "Bearer t");
    expect(call?.headers.has("idempotency-key")).toBe(isKeyed);
});
