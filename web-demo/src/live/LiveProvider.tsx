import { createClient } from "@roomcast/client";
import { createContext, type ReactNode, use, useEffect, useState, useSyncExternalStore } from "react";
import { rest, session } from "../hub";
import { type LiveState, LiveStore } from "./store";

const HISTORY = 30;

const Context = createContext<LiveStore | null>(null);

/** Connects whoever is signed in, on whichever page they are. */
export function LiveProvider({ children }: { children: ReactNode }): ReactNode {
    const [store] = useState(
        () =>
            new LiveStore({
                history: () => rest.listActivities({ limit: HISTORY }),
                client: after => createClient({ token: session.token, after, presence: true }),
            }),
    );
    useEffect(() => {
        void store.start();
        return () => store.stop();
    }, [store]);
    return <Context value={store}>{children}</Context>;
}

/** The live connection. */
export function useLiveStore(): LiveStore {
    const store = use(Context);
    if (store === null) {
        throw new Error("Nobody is signed in here");
    }
    return store;
}

/** What is known of the live connection; the component follows its changes. */
export function useLive<T>(select: (state: LiveState) => T): T {
    const store = useLiveStore();
    return useSyncExternalStore(store.subscribe, () => select(store.snapshot()));
}
