import { Sparkline } from "@mantine/charts";
import "@mantine/charts/styles.css";
import type { ReactNode } from "react";
import type { Latency } from "../live/store";

/** How long answers took. */
export default function LatencyChart({ latencies }: { latencies: readonly Latency[] }): ReactNode {
    const all = latencies.map(({ ms }) => ms);
    const label = `The last ${all.length} round trips, between ${Math.min(...all).toFixed(1)} and ${Math.max(...all).toFixed(1)} milliseconds`;
    return (
        <div role="img" aria-label={label}>
            <Sparkline
                h={56}
                data={all}
                curveType="monotone"
                color="indigo.6"
                fillOpacity={0.25}
                strokeWidth={1.5}
            />
        </div>
    );
}
