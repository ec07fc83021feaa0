import type { Activity } from "@roomcast/client";

/** What happened on one day. */
export interface Day {
    /** The day's beginning, here. */
    at: number;
    broadcasts: number;
    other: number;
}

/** The last days up to now, oldest first, with what happened on each. */
export function usageOf(activities: readonly Activity[], days: number, now: Date): Day[] {
    const found = new Map<number, Day>();
    for (let back = days - 1; back >= 0; back -= 1) {
        // By the calendar, since not every day has 24 hours.
        const at = new Date(now.getFullYear(), now.getMonth(), now.getDate() - back).getTime();
        found.set(at, { at, broadcasts: 0, other: 0 });
    }
    for (const { createdAt, type } of activities) {
        const day = found.get(new Date(createdAt).setHours(0, 0, 0, 0));
        if (day !== undefined) {
            day[type === "BROADCAST_MESSAGE" ? "broadcasts" : "other"] += 1;
        }
    }
    return [...found.values()];
}
