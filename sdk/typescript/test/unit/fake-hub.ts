// A hub in memory, with the socket's protocol and no network: tests say what it does and when.
import type { Activity, WebSocketConstructor } from "../../src/index.js";

export const ORGANISATION = "org-1";
export const USER = "user-1";

/** A token that looks like the hub's. */
export function makeToken(name: string, lifetimeSeconds = 900, claims: object = {}): string {
    const iat = Math.floor(Date.now() / 1000);
    const body = { sub: USER, org: ORGANISATION, jti: name, iat, exp: iat + lifetimeSeconds, ...claims };
    return `h.${btoa(JSON.stringify(body)).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_")}.s`;
}

interface Entry {
    activity: Activity;
    isVisible: boolean;
}

/** What becomes of a handshake: `hold` leaves it to the test. */
type Answer = "accept" | "refuse" | "hold" | number;

export class FakeHub {
    epoch = "epoch-1";
    /** The first that is kept. */
    firstSeq = 1;
    log: Entry[] = [];
    answer: Answer = "accept";
    heartbeatSeconds = 25;
    tokenSeconds = 900;
    /** Whether what is appended is sent at once. */
    isLive = true;
    sockets: FakeSocket[] = [];

    /** To be passed to a client. */
    get WebSocket(): WebSocketConstructor {
        const hub = this;
        return class extends FakeSocket {
            constructor(url: string, protocols?: string[]) {
                super(hub, url, protocols ?? []);
            }
        };
    }

    get head(): number {
        return this.log.length;
    }

    /** The sockets that are open, oldest first. */
    get open(): FakeSocket[] {
        return this.sockets.filter(socket => socket.readyState === 1);
    }

    /** The only open socket. */
    get socket(): FakeSocket {
        const [socket, ...others] = this.open;
        if (socket === undefined || others.length > 0) {
            throw new Error(`${this.open.length} sockets are open`);
        }
        return socket;
    }

    append(type = "BROADCAST_MESSAGE", isVisible = true): number {
        const seq = this.head + 1;
        const activity = {
            type,
            seq,
            id: `${this.epoch}-${seq}`,
            actor: null,
            target: null,
            payload: { message: `${seq}` },
            createdAt: new Date(Date.now()).toISOString(),
        };
        this.log.push({ activity, isVisible });
        if (this.isLive) {
            for (const socket of this.open) {
                socket.deliver();
            }
        }
        return seq;
    }

    /** The log is another one from now on, and sockets close. */
    replaceLog(epoch: string, length: number): void {
        this.epoch = epoch;
        this.log = [];
        this.firstSeq = 1;
        for (let seq = 1; seq <= length; seq += 1) {
            this.append();
        }
        for (const socket of this.open) {
            socket.drop(1012, "restart");
        }
    }
}

export class FakeSocket {
    readonly hub: FakeHub;
    readonly after: number | null;
    readonly epoch: string | null;
    readonly presence: boolean;
    token: string;
    readyState = 0;
    position = 0;
    /** What the client sent. */
    sent: { type: string; payload?: Record<string, unknown> }[] = [];
    onopen: ((event: unknown) => void) | null = null;
    onmessage: ((event: unknown) => void) | null = null;
    onclose: ((event: unknown) => void) | null = null;
    onerror: ((event: unknown) => void) | null = null;

    constructor(hub: FakeHub, url: string, protocols: string[]) {
        this.hub = hub;
        const query = new URL(url).searchParams;
        const after = query.get("after");
        this.after = after === null ? null : Number(after);
        this.epoch = query.get("epoch");
        this.presence = query.get("presence") === "1";
        this.token = (protocols[1] ?? "").replace("bearer.", "");
        hub.sockets.push(this);
        setTimeout(() => this.#answer(), 1);
    }

    #answer(): void {
        const { answer } = this.hub;
        if (this.readyState !== 0 || answer === "hold") {
            return;
        }
        if (answer === "accept") {
            this.accept();
        } else if (answer === "refuse") {
            this.readyState = 3;
            this.onerror?.({});
            this.onclose?.({ code: 1006, reason: "" });
        } else {
            this.readyState = 1;
            this.onopen?.({});
            this.drop(answer, "refused");
        }
    }

    /** Says WELCOME, as the hub decides where a socket starts. */
    accept(): void {
        const { hub } = this;
        if (this.readyState !== 0) {
            return;
        }
        this.readyState = 1;
        this.onopen?.({});
        const head = hub.head;
        let gap: { reason: string; nextSeq: number } | null = null;
        let seq = this.after ?? head;
        if (this.after !== null && this.epoch !== null && this.epoch !== hub.epoch) {
            gap = { reason: "epoch_changed", nextSeq: head + 1 };
        } else if (seq > head) {
            gap = { reason: "ahead_of_log", nextSeq: head + 1 };
        } else if (this.after !== null && seq + 1 < hub.firstSeq) {
            gap = { reason: "expired", nextSeq: hub.firstSeq };
        }
        seq = gap === null ? seq : gap.nextSeq - 1;
        this.position = seq;
        this.say("WELCOME", {
            connectionId: `connection-${hub.sockets.indexOf(this)}`,
            organisationId: ORGANISATION,
            userId: USER,
            role: "ADMIN",
            seq,
            headSeq: head,
            epoch: hub.epoch,
            resumed: this.after !== null && gap === null,
            heartbeatSeconds: hub.heartbeatSeconds,
            tokenExpiresAt: new Date(Date.now() + hub.tokenSeconds * 1000).toISOString(),
        });
        if (gap !== null) {
            this.say("RESUME_GAP", gap);
        }
        if (hub.isLive) {
            this.deliver();
        }
    }

    /** Sends what comes after its position, at most so many. */
    deliver(most = Number.POSITIVE_INFINITY): void {
        for (let sent = 0; sent < most && this.readyState === 1 && this.position < this.hub.head; ) {
            const entry = this.hub.log[this.position];
            this.position += 1;
            if (entry?.isVisible === true) {
                sent += 1;
                this.frame(entry.activity);
            }
        }
    }

    pong(): void {
        this.say("PONG", { seq: this.position });
    }

    say(type: string, payload: object): void {
        this.frame({ type, payload });
    }

    frame(frame: object): void {
        this.text(JSON.stringify(frame));
    }

    text(text: string): void {
        if (this.readyState === 1) {
            this.onmessage?.({ data: text });
        }
    }

    /** Ends the link, as the hub or the network does. */
    drop(code = 1006, reason = ""): void {
        if (this.readyState < 2) {
            this.readyState = 3;
            this.onclose?.({ code, reason });
        }
    }

    send(text: string): void {
        this.sent.push(JSON.parse(text));
    }

    close(): void {
        this.readyState = 3;
    }
}
