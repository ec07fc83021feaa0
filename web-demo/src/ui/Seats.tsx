import { Progress, Stack, Text } from "@mantine/core";
import type { Organisation } from "@roomcast/client";
import type { ReactNode } from "react";
import { seatsOf } from "../lib/plans";

/** Seats used against the plan. */
export function Seats({ organisation }: { organisation: Organisation }): ReactNode {
    const { percent, isFull, limit, text } = seatsOf(organisation);
    return (
        <Stack gap={6}>
            <Text size="sm">
                {text} <span className="dimmed">· plan {organisation.plan}</span>
            </Text>
            {limit !== null && (
                <Progress
                    value={percent}
                    color={isFull ? "orange" : "indigo"}
                    aria-label="Seats used"
                    size="md"
                />
            )}
        </Stack>
    );
}
