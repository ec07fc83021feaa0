const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** The time of day; with the date where it is not today's. */
export function timeOf(at: string | number, now: Date = new Date()): string {
    const date = new Date(at);
    const isToday = date.toDateString() === now.toDateString();
    return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

/** Everything there is to say about a moment. */
export function fullTimeOf(at: string | number): string {
    return full.format(new Date(at));
}

/** The date alone. */
export function dateOf(at: string | number): string {
    return day.format(new Date(at));
}

/** A span for people: "0.4 s", "12 s", "3 min 5 s". */
export function spanOf(ms: number): string {
    if (ms < 9_950) {
        return `${(ms / 1000).toFixed(1)} s`;
    }
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) {
        return `${seconds} s`;
    }
    const rest = seconds % 60;
    return rest === 0 ? `${(seconds - rest) / 60} min` : `${(seconds - rest) / 60} min ${rest} s`;
}
