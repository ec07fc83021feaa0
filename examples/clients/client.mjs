// A complete client without the SDK. Node 22 and later, Deno and Bun have a WebSocket; on Node 20: npm install ws.
//
//   ROOMCAST_URL=http://127.0.0.1:3000 ROOMCAST_TOKENS=tokens.json ROOMCAST_POSITION=position.json node client.mjs
//
// tokens.json holds {"accessToken", "refreshToken"}, as from POST /api/v1/auth/login.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const { ROOMCAST_URL: base, ROOMCAST_TOKENS: tokensFile, ROOMCAST_POSITION: positionFile } = process.env;
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

/** What your application does with an activity. It is given each one once, in order. */
async function handle(activity) {
    console.log(`${activity.seq} ${activity.type} ${activity.payload.message ?? ""}`);
}

/** What it does where some of them will not come: read the feed again, unless they have merely expired. */
async function handleGap({ reason, nextSeq }) {
    console.log(`gap ${reason} ${nextSeq}`);
}

function load(file) {
    try {
        return JSON.parse(readFileSync(file, "utf8"));
    } catch {
        return null;
    }
}

/** Never half a file: a crash leaves the old one or the new one. Nor one that others may read. */
function save(file, value) {
    // One that a crash left, or somebody put there, would keep its owner and mode.
    rmSync(`${file}.new`, { force: true });
    writeFileSync(`${file}.new`, JSON.stringify(value), { flag: "wx", mode: 0o600 });
    renameSync(`${file}.new`, file);
}

let position = load(positionFile); // {epoch, seq}: everything up to there was handled

class SignedOut extends Error {}

/** A refresh token counts once: keep the next one before anything else. */
async function refresh() {
    const response = await fetch(`${base}/api/v1/auth/refresh`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ refreshToken: load(tokensFile).refreshToken }),
    });
    if (response.status === 401) {
        throw new SignedOut("The session has ended: sign in again");
    }
    if (!response.ok) {
        throw new Error(`The refresh failed with ${response.status}`);
    }
    const { accessToken, refreshToken } = await response.json();
    save(tokensFile, { accessToken, refreshToken });
    return accessToken;
}

/** One connection, to its end: the close code, and whether the hub said WELCOME. */
function follow(token) {
    return new Promise(resolve => {
        const query = position === null ? "" : `?after=${position.seq}&epoch=${position.epoch}`;
        const protocols = ["roomcast.v1", `bearer.${token}`];
        const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws${query}`, protocols);
        let welcome = null;
        let deadline;
        let renewal;
        let work = Promise.resolve();

        // A dead link says nothing. Two heartbeats without a frame are enough to know.
        const alive = seconds => {
            clearTimeout(deadline);
            deadline = setTimeout(() => end(1006), seconds * 1000);
        };
        const end = code => {
            clearTimeout(deadline);
            clearTimeout(renewal);
            socket.onmessage = socket.onclose = null;
            socket.onerror = () => {};
            socket.close();
            // What came is handled before the next connection asks for what follows it.
            work.then(() => resolve({ code, welcomed: welcome !== null }));
        };
        /** Puts a fresh token on the socket before the present one ends. */
        const renew = expiresAt => {
            const left = Date.parse(expiresAt) - Date.now();
            renewal = setTimeout(
                async () => {
                    try {
                        const payload = { token: await refresh() };
                        socket.send(JSON.stringify({ type: "AUTH", payload }));
                    } catch {
                        // The socket lives on until its token ends with 4401. Then it is refreshed again.
                    }
                },
                Math.max(1000, left - Math.min(60_000, left / 3)),
            );
        };
        /** After the application took it, not before. */
        const reach = seq => {
            if (seq > position.seq) {
                position.seq = seq;
                save(positionFile, position);
            }
        };
        const take = async ({ type, seq, payload, ...rest }) => {
            if (seq !== undefined) {
                if (seq > position.seq) {
                    await handle({ type, seq, payload, ...rest });
                    reach(seq);
                }
            } else if (type === "WELCOME") {
                position ??= { epoch: payload.epoch, seq: payload.seq };
            } else if (type === "PONG") {
                reach(payload.seq); // everything up to there was sent, though not all of it was for us
            } else if (type === "RESUME_GAP") {
                await handleGap(payload);
                position = { epoch: welcome.epoch, seq: payload.nextSeq - 1 };
                save(positionFile, position);
            }
        };

        alive(15);
        socket.onerror = () => {}; // a close follows
        socket.onclose = ({ code }) => end(code);
        socket.onmessage = ({ data }) => {
            const frame = JSON.parse(data);
            if (frame.type === "WELCOME") {
                welcome = frame.payload;
                renew(welcome.tokenExpiresAt);
            } else if (frame.type === "AUTH_OK") {
                renew(frame.payload.tokenExpiresAt);
            }
            if (welcome !== null) {
                alive(welcome.heartbeatSeconds * 2 + 2);
                work = work.then(() => take(frame));
            }
        };
    });
}

const AT_ONCE = [1001, 1012, 4408];
const isFinal = code => code === 1009 || (code >= 4400 && code <= 4499 && ![4401, 4408, 4429].includes(code));

let token = load(tokensFile).accessToken;
for (let failures = 0; ; ) {
    const started = Date.now();
    let code = 1006;
    try {
        token ??= await refresh();
        const ended = await follow(token);
        code = ended.code;
        // A connection that lasted starts the waits anew. One that ends at once again and again does not.
        failures = ended.welcomed && Date.now() - started > 5_000 ? 0 : failures;
    } catch (error) {
        if (error instanceof SignedOut) {
            throw error;
        }
    }
    console.error(`closed ${code}`);
    if (isFinal(code)) {
        break;
    }
    token = code === 4401 ? null : load(tokensFile).accessToken;
    const isAtOnce = failures === 0 && (AT_ONCE.includes(code) || code === 4401);
    const wait = isAtOnce ? 0 : Math.random() * Math.min(30_000, 500 * 2 ** failures);
    failures = Math.min(failures + 1, 10);
    await new Promise(resolve => setTimeout(resolve, wait));
}
