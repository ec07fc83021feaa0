import { Button, Paper, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Invite } from "@roomcast/client";
import { IconMail } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { rest } from "../hub";
import { roleName } from "../lib/activity";
import { explain } from "../lib/problem";
import { dateOf } from "../lib/time";
import classes from "./People.module.css";
import { Empty, Failed, Loading } from "./States";

/** Who was invited and has not come yet. */
export function PendingInvites(): ReactNode {
    const invites = useQuery({
        queryKey: ["invites"],
        queryFn: ({ signal }) => rest.listInvites({ limit: 200 }, { signal }),
    });
    if (invites.isPending) {
        return <Loading label="Reading the invites" />;
    }
    if (invites.isError) {
        return <Failed error={invites.error} onRetry={() => void invites.refetch()} />;
    }
    if (invites.data.items.length === 0) {
        return (
            <Empty icon={IconMail} title="Nobody is invited">
                Whom you invite is listed here until they come. Until then they take no seat.
            </Empty>
        );
    }
    return (
        <Paper withBorder>
            <ul className={classes.people} aria-label="Pending invites">
                {invites.data.items.map(invite => (
                    <Pending key={invite.id} invite={invite} />
                ))}
            </ul>
        </Paper>
    );
}

function Pending({ invite }: { invite: Invite }): ReactNode {
    const queries = useQueryClient();
    const revocation = useMutation({
        mutationFn: () => rest.deleteInvite(invite.id),
        onError: error => {
            const { title, detail } = explain(error);
            notifications.show({ color: "red", title, message: detail });
        },
        onSettled: () => queries.invalidateQueries({ queryKey: ["invites"] }),
    });
    return (
        <li className={classes.person}>
            <div className={classes.name}>
                <Text size="sm" fw={600} truncate>
                    {invite.email}
                </Text>
                <Text size="xs" c="dimmed">
                    as {roleName(invite.role)}, until {dateOf(invite.expiresAt)}
                </Text>
            </div>
            <Button
                size="compact-sm"
                variant="default"
                loading={revocation.isPending}
                aria-label={`Revoke the invite of ${invite.email}`}
                onClick={() => revocation.mutate()}
            >
                Revoke
            </Button>
        </li>
    );
}
