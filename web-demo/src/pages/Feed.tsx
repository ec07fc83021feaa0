import { Button, Group, Loader, Paper, Select, Text } from "@mantine/core";
import type { Activity } from "@roomcast/client";
import { IconList, IconRefresh } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { rest } from "../hub";
import { TYPES, typeName } from "../lib/activity";
import { useLive, useLiveStore } from "../live/LiveProvider";
import { ActivityItem } from "../ui/ActivityItem";
import { Page } from "../ui/Page";
import { Empty, Failed, Loading } from "../ui/States";
import { useEnd } from "../ui/useEnd";
import { useMe } from "../ui/useMe";
import classes from "./Live.module.css";

const PAGE_SIZE = 50;

/** The log, as far back as it is kept. */
export default function Feed(): ReactNode {
    const [type, setType] = useState<string | null>(null);
    const [actor, setActor] = useState<string | null>(null);
    const actors = useActors();
    return (
        <Page title="Feed" description="The log that everything is written to first, newest first.">
            <Group gap="sm" align="flex-end">
                <Select
                    label="Type"
                    placeholder="Every type"
                    data={TYPES.map(value => ({ value, label: typeName(value) }))}
                    value={type}
                    onChange={setType}
                    clearable
                    className="grow"
                />
                <Select
                    label="By"
                    placeholder="Everybody"
                    data={actors}
                    value={actor}
                    onChange={setActor}
                    clearable
                    searchable
                    nothingFoundMessage="Nobody of that name"
                    className="grow"
                />
            </Group>
            <Entries key={`${type}/${actor}`} type={type} actor={actor} />
        </Page>
    );
}

/** Those whose activities can be asked for. Only admins may list members; others know whom they saw. */
function useActors(): { value: string; label: string }[] {
    const { isAdmin, user } = useMe();
    const { rows } = useLive(state => state.timeline);
    const members = useQuery({
        queryKey: ["users", "all"],
        queryFn: ({ signal }) => rest.listUsers({ limit: 200 }, { signal }),
        enabled: isAdmin,
    });
    const names = new Map([[user.id, user.name]]);
    for (const row of rows) {
        const seen = row.kind === "entry" ? row.activity.actor : null;
        if (seen !== null && !names.has(seen.id)) {
            names.set(seen.id, seen.name);
        }
    }
    for (const { id, name } of members.data?.items ?? []) {
        names.set(id, name);
    }
    return [...names].map(([value, label]) => ({ value, label }));
}

function Entries({ type, actor }: { type: string | null; actor: string | null }): ReactNode {
    const queries = useQueryClient();
    const filter = { ...(type === null ? {} : { type }), ...(actor === null ? {} : { actorId: actor }) };
    const queryKey = ["feed", filter];
    const feed = useInfiniteQuery({
        queryKey,
        queryFn: ({ pageParam, signal }) => {
            const before = pageParam === null ? {} : { before: pageParam };
            return rest.listActivities({ ...filter, ...before, limit: PAGE_SIZE }, { signal });
        },
        initialPageParam: null as number | null,
        getNextPageParam: page => (page.nextCursor === null ? null : Number(page.nextCursor)),
        // Whoever comes back begins at the top.
        gcTime: 0,
    });
    const { fetchNextPage, hasNextPage, isFetching, isError } = feed;
    const end = useEnd(
        useCallback(() => void fetchNextPage(), [fetchNextPage]),
        hasNextPage && !isFetching && !isError,
    );
    const news = useNews(type, actor, feed.dataUpdatedAt);
    if (feed.isPending) {
        return <Loading label="Reading the feed" />;
    }
    const items = feed.data?.pages.flatMap(page => page.items) ?? [];
    return (
        <>
            {news > 0 && (
                <Button
                    variant="light"
                    leftSection={<IconRefresh size={18} />}
                    onClick={() => void queries.resetQueries({ queryKey })}
                >
                    {news === 1 ? "One new activity" : `${news} new activities`}
                </Button>
            )}
            {items.length > 0 && (
                <Paper withBorder>
                    <ol className={classes.rows} aria-label="Activities, newest first">
                        {items.map(activity => (
                            <ActivityItem key={activity.id} activity={activity} />
                        ))}
                    </ol>
                </Paper>
            )}
            {feed.isError && <Failed error={feed.error} onRetry={() => void feed.fetchNextPage()} />}
            {items.length === 0 && !feed.isError && (
                <Empty icon={IconList} title="Nothing here">
                    {type === null && actor === null
                        ? "What happens in your organisation will be listed here."
                        : "Nothing of this kind has happened, or it is not for you to see."}
                </Empty>
            )}
            <div ref={end} />
            {feed.isFetchingNextPage && (
                <Group justify="center" role="status" aria-label="Reading more">
                    <Loader type="dots" />
                </Group>
            )}
            {items.length > 0 && !hasNextPage && (
                <Text size="sm" c="dimmed" ta="center">
                    That is everything.
                </Text>
            )}
        </>
    );
}

/** How many that fit the filter came since the feed was read. */
function useNews(type: string | null, actor: string | null, readAt: number): number {
    const store = useLiveStore();
    const [count, setCount] = useState(0);
    // biome-ignore lint/correctness/useExhaustiveDependencies: reading the feed again is what begins anew
    useEffect(() => {
        setCount(0);
        const fits = (activity: Activity): boolean =>
            (type === null || activity.type === type) && (actor === null || activity.actor?.id === actor);
        return store.onArrival(activity => setCount(before => before + (fits(activity) ? 1 : 0)));
    }, [store, type, actor, readAt]);
    return count;
}
