// A proxy before a hub: one that knows no WebSocket, or that loses answers, or that changes over to another hub.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";

export class Relay {
    /** Where to. */
    target: string;
    /** Whether upgrades are refused, as by an old proxy. */
    blocksUpgrades = false;
    /** So many answers to requests that write are lost from now on, after the hub has done them. */
    losesAnswers = 0;
    /** How many upgrades were asked for. */
    upgrades = 0;
    readonly #server: Server;
    readonly #streams = new Set<Duplex>();

    private constructor(target: string) {
        this.target = target;
        this.#server = createServer((incoming, answer) => this.#pass(incoming, answer));
        this.#server.on("upgrade", (incoming, socket, head) => this.#upgrade(incoming, socket, head));
        this.#server.on("connection", socket => {
            this.#streams.add(socket);
            socket.on("close", () => this.#streams.delete(socket));
        });
    }

    static async start(target: string): Promise<Relay> {
        const relay = new Relay(target);
        await new Promise<void>(resolve => relay.#server.listen(0, "127.0.0.1", resolve));
        return relay;
    }

    get url(): string {
        return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    }

    stop(): void {
        this.#server.close();
        for (const stream of this.#streams) {
            stream.destroy();
        }
    }

    #pass(incoming: IncomingMessage, answer: ServerResponse): void {
        const { method, headers } = incoming;
        const outgoing = request(`${this.target}${incoming.url}`, { method, headers }, response => {
            if (method === "POST" && this.losesAnswers > 0) {
                this.losesAnswers -= 1;
                response.resume();
                answer.destroy();
                return;
            }
            answer.writeHead(response.statusCode ?? 502, response.headers);
            response.pipe(answer);
            response.on("error", () => answer.destroy());
        });
        outgoing.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
        answer.on("close", () => outgoing.destroy());
        incoming.pipe(outgoing);
    }

    #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
        this.upgrades += 1;
        socket.on("error", () => socket.destroy());
        if (this.blocksUpgrades) {
            socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return;
        }
        const { hostname, port } = new URL(this.target);
        const upstream = connect(Number(port), hostname, () => {
            const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
            for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
                lines.push(`${incoming.rawHeaders[index]}: ${incoming.rawHeaders[index + 1]}`);
            }
            upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
            upstream.write(head);
            socket.pipe(upstream).pipe(socket);
        });
        upstream.on("error", () => socket.destroy());
        upstream.on("close", () => socket.destroy());
        socket.on("close", () => upstream.destroy());
    }
}
