import type { Activity } from "@roomcast/client";
import { expect, test } from "vitest";
import { type Outage, type Row, Timeline } from "./timeline";

function activity(seq: number): Activity {
    return {
        type: "BROADCAST_MESSAGE",
        seq,
        id: `id-${seq}`,
        actor: { id: "ana", name: "Ana" },
        target: null,
        payload: { message: `Message ${seq}`, sentBy: "ana", sentAt: "2026-11-21T00:00:00.000Z" },
        createdAt: "2026-11-21T00:00:00.000Z",
    };
}

function outage(from: number, reason = "the hub could not be reached"): Outage {
    return { from, to: null, reason, isOnPurpose: false, replayed: 0 };
}

/** A timeline in short: `7 replayed`, `away 10..20 (2)`. */
function told({ rows }: Timeline): string[] {
    const text = (row: Row): string => {
        switch (row.kind) {
            case "entry":
                return `${row.activity.seq} ${row.arrival}`;
            case "break":
                return `away ${row.outage.from}..${row.outage.to ?? ""} (${row.outage.replayed})`;
            case "gap":
                return row.text;
        }
    };
    return rows.map(text);
}

test("what comes stands above what was there", () => {
    const timeline = Timeline.from([activity(2), activity(1)]).received(activity(3), false);
    expect(told(timeline)).toEqual(["3 live", "2 history", "1 history"]);
});

test("what was missed is counted by the outage in which it was", () => {
    const timeline = Timeline.from([activity(1)])
        .lost(outage(10))
        .back(20)
        .received(activity(2), true)
        .received(activity(3), true)
        .received(activity(4), false)
        .lost(outage(30))
        .back(31)
        .received(activity(5), true);
    const expected = [
        "5 replayed",
        "away 30..31 (1)",
        "4 live",
        "3 replayed",
        "2 replayed",
        "away 10..20 (2)",
        "1 history",
    ];
    expect(told(timeline)).toEqual(expected);
});

test("what happened while the page opened was missed by nobody", () => {
    expect(told(Timeline.from([activity(1)]).received(activity(2), true))).toEqual(["2 live", "1 history"]);
});

test("attempts that fail are one outage, with the latest reason", () => {
    const timeline = Timeline.empty.lost(outage(10)).lost(outage(12, "the hub is restarting"));
    expect(told(timeline)).toEqual(["away 10.. (0)"]);
    expect(timeline.rows[0]).toMatchObject({ outage: { reason: "the hub is restarting" } });
    expect(told(timeline.back(15).back(16))).toEqual(["away 10..15 (0)"]);
});

test("the oldest lines go", () => {
    let timeline = Timeline.empty;
    for (let seq = 1; seq <= 400; seq += 1) {
        timeline = timeline.received(activity(seq), false);
    }
    expect(timeline.rows).toHaveLength(300);
    expect(told(timeline).at(-1)).toBe("101 live");
});
