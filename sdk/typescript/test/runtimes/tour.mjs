// tour.mjs [MODULE-WITH-A-WEBSOCKET] URL: follows a hub over each transport with the built package, and says what came.

import { createClient, createSession, RestClient } from "../../dist/index.js";

const args = typeof Deno === "undefined" ? process.argv.slice(2) : Deno.args;
const url = args.at(-1);
const options = args.length > 1 ? { WebSocket: (await import(args[0])).WebSocket } : {};

const session = createSession({ url });
const email = `${Math.random().toString(36).slice(2)}@acme.example`;
await session.signIn(rest =>
    rest.register({ organisationName: "Acme", name: "Ana", email, password: "correct horse" }),
);
const rest = new RestClient({ url, token: session.token });

for (const transport of ["websocket", "sse"]) {
    const client = createClient({ url, token: session.token, transport, ...options });
    let heard;
    client.on("BROADCAST_MESSAGE", ({ payload }) => {
        console.log(transport, payload.message);
        heard?.();
    });
    const next = () => new Promise(resolve => (heard = resolve));
    await client.connect();
    await Promise.all([next(), rest.createBroadcast({ message: "1" })]);
    await client.close();
    await rest.createBroadcast({ message: "2" });
    await Promise.all([next(), client.connect()]);
    await client.close();
    console.log(transport, client.status);
}
