import type { KeyValueStorage } from "../storage.js";
import type { TokenSource } from "../token.js";
import type { BackoffOptions } from "./backoff.js";
import type { Fetch } from "./sse.js";
import type { TransportOption } from "./transport.js";
import type { WebSocketConstructor } from "./websocket.js";

/** How a client is made. */
export interface ClientOptions {
    /** The hub, as `https://hub.example.com`. In a page the page's own origin unless given. */
    url?: string | URL;
    /** An access token, or where tokens come from: a session's `token`, or a callback of yours. */
    token: string | TokenSource;
    /** Where to begin without a stored position: a `seq`, 0 for all that is kept. The present unless given. */
    after?: number;
    /** Keeps the position, so that the next start of the application goes on from there. */
    storage?: KeyValueStorage;
    /** Under which name (`roomcast:position`). One for each client that lives at the same time. */
    storageKey?: string;
    /** Asks for USER_ONLINE and USER_OFFLINE. */
    presence?: boolean;
    /** `auto` (the default): a WebSocket, and server-sent events where WebSockets do not get through. */
    transport?: TransportOption;
    /** Instead of the global one: Node before 22 has none; pass that of the package `ws`. */
    WebSocket?: WebSocketConstructor;
    /** Instead of the global one. */
    fetch?: Fetch;
    backoff?: BackoffOptions;
    /**
     * What follows when a handler throws or rejects. `continue` (the default): an `error` event tells, and the next
     * activity comes. `stop`: the client closes before this activity, and `connect()` hands it over again.
     */
    onHandlerError?: "continue" | "stop";
    /**
     * How much may wait for the application, in bytes (4 MiB). Beyond that the client lets go of its link, and goes on
     * where it stopped once the application has caught up.
     */
    maxBufferedBytes?: number;
}
