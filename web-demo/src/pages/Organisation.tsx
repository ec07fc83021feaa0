import {
    Badge,
    Button,
    Code,
    Group,
    Paper,
    Select,
    Skeleton,
    Stack,
    Text,
    TextInput,
    Title,
} from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Organisation as OrganisationOfHub } from "@roomcast/client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { rest } from "../hub";
import { choicesWith } from "../lib/plans";
import { standingOf } from "../lib/standing";
import { dateOf } from "../lib/time";
import { usageOf } from "../lib/usage";
import { useHubForm } from "../lib/useHubForm";
import { Organisations } from "../ui/Organisations";
import { Page } from "../ui/Page";
import { Seats } from "../ui/Seats";
import { SignOut } from "../ui/SignOut";
import { Failed, Problem } from "../ui/States";
import { useMe } from "../ui/useMe";
import classes from "./Organisation.module.css";

const UsageChart = lazy(() => import("../ui/UsageChart"));

/** The organisation itself: name, plan, usage; and the way to another, or out. */
export default function Organisation(): ReactNode {
    const { organisation, user, isAdmin } = useMe();
    return (
        <Page
            title="Organisation"
            description={`${organisation.name} (${organisation.slug}), since ${dateOf(organisation.createdAt)}`}
        >
            <div className={classes.cards}>
                <Paper withBorder p="md" component="section" aria-labelledby="plan">
                    <Title order={2} size="h4" id="plan" mb="sm">
                        Plan and seats
                    </Title>
                    <Stack>
                        <Seats organisation={organisation} />
                        {/* A plan that somebody else changed is the one to begin with. */}
                        {isAdmin && <Plan key={organisation.plan} plan={organisation.plan} />}
                    </Stack>
                </Paper>
                <Paper withBorder p="md" component="section" aria-labelledby="name">
                    <Title order={2} size="h4" id="name" mb="sm">
                        Name
                    </Title>
                    {isAdmin ? (
                        <Name key={organisation.name} name={organisation.name} />
                    ) : (
                        <Text>{organisation.name}</Text>
                    )}
                </Paper>
                <Usage />
                <Paper withBorder p="md" component="section" aria-labelledby="organisations">
                    <Title order={2} size="h4" id="organisations" mb="sm">
                        Your organisations
                    </Title>
                    <Stack>
                        <Organisations />
                        <Group justify="space-between">
                            <Text size="sm" c="dimmed">
                                Signed in as {user.name}, {user.email}
                            </Text>
                            <SignOut />
                        </Group>
                    </Stack>
                </Paper>
                <Facts organisation={organisation} />
            </div>
        </Page>
    );
}

/** What does not change with a click. */
function Facts({ organisation }: { organisation: OrganisationOfHub }): ReactNode {
    const { slug, id, createdAt } = organisation;
    const standing = standingOf(organisation);
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="facts">
            <Title order={2} size="h4" id="facts" mb="sm">
                About
            </Title>
            <dl className={classes.facts}>
                <dt>Name in addresses</dt>
                <dd>{slug}</dd>
                <dt>Founded</dt>
                <dd>{dateOf(createdAt)}</dd>
                <dt>Id</dt>
                <dd>
                    <Code>{id}</Code>
                </dd>
                {standing.isolation !== null && (
                    <>
                        <dt>Its data</dt>
                        <dd>{standing.isolation}</dd>
                    </>
                )}
                {standing.isSuspended !== null && (
                    <>
                        <dt>State</dt>
                        <dd>
                            <Badge variant="light" color={standing.isSuspended ? "red" : "green"} tt="none">
                                {standing.isSuspended ? "suspended" : "active"}
                            </Badge>
                        </dd>
                    </>
                )}
            </dl>
        </Paper>
    );
}

function Name({ name }: { name: string }): ReactNode {
    const queries = useQueryClient();
    const { form, problem, isBusy, onSubmit } = useHubForm({ name }, async values => {
        await rest.updateOrganisation(values);
        await queries.invalidateQueries({ queryKey: ["me"] });
    });
    return (
        <form onSubmit={onSubmit} noValidate className="form">
            {problem !== null && <Problem problem={problem} />}
            <TextInput label="What members see" autoComplete="off" {...form.getInputProps("name")} />
            <Group>
                <Button type="submit" variant="default" loading={isBusy} disabled={form.values.name === name}>
                    Rename
                </Button>
            </Group>
        </form>
    );
}

function Plan({ plan }: { plan: string }): ReactNode {
    const queries = useQueryClient();
    const { form, problem, isBusy, onSubmit } = useHubForm({ plan }, async values => {
        const changed = await rest.updateSubscription(values);
        await queries.invalidateQueries({ queryKey: ["me"] });
        notifications.show({ color: "teal", message: `The plan is ${changed.plan} now.` });
    });
    return (
        <form onSubmit={onSubmit} noValidate className="form">
            {problem !== null && <Problem problem={problem} />}
            <Select
                label="Plan"
                data={choicesWith(plan)}
                allowDeselect={false}
                {...form.getInputProps("plan")}
            />
            <Group>
                <Button type="submit" variant="default" loading={isBusy} disabled={form.values.plan === plan}>
                    Change plan
                </Button>
            </Group>
        </form>
    );
}

const DAYS = 14;

/** As many as one page of the feed holds. */
const MOST = 200;

function Usage(): ReactNode {
    const feed = useQuery({
        queryKey: ["usage"],
        queryFn: ({ signal }) => rest.listActivities({ limit: MOST }, { signal }),
    });
    const days = useMemo(() => usageOf(feed.data?.items ?? [], DAYS, new Date()), [feed.data]);
    const isWhole = (feed.data?.nextCursor ?? null) === null;
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="usage" className={classes.wide ?? ""}>
            <Title order={2} size="h4" id="usage">
                Activities
            </Title>
            <Text size="sm" c="dimmed" mb="sm">
                {`The last ${DAYS} days${isWhole ? "" : `, of the latest ${MOST} activities`}`}
            </Text>
            {feed.isError ? (
                <Failed error={feed.error} onRetry={() => void feed.refetch()} />
            ) : (
                <div className={classes.chart}>
                    {feed.isPending ? (
                        <Skeleton h="100%" />
                    ) : (
                        <Suspense fallback={<Skeleton h="100%" />}>
                            <UsageChart days={days} />
                        </Suspense>
                    )}
                </div>
            )}
        </Paper>
    );
}
