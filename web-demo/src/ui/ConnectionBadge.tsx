import { Badge, type MantineColor } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { useLive } from "../live/LiveProvider";
import type { LiveState } from "../live/store";

/** Whether the page is live. Screen readers are told when that changes. */
export function ConnectionBadge(): ReactNode {
    const status = useLive(state => state.status);
    const retryAt = useLive(state => state.retryAt);
    const isCut = useLive(state => state.isCut);
    const [color, label] = shownAs(status, isCut);
    const waits = useSecondsUntil(retryAt);
    return (
        <Badge
            role="status"
            data-status={isCut ? "cut" : status}
            variant="light"
            color={color}
            size="lg"
            tt="none"
            className={status === "connected" ? "badge-live" : "badge-away"}
        >
            {label}
            {waits > 0 && (
                // Counting is for the eye alone.
                <span aria-hidden> in {waits} s</span>
            )}
        </Badge>
    );
}

function shownAs(status: LiveState["status"], isCut: boolean): [MantineColor, string] {
    switch (status) {
        case "connected":
            return ["green", "Live"];
        case "idle":
        case "connecting":
            return ["gray", "Connecting"];
        case "reconnecting":
            return ["orange", "Reconnecting"];
        case "paused":
            return ["orange", "Catching up"];
        case "closed":
            return isCut ? ["red", "Dropped"] : ["red", "Offline"];
    }
}

/** Whole seconds until then, counted down. */
function useSecondsUntil(at: number | null): number {
    const [now, setNow] = useState(Date.now);
    useEffect(() => {
        if (at === null) {
            return undefined;
        }
        setNow(Date.now());
        const timer = setInterval(() => setNow(Date.now()), 500);
        return () => clearInterval(timer);
    }, [at]);
    return at === null ? 0 : Math.max(0, Math.ceil((at - now) / 1000));
}
