import { Alert, Paper, Progress, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { rest } from "../hub";
import { creditsOf } from "../lib/messages";
import { Failed } from "./States";

/** What is left to send messages with. */
export function Credits(): ReactNode {
    const credits = useQuery({
        queryKey: ["credits"],
        queryFn: ({ signal }) => rest.getCredits({ signal }),
        // No activity tells when what was put aside is paid or given back.
        refetchInterval: ({ state }) => (state.data !== undefined && state.data.reserved > 0 ? 2_000 : false),
    });
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="credits">
            <Title order={2} size="h4" id="credits" mb="sm">
                Credits
            </Title>
            {credits.isPending && <Skeleton h={44} />}
            {credits.isError && <Failed error={credits.error} onRetry={() => void credits.refetch()} />}
            {credits.data !== undefined && <Standing {...creditsOf(credits.data)} />}
        </Paper>
    );
}

function Standing({ text, percent, isLow }: ReturnType<typeof creditsOf>): ReactNode {
    return (
        <Stack gap="sm">
            <Stack gap={6}>
                <Text size="sm">{text}</Text>
                <Progress
                    value={percent}
                    color={isLow ? "orange" : "indigo"}
                    aria-label="Credits left"
                    size="md"
                />
            </Stack>
            {isLow ? (
                <Alert color="orange" title="Credits are low" role="status">
                    Ask whoever runs this platform for more, before messages are refused.
                </Alert>
            ) : (
                <Text size="xs" c="dimmed">
                    A price is put aside when a message is queued, and given back when it fails or is
                    cancelled.
                </Text>
            )}
        </Stack>
    );
}
