import { CloseCode } from "./close-codes.js";
import type { Transport } from "./link.js";
import type { WebSocketConstructor } from "./websocket.js";

/** What may carry the frames. */
export type TransportOption = Transport | "auto";

/** So many handshakes may fail in a row before WebSockets count as blocked. */
const MAX_FAILURES = 2;

/** How long until a WebSocket is tried again while a stream serves: at first, and at last. */
const FIRST_UPGRADE_MS = 5 * 60_000;
const LAST_UPGRADE_MS = 60 * 60_000;

/** Chooses between a WebSocket and a stream, by what got through. */
export class TransportChoice {
    readonly #option: TransportOption;
    readonly #socketType: WebSocketConstructor | undefined;
    /** Sockets in a row that closed without a WELCOME or a word of the hub. */
    #socketFailures = 0;
    #streamsWork = true;
    #upgradeMs = FIRST_UPGRADE_MS;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(option: TransportOption, socketType: WebSocketConstructor | undefined) {
        if (option === "websocket" && socketType === undefined) {
            throw new TypeError("There is no WebSocket here: pass one, such as that of the package ws");
        }
        this.#option = option;
        this.#socketType = socketType;
    }

    get socketType(): WebSocketConstructor {
        if (this.#socketType === undefined) {
            throw new TypeError("There is no WebSocket here");
        }
        return this.#socketType;
    }

    /** What to try next; `null` where there is nothing. */
    next(): Transport | null {
        const isBlocked = this.#socketFailures >= MAX_FAILURES;
        const mayStream = this.#option !== "websocket" && this.#streamsWork;
        if (this.#option !== "sse" && this.#socketType !== undefined && !(isBlocked && mayStream)) {
            return "websocket";
        }
        return mayStream ? "sse" : null;
    }

    /** This one carries. Where it is a stream because WebSockets were blocked, one of those is tried again later. */
    succeeded(transport: Transport, upgrade: () => void): void {
        if (transport === "websocket") {
            this.stop();
            this.#socketFailures = 0;
            this.#upgradeMs = FIRST_UPGRADE_MS;
        } else if (this.#timer === undefined && this.#socketFailures > 0) {
            this.#planUpgrade(upgrade);
        }
    }

    failed(transport: Transport, code: number, noStreams: boolean): void {
        // What has a code of the hub's own came from the hub, so that the way to it is free.
        const isUnheard = code === CloseCode.LOST || code === CloseCode.NO_STATUS || code === 1002;
        if (transport === "websocket") {
            this.#socketFailures = isUnheard ? this.#socketFailures + 1 : 0;
        } else if (isUnheard) {
            // The hub is out of reach altogether: that says nothing about WebSockets.
            this.#socketFailures = 0;
            this.#streamsWork = !noStreams && this.#streamsWork;
        }
    }

    /** A stream that is followed by another, as with each token, puts nothing off. */
    #planUpgrade(upgrade: () => void): void {
        this.#timer = setTimeout(
            () => {
                this.#upgradeMs = Math.min(this.#upgradeMs * 2, LAST_UPGRADE_MS);
                this.#planUpgrade(upgrade);
                upgrade();
            },
            this.#upgradeMs * (0.75 + Math.random() * 0.5),
        );
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#timer = undefined;
    }
}
