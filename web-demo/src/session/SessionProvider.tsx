import type { Organisation, SignedIn, User } from "@roomcast/client";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import { session } from "../hub";

/** Who uses the page. */
export type SessionState =
    | { status: "loading" }
    /** `wasIn`: somebody was signed in in this window before. */
    | { status: "out"; wasIn: boolean }
    | { status: "in"; user: User; organisation: Organisation };

const Context = createContext<SessionState>({ status: "loading" });

/** Follows who is signed in, also where that changes in another window. */
export function SessionProvider({ children }: { children: ReactNode }): ReactNode {
    const [state, setState] = useState<SessionState>({ status: "loading" });
    useEffect(() => {
        const follow = (signedIn: SignedIn | null): void => setState(before => next(before, signedIn));
        const stop = session.onChange(follow);
        void session.current().then(follow);
        return stop;
    }, []);
    const value = useMemo(() => state, [state]);
    return <Context value={value}>{children}</Context>;
}

/** Who uses the page. */
export function useSession(): SessionState {
    return use(Context);
}

/** The state after a change. A fresh token of the same member changes nothing. */
export function next(before: SessionState, signedIn: SignedIn | null): SessionState {
    if (signedIn === null) {
        return before.status === "out" ? before : { status: "out", wasIn: before.status === "in" };
    }
    if (before.status === "in" && before.user.id === signedIn.user.id) {
        return before;
    }
    return { status: "in", ...signedIn };
}
