interface LockManager {
    request<T>(name: string, run: () => Promise<T>): Promise<T>;
}

const waiting = new Map<string, Promise<unknown>>();

/** Runs one after the other: over all tabs of an origin where there are Web Locks, else within this page. */
export function withLock<T>(name: string, run: () => Promise<T>): Promise<T> {
    const { navigator } = globalThis as { navigator?: { locks?: LockManager } };
    if (navigator?.locks !== undefined) {
        return navigator.locks.request(name, run);
    }
    const before = waiting.get(name) ?? Promise.resolve();
    const mine = before.then(run, run);
    const done = mine.then(
        () => undefined,
        () => undefined,
    );
    waiting.set(name, done);
    void done.then(() => {
        if (waiting.get(name) === done) {
            waiting.delete(name);
        }
    });
    return mine;
}
