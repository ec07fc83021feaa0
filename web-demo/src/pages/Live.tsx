import { Alert, Avatar, Button, Group, Paper, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { IconBroadcast, IconPlugConnected, IconPlugConnectedX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";
import { rest } from "../hub";
import { spanOf, timeOf } from "../lib/time";
import { useLive, useLiveStore } from "../live/LiveProvider";
import { lossOf } from "../live/store";
import type { Outage, Row } from "../live/timeline";
import { useTour } from "../live/tour";
import { ActivityItem } from "../ui/ActivityItem";
import { BroadcastForm } from "../ui/BroadcastForm";
import { Guide } from "../ui/Guide";
import { Page } from "../ui/Page";
import { Empty, Failed, Loading } from "../ui/States";
import { useSound } from "../ui/useArrivals";
import { useMe } from "../ui/useMe";
import classes from "./Live.module.css";

// The charts are larger than all the rest.
const LatencyChart = lazy(() => import("../ui/LatencyChart"));

/** What happens, as it happens. */
export function Live(): ReactNode {
    const { isAdmin } = useMe();
    const tour = useTour();
    const [hasSound, setHasSound] = useSound();
    return (
        <Page
            title="Live"
            description="Everything that happens in your organisation, as it happens."
            actions={
                <Switch
                    label="Sound"
                    checked={hasSound}
                    onChange={event => setHasSound(event.currentTarget.checked)}
                />
            }
        >
            <Guide tour={tour} isAdmin={isAdmin} />
            <div className={classes.columns}>
                <Stack gap="md" className={classes.stream ?? ""}>
                    {isAdmin && (
                        <Paper withBorder p="md">
                            <BroadcastForm isShort />
                        </Paper>
                    )}
                    <Stream />
                </Stack>
                <Stack gap="md" className={classes.side ?? ""}>
                    <Connection />
                    <Online />
                </Stack>
            </div>
        </Page>
    );
}

function Stream(): ReactNode {
    const store = useLiveStore();
    const isReady = useLive(state => state.isReady);
    const error = useLive(state => state.error);
    const { rows } = useLive(state => state.timeline);
    if (error !== null) {
        return <Failed error={error} onRetry={() => void store.start()} />;
    }
    if (!isReady) {
        return <Loading label="Reading what has happened" />;
    }
    if (rows.length === 0) {
        return (
            <Empty icon={IconBroadcast} title="Nothing has happened yet">
                What happens from now on appears here at once.
            </Empty>
        );
    }
    return (
        <Paper withBorder component="section" aria-label="Stream of events">
            {/* The newest is first. Toasts tell screen readers of what arrives, so this list stays quiet. */}
            <div role="log" aria-live="off" aria-label="Events, newest first" className="inherit-radius">
                <ol className={classes.rows}>
                    {rows.map(row => (
                        <Line key={row.key} row={row} />
                    ))}
                </ol>
            </div>
        </Paper>
    );
}

function Line({ row }: { row: Row }): ReactNode {
    switch (row.kind) {
        case "entry":
            return <ActivityItem activity={row.activity} arrival={row.arrival} />;
        case "break":
            return <Break outage={row.outage} />;
        case "gap":
            return <li className={classes.break}>{row.text}</li>;
    }
}

/** A time without a connection, between what came before and what was missed. */
function Break({ outage }: { outage: Outage }): ReactNode {
    const { from, to, reason, replayed } = outage;
    const missed = replayed === 0 ? "nothing was missed" : `${replayed} missed, ${replayed} replayed`;
    return (
        <li className={classes.break} data-break={to === null ? "open" : "over"}>
            {to === null
                ? `Not connected since ${timeOf(from)}: ${reason}.`
                : `Away for ${spanOf(to - from)} at ${timeOf(from)} (${reason}): ${missed}.`}
        </li>
    );
}

function Connection(): ReactNode {
    const store = useLiveStore();
    const status = useLive(state => state.status);
    const transport = useLive(state => state.transport);
    const reason = useLive(state => state.reason);
    const isCut = useLive(state => state.isCut);
    const seq = useLive(state => state.seq);
    const latencies = useLive(state => state.latencies);
    const last = latencies.at(-1);
    const isClosed = status === "closed";
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="connection">
            <Title order={2} size="h4" id="connection" mb="sm">
                Connection
            </Title>
            <Stack gap="sm">
                <dl className={classes.facts}>
                    <dt>Carried by</dt>
                    <dd>
                        {transport === null
                            ? "–"
                            : transport === "websocket"
                              ? "WebSocket"
                              : "Server-sent events"}
                    </dd>
                    <dt>Position in the log</dt>
                    <dd data-testid="position">{seq === null ? "–" : `#${seq}`}</dd>
                    <dt>Round trip</dt>
                    <dd>
                        {last === undefined
                            ? "–"
                            : `${last.ms < 10 ? last.ms.toFixed(1) : Math.round(last.ms)} ms`}
                    </dd>
                </dl>
                <div className={classes.chart}>
                    {latencies.length > 1 ? (
                        <Suspense fallback={<Skeleton h="100%" />}>
                            <LatencyChart latencies={latencies} />
                        </Suspense>
                    ) : (
                        <Text size="xs" c="dimmed">
                            Measured every five seconds
                        </Text>
                    )}
                </div>
                {isClosed && (
                    <Alert color={isCut ? "orange" : "red"} role="status">
                        {isCut
                            ? "You dropped the connection. What happens now is missed here. Broadcast something, from here or from another window, then reconnect."
                            : `Closed: ${reason === null ? "no reason was given" : lossOf(reason)}.`}
                    </Alert>
                )}
                {isClosed ? (
                    <Button leftSection={<IconPlugConnected size={18} />} onClick={() => store.reconnect()}>
                        Reconnect
                    </Button>
                ) : (
                    <Button
                        variant="default"
                        leftSection={<IconPlugConnectedX size={18} />}
                        disabled={status !== "connected"}
                        onClick={() => store.cut()}
                    >
                        Drop my connection
                    </Button>
                )}
            </Stack>
        </Paper>
    );
}

function Online(): ReactNode {
    const online = useLive(state => state.online);
    const status = useLive(state => state.status);
    const { user } = useMe();
    // The socket tells who comes and goes; their names are asked for.
    const key = [...online].sort().join();
    const presence = useQuery({
        queryKey: ["presence", key],
        queryFn: ({ signal }) => rest.listPresence({ signal }),
        enabled: status === "connected",
        placeholderData: before => before,
    });
    const here = presence.data?.items.filter(({ userId }) => online.has(userId)) ?? [];
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="online">
            <Title order={2} size="h4" id="online" mb="sm">
                Online{status === "connected" && here.length > 0 && <span aria-hidden> · {here.length}</span>}
            </Title>
            {status === "connected" ? (
                <ul className={classes.people}>
                    {here.map(({ userId, name, since }) => (
                        <li key={userId}>
                            <Group gap="sm" wrap="nowrap">
                                <Avatar name={name} color="indigo" size={30} aria-hidden />
                                <div className={classes.person}>
                                    <Text size="sm" truncate>
                                        {name}
                                        {userId === user.id && " (you)"}
                                    </Text>
                                    <Text size="xs" c="dimmed">
                                        since {timeOf(since)}
                                    </Text>
                                </div>
                            </Group>
                        </li>
                    ))}
                </ul>
            ) : (
                <Text size="sm" c="dimmed">
                    Not known while you are not connected.
                </Text>
            )}
            {presence.isError && <Failed error={presence.error} onRetry={() => void presence.refetch()} />}
            {presence.data?.complete === false && (
                <Text size="xs" c="dimmed" mt="xs">
                    The hubs cannot reach each other: some may be missing.
                </Text>
            )}
        </Paper>
    );
}
