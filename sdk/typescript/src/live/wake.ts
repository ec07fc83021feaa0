// Moments at which a link may have died unseen, or a hub may be within reach again.

interface Target {
    addEventListener?(type: string, listener: () => void): void;
    removeEventListener?(type: string, listener: () => void): void;
}

/** Calls `wake` when the browser is online, visible or back from its cache. Returns what ends that. */
export function watchWaking(wake: () => void): () => void {
    const scope = globalThis as Target & { document?: Target & { visibilityState?: string } };
    const page = scope.document;
    const onVisible = (): void => {
        if (page?.visibilityState === "visible") {
            wake();
        }
    };
    const watched: [Target | undefined, string, () => void][] = [
        [scope, "online", wake],
        [scope, "pageshow", wake],
        [page, "visibilitychange", onVisible],
    ];
    for (const [target, type, listener] of watched) {
        target?.addEventListener?.(type, listener);
    }
    return () => {
        for (const [target, type, listener] of watched) {
            target?.removeEventListener?.(type, listener);
        }
    };
}
