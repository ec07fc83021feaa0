// What carries frames: a WebSocket or a stream of server-sent events.

/** The ways to be connected. */
export type Transport = "websocket" | "sse";

/** What a link tells. Nothing follows `closed`. */
export interface LinkEvents {
    frame(text: string): void;
    /** Anything else that shows that the link lives. */
    beat(): void;
    closed(code: number, reason: string, retryAfterMs?: number): void;
}

/** An open link, or one that is being opened. */
export interface Link {
    readonly transport: Transport;
    /** Whether the frame was accepted to be sent. */
    send(text: string): boolean;
    /** Closes, after which the link tells nothing more. */
    close(): void;
}

/** Where to connect, and from where on. */
export interface LinkTarget {
    /** `https://host[:port][/prefix]`, without a slash at the end. */
    base: string;
    token: string;
    after?: number | undefined;
    epoch?: string | undefined;
    presence?: boolean | undefined;
}

/** The query of a target, with its question mark. */
export function queryOf({ after, epoch, presence }: LinkTarget): string {
    const pairs: string[] = [];
    if (after !== undefined) {
        pairs.push(`after=${after}`);
        if (epoch !== undefined) {
            pairs.push(`epoch=${encodeURIComponent(epoch)}`);
        }
    }
    if (presence === true) {
        pairs.push("presence=1");
    }
    return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
