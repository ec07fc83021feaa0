import { createSession, RestClient } from "@roomcast/client";

/** Who is signed in, in every window of this browser. */
export const session = createSession({ storage: localStorage });

/** The hub's routes, for whoever is signed in. */
export const rest = new RestClient({ token: session.token });
