import { useLocalStorage } from "@mantine/hooks";
import { useCallback, useEffect, useState } from "react";
import { useLive, useLiveStore } from "./LiveProvider";

/** The steps on which a newcomer sees what the product does. */
export type Step = "window" | "broadcast" | "drop" | "replay";

export const STEPS: readonly Step[] = ["window", "broadcast", "drop", "replay"];

/** How far the reader is. */
export interface Tour {
    done: ReadonlySet<Step>;
    /** The first that is not done; null after the last. */
    next: Step | null;
    isHidden: boolean;
    hide(): void;
    show(): void;
}

/** Windows of one browser say here that they are open. */
const CHANNEL = "roomcast:windows";

/** Follows what the reader does, and ticks it off. */
export function useTour(): Tour {
    const store = useLiveStore();
    const [isHidden, setIsHidden] = useLocalStorage({
        key: "roomcast:tour-hidden",
        defaultValue: false,
        getInitialValueInEffect: false,
    });
    const [done, setDone] = useState<ReadonlySet<Step>>(() => read());
    const finish = useCallback(
        (step: Step) =>
            setDone(before => {
                if (before.has(step)) {
                    return before;
                }
                const after = new Set(before).add(step);
                sessionStorage.setItem(KEPT, JSON.stringify([...after]));
                return after;
            }),
        [],
    );
    const isCut = useLive(state => state.isCut);
    const others = useLive(state => state.online.size);

    useEffect(() => onOtherWindow(() => finish("window")), [finish]);
    useEffect(() => {
        if (others > 1) {
            finish("window");
        }
    }, [others, finish]);
    useEffect(() => {
        if (isCut) {
            finish("drop");
        }
    }, [isCut, finish]);
    useEffect(
        () =>
            store.onArrival(({ type }, { replayed }) => {
                if (replayed) {
                    finish("replay");
                } else if (type === "BROADCAST_MESSAGE") {
                    finish("broadcast");
                }
            }),
        [store, finish],
    );
    const next = STEPS.find(step => !done.has(step)) ?? null;
    return { done, next, isHidden, hide: () => setIsHidden(true), show: () => setIsHidden(false) };
}

const KEPT = "roomcast:tour";

function read(): ReadonlySet<Step> {
    try {
        const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
        return new Set(Array.isArray(kept) ? STEPS.filter(step => kept.includes(step)) : []);
    } catch {
        return new Set();
    }
}

/** Calls back once another window of this browser shows the page. Returns what ends that. */
function onOtherWindow(found: () => void): () => void {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = event => {
        if (event.data === "hello") {
            channel.postMessage("here");
        }
        found();
    };
    channel.postMessage("hello");
    return () => channel.close();
}
