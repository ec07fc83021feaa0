import { CloseCode } from "./close-codes.js";
import { type Link, type LinkEvents, type LinkTarget, queryOf } from "./link.js";

/** The part of a WebSocket that is used here. */
export interface WebSocketLike {
    readonly readyState: number;
    // biome-ignore-start lint/suspicious/noExplicitAny: implementations type their events each in their way
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    // biome-ignore-end lint/suspicious/noExplicitAny: as above
    send(data: string): void;
    close(code?: number, reason?: string): void;
}

/** `WebSocket`, or one with the same interface, as of the package `ws`. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

const OPEN = 1;

/** Opens a socket. The token goes into a header, where no proxy logs it. */
export function openWebSocket(
    socketType: WebSocketConstructor,
    target: LinkTarget,
    events: LinkEvents,
): Link {
    const url = `${target.base.replace(/^http/, "ws")}/ws${queryOf(target)}`;
    const socket = construct(socketType, url, ["roomcast.v1", `bearer.${target.token}`]);
    if (socket instanceof Error) {
        // A browser refuses some addresses, as ws:// from a page over https.
        queueMicrotask(() => events.closed(CloseCode.LOST, socket.message));
        return { transport: "websocket", send: () => false, close: ignore };
    }
    socket.onmessage = event => {
        if (typeof event.data === "string") {
            events.frame(event.data);
        } else {
            events.beat();
        }
    };
    socket.onclose = event => {
        detach(socket);
        events.closed(event.code ?? CloseCode.LOST, event.reason ?? "");
    };
    // A close always follows. Without a listener some implementations throw.
    socket.onerror = ignore;
    return {
        transport: "websocket",
        send(text) {
            if (socket.readyState !== OPEN) {
                return false;
            }
            socket.send(text);
            return true;
        },
        close() {
            detach(socket);
            try {
                socket.close(CloseCode.NORMAL);
            } catch {
                // It was not open yet, and this implementation minds.
            }
        },
    };
}

function construct(
    socketType: WebSocketConstructor,
    url: string,
    protocols: string[],
): WebSocketLike | Error {
    try {
        return new socketType(url, protocols);
    } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
    }
}

function detach(socket: WebSocketLike): void {
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = ignore;
}

function ignore(): void {}
