// Those who take part in the tests with a real hub.
import { vi } from "vitest";
import WebSocket from "ws";
import {
    type Activity,
    type ClientOptions,
    createClient,
    createSession,
    RestClient,
    type RoomcastClient,
    type Session,
    type SessionStarted,
    type StatusChange,
} from "../../src/index.js";

let people = 0;

export interface Person {
    url: string;
    session: Session;
    rest: RestClient;
    started: SessionStarted;
}

/** Founds an organisation. */
export function found(url: string): Promise<Person> {
    people += 1;
    const email = `admin-${people}@acme.example`;
    return signIn(url, rest =>
        rest.register({ organisationName: `Acme ${people}`, name: "Ana", email, password: "correct horse" }),
    );
}

/** Takes another member in. */
export async function invite(admin: Person, name = "Bo"): Promise<Person> {
    people += 1;
    const { inviteToken } = await admin.rest.inviteUser({ email: `member-${people}@acme.example` });
    return signIn(admin.url, rest =>
        rest.acceptInvite({ token: inviteToken, name, password: "battery staple" }),
    );
}

async function signIn(url: string, start: (rest: RestClient) => Promise<SessionStarted>): Promise<Person> {
    const session = createSession({ url });
    let started: SessionStarted | undefined;
    await session.signIn(async rest => {
        started = await start(rest);
        return started;
    });
    return {
        url,
        session,
        rest: new RestClient({ url, token: session.token }),
        started: started as SessionStarted,
    };
}

export interface Listener {
    client: RoomcastClient;
    activities: Activity[];
    /** What was broadcast. */
    messages: string[];
    statuses: StatusChange[];
    /** Waits until so many broadcasts were handed over. */
    heard(count: number): Promise<void>;
}

/** A client that is connected, with what it was handed. */
export async function listen(person: Person, options: Partial<ClientOptions> = {}): Promise<Listener> {
    const client = createClient({
        url: person.url,
        token: person.session.token,
        WebSocket,
        backoff: { baseMs: 50, maxMs: 500 },
        ...options,
    });
    const activities: Activity[] = [];
    const messages: string[] = [];
    const statuses: StatusChange[] = [];
    client.on("activity", activity => void activities.push(activity));
    client.on("BROADCAST_MESSAGE", ({ payload }) => void messages.push(payload.message));
    client.on("status", change => void statuses.push(change));
    await client.connect();
    const heard = (count: number) =>
        vi.waitFor(
            () => {
                if (messages.length < count) {
                    throw new Error(`Only ${messages.length} of ${count} broadcasts came`);
                }
            },
            { timeout: 15_000, interval: 20 },
        );
    return { client, activities, messages, statuses, heard };
}
