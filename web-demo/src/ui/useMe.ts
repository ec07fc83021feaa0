import type { Me } from "@roomcast/client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { rest } from "../hub";
import { useLiveStore } from "../live/LiveProvider";
import { useSession } from "../session/SessionProvider";

/** Which queries a type of activity makes old. */
const MADE_OLD: Readonly<Record<string, readonly string[]>> = {
    ORGANISATION_UPDATED: ["me", "organisations"],
    PLAN_UPGRADED: ["me"],
    PLAN_DOWNGRADED: ["me"],
    USER_JOINED: ["me", "users", "invites"],
    USER_UPDATED: ["me", "users"],
    USER_ROLE_CHANGED: ["me", "users"],
    USER_REMOVED: ["me", "users"],
    USER_INVITED: ["invites"],
    INVITE_REVOKED: ["invites"],
};

/** Who is signed in, and where: as of the sign-in at first, then as it is. */
export function useMe(): Me & { isAdmin: boolean } {
    const session = useSession();
    if (session.status !== "in") {
        throw new Error("Nobody is signed in here");
    }
    const { user, organisation } = session;
    const me = useQuery({
        queryKey: ["me"],
        queryFn: ({ signal }) => rest.getMe({ signal }),
        // Roles and seats may have changed since.
        initialData: { user, organisation },
        initialDataUpdatedAt: 0,
        staleTime: 60_000,
    }).data;
    return { ...me, isAdmin: me.user.role === "ADMIN" };
}

/** Reads again what an activity has made old. */
export function useFreshness(): void {
    const store = useLiveStore();
    const queries = useQueryClient();
    useEffect(
        () =>
            store.onArrival(({ type }) => {
                for (const key of MADE_OLD[type] ?? []) {
                    void queries.invalidateQueries({ queryKey: [key] });
                }
            }),
        [store, queries],
    );
}
