import type { Activity } from "@roomcast/client";

/** How an activity came: it was there before, came as it happened, or was missed and made up for. */
export type Arrival = "history" | "live" | "replayed";

/** A line of the timeline. */
export type Row =
    | { kind: "entry"; key: string; activity: Activity; arrival: Arrival }
    | { kind: "break"; key: string; outage: Outage }
    | { kind: "gap"; key: string; text: string };

/** A time without a connection. */
export interface Outage {
    /** When it began, by this machine's clock. */
    from: number;
    /** When it ended; null while it lasts. */
    to: number | null;
    /** Why, for people. */
    reason: string;
    /** Whether the reader asked for it. */
    isOnPurpose: boolean;
    /** How many activities were missed and made up for. */
    replayed: number;
}

/** How many lines are kept. The feed has the rest. */
const MOST = 300;

/** What has come, newest first. Methods return another timeline. */
export class Timeline {
    static readonly empty = new Timeline([]);

    private constructor(readonly rows: readonly Row[]) {}

    /** What was there when the page opened, newest first. */
    static from(history: readonly Activity[]): Timeline {
        return new Timeline(history.map(activity => entry(activity, "history")));
    }

    /** With an activity that came. */
    received(activity: Activity, isReplayed: boolean): Timeline {
        const outage = this.#lastOutage();
        // What happened between the reading of the history and the first connection was not missed by anybody.
        const arrival = isReplayed && outage !== null ? "replayed" : "live";
        const counted =
            arrival === "replayed" && outage !== null
                ? this.#withOutage({ ...outage, replayed: outage.replayed + 1 })
                : this;
        return counted.#with(entry(activity, arrival));
    }

    /** With a connection that was lost. */
    lost(outage: Outage): Timeline {
        const last = this.#lastOutage();
        if (last !== null && last.to === null) {
            return this.#withOutage({ ...last, reason: outage.reason });
        }
        return this.#with({ kind: "break", key: `break-${outage.from}`, outage });
    }

    /** With a connection that is back. */
    back(at: number): Timeline {
        const last = this.#lastOutage();
        return last === null || last.to !== null ? this : this.#withOutage({ ...last, to: at });
    }

    /** With activities that will not come. */
    gap(text: string, at: number): Timeline {
        return this.#with({ kind: "gap", key: `gap-${at}`, text });
    }

    #with(row: Row): Timeline {
        return new Timeline([row, ...this.rows].slice(0, MOST));
    }

    #lastOutage(): Outage | null {
        return this.rows.find(row => row.kind === "break")?.outage ?? null;
    }

    #withOutage(outage: Outage): Timeline {
        const rows = this.rows.map(row =>
            row.kind === "break" && row.outage.from === outage.from ? { ...row, outage } : row,
        );
        return new Timeline(rows);
    }
}

function entry(activity: Activity, arrival: Arrival): Row {
    return { kind: "entry", key: activity.id, activity, arrival };
}
