import { Paper, Stack, Title } from "@mantine/core";
import { IconSpeakerphone } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { rest } from "../hub";
import { useLiveStore } from "../live/LiveProvider";
import { ActivityItem } from "../ui/ActivityItem";
import { BroadcastForm } from "../ui/BroadcastForm";
import { ForAdmins } from "../ui/ForAdmins";
import { Page } from "../ui/Page";
import { Empty, Failed, Loading } from "../ui/States";
import classes from "./Live.module.css";

/** Says something to everybody, with data for applications where there is any. */
export default function Broadcast(): ReactNode {
    return (
        <Page
            title="Broadcast"
            description="To every member: at once to who is online, to the others when they come."
        >
            <ForAdmins>
                <Paper withBorder p="md">
                    <BroadcastForm />
                </Paper>
                <Recent />
            </ForAdmins>
        </Page>
    );
}

function Recent(): ReactNode {
    const store = useLiveStore();
    const queries = useQueryClient();
    const queryKey = ["broadcasts"];
    const recent = useQuery({
        queryKey,
        queryFn: ({ signal }) => rest.listActivities({ type: "BROADCAST_MESSAGE", limit: 10 }, { signal }),
    });
    useEffect(
        () =>
            store.onArrival(({ type }) => {
                if (type === "BROADCAST_MESSAGE") {
                    void queries.invalidateQueries({ queryKey: ["broadcasts"] });
                }
            }),
        [store, queries],
    );
    return (
        <Stack gap="sm">
            <Title order={2} size="h4">
                Recent broadcasts
            </Title>
            {recent.isPending && <Loading label="Reading the broadcasts" />}
            {recent.isError && <Failed error={recent.error} onRetry={() => void recent.refetch()} />}
            {recent.data?.items.length === 0 && (
                <Empty icon={IconSpeakerphone} title="No broadcast yet">
                    What you say above arrives here, and with everybody else.
                </Empty>
            )}
            {recent.data !== undefined && recent.data.items.length > 0 && (
                <Paper withBorder>
                    <ol className={classes.rows} aria-label="Broadcasts, newest first">
                        {recent.data.items.map(activity => (
                            <ActivityItem key={activity.id} activity={activity} />
                        ))}
                    </ol>
                </Paper>
            )}
        </Stack>
    );
}
