import { BarChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import type { ReactNode } from "react";
import { dateOf } from "../lib/time";
import type { Day } from "../lib/usage";

const SERIES = [
    { name: "broadcasts", label: "Broadcasts", color: "indigo.6" },
    { name: "other", label: "Other activities", color: "teal.6" },
];

/** How many activities each day had. */
export default function UsageChart({ days }: { days: readonly Day[] }): ReactNode {
    const rows = days.map(({ at, ...counts }) => ({ day: dateOf(at), ...counts }));
    const sum = (of: (day: Day) => number): number => days.reduce((total, day) => total + of(day), 0);
    const label = `${sum(day => day.broadcasts)} broadcasts and ${sum(day => day.other)} other activities in ${days.length} days`;
    return (
        <div role="img" aria-label={label}>
            <BarChart
                h={224}
                data={rows}
                dataKey="day"
                type="stacked"
                series={SERIES}
                withLegend
                legendProps={{ verticalAlign: "bottom" }}
                tickLine="y"
                barChartProps={{ margin: { top: 12 } }}
                yAxisProps={{ allowDecimals: false, width: 32, interval: 0 }}
                barProps={{ radius: 2 }}
            />
        </div>
    );
}
