import {
    ActionIcon,
    Avatar,
    Badge,
    Button,
    Group,
    Loader,
    Modal,
    Paper,
    Select,
    Stack,
    Text,
} from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Member } from "@roomcast/client";
import { IconUserMinus } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { rest } from "../hub";
import { type Explained, explain } from "../lib/problem";
import { useLive } from "../live/LiveProvider";
import { ROLES } from "./InviteForm";
import classes from "./People.module.css";
import { Failed, Loading, Problem } from "./States";
import { useMe } from "./useMe";

/** Everybody, with their roles. */
export function MemberList(): ReactNode {
    const members = useInfiniteQuery({
        queryKey: ["users"],
        queryFn: ({ pageParam, signal }) => {
            const cursor = pageParam === null ? {} : { cursor: pageParam };
            return rest.listUsers({ ...cursor, limit: 100 }, { signal });
        },
        initialPageParam: null as string | null,
        getNextPageParam: page => page.nextCursor,
    });
    const [leaving, setLeaving] = useState<Member | null>(null);
    if (members.isPending) {
        return <Loading label="Reading the members" />;
    }
    return (
        <>
            {members.data !== undefined && (
                <Paper withBorder>
                    <ul className={classes.people} aria-label="Members">
                        {members.data.pages
                            .flatMap(page => page.items)
                            .map(member => (
                                <Person key={member.id} member={member} onRemove={() => setLeaving(member)} />
                            ))}
                    </ul>
                </Paper>
            )}
            {members.isError && <Failed error={members.error} onRetry={() => void members.refetch()} />}
            {members.hasNextPage && (
                <Button
                    variant="default"
                    loading={members.isFetchingNextPage}
                    onClick={() => void members.fetchNextPage()}
                >
                    More
                </Button>
            )}
            <Modal
                opened={leaving !== null}
                onClose={() => setLeaving(null)}
                title="Remove a member"
                centered
            >
                {leaving !== null && <Removal member={leaving} onDone={() => setLeaving(null)} />}
            </Modal>
        </>
    );
}

function Person({ member, onRemove }: { member: Member; onRemove: () => void }): ReactNode {
    const queries = useQueryClient();
    const { user } = useMe();
    const online = useLive(state => state.online);
    const isOnline = online.has(member.id);
    const change = useMutation({
        mutationFn: (role: string) => rest.updateUser(member.id, { role }),
        onError: error => {
            const { title, detail } = explain(error);
            notifications.show({ color: "red", title, message: detail });
        },
        onSettled: () => queries.invalidateQueries({ queryKey: ["users"] }),
    });
    const roles = ROLES.some(({ value }) => value === member.role)
        ? ROLES
        : [...ROLES, { value: member.role, label: member.role }];
    return (
        <li className={classes.person}>
            <Avatar name={member.name} color="indigo" size={36} aria-hidden />
            <div className={classes.name}>
                <Group gap="xs">
                    <Text size="sm" fw={600} truncate>
                        {member.name}
                        {member.id === user.id && " (you)"}
                    </Text>
                    {isOnline && (
                        <Badge size="sm" variant="light" color="green" tt="none">
                            online
                        </Badge>
                    )}
                </Group>
                <Text size="xs" c="dimmed" truncate>
                    {member.email}
                </Text>
            </div>
            <Select
                aria-label={`Role of ${member.name}`}
                data={roles}
                value={change.isPending ? change.variables : member.role}
                onChange={role => role !== null && role !== member.role && change.mutate(role)}
                allowDeselect={false}
                disabled={change.isPending}
                rightSection={change.isPending ? <Loader size={16} /> : undefined}
                size="xs"
                w="7rem"
            />
            <ActionIcon
                variant="subtle"
                color="red"
                size="lg"
                aria-label={`Remove ${member.name}`}
                onClick={onRemove}
            >
                <IconUserMinus size={18} />
            </ActionIcon>
        </li>
    );
}

function Removal({ member, onDone }: { member: Member; onDone: () => void }): ReactNode {
    const queries = useQueryClient();
    const [problem, setProblem] = useState<Explained | null>(null);
    const removal = useMutation({
        mutationFn: () => rest.deleteUser(member.id),
        onError: error => setProblem(explain(error)),
        onSuccess: async () => {
            await queries.invalidateQueries({ queryKey: ["users"] });
            onDone();
        },
    });
    return (
        <Stack>
            {problem !== null && <Problem problem={problem} />}
            <Text size="sm">
                {member.name} is signed out everywhere at once, and sees nothing of the organisation any more.
            </Text>
            <Group justify="flex-end">
                <Button variant="default" onClick={onDone}>
                    Keep
                </Button>
                <Button color="red" loading={removal.isPending} onClick={() => removal.mutate()}>
                    Remove {member.name}
                </Button>
            </Group>
        </Stack>
    );
}
