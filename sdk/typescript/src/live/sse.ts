import { isForbiddenByHub } from "../token.js";
import { CloseCode } from "./close-codes.js";
import { type Link, type LinkEvents, type LinkTarget, queryOf } from "./link.js";

/** The standard `fetch`. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** What a stream is closed with where answers have no body that can be read as it comes. */
export const NO_STREAMS = "this fetch does not stream answers";

/** Opens a stream of server-sent events over `fetch`, which unlike `EventSource` can send the token in a header. */
export function openStream(fetch: Fetch, target: LinkTarget, events: LinkEvents): Link {
    const abort = new AbortController();
    let done = false;
    const end = (code: number, reason: string, retryAfterMs?: number): void => {
        if (!done) {
            done = true;
            abort.abort();
            events.closed(code, reason, retryAfterMs);
        }
    };
    const run = async (): Promise<void> => {
        const response = await fetch(`${target.base}/api/v1/stream${queryOf(target)}`, {
            headers: { accept: "text/event-stream", authorization: `Bearer ${target.token}` },
            cache: "no-store",
            signal: abort.signal,
        });
        if (response.status !== 200) {
            const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
            const wait = Number.isFinite(retryAfter) ? Math.max(retryAfter, 0) * 1000 : undefined;
            end(await codeOf(response), `HTTP ${response.status}`, wait);
            return;
        }
        if (response.body === null || response.body === undefined || typeof TextDecoder === "undefined") {
            end(CloseCode.LOST, NO_STREAMS);
            return;
        }
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        const parser = new EventParser((name, data) => {
            if (done) {
                return;
            }
            if (name === "CLOSE") {
                const { code, reason } = JSON.parse(data) as { code: number; reason: string };
                end(code, reason);
            } else if (name === "message") {
                events.frame(data);
            }
        });
        for (;;) {
            const { value, done: ended } = await reader.read();
            if (ended || done) {
                break;
            }
            events.beat();
            parser.push(decoder.decode(value, { stream: true }));
        }
        end(CloseCode.LOST, "the stream ended");
    };
    run().catch((error: unknown) =>
        end(CloseCode.LOST, error instanceof Error ? error.message : String(error)),
    );
    return {
        transport: "sse",
        send: () => false,
        close() {
            done = true;
            abort.abort();
        },
    };
}

/** The close code that says the same as an answer. */
async function codeOf(response: Response): Promise<number> {
    switch (response.status) {
        case 400:
        case 422:
            return CloseCode.BAD_REQUEST;
        case 401:
            return CloseCode.UNAUTHENTICATED;
        case 403:
            return refusalOf(await problemCodeOf(response));
        case 429:
            return CloseCode.TOO_MANY;
        case 503:
            return CloseCode.UNAVAILABLE;
        default:
            return CloseCode.LOST;
    }
}

function refusalOf(code: unknown): number {
    if (code === "organisation_suspended") {
        return CloseCode.SUSPENDED;
    }
    return isForbiddenByHub(code) ? CloseCode.REMOVED : CloseCode.LOST;
}

async function problemCodeOf(response: Response): Promise<unknown> {
    try {
        return ((await response.json()) as { code?: unknown } | null)?.code;
    } catch {
        return undefined;
    }
}

/** Reads server-sent events (WHATWG HTML, section 9.2.6) from text that comes in pieces. */
export class EventParser {
    readonly #emit: (name: string, data: string) => void;
    /** What came of a line that has not ended, in pieces. */
    #rest = "";
    /** Whether the last piece ended in a carriage return, so that a line feed at the start of the next is its second half. */
    #afterReturn = false;
    #name = "";
    #data: string[] = [];

    constructor(emit: (name: string, data: string) => void) {
        this.#emit = emit;
    }

    push(text: string): void {
        let piece = text;
        if (this.#afterReturn && piece.startsWith("\n")) {
            piece = piece.slice(1);
        }
        if (text !== "") {
            this.#afterReturn = text.endsWith("\r");
        }
        const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
        this.#rest = lines.pop() ?? "";
        for (const line of lines) {
            this.#line(line);
        }
    }

    #line(line: string): void {
        if (line === "") {
            if (this.#data.length > 0) {
                this.#emit(this.#name || "message", this.#data.join("\n"));
            }
            this.#name = "";
            this.#data = [];
            return;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
        if (field === "event") {
            this.#name = value;
        } else if (field === "data") {
            this.#data.push(value);
        }
    }
}
